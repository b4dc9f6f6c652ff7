"""The input boundary: what comes in as data is checked here, once, before any fitting."""

from bayesgmm.data.columns import are_counted, in_order, matching_columns
from bayesgmm.data.matrix import DataMatrix, as_matrix, check_enough_points, data_hash
from bayesgmm.data.singular import explain_few_rows, explain_singular
from bayesgmm.data.source import DataSource, data_source, is_stream
from bayesgmm.data.tables import read_known_labels, read_table

__all__ = [
    "DataMatrix", "DataSource", "are_counted", "as_matrix", "check_enough_points", "data_hash", "data_source",
    "explain_few_rows", "explain_singular", "in_order", "is_stream", "matching_columns", "read_known_labels",
    "read_table",
]  # fmt: skip
