"""Labels of rows, checked at the boundary: hard ones of any type, or probabilities of classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from numbers import Number
from typing import Any

import numpy as np

from bayesgmm.checks import whole_number
from bayesgmm.errors import ArgumentError, DataError, shown
from bayesgmm.rows.classes import Classes

SUM_ERROR = 1e-6  # of probabilities that were written with seven digits


def checked_labels(
    labels: Any, components_of: Mapping[Any, int] | None, n_rows: int, n_components: int, before: Classes | None
) -> tuple[np.ndarray, np.ndarray, Classes]:
    """(n,) numbers of classes, -1 for unknown, (n, K) offsets or (0, 0), and the classes.

    Classes that were known `before` keep their components.

    Raises
    ------
    DataError
        The labels are neither one for each row nor probabilities of classes for each row, or none is known.
    ArgumentError
        The model has too few components for the classes, or `components_of` names something else.
    """
    if _has_two_axes(labels):
        names, shares = _soft(labels, n_rows)
        classes = _classes(names, components_of, n_components) if before is None else _same(names, before)
        if before is not None:
            shares = _in_order(shares, names, before)
        return np.empty(0, np.int64), _log_shares(shares, classes), classes
    values = _hard(labels, n_rows)
    names = _sorted({value for value in values if value is not None})
    if not names:
        raise DataError("labels are unknown in every row: at least one row must have a label, or leave labels out.")
    classes = _classes(names, components_of, n_components) if before is None else _same(names, before)
    return classes.numbers(values), np.empty((0, 0)), classes


def _same(names: tuple[Any, ...], before: Classes) -> Classes:
    """The classes of a fit, to which all of the names must belong."""
    new = [name for name in names if name not in before.names]
    if new:
        known = ", ".join(shown(one) for one in before.names[:8])
        raise ArgumentError(f"labels name the class {shown(new[0])}, and the classes of this fit are {known}.")
    return before


def _in_order(shares: np.ndarray, names: tuple[Any, ...], before: Classes) -> np.ndarray:
    """(n, C) probabilities in the order of a fit's classes."""
    ordered = np.zeros((len(shares), len(before)))
    ordered[np.isnan(shares).all(1)] = np.nan
    for column, name in enumerate(names):
        ordered[:, before.names.index(name)] = shares[:, column]
    return ordered


def _has_two_axes(labels: Any) -> bool:
    if hasattr(labels, "shape"):
        return len(labels.shape) == 2
    if not isinstance(labels, Sequence) or not len(labels):
        return False
    first = labels[0]
    is_shares = isinstance(first, tuple) and len(first) > 1 and all(type(value) is float for value in first)
    return is_shares or isinstance(first, (list, np.ndarray))


def _hard(labels: Any, n_rows: int) -> list[Any]:
    """One hashable label for each row, None where it is unknown."""
    if isinstance(labels, (str, bytes, Mapping, Set)) or not isinstance(labels, Iterable):
        raise DataError(f"labels={shown(labels)} must hold one label for each row.")
    values = list(_elements(labels))
    if len(values) != n_rows:
        raise DataError(f"There are {len(values)} labels and {n_rows} rows of X: give one label for each row.")
    values = [_plain(value) for value in values]
    for row, value in enumerate(values):
        try:
            hash(value)
        except TypeError:
            raise DataError(
                f"The label of row {row} (counted from 0) is {shown(value)}: a label must be a number, a text or "
                "another value that can be compared."
            ) from None
    return [None if _is_unknown(value) else value for value in values]


def _elements(labels: Any) -> Iterable[Any]:
    """The labels one by one, of containers whose own elements are no plain values too."""
    if hasattr(labels, "to_pylist"):  # Arrow's scalars are never equal
        return labels.to_pylist()
    if isinstance(labels, np.ma.MaskedArray):
        return labels.tolist()  # in which None stands for what is masked
    return labels.values if hasattr(labels, "dims") else labels  # xarray's elements are arrays again


def _plain(value: Any) -> Any:
    """A value of NumPy's as Python's."""
    if isinstance(value, np.datetime64) and isinstance(value.item(), int):
        value = value.astype("datetime64[us]")  # a finer unit becomes a number
    return value.item() if isinstance(value, np.generic) else value


