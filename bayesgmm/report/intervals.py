"""The chapter on how sure each engine is of the components' parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bayesgmm.comparison.influence import prior_influence
from bayesgmm.errors import NotApplicableError
from bayesgmm.models import GaussianMixture
from bayesgmm.report import pictures
from bayesgmm.report.choice import Choice
from bayesgmm.report.content import Cell, Fold, Section, Table
from bayesgmm.report.numbers import significant
from bayesgmm.uncertainty import IntervalComparison, Intervals, compare_intervals, intervals
from bayesgmm.uncertainty.followed import followed

if TYPE_CHECKING:
    from bayesgmm.result.fit import Fit

TITLE = "Intervals by engine"
TABLED = ("weight", "mean", "sd", "correlation")
LISTED = 4  # parameters in one sentence
APART = "the prior decides there, or the two describe different optima (the summary says what the prior decides)"


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
    told = _told(choice, together)
    parts = (pictures.intervals(together), Fold("As numbers", (_table(together),)))
    return Section("intervals", TITLE, (*sentences, *told), parts)


def prior_sentences(choice: Choice) -> tuple[str, ...]:
    """What the prior decides of the first posterior that is shown; nothing where there is none."""
    for name, fit in choice.of_kind("draws", "variational").items():
        try:
            return tuple(f"{sentence.rstrip('.')} ({name})." for sentence in prior_influence(fit).sentences)
        except NotApplicableError:
            continue
    return ()


def _told(choice: Choice, together: IntervalComparison) -> tuple[str, ...]:
    """Which of the shown point fits and posteriors are apart."""
    found = []
    for point in choice.of_kind("point"):
        for other in choice.of_kind("draws", "variational"):
            names = [n for n, *_ in together.apart(point, other)] if {point, other} <= set(together.rows) else []
            names = [name for name in names if name.partition("[")[0] in TABLED]
            if names:
                more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
                listed = f"{', '.join(names[:LISTED])}{more}"
                found.append(f"The intervals of {point} and {other} do not overlap for {listed}: {APART}.")
    return tuple(found)


def _intervals_of(fits: Mapping[str, Fit]) -> tuple[dict[str, Intervals], dict[str, str]]:
    """What can be said of each fit, and why nothing can be of the others."""
    found, reasons = {}, {}
    for name, fit in fits.items():
        try:
            found[name] = intervals(followed(fit))
        except NotApplicableError as error:
            reasons[name] = str(error)
    return found, reasons


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
