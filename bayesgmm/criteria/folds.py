"""Refits to all folds but one, in this process or in several."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
from scipy.special import logsumexp

from bayesgmm.criteria.simulation import error_of_sum, influence
from bayesgmm.data import check_enough_points
from bayesgmm.errors import NotApplicableError
from bayesgmm.result.estimates import Draws, NoEstimate
from bayesgmm.result.fit import Fit
from bayesgmm.result.status import Outcome, Status

UNGUARDED = (
    "a process for the refits ended at its start. In a script, what calls compare with workers= must stand under "
    "`if __name__ == '__main__':`, because every process imports the script"
)


@dataclass(frozen=True, eq=False)
class Fold:
    """What a refit predicts of the points that it has not seen; or why it could not.

    Parameters
    ----------
    log_density : array
    status : Status or None
    failure : str
        Empty where there is none.
    warned : tuple of str
    mc_se : float
        Monte Carlo error of the sum of `log_density`: of the refit's draws, for this division into folds; NaN where the
        refit has no draws of a posterior.
    """

    log_density: np.ndarray
    status: Status | None
    failure: str
    warned: tuple[str, ...]
    mc_se: float = np.nan


def refit_folds(
    fit: Fit, X: np.ndarray, held_out: list[np.ndarray], seed: int, on_fold: Callable[[int], None], workers: int
) -> Iterator[Fold]:
    """Every fold in order; the same numbers with any number of `workers`."""
    bare = replace(fit, estimate=NoEstimate("left out"), X=None)  # all that a refit needs, and little to send
    if workers == 1:
        for fold, test in enumerate(held_out):
            on_fold(fold)
            yield one_fold(bare, X, test, seed, fold)
        return
    pool = ProcessPoolExecutor(min(workers, len(held_out)), mp_context=get_context("spawn"))
    try:
        futures = [pool.submit(one_fold, bare, X, test, seed, fold) for fold, test in enumerate(held_out)]
        for fold, future in enumerate(futures):
            on_fold(fold)
            try:
                yield future.result()
            except BrokenProcessPool:
                yield Fold(np.empty(0), None, UNGUARDED, ())
                return
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def one_fold(fit: Fit, X: np.ndarray, test: np.ndarray, seed: int, fold: int) -> Fold:
    """The fold whose rows are `test`; a fold's refit depends on nothing but the seed and its number."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            values, status, mc_se = _predict(fit, X, test, np.random.default_rng([seed, fold]))
            failure = ""
        except Exception as error:  # a fold that fails must not end the comparison
            values, status, mc_se, failure = np.empty(0), None, np.nan, str(error) or type(error).__name__
    return Fold(values, status, failure, tuple(dict.fromkeys(str(warning.message) for warning in caught)), mc_se)


def _predict(fit: Fit, X: np.ndarray, test: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Status, float]:
    """Log densities of the rows `test` under a refit to the others, how that ended, and the error of their sum."""
    train = np.delete(X, test, axis=0)
    check_enough_points(len(train), fit.model.min_points)
    refit = fit.refit(train, rng=rng)
    if refit.status.outcome is Outcome.INTERRUPTED:
        raise KeyboardInterrupt  # the method kept what it had; a fold cut short is no fold
    if not refit.status.is_usable:
        raise NotApplicableError(refit.status.sentence)
    values, error = _with_error(refit, X[test])
    return values, refit.status, error


def _with_error(refit: Fit, X: np.ndarray) -> tuple[np.ndarray, float]:
    """Log densities of points, and the Monte Carlo error of their sum where that rests on draws."""
    if not isinstance(refit.estimate, Draws):
        return refit.log_density(X), np.nan
    values, parts = np.empty(len(X)), []
    for rows, block in refit.log_density_blocks(X):
        values[rows] = logsumexp(block, axis=0) - np.log(len(block))
        parts.append(influence(block))
    return values, error_of_sum(parts, refit.estimate.draws().draw_shape)
