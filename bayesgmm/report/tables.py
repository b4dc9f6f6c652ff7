"""The comparison and the diagnostics as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bayesgmm.comparison import doubt
from bayesgmm.comparison.text import size_of
from bayesgmm.criteria.columns import COLUMNS
from bayesgmm.plots.canvas import readable
from bayesgmm.report.content import Cell, Table
from bayesgmm.report.numbers import duration, fixed, significant, whole, with_error
from bayesgmm.result.diagnostics import OptimiserDiagnostics, SamplerDiagnostics

if TYPE_CHECKING:
    from bayesgmm.comparison import Comparison
    from bayesgmm.criteria.score import Score
    from bayesgmm.result.fit import Fit

NOT_THERE = "n/a"


def fits_table(comparison: Comparison) -> Table:
    """Every row of the comparison, how it was made and how it ended."""
    rows = tuple(
        (
            Cell(name), Cell(row.method), Cell(size_of(row)), Cell(row.covariance),
            Cell(whole(row.n_parameters)), Cell(duration(row.seconds)), Cell(row.status.sentence),
        )
        for name, row in comparison.rows.items()
    )  # fmt: skip
    columns = ("fit", "method", "K", "covariance", "parameters", "time", "how it ended")
    return Table("Fits", columns, rows, is_text=True)


def score_table(comparison: Comparison, estimand: str) -> Table | None:
    """The columns of one estimand: value ± standard error, and below it the difference to the column's best.

    Rows without any number are left out, unless it is the table of predictions, in which every fit stands.
    None where no number is left.
    """
    names, kinds = comparison.shown(estimand)
    if not kinds or not names:
        return None
    bests = {kind: next(iter(comparison.ranked(kind)), None) for kind in kinds if COLUMNS[kind].has_differences}
    differences = {kind: comparison.differences(kind) for kind in bests}
    footnotes: list[str] = []
    rows = []
    for name in names:
        cells = [Cell(name)]
        for kind in kinds:
            score = comparison.scores[name][kind]
            footnotes += [note for note in score.notes if note not in footnotes]
            marks = tuple(footnotes.index(note) + 1 for note in score.notes)
            diff = doubt(comparison.rows[name]) if name == bests.get(kind) else ""
            if kind in differences and name in differences[kind].index and name != bests[kind]:
                entry = differences[kind].loc[name]
                diff = with_error(entry["diff"], entry["diff_se"], COLUMNS[kind].digits)
            cells.append(Cell(*_value(score), diff, marks, name == bests.get(kind)))
        rows.append(tuple(cells))
    definitions = tuple((kind, COLUMNS[kind].note) for kind in kinds)
    return Table(estimand.capitalize(), ("fit", *kinds), tuple(rows), tuple(footnotes), definitions)


def _value(score: Score) -> tuple[str, str]:
    if score.is_missing:
        return NOT_THERE, ""
    digits = COLUMNS[score.kind].digits
    value = fixed(score.value, digits)
    return (f"{value} exact", "") if score.is_exact else (value, fixed(score.se, digits))


def quantities_table(name: str, fit: Fit) -> Table | None:
    """The label-invariant quantities of one fit with draws."""
    if not isinstance(fit.diagnostics, SamplerDiagnostics):
        return None
    rows = tuple(
        (
            Cell(readable(q.name)), Cell(significant(q.mean, 5)), Cell(significant(q.sd, 3)),
            Cell(significant(q.mcse, 2)), Cell(whole(q.ess_bulk)), Cell(whole(q.ess_tail)), Cell(fixed(q.rhat, 3)),
        )
        for q in fit.diagnostics.quantities
    )  # fmt: skip
    columns = ("quantity", "mean", "sd", "MCSE", "bulk ESS", "tail ESS", "R-hat")
    return Table(f"Label-invariant quantities of {name}", columns, rows)


def samplers_table(fits: Mapping[str, Fit]) -> Table | None:
    """One row per fit with draws: the worst of its diagnostics."""
    rows = []
    for name, fit in fits.items():
        found = fit.diagnostics
        if isinstance(found, SamplerDiagnostics):
            chains, draws = fit.params.draw_shape
            numbers = (f"{chains} × {draws}", fixed(found.max_rhat, 3), whole(found.min_ess))
            counts = (str(found.n_divergent), str(found.n_max_treedepth))
            rows.append(tuple(Cell(text) for text in (name, *numbers, *counts)))
    columns = ("fit", "chains × draws", "largest R-hat", "smallest ESS", "divergent", "at the depth limit")
    return Table("Sampling", columns, tuple(rows)) if rows else None


def optimisers_table(fits: Mapping[str, Fit]) -> Table | None:
    """One row per optimised fit: its restarts."""
    rows = []
    for name, fit in fits.items():
        found = fit.diagnostics
        if isinstance(found, OptimiserDiagnostics):
            objectives = [restart.objective for restart in found.restarts]
            n_best = sum(math.isclose(value, objectives[found.chosen], rel_tol=1e-6) for value in objectives)
            n_flagged = sum(bool(restart.flags) for restart in found.restarts)
            numbers = (len(objectives), found.n_iter, fixed(objectives[found.chosen], 2), n_best, n_flagged)
            rows.append((Cell(name), *(Cell(str(number)) for number in numbers)))
    columns = ("fit", "restarts", "iterations", "objective (nats)", "restarts that reach it", "suspicious restarts")
    return Table("Optimisation", columns, tuple(rows)) if rows else None
