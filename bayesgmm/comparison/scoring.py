"""`compare`: every criterion of every fit, and a reason wherever there is no number."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.checks import as_seed, whole_number
from bayesgmm.comparison.row import BASELINE, Row
from bayesgmm.comparison.table import Comparison
from bayesgmm.core.facts import RowFacts
from bayesgmm.criteria.baseline import N_STARTS, baseline_scores, kmeans_baseline
from bayesgmm.criteria.clustering import groups_of, rand_index
from bayesgmm.criteria.columns import COLUMNS, Asked
from bayesgmm.criteria.evidence import reconciled
from bayesgmm.criteria.information import POWER
from bayesgmm.criteria.predictive import make_folds
from bayesgmm.criteria.score import Score
from bayesgmm.data import are_counted, matching_columns
from bayesgmm.errors import ArgumentError, NotApplicableError
from bayesgmm.models import GaussianMixture
from bayesgmm.result.estimates import NoEstimate
from bayesgmm.result.fit import Fit
from bayesgmm.result.method import Progress
from bayesgmm.result.own_data import FRACTIONS, KNOWN
from bayesgmm.result.progress import watched
from bayesgmm.result.status import Outcome, Status


def compare(
    fits: Mapping[str, Fit],
    X_new: ArrayLike | None = None,
    folds: int = 5,
    labels: ArrayLike | None = None,
    rng: np.random.Generator | int | None = 0,
    progress: Progress | bool | None = None,
    workers: int = 1,
) -> Comparison:
    """Compare fits to the same data, with a k-means baseline for every number of components among them.

    Parameters
    ----------
    fits : dict of str to Fit
    X_new : (m, d) array or frame, optional
        Points that no fit has seen: adds the column ``elpd_holdout``.
    folds : int
        Of K-fold cross-validation, which refits every fit as often; 0 leaves it out.  Leave-one-out refits a fit at
        most five times more, without the points of the highest Pareto k, where nothing cheaper will do.
    labels : (n,) array, optional
        Known groups of the points: adds the column ``ari``.
    rng : numpy Generator, int seed or None
        Of the folds, which are the same for all fits, of the refits and of k-means.
    progress : bool or callable, optional
        True shows a line that is written over, False nothing; by default there is one on a terminal and in a notebook.
        A function is called as ``progress(done, total, note)``.
    workers : int
        Processes that make the refits of the folds; the numbers are the same with any.  Each starts Python and
        imports the package anew, some seconds, and the methods use all processors by themselves: more than one
        pays for slow fits on many processors.  A script that asks for them must be guarded by
        ``if __name__ == "__main__":``.

    Returns
    -------
    Comparison
        What does not apply to a fit, or fails, is NaN with a reason, and keeps nothing else from being scored.

    Raises
    ------
    ArgumentError
        The fits are no dict of fits, or not of the same data; an argument does not fit them.
    DataError
        X_new cannot be used.
    """
    owner = _owner(fits)
    X = owner.points if owner.rows.is_whole else owner.rows.values
    workers = whole_number(workers, "workers")
    seed = as_seed(rng)
    shared = Shared(
        owner,
        X,
        None if X_new is None else _new_points(X_new, fits),
        None if labels is None else groups_of(labels, owner),
        make_folds(len(X), folds, seed),
        seed,
        workers,
    )
    with watched(progress) as report:
        return _compared(fits, shared, report)


def _compared(fits: Mapping[str, Fit], shared: Shared, progress: Progress) -> Comparison:
    rows = {name: row_of(fit) for name, fit in fits.items()}
    sizes = sorted({row.size for row in rows.values()})
    steps = _Steps(progress, len(fits) * (1 + len(shared.held_out)) + len(sizes))
    scores: dict[str, dict[str, Score]] = {}
    for name, fit in fits.items():
        steps.next(f"{name}: scores")
        on_refit = steps.refits(name)
        scores[name] = _scores(fit, shared, steps.named(name, len(shared.held_out)), on_refit)
    for k in sizes if shared.owner.rows.is_whole else ():
        name = f"kmeans K={k}"
        steps.next(name)
        rows[name], scores[name] = _baseline(shared, k)
    steps.end()
    return Comparison(rows, scores, shared.columns, len(shared.X), dict(fits))


@dataclass(frozen=True, eq=False)
class Shared:
    """What all fits are scored with: a fit that has the data, its points, new points, known groups and the folds."""

    owner: Fit
    X: np.ndarray
    new: np.ndarray | None
    groups: np.ndarray | None
    held_out: list[np.ndarray]
    seed: int
    workers: int

    def asked(self, on_fold: Callable[[int], None], on_refit: Callable[[int, int], None]) -> Asked:
        """The same for one fit, which is told of its progress."""
        return Asked(self.X, self.new, self.groups, self.held_out, self.seed, self.workers, on_fold, on_refit)

    @property
    def columns(self) -> tuple[str, ...]:
        asked = self.asked(lambda fold: None, lambda done, total: None)
        return tuple(kind for kind, column in COLUMNS.items() if column.is_asked(asked))


class _Steps:
    """Counts steps of about equal length for a `Progress`."""

    def __init__(self, progress: Progress, total: int):
        self.progress, self.total, self.begun = progress, total, 0

    def next(self, note: str) -> None:
        self.progress(self.begun, self.total, note)
        self.begun += 1

    def named(self, name: str, n_folds: int) -> Callable[[int], None]:
        begun = self.begun

        def on_fold(fold: int) -> None:
            self.progress(begun + fold, self.total, f"{name}: fold {fold + 1} of {n_folds}")

        self.begun += n_folds  # all of them, also where a fold fails and the rest are not run
        return on_fold

    def refits(self, name: str) -> Callable[[int, int], None]:
        begun = self.begun - 1

        def on_refit(done: int, total: int) -> None:
            self.progress(begun, self.total, f"{name}: refit {done + 1} of {total} without a point")

        return on_refit

    def end(self) -> None:
        self.progress(self.total, self.total, "compared")


def _scores(
    fit: Fit, shared: Shared, on_fold: Callable[[int], None], on_refit: Callable[[int, int], None]
) -> dict[str, Score]:
    if isinstance(fit.estimate, NoEstimate):
        reason = f"this fit has no usable result: {fit.estimate.reason}"
        return {kind: Score.missing(kind, reason) for kind in shared.columns}
    if fit.X is None:  # its scores share what is computed of the points of a fit that has them
        try:
            fit = replace(fit, X=shared.owner.X, facts=_facts_for(fit, shared.owner))
        except NotApplicableError as reason:
            return {kind: Score.missing(kind, str(reason)) for kind in shared.columns}
    asked = shared.asked(on_fold, on_refit)
    scores = {kind: _attempt(kind, partial(_score, kind, fit, asked)) for kind in shared.columns}
    pair = "log_evidence_bridge", "log_evidence_chib"
    return scores | dict(zip(pair, reconciled(*(scores[kind] for kind in pair)), strict=True))


def _score(kind: str, fit: Fit, asked: Asked) -> Score:
    """One score, where it is right for such rows."""
    column, is_whole = COLUMNS[kind], fit.rows.is_whole
    if not (is_whole or column.takes_powers):
        return Score.missing(kind, FRACTIONS)
    if fit.is_restricted and not column.takes_labels:
        return Score.missing(kind, KNOWN)
    score = column.of(fit, asked)
    return score if is_whole else score.noted(POWER)


def _facts_for(fit: Fit, owner: Fit) -> RowFacts:
    """What is known of the rows, by a fit that has them, for one that has not, whose classes may have other components.

    Raises
    ------
    NotApplicableError
        Offsets are of other components than this fit has.
    """
    if fit.classes is not None and owner.classes is not None:
        facts = fit.classes.facts_for(owner.facts, owner.classes)
    else:
        facts = owner.facts
    if len(facts.offsets) and facts.offsets.shape[1] != fit.model.n_components:
        raise NotApplicableError(
            "the offsets at hand are those of another number of components: give the fit its data."
        )
    return facts


def _attempt(kind: str, function: Callable[[], Score]) -> Score:
    """The score, with what was warned of in its notes; a missing one with the reason where it fails."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            score = function()
        except Exception as error:  # one score that fails must not cost all the others
            return Score.missing(kind, str(error) or type(error).__name__)
    if score.is_ranked and not np.isfinite(score.value):
        return Score.missing(kind, "some points have no finite log density under this fit")
    return score.noted(*dict.fromkeys(str(warning.message) for warning in caught))


