"""The bootstrap of a point fit: replicates of the data, each climbed from the optimum, labels aligned to the fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesgmm.core import density
from bayesgmm.core.facts import NO_FACTS, RowFacts, of_weights
from bayesgmm.core.params import MixtureParams
from bayesgmm.core.threads import n_threads, run_in_threads
from bayesgmm.errors import NotApplicableError
from bayesgmm.families.gaussian import CovarianceStructure
from bayesgmm.labels.matching import best_orders
from bayesgmm.methods.climbing.dominance import is_by_chance, resolvable
from bayesgmm.methods.climbing.initialize import strict_whitening
from bayesgmm.methods.em import EM
from bayesgmm.result.fit import Fit
from bayesgmm.result.method import Progress
from bayesgmm.result.own_data import own_data
from bayesgmm.result.status import Outcome, Status
from bayesgmm.uncertainty.objective import Objective

MIN_REPLICATES = 20  # below, the tails of a 90% interval hold no replicate
PER_THREAD = 4  # replicates between two reports of progress

Judge = Callable[[MixtureParams, int], bool]
Sample = Callable[[np.ndarray, MixtureParams, np.random.Generator], tuple[np.ndarray, RowFacts]]


def _ordinary(X: np.ndarray, params: MixtureParams, rng: np.random.Generator) -> tuple[np.ndarray, RowFacts]:
    """n points with replacement: each point with the number of times that it was drawn as its weight."""
    return X, of_weights(rng.multinomial(len(X), np.full(len(X), 1.0 / len(X))).astype(float))


def _parametric(X: np.ndarray, params: MixtureParams, rng: np.random.Generator) -> tuple[np.ndarray, RowFacts]:
    """n points from the fitted mixture."""
    return density.sample(params, len(X), rng)[0], NO_FACTS


def _weighted(X: np.ndarray, params: MixtureParams, rng: np.random.Generator) -> tuple[np.ndarray, RowFacts]:
    """The points with weights n Dirichlet(1, ..., 1)."""
    weights = rng.standard_exponential(len(X))
    return X, of_weights(weights * (len(X) / weights.sum()))


SAMPLES: dict[str, Sample] = {"ordinary": _ordinary, "parametric": _parametric, "weighted": _weighted}


@dataclass(frozen=True, eq=False)
class Replicates:
    """Estimates from replicated data, with one leading axis, components in the order of the fit.

    Parameters
    ----------
    params : MixtureParams
        Those that are kept.
    status : Status
        How many there are, and what became of the others.
    n_collapsed : int
    """

    params: MixtureParams
    status: Status
    n_collapsed: int


def bootstrap(fit: Fit, sample: Sample, replicates: int, seed: int, progress: Progress) -> Replicates:
    """Replicate number r depends on `seed` and r alone, so that neither threads nor an interrupt change it."""
    check_bootstrap(fit)
    objective, judge, X = Objective.of(fit), _judge(fit), np.ascontiguousarray(fit.points, float)
    objective.compile(X, fit.params)
    reference = fit.responsibilities(X)
    found: list[MixtureParams | None] = [None] * replicates
    settled, is_done = np.zeros(replicates, bool), np.zeros(replicates, bool)

    def run(r: int) -> None:
        data, facts = sample(X, fit.params, np.random.default_rng([r, seed]))
        params, value, settled[r] = objective.climbed(data, fit.params, facts)
        if np.isfinite(value) and judge(params, len(data)):
            shares = density.responsibilities(params.scores(), X)
            found[r] = params.permuted(best_orders((shares.T @ reference)[None])[0])
        is_done[r] = True

    is_interrupted = False
    try:
        for begin in range(0, replicates, step := PER_THREAD * n_threads()):
            progress(begin, replicates, "replicates")
            run_in_threads(run, range(begin, min(begin + step, replicates)))
        progress(replicates, replicates, "replicates")
    except KeyboardInterrupt:
        if sum(params is not None for params in found) < MIN_REPLICATES:
            raise
        is_interrupted = True
    return _gathered(found, is_done, settled, is_interrupted)


def check_bootstrap(fit: Fit) -> None:
    """A NotApplicableError where there is no optimum to start from, or there are no data."""
    own_data(fit, "replicates are made of")
    if fit.status.outcome is Outcome.COLLAPSED:
        raise NotApplicableError(f"a suspicious optimum cannot be bootstrapped: {fit.status.sentence}")
    if not fit.status.is_converged:
        raise NotApplicableError(f"the fit is not at an optimum that replicates could start from: {fit.status}")


def _judge(fit: Fit) -> Judge:
    if not isinstance(fit.method, EM):
        return lambda params, n: True  # a prior keeps the suspicious optima away
    whitening = strict_whitening(fit.model, fit.rows)
    return soundness(fit.model.covariance, whitening, fit.method.floor)


def soundness(structure: CovarianceStructure, whitening: np.ndarray, floor: float) -> Judge:
    """Whether an estimate from n points is none of the likelihood's suspicious optima, as `EM` flags them."""
    lowest = 1.001 * max(floor, resolvable(whitening))

    def is_sound(params: MixtureParams, n: int) -> bool:
        if n * params.weights.min() <= structure.too_few_points(params.n_features):
            return False
        variances, _ = structure.form.narrowest(params.precision_chol, whitening)
        points = zip(variances, n * params.weights, strict=True)
        is_narrow = any(is_by_chance(variance, held, params.n_features) for variance, held in points)
        return bool(variances.min() > lowest) and not is_narrow

    return is_sound


def _gathered(
    found: list[MixtureParams | None], is_done: np.ndarray, settled: np.ndarray, is_interrupted: bool
) -> Replicates:
    kept = [params for params in found if params is not None]
    n_done, n_kept = int(is_done.sum()), len(kept)
    n_collapsed = n_done - n_kept
    if n_kept < MIN_REPLICATES:
        raise NotApplicableError(
            f"only {n_kept} of {n_done} replicates ended at a sound optimum, and {n_collapsed} collapsed: with fewer "
            f"than {MIN_REPLICATES} there is no interval. Use more replicates, fewer components or a prior (MAP, VB)."
        )
    sentence = f"{n_kept} replicates"
    if n_collapsed:
        sentence += f"; {n_collapsed} of {n_done} collapsed and are left out, so that the intervals may be too narrow"
    unsettled = sum(params is not None and not ok for params, ok in zip(found, settled, strict=True))
    if unsettled:
        sentence += f"; {unsettled} stopped at max_iter before they had converged"
    if is_interrupted:
        sentence = f"Interrupted after {n_done} of {len(found)}: {sentence}"
    arrays = (np.stack([getattr(params, name) for params in kept]) for name in MixtureParams.__slots__)
    outcome = Outcome.INTERRUPTED if is_interrupted else Outcome.CONVERGED
    return Replicates(MixtureParams.trusted(*arrays), Status(outcome, sentence + "."), n_collapsed)
