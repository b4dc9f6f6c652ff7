"""A `PriorSensitivity` as people read it: a few columns, numbers with their errors, and how each refit ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from bayesgmm.result.fit import Fit

# What a reader sees: the heading, the column, and the column of its standard error.
NUMBERS = (
    ("log evidence", "log_evidence", "log_evidence_se"),
    ("ELBO", "elbo", ""),
    ("change", "log_evidence_change", "log_evidence_change_se"),
    ("change by weights", "weighted_log_evidence_change", "weighted_log_evidence_change_se"),
    ("elpd_loo", "elpd_loo", "elpd_loo_se"),
)
NUMBER_OF = (("occupied", "n_occupied"), ("K", "n_components"))
LEGEND = (
    "In nats, value ± standard error. The change is that of the log evidence against the fit's own prior, by refits or "
    "by weights of the fit's draws; .table has all numbers, .reasons why one is not there."
)


def for_people(table: pd.DataFrame, fits: Mapping[Any, Fit]) -> pd.DataFrame:
    """The columns that have something to show, as text."""
    import pandas as pd

    cells: dict[str, list[str]] = {"prior's constant": [f"{value:.4g}" for value in table["value"]]}
    for heading, column, error in NUMBERS:
        if column in table and table[column].notna().any():
            errors = table[error] if error in table else np.full(len(table), np.nan)
            cells[heading] = [_number(*pair) for pair in zip(table[column], errors, strict=True)]
    for heading, column in NUMBER_OF:
        if column in table and table[column].notna().any():
            cells[heading] = ["-" if np.isnan(value) else f"{value:g}" for value in table[column]]
    if len(fits) > 1:
        cells["ended"] = [fits[key].status.outcome.value if key in fits else "-" for key in table.index]
    return pd.DataFrame(cells, index=table.index)


def _number(value: float, error: float) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:.1f}" if np.isnan(error) or error < 0.05 else f"{value:.1f} ± {error:.1f}"
