"""The grid: every cell fitted and scored by itself, so that none can spoil another."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bayesgmm.cli.interrupts import Interrupts
from bayesgmm.cli.kept import Kept
from bayesgmm.comparison import Comparison, Row, compare
from bayesgmm.criteria.columns import COLUMNS
from bayesgmm.criteria.score import Score
from bayesgmm.errors import BayesGMMError, NotConvergedWarning
from bayesgmm.models import GaussianMixture, Model
from bayesgmm.result.fit import Fit, fit_once
from bayesgmm.result.method import Method
from bayesgmm.result.status import Outcome, Status
from bayesgmm.rows import Known, Rows

NO_FOLDS = "interrupted before the refits were done"
NO_DENSITY = "k-means has no density, which elpd_kfold needs"


@dataclass(frozen=True, eq=False)
class Cell:
    """One fit of the grid."""

    name: str
    model: Model
    method: Method


@dataclass(frozen=True, eq=False)
class GridResults:
    """What the grid has brought: a row for every cell that ended, failed ones with the reason.

    Parameters
    ----------
    comparison : Comparison
    fits : dict of str to Fit
        Those with a usable result.
    taken_up : tuple of str
        The cells that an earlier run had fitted.
    """

    comparison: Comparison
    fits: dict[str, Fit]
    taken_up: tuple[str, ...] = ()

    @property
    def comparison_names(self) -> list[str]:
        """The cells that have a row."""
        return [name for name, row in self.comparison.rows.items() if not row.is_baseline]


class Watcher(Protocol):
    """Who is told how the grid goes on."""

    def begin(self, name: str) -> None: ...

    def fitting(self, done: int, total: int, note: str) -> None: ...

    def scoring(self, done: int, total: int, note: str) -> None: ...

    def end(self, name: str, status: Status) -> None: ...

    def say(self, sentence: str) -> None: ...


def run_grid(
    cells: list[Cell],
    data: Rows,
    known: Known,
    labels: np.ndarray | None,
    folds: int,
    seed: int,
    watcher: Watcher,
    interrupts: Interrupts,
    kept: Kept,
) -> GridResults | None:
    """Fit and score every cell, but for what was kept; None where no cell ended.

    Every cell has the same seed and therefore the same folds: it can be repeated alone.
    """
    taken_up: list[str] = []
    parts: dict[str, Comparison | Status] = {}
    fits: dict[str, Fit] = {}
    for cell in cells:
        if interrupts.is_raised:
            break
        watcher.begin(cell.name)
        try:
            model = cell.model.resolve(data)
            rows = Rows.of(data, *known.checked(len(data), model.n_components))
            fit = kept.fit(cell.name, model, cell.method, rows)
            if fit is not None:
                taken_up.append(cell.name)
            else:
                fit = _fit(cell, model, rows, seed, watcher)
                kept.keep_fit(cell.name, fit)
            fits[cell.name] = fit
            part = kept.scores(cell.name, fit)
            if part is None:
                part = _score(cell.name, fit, labels, folds, seed, watcher, interrupts)
                if not interrupts.is_raised:
                    kept.keep_scores(cell.name, fit, part)
            parts[cell.name], status = part, fit.status
        except KeyboardInterrupt:
            break
        except Exception as error:  # whatever it is, it is this cell's own
            fits.pop(cell.name, None)
            if interrupts.is_raised:  # and what goes wrong while a method is cut short is no failure of the method
                break
            status = parts[cell.name] = Status(Outcome.FAILED, _reason(error))
        watcher.end(cell.name, status)
    usable = {name: fit for name, fit in fits.items() if fit.kind != "none"}
    comparison = _joined(cells, parts, data)
    return None if comparison is None else GridResults(comparison, usable, tuple(taken_up))


def _fit(cell: Cell, model: Model, data: Rows, seed: int, watcher: Watcher) -> Fit:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = fit_once(model, data, cell.method, seed, watcher.fitting)
    for message in dict.fromkeys(str(w.message) for w in caught if w.category is not NotConvergedWarning):
        watcher.say(f"{cell.name} warned: {message}")
    return fit


def _score(
    name: str,
    fit: Fit,
    labels: np.ndarray | None,
    folds: int,
    seed: int,
    watcher: Watcher,
    interrupts: Interrupts,
) -> Comparison:
    """The comparison of one fit; after an interrupt, what needs no refits."""
    try:
        interrupts.check()
        return compare({name: fit}, folds=folds, labels=labels, rng=seed, progress=watcher.scoring)
    except KeyboardInterrupt:
        part = compare({name: fit}, folds=0, labels=labels, rng=seed, progress=False)
        if folds:
            for row, scores in part.scores.items():
                scores["elpd_kfold"] = Score.missing("elpd_kfold", NO_FOLDS if row == name else NO_DENSITY)
        return Comparison(part.rows, part.scores, _columns(folds, labels), part.n_obs, part.fits)


def _joined(cells: list[Cell], parts: dict[str, Comparison | Status], data: Rows) -> Comparison | None:
    """One comparison of all cells; the baselines, which cells of one K have in common, stand at the end."""
    scored = [part for part in parts.values() if isinstance(part, Comparison)]
    if not scored:
        return None
    columns = scored[0].columns
    rows: dict[str, Row] = {}
    scores: dict[str, dict[str, Score]] = {}
    for cell in cells:
        part = parts.get(cell.name)
        if isinstance(part, Comparison):
            rows[cell.name], scores[cell.name] = part.rows[cell.name], part.scores[cell.name]
        elif part is not None:
            rows[cell.name] = _failed_row(cell, part, data.values.shape[1])
            scores[cell.name] = {kind: Score.missing(kind, part.sentence) for kind in columns}
    baselines = {name: part for part in scored for name in part.rows.keys() - rows.keys()}
    for name, part in sorted(baselines.items(), key=lambda item: item[1].rows[item[0]].n_components):
        rows[name], scores[name] = part.rows[name], part.scores[name]
    fits = {name: fit for part in scored for name, fit in part.fits.items()}
    return Comparison(rows, scores, columns, len(data.values), fits)


def _failed_row(cell: Cell, status: Status, n_features: int) -> Row:
    model = cell.model
    return Row(
        type(cell.method).__name__, model.n_components, model.covariance.name, model.n_parameters(n_features),
        float("nan"), status, "" if isinstance(model, GaussianMixture) else model.label,
    )  # fmt: skip


def _columns(folds: int, labels: np.ndarray | None) -> tuple[str, ...]:
    left_out = {"elpd_holdout"} | ({"elpd_kfold"} if not folds else set()) | ({"ari"} if labels is None else set())
    return tuple(kind for kind in COLUMNS if kind not in left_out)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, BayesGMMError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
