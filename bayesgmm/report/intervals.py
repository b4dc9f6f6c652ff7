"""The chapter on how sure each engine is of the components' parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.errors import NotApplicableError
from bayesgmm.labels import relabel
from bayesgmm.models import GaussianMixture
from bayesgmm.plots.canvas import even_rows
from bayesgmm.report import pictures
from bayesgmm.report.choice import Choice
from bayesgmm.report.content import Cell, Fold, Section, Table
from bayesgmm.report.numbers import significant
from bayesgmm.result.estimates import Draws
from bayesgmm.uncertainty import IntervalComparison, Intervals, compare_intervals, intervals
from bayesgmm.uncertainty.intervals import AMBIGUOUS

if TYPE_CHECKING:
    from bayesgmm.result.fit import Fit

TITLE = "Intervals by engine"
MAX_DRAWS = 1000  # of each fit: more say no more about a quantile that is drawn, and take longer to align
TABLED = ("weight", "mean", "sd", "correlation")


def interval_section(choice: Choice) -> Section:
    """Intervals of the parameters of the chosen model's components, and why a fit has none."""
    if not all(isinstance(fit.model, GaussianMixture) for fit in choice.fits.values()):
        sentence = "This model has no fixed number of components whose parameters could be followed from fit to fit."
        return Section("intervals", TITLE, (sentence,))
    found, reasons = _intervals_of(choice.fits)
    said = tuple(f"{name} is left out: {reason}" for name, reason in reasons.items())
    if not found:
        return Section("intervals", TITLE, said)
    together = compare_intervals(found)
    sentences = (
        f"{100 * together.level:g}% intervals of the components' parameters: of a point fit by the curvature of what "
        "it maximises, of VB and of posterior draws by their quantiles, the draws' labels aligned. Narrower is not "
        "better: those of VB are too narrow where components overlap.",
        *said,
    )
    parts = (pictures.intervals(together), Fold("As numbers", (_table(together),)))
    return Section("intervals", TITLE, sentences, parts)


def _intervals_of(fits: Mapping[str, Fit]) -> tuple[dict[str, Intervals], dict[str, str]]:
    """What can be said of each fit, and why nothing can be of the others."""
    found, reasons = {}, {}
    for name, fit in fits.items():
        try:
            found[name] = intervals(_aligned(fit))
        except NotApplicableError as error:
            reasons[name] = str(error)
    return found, reasons


def _aligned(fit: Fit) -> Fit:
    """The fit with aligned labels; a NotApplicableError where they are too ambiguous to follow a component."""
    if not fit.estimate.is_aligned and fit.model.n_components > 1:
        fit = relabel(_thinned(fit))
    alignment = getattr(fit.estimate, "alignment", None)
    if alignment is not None and alignment.overall > AMBIGUOUS:
        raise NotApplicableError(
            f"its components overlap so much that which is which is not sure (ambiguity {alignment.overall:.2g} after "
            f"relabelling, above {AMBIGUOUS:g})."
        )
    return fit


def _thinned(fit: Fit) -> Fit:
    """At most so many draws, evenly spaced in each chain."""
    if not isinstance(fit.estimate, Draws):
        return fit
    chains, draws = fit.params.draw_shape
    kept = even_rows(draws, max(1, MAX_DRAWS // chains))
    params = fit.params[np.arange(chains)[:, None], kept]
    stats = {name: values[:, kept] for name, values in fit.estimate.sample_stats.items()}
    return replace(fit, estimate=Draws(params, stats))


def _table(together: IntervalComparison) -> Table:
    rows = []
    names = dict.fromkeys(name for of_fit in together.rows.values() for name in of_fit)
    for name in names:
        if name.partition("[")[0] in TABLED:
            cells = [Cell(name)]
            for of_fit in together.rows.values():
                row = of_fit.get(name)
                ends = "" if row is None else f"{significant(row.lower)} to {significant(row.upper)}"
                cells.append(Cell("" if row is None else significant(row.estimate), difference=ends))
            rows.append(tuple(cells))
    return Table("Estimates, and below them the intervals", ("parameter", *together.rows), tuple(rows))