def _baseline(shared: Shared, n_components: int) -> tuple[Row, dict[str, Score]]:
    baseline = kmeans_baseline(shared.X, n_components, np.random.default_rng([shared.seed, n_components]))
    scores = baseline_scores(baseline, shared.columns)
    if shared.groups is not None:
        scores["ari"] = Score("ari", rand_index(shared.groups, baseline.partition), 0.0)
    status = Status(Outcome.CONVERGED, f"Best of {N_STARTS} starts.")
    return Row(BASELINE, n_components, "-", baseline.centers.size, baseline.seconds, status), scores


def row_of(fit: Fit) -> Row:
    """The row of a fit."""
    model, is_finite = fit.model, isinstance(fit.model, GaussianMixture)
    n_occupied = None
    if not is_finite and fit.kind in ("draws", "variational") and fit.X is not None:
        n_occupied = int(fit.occupied()["n_occupied"].idxmax())
    return Row(
        type(fit.method).__name__, model.n_components, model.covariance.name, fit.n_parameters, fit.seconds, fit.status,
        "" if is_finite else model.label, n_occupied, 1 if fit.classes is None else len(fit.classes),
    )  # fmt: skip


def _owner(fits: Mapping[str, Fit]) -> Fit:
    """A fit that has the data, which are those of all."""
    if not isinstance(fits, Mapping) or not fits or not all(isinstance(fit, Fit) for fit in fits.values()):
        raise ArgumentError("compare needs a dict of named fits, such as compare({'em': fit(...), 'vb': fit(...)}).")
    for name, fit in fits.items():
        if name == f"kmeans K={fit.model.n_components}":
            raise ArgumentError(f"the name {name!r} is that of the baseline: give this fit another one.")
    hashes = {fit.provenance["data_sha256"] for fit in fits.values()}
    if len(hashes) > 1:
        raise ArgumentError(
            "the fits were made on different data, or on other weights, labels or offsets of the rows, so that their "
            "scores cannot be compared."
        )
    for fit in fits.values():
        if fit.X is not None:
            fit.check_data()
            return fit
    raise ArgumentError(
        "the fits are without their data (they were not in memory, or the fits were saved without them), which most "
        "scores need: refit one of the fits on an array of them."
    )


def _new_points(X_new: ArrayLike, fits: Mapping[str, Fit]) -> np.ndarray:
    # A fit that was made on an array has no names to tell the order of the columns by, and goes by the others' order.
    names = {fit.feature_names for fit in fits.values()}
    given = {one for one in names if not are_counted(one)}
    if len(given) > 1:
        orders = "; ".join(map(", ".join, sorted(given)))
        raise ArgumentError(
            f"the fits call the columns of one data set by different names ({orders}), so that X_new cannot serve all "
            "of them: fit them on one frame."
        )
    return matching_columns(X_new, next(iter(given or names)), "X_new")
