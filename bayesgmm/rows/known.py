"""What a caller says of the rows, checked at the boundary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np

from bayesgmm.checks import whole_number
from bayesgmm.core.facts import NO_FACTS, RowFacts, log_shares, of_weights
from bayesgmm.errors import ArgumentError, DataError, shown
from bayesgmm.rows.classes import Classes

SUM_ERROR = 1e-6  # of probabilities that were written with seven digits
LARGEST_OFFSET = 1e6  # beyond, the rounding of a sum over rows is no longer far below `tol`
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


def checked_offsets(offsets: Any, n_rows: int, n_components: int) -> np.ndarray:
    """(n, K) offsets as float64.

    Raises
    ------
    DataError
        They are no (n, K) numbers, or a row leaves no component possible; rows are counted from 0.
    """
    try:
        values = np.array(offsets, dtype=float)
    except (TypeError, ValueError):
        raise DataError(f"offsets={shown(offsets)} must hold a number for each row and component.") from None
    if values.shape != (n_rows, n_components):
        raise DataError(
            f"offsets have the shape {values.shape} and must be ({n_rows}, {n_components}): one number for each row of "
            "X and each component."
        )
    bad = np.argwhere(np.isnan(values) | ((np.abs(values) > LARGEST_OFFSET) & (values != -np.inf)))
    if len(bad):
        i, k = bad[0]
        raise DataError(
            f"offsets are {values[i, k]:g} in row {i}, component {k} (both counted from 0), and must be -inf, or "
            f"numbers between -{LARGEST_OFFSET:g} and {LARGEST_OFFSET:g}: subtract from each row its largest offset."
        )
    return values


@dataclass(frozen=True, eq=False)
class Known:
    """What a caller says of the rows beside their values; None where nothing is said."""

    sample_weight: Any = None
    labels: Any = None
    components_of: Mapping[Any, int] | None = None
    offsets: Any = None
    before: Classes | None = None  # the classes of a fit whose model these rows are for

    def __post_init__(self):
        if self.components_of is not None and self.labels is None:
            raise ArgumentError("components_of says how many components a class of labels has: give labels too.")

    @property
    def is_nothing(self) -> bool:
        return self.sample_weight is None and not self.names_components

    @property
    def names_components(self) -> bool:
        return self.labels is not None or self.offsets is not None

    def checked(self, n_rows: int, n_components: int) -> tuple[RowFacts, Classes | None]:
        """As the methods take it.

        Raises
        ------
        DataError, ArgumentError
            Something does not fit the rows or the model.
        """
        facts, classes = NO_FACTS, None
        if self.sample_weight is not None:
            facts = of_weights(checked_weights(self.sample_weight, n_rows))
        offsets = np.empty((0, 0))
        if self.labels is not None:
            numbers, offsets, classes = checked_labels(
                self.labels, self.components_of, n_rows, n_components, self.before
            )
            if len(numbers):
                facts = facts._replace(classes=numbers, allowed=classes.allowed())
        if self.offsets is not None:
            given = checked_offsets(self.offsets, n_rows, n_components)
            offsets = given + offsets if len(offsets) else given
        facts = facts._replace(offsets=np.ascontiguousarray(offsets))
        _check_possible(facts)
        if classes is not None and self.before is None:
            _check_weight(facts, classes)
        return facts, classes


def _check_weight(facts: RowFacts, classes: Classes) -> None:
    """Raise a DataError where only rows of weight 0 are of a class, so that nothing says which component is its."""
    if not len(facts.weights):
        return
    known = log_shares(facts, len(facts.weights), len(classes.owner))
    named = (known > -np.inf).astype(float)[(facts.weights > 0) & (known != known[:, :1]).any(1)].sum(0)
    for c, name in enumerate(classes.names):
        if not named[[k for k, own in enumerate(classes.owner) if own == c]].any():
            raise DataError(
                f"All rows of the class {shown(name)} have sample_weight 0, so that nothing is known of it: leave its "
                "labels out, or give a row of it a weight."
            )


def _check_possible(facts: RowFacts) -> None:
    """Raise a DataError where a row may be of no component."""
    if not len(facts.offsets):
        return
    none = np.flatnonzero((log_shares(facts, *facts.offsets.shape) == -np.inf).all(1))
    if len(none):
        raise DataError(
            f"offsets and labels leave row {none[0]} (counted from 0) no component: one at least must be possible."
        )
