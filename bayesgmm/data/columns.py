"""New data for a fit, checked against the columns that it was made on."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesgmm.data.matrix import as_matrix
from bayesgmm.errors import DataError


def matching_columns(X: Any, feature_names: tuple[str, ...], name: str = "X") -> np.ndarray:
    """The values of new data.

    Raises
    ------
    DataError
        They are no table of finite numbers, have another number of columns than `feature_names`, or are a frame
        with these columns in another order.
    """
    data = as_matrix(X)
    check_columns(data.feature_names, feature_names, name)
    return data.values


def check_columns(given: tuple[str, ...], feature_names: tuple[str, ...], name: str = "X") -> None:
    """Raise a DataError where columns differ in number from a fit's, or are its columns in another order."""
    if len(given) != len(feature_names):
        raise DataError(
            f"{name} has {len(given)} columns and this fit was made on {len(feature_names)}: "
            f"{', '.join(feature_names)}."
        )
    if given != feature_names and sorted(given) == sorted(feature_names):
        raise DataError(
            f"{name} has the columns {', '.join(given)}, and this fit was made on the same in another order: pass "
            f"{name}[{list(feature_names)}]."
        )
