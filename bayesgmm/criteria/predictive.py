"""Estimates of the expected log predictive density of new points, summed over as many points as there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from numbers import Integral

import numpy as np

from bayesgmm.checks import whole_number
from bayesgmm.core.params import MixtureParams
from bayesgmm.criteria.approximate import corrected_loo
from bayesgmm.criteria.folds import refit_folds
from bayesgmm.criteria.pointwise import cautioned, loo_score, waic_score
from bayesgmm.criteria.recomputation import recomputed
from bayesgmm.criteria.score import Score
from bayesgmm.errors import ArgumentError, NotApplicableError
from bayesgmm.result.arviz import array_stats
from bayesgmm.result.fit import Fit
from bayesgmm.result.pointwise import pointwise_of

MAX_REFITS = 5  # as many as elpd_kfold makes by default, so that leave-one-out at most doubles the cost of both
ACCURACY = 0.05  # nats a point: ten such points add 0.16 nats, far below the standard error of any sum
OF_CLASSES = "of labelled rows it is the density of the values and the class together"
OF_Q = "of q, uncorrected (draws of the approximation stand for those of the posterior), so not ranked"


def elpd_holdout(fit: Fit, X_new: np.ndarray) -> Score:
    """Log predictive density of new points."""
    return Score.summed("elpd_holdout", fit.log_density(X_new))


def elpd_loo(
    fit: Fit,
    X: np.ndarray,
    max_refits: int = MAX_REFITS,
    accuracy: float = ACCURACY,
    on_refit: Callable[[int, int], None] = lambda done, total: None,
) -> Score:
    """Leave-one-out by Pareto-smoothed importance sampling, as ``arviz_stats.loo(fit.to_datatree())``.

    Where a point's Pareto k is too high it is computed again.  With a conjugate prior that is done from labels, with
    the parameters integrated out: importance sampling of labels, whose ratios are bounded.  Where that has a Monte
    Carlo error above `accuracy`, or there is no closed form, the fit is made again without the point, the worst
    first.  Of a variational fit, draws of q are weighed by the posterior over q (Magnusson et al. 2019); where q is too
    far from the posterior for that, the score is of q itself and not ranked.  The draws x points array is never whole
    in memory.

    Parameters
    ----------
    max_refits : int
        Of one fit, so that the cost is bounded; points beyond it stay as they are, and are counted as unreliable.
    accuracy : float
        In nats per point.
    on_refit : callable
        Told the number of refits done and their total, before each.

    Raises
    ------
    NotApplicableError
        The fit has no draws of a posterior.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao and Gabry (2024), Journal of Machine Learning Research 25(72), 1-58.  Magnusson,
    Andersen, Jonasson and Vehtari (2019), ICML, PMLR 97, 4244-4253.
    """
    if fit.is_restricted:
        return _loo_of_known_rows(fit)
    _need_posterior(fit, "leave-one-out by importance sampling")
    if fit.kind == "variational":
        return _of_approximation(fit, X)
    score = _by_importance(fit, X)
    return recomputed(fit, X, score, max_refits, accuracy, on_refit) if score.n_unreliable else score


def _by_importance(fit: Fit, X: np.ndarray) -> Score:
    """By PSIS, with the Pareto k of each point."""
    draws = fit.estimate.draws()
    return loo_score(pointwise_of(fit, X).blocks(), len(X), draws.draw_shape, relative_efficiency(draws))


def _loo_of_known_rows(fit: Fit) -> Score:
    """Leave-one-out of rows with labels or offsets: of a labelled row, log p(x, class); nothing is computed again."""
    _need_draws(fit)
    draws = fit.estimate.draws()
    blocks, n_obs = fit.pointwise.blocks(), len(fit.points)
    score = loo_score(blocks, n_obs, draws.draw_shape, relative_efficiency(draws))
    return cautioned(score, advice="").noted(OF_CLASSES)


def _of_approximation(fit: Fit, X: np.ndarray) -> Score:
    try:
        score = corrected_loo(fit, X)
    except NotApplicableError as reason:
        score = _of_q(fit, _by_importance(fit, X)).noted(str(reason))
    return cautioned(score)


def elpd_waic(fit: Fit, X: np.ndarray) -> Score:
    """The widely applicable information criterion: log mean density less its posterior variance, per point.

    Raises
    ------
    NotApplicableError
        The fit has no draws of a posterior.

    References
    ----------
    Watanabe (2010), Journal of Machine Learning Research 11, 3571-3594.
    """
    if fit.is_restricted:
        _need_draws(fit)
        return waic_score(fit.pointwise.blocks(), len(fit.points)).noted(OF_CLASSES)
    _need_posterior(fit, "WAIC")
    return _of_q(fit, waic_score(pointwise_of(fit, X).blocks(), len(X)))


def make_folds(n_obs: int, folds: int, seed: int) -> list[np.ndarray]:
    """The rows that each fold leaves out: a shuffled, even partition of the points; none where `folds` is 0.

    Raises
    ------
    ArgumentError
        `folds` is neither 0 nor an integer of at least 2, or there are fewer points than folds.
    """
    if isinstance(folds, Integral) and not isinstance(folds, bool) and folds == 0:
        return []
    folds = whole_number(folds, "folds", 2, also="0 to leave elpd_kfold out")
    if n_obs < folds:
        raise ArgumentError(f"folds={folds} is more than there are points ({n_obs}): use fewer, or 0 to leave it out.")
    from sklearn.model_selection import KFold

    splitter = KFold(folds, shuffle=True, random_state=seed % 2**32)
    return [test for _, test in splitter.split(np.empty((n_obs, 1)))]


def elpd_kfold(
    fit: Fit,
    X: np.ndarray,
    held_out: list[np.ndarray],
    seed: int,
    on_fold: Callable[[int], None] = lambda fold: None,
    workers: int = 1,
) -> Score:
    """Every point predicted by a refit to the other folds, with this fit's prior constants.

    Parameters
    ----------
    held_out : list of int arrays
        Of `make_folds`; the same for all fits that are to be compared.
    seed : int
        Of the refits; a fold's refit depends on nothing else.
    on_fold : callable
        Told each fold before it begins, or before it is waited for.
    workers : int
        Processes that refit at the same time; the numbers are the same with any.

    Returns
    -------
    Score
        Missing, with the reason, where a refit has no usable result.  What the refits warned of is in its notes.
    """
    pointwise, variance, remarks = np.empty(len(X)), 0.0, {}
    for fold, found in enumerate(refit_folds(fit, X, held_out, seed, on_fold, workers)):
        if found.status is None:
            return Score.missing("elpd_kfold", f"fold {fold + 1} of {len(held_out)} failed: {found.failure}")
        pointwise[held_out[fold]] = found.log_density
        variance += found.mc_se**2
        if not found.status.is_converged:
            remarks.setdefault(f"refits ended {found.status.outcome.value}", []).append((fold, found.status.sentence))
        for message in found.warned:
            remarks.setdefault(f"refits warned: {message}", []).append((fold, ""))
    score = replace(Score.summed("elpd_kfold", pointwise), mc_se=float(np.sqrt(variance)))
    return score.noted(*(_remark(*item, len(held_out)) for item in remarks.items()))


def relative_efficiency(draws: MixtureParams) -> float:
    """Mean effective sample size of all parameters per draw, as `arviz_stats.loo` takes it.

    It sets the length of the smoothed tail and nothing else.
    """
    if draws.draw_shape[0] == 1:
        return 1.0
    sizes = [
        array_stats().ess(values, chain_axis=0, draw_axis=1, method="mean")
        for values in (draws.weights, draws.means, draws.covariances)
    ]
    return float(np.mean(np.concatenate([np.ravel(size) for size in sizes]))) / int(np.prod(draws.draw_shape))


def _remark(what: str, folds: list[tuple[int, str]], n_folds: int) -> str:
    """One note for what happened in several folds, with the first one's sentence."""
    first = f"; the first of them: {folds[0][1]}" if folds[0][1] else ""
    return f"{len(folds)} of {n_folds} {what}{first}"


def _need_posterior(fit: Fit, name: str) -> None:
    if fit.kind == "point":
        raise NotApplicableError(
            f"{name} needs draws of a posterior, and a point estimate has none; use elpd_kfold or elpd_holdout."
        )


def _need_draws(fit: Fit) -> None:
    if fit.kind != "draws":
        raise NotApplicableError(
            "of rows with labels or offsets this is computed from draws of the posterior alone: fit by Gibbs or NUTS."
        )


def _of_q(fit: Fit, score: Score) -> Score:
    return score.barred(OF_Q) if fit.kind == "variational" else score
