"""`matching_columns`: new data for a fit, checked against the columns that it was made on."""

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
    if data.values.shape[1] != len(feature_names):
        raise DataError(
            f"{name} has {data.values.shape[1]} columns and this fit was made on {len(feature_names)}: "
            f"{', '.join(feature_names)}."
        )
    if data.feature_names != feature_names and sorted(data.feature_names) == sorted(feature_names):
        raise DataError(
            f"{name} has the columns {', '.join(data.feature_names)}, and this fit was made on the same in another "
            f"order: pass {name}[{list(feature_names)}]."
        )
    return data.values
