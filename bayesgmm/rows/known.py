"""What a caller says of the rows, checked at the boundary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.core.facts import NO_FACTS, RowFacts, log_shares, of_weights
from bayesgmm.errors import ArgumentError, DataError, shown
from bayesgmm.rows.classes import Classes
from bayesgmm.rows.labels import checked_labels

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
        if self.is_nothing:
            return NO_FACTS, None
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
    if not len(facts.weights) or len(set(classes.owner)) == 1:
        return
    is_hard = len(facts.classes) > 0
    rows = facts.allowed[facts.classes] if is_hard else facts.offsets
    speaks = facts.classes >= 0 if is_hard else np.any(rows != 0.0, axis=1)
    named = np.any(rows[np.logical_and(speaks, facts.weights > 0)] > -np.inf, axis=0)
    for c, name in enumerate(classes.names):
        if not named[np.array(classes.owner) == c].any():
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
