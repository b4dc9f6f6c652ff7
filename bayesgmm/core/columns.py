"""Columns, and values of columns, as arguments: counted from 0."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bayesgmm.checks import real_number, whole_number
from bayesgmm.errors import ArgumentError, shown


def as_columns(columns: Sequence[int], n_features: int, name: str = "columns") -> list[int]:
    if isinstance(columns, (str, bytes)) or not isinstance(columns, (int, np.integer, Iterable)):
        raise ArgumentError(f"{name}={shown(columns)} must be numbers of columns, counted from 0.")
    given = [columns] if isinstance(columns, (int, np.integer)) else list(columns)
    order = [whole_number(column, name, 0) for column in given]
    for column in order:
        if column >= n_features:
            raise ArgumentError(f"{name} names column {column}, and there are {n_features}, counted from 0.")
    if not order or len(set(order)) < len(order):
        raise ArgumentError(f"{name}={shown(columns)} must name at least one column, and each once.")
    return order


def as_given(given: Mapping[int, float], n_features: int) -> tuple[list[int], np.ndarray]:
    if not isinstance(given, Mapping):
        raise ArgumentError(f"given={shown(given)} must map columns to values, such as {{0: 1.5}}.")
    if not given:
        raise ArgumentError("given= names no column: give the value of one at least, or take the whole distribution.")
    columns = as_columns(list(given), n_features, "given")
    if len(columns) == n_features:
        raise ArgumentError("given= names every column, so that none is left: use log_density for that of a point.")
    values = [real_number(one, f"given[{key!r}]", above=-math.inf, below=math.inf) for key, one in given.items()]
    return columns, np.array(values)
