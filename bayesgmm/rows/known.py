"""What a caller says of the rows, checked at the boundary."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesgmm.errors import DataError, shown

LARGEST_TOTAL = 2.0**53  # counts beyond are no longer told apart by one in float64


def checked_weights(sample_weight: Any, n_rows: int) -> np.ndarray:
    """(n,) weights as float64.

    Raises
    ------
    DataError
        They are no n finite numbers of at least 0, or all of them are zero; rows are counted from 0.
    """
    try:
        weights = np.array(sample_weight, dtype=float)
    except (TypeError, ValueError):
        raise DataError(f"sample_weight={shown(sample_weight)} must hold one number for each row.") from None
    if weights.shape != (n_rows,):
        raise DataError(
            f"sample_weight has the shape {weights.shape} and must be ({n_rows},): one number for each row of X."
        )
    bad = np.flatnonzero(~(weights >= 0.0) | np.isinf(weights))
    if len(bad):
        raise DataError(
            f"sample_weight is {weights[bad[0]]:g} in row {bad[0]} (counted from 0) and must be a finite number of at "
            "least 0."
        )
    if not weights.any():
        raise DataError("sample_weight is 0 in every row: at least one row must have a weight above 0.")
    if weights.sum() > LARGEST_TOTAL:
        raise DataError(
            f"The sum of sample_weight is {weights.sum():.3g}, and must be at most 2^53: divide all weights by one "
            "number."
        )
    return weights
