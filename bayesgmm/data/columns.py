"""New data for a fit: columns are told by their names, and by their places where there are none."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesgmm.data.matrix import DataMatrix, as_matrix
from bayesgmm.errors import DataError

FIT = "this fit was made on"


def matching_columns(X: Any, feature_names: tuple[str, ...], name: str = "X") -> np.ndarray:
    """The values of new data, their columns in the order of `feature_names`.

    Raises
    ------
    DataError
        They are no table of finite numbers, or their columns are not those of `feature_names`.
    """
    return in_order(as_matrix(X), feature_names, name)


def in_order(data: DataMatrix, feature_names: tuple[str, ...], name: str, origin: str = FIT) -> np.ndarray:
    """The same of data that have been checked, copied only where the order differs."""
    order = column_order(data.feature_names, data.is_named, feature_names, name, origin)
    return data.values if order is None else np.ascontiguousarray(data.values[:, order])


def column_order(
    given: tuple[str, ...], is_named: bool, feature_names: tuple[str, ...], name: str, origin: str = FIT
) -> list[int] | None:
    """Where each of a fit's columns stands among those given; None where they stand in its order.

    Data without names, and data for a fit that was made without names, are taken by the places of their columns.

    Raises
    ------
    DataError
        The columns differ in number or in name.
    """
    if given == feature_names:
        return None
    places = {column: j for j, column in enumerate(given)}
    is_anonymous = not is_named or (are_counted(feature_names) and not places.keys() & set(feature_names))
    if is_anonymous and len(given) == len(feature_names):
        return None
    if is_anonymous or not is_named:
        raise DataError(
            f"{name} has {len(given)} column{'s' * (len(given) != 1)} and {origin} {len(feature_names)}: "
            f"{', '.join(feature_names)}."
        )
    missing = [column for column in feature_names if column not in places]
    if missing:
        raise DataError(
            f"{name} has no column {missing[0]!r}, and {origin} {', '.join(feature_names)}: rename the columns "
            f"({', '.join(given)}), or give their values without names if they stand in that order."
        )
    if len(given) > len(feature_names):
        extra = next(column for column in given if column not in feature_names)
        raise DataError(f"{name} has a column {extra!r}, and {origin} {', '.join(feature_names)}: leave it out.")
    return [places[column] for column in feature_names]


def are_counted(names: tuple[str, ...]) -> bool:
    """Whether names only count the columns, as those of an array or of a frame without names do."""
    return names in (tuple(f"x{j}" for j in range(len(names))), tuple(str(j) for j in range(len(names))))
