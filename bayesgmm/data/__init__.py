"""The input boundary: what comes in as data is checked here, once, before any fitting."""

from bayesgmm.data.columns import matching_columns
from bayesgmm.data.matrix import DataMatrix, as_matrix, check_enough_points, data_hash
from bayesgmm.data.singular import explain_singular
from bayesgmm.data.tables import read_table

__all__ = [
    "DataMatrix", "as_matrix", "check_enough_points", "data_hash", "explain_singular", "matching_columns", "read_table",
]  # fmt: skip