def _is_unknown(value: Any) -> bool:
    if value is None or (isinstance(value, Number) and not isinstance(value, bool) and value == -1):
        return True
    if isinstance(value, str):
        return value == "-1"  # as a column of text holds it
    is_itself = value == value
    return is_itself is not True  # NaN, NaT and pandas' NA are equal to nothing


def _sorted(names: set[Any]) -> tuple[Any, ...]:
    try:
        return tuple(sorted(names))
    except TypeError:  # labels of different kinds
        return tuple(sorted(names, key=lambda name: (type(name).__name__, str(name))))


def _soft(labels: Any, n_rows: int) -> tuple[tuple[Any, ...], np.ndarray]:
    """Names of the classes and (n, C) probabilities, NaN in rows of which nothing is known."""
    if hasattr(labels, "shape") and labels.shape[1] == 1:
        raise DataError(
            "labels have one column: give that column alone, such as labels=y[:, 0], or the probability of each of "
            "several classes."
        )
    columns = getattr(labels, "column_names", getattr(labels, "columns", None))  # of Arrow, and of the others
    try:
        given = labels.to_numpy(dtype=float, na_value=np.nan) if hasattr(labels, "iloc") else labels
        shares = np.array(given, dtype=float)
    except (TypeError, ValueError):
        raise DataError("labels with two axes must hold the probability of each class (column) in each row.") from None
    names = tuple(range(shares.shape[1])) if columns is None else tuple(_plain(name) for name in columns)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DataError(f"labels have two columns of the name {shown(twice[0])}: give each class one column.")
    if len(shares) != n_rows:
        raise DataError(f"There are {len(shares)} rows of labels and {n_rows} rows of X: give one for each row.")
    is_known = ~np.isnan(shares).all(1)
    if not is_known.any():
        raise DataError("labels are unknown in every row: at least one row must have a label, or leave labels out.")
    total = shares.sum(1)
    are_shares = np.logical_and((shares >= 0.0).all(1), np.abs(total - 1.0) < SUM_ERROR)
    bad = np.flatnonzero(is_known & ~are_shares)
    if len(bad):
        row = ", ".join(f"{value:g}" for value in shares[bad[0], :8])
        raise DataError(
            f"labels hold ({row}) in row {bad[0]} (counted from 0): probabilities of the classes must be at least 0 "
            "and sum to one, or all be NaN where nothing is known."
        )
    never = np.flatnonzero(~(shares[is_known] > 0.0).any(0))
    if len(never):
        raise DataError(f"labels give class {shown(names[never[0]])} no probability in any row: leave its column out.")
    return names, shares / total[:, None]


def _log_shares(shares: np.ndarray, classes: Classes) -> np.ndarray:
    """(n, K) log probabilities of each component's class: zero where nothing is known, -inf for one of no class."""
    with np.errstate(divide="ignore"):
        logs = np.log(np.column_stack([shares, np.zeros(len(shares))]))[:, classes.owner]
    logs[np.isnan(shares).all(1)] = 0.0
    return logs


def _classes(names: tuple[Any, ...], components_of: Mapping[Any, int] | None, n_components: int) -> Classes:
    if components_of is not None and not isinstance(components_of, Mapping):
        raise ArgumentError(f"components_of={shown(components_of)} must be a dictionary, such as {{'class': 2}}.")
    counts = dict.fromkeys(names, 1)
    for name, count in (components_of or {}).items():
        if name not in counts:
            known = ", ".join(shown(one) for one in names[:8])
            raise ArgumentError(f"components_of names the class {shown(name)}, and the classes of labels are {known}.")
        counts[name] = whole_number(count, f"components_of[{shown(name)}]")
    total = sum(counts.values())
    if total > n_components:
        raise ArgumentError(
            f"labels name {len(names)} classes, which have {total} components, and the model has n_components="
            f"{n_components}: raise it to {total} at least."
        )
    owner = [c for c, name in enumerate(names) for _ in range(counts[name])]
    return Classes(names, (*owner, *[-1] * (n_components - total)))
