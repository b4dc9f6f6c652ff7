"""`compare_intervals`: intervals of several fits to the same data in one table, components put in one order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.checks import fraction
from bayesgmm.errors import ArgumentError, NotApplicableError, shown
from bayesgmm.labels.matching import best_orders
from bayesgmm.result.fit import Fit
from bayesgmm.uncertainty.intervals import Intervals, intervals
from bayesgmm.uncertainty.quantities import Row

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class IntervalComparison:
    """Intervals of several fits side by side.

    Attributes
    ----------
    level : float
    rows : dict of str to dict of str to Row
        ``rows[fit][parameter]``, components numbered as in the first fit.
    reasons : dict of str to str
        Of each fit: why it has no intervals, or what to know about those that it has.
    """

    level: float
    rows: dict[str, dict[str, Row]]
    reasons: dict[str, str]

    @property
    def table(self) -> pd.DataFrame:
        """One row for each parameter of each fit, with its estimate, se, lower and upper."""
        import pandas as pd

        names = dict.fromkeys(name for rows in self.rows.values() for name in rows)
        entries = {
            (name, fit): (row.estimate, row.se, row.lower, row.upper)
            for name in names
            for fit, rows in self.rows.items()
            if (row := rows.get(name)) is not None
        }
        index = pd.MultiIndex.from_tuples(entries, names=["parameter", "fit"])
        return pd.DataFrame(list(entries.values()), index=index, columns=["estimate", "se", "lower", "upper"])

    def apart(self, one: str, other: str) -> list[tuple[str, Row, Row]]:
        """The parameters whose intervals by two of the fits do not overlap, with both."""
        ours, theirs = self.rows[one], self.rows[other]
        pairs = [(name, ours[name], theirs[name]) for name in ours if name in theirs]
        return [(name, a, b) for name, a, b in pairs if a.upper < b.lower or b.upper < a.lower]

    def _repr_html_(self) -> str:
        return self.table.to_html(float_format=lambda value: f"{value:.4g}")


def compare_intervals(entries: Mapping[str, Fit | Intervals], level: float = 0.9) -> IntervalComparison:
    """Intervals of fits of every kind in one table, for one picture (`bayesgmm.plots.plot_intervals`).

    Components are matched to those of the first entry by the points that they share, so that component 0 is the same
    in all rows.

    Parameters
    ----------
    entries : dict of str to Fit or Intervals
        A fit stands with what `intervals` makes of it by default.
    level : float
        Of the fits' intervals; that of given `Intervals` must be the same.

    Returns
    -------
    IntervalComparison
        A fit that has no intervals keeps its reason.

    Raises
    ------
    ArgumentError
        The fits are not of the same data or differ in their number of components, or levels differ.
    NotApplicableError
        None of the entries has intervals.
    """
    level = fraction(level, "level")
    fits = _checked(entries, level)
    found: dict[str, Intervals] = {}
    reasons: dict[str, str] = {}
    for name, entry in entries.items():
        try:
            found[name] = entry if isinstance(entry, Intervals) else intervals(entry, level=level)
            reasons[name] = found[name].status.sentence
        except NotApplicableError as error:
            reasons[name] = str(error)
    if not found:
        raise NotApplicableError(f"no entry has intervals: {'; '.join(f'{n}: {r}' for n, r in reasons.items())}")
    X = next((fit.X for fit in fits.values() if fit.X is not None), None)
    first = next(iter(found.values())).fit
    rows = {name: _named(one, _numbers(one.fit, first, X)) for name, one in found.items()}
    return IntervalComparison(level, rows, reasons)


def _checked(entries: Mapping[str, Fit | Intervals], level: float) -> dict[str, Fit]:
    if not isinstance(entries, Mapping) or not entries:
        raise ArgumentError(f"entries={shown(entries)} must be a dict of named fits or intervals.")
    fits = {}
    for name, entry in entries.items():
        if not isinstance(entry, (Fit, Intervals)):
            raise ArgumentError(f"{name!r} must be a Fit or Intervals, and is {shown(entry)}.")
        if isinstance(entry, Intervals) and entry.level != level:
            raise ArgumentError(f"{name!r} holds intervals of level {entry.level:g}, and level={level:g} is asked.")
        fits[name] = entry.fit if isinstance(entry, Intervals) else entry
    if len({fit.provenance["data_sha256"] for fit in fits.values()}) > 1:
        raise ArgumentError("the fits were made on different data, so that their intervals are about different things.")
    if len({fit.feature_names for fit in fits.values()}) > 1:
        raise ArgumentError("the fits name the columns of the data differently: give all of them the same frame.")
    sizes = {name: fit.model.n_components for name, fit in fits.items()}
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        raise ArgumentError(f"component parameters need one number of components, and {said}.")
    return fits


def _numbers(fit: Fit, first: Fit, X: np.ndarray | None) -> np.ndarray:
    """(K,) the number in `first` of each component of `fit`."""
    k = fit.model.n_components
    if fit is first or k == 1:
        return np.arange(k)
    if X is None:
        raise ArgumentError("none of the fits has its data, whose points say which components are alike.")
    order = best_orders((fit.responsibilities(X).T @ first.responsibilities(X))[None])[0]
    return np.argsort(order)


def _named(one: Intervals, numbers: np.ndarray) -> dict[str, Row]:
    families = list(dict.fromkeys(row.quantity.family for row in one.rows))
    ordered = sorted(one.rows, key=lambda r: (families.index(r.quantity.family), numbers[r.quantity.component]))
    return {row.quantity.name(int(numbers[row.quantity.component])): row for row in ordered}
