"""Leave-one-out at the points where importance sampling on the scale of the parameters fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.special import logsumexp

from bayesgmm.criteria.collapsed import as_drawn, has_closed_form, log_density_given_labels, log_density_left_out
from bayesgmm.criteria.score import Score
from bayesgmm.criteria.simulation import error_of_sum, influence
from bayesgmm.data import check_enough_points
from bayesgmm.errors import NotApplicableError
from bayesgmm.result.arviz import array_stats
from bayesgmm.result.fit import Fit
from bayesgmm.result.pointwise import pointwise_of
from bayesgmm.result.smoothing import tail_length
from bayesgmm.result.status import Outcome

FEW = 50  # points that are computed from labels in any case, in a second: the Pareto k of few is no sure guide
TIE = 1e-9  # relative: ratios of one labelling differ by rounding
ALIKE = 0.5  # share of different values in a tail below which no Pareto distribution can be fitted to it


def recomputed(
    fit: Fit, X: np.ndarray, score: Score, max_refits: int, accuracy: float, on_refit: Callable[[int, int], None]
) -> Score:
    """`score`, of `elpd_loo`, with its doubtful points done otherwise.

    First given the labels of the other points, where that has a closed form, and where its Monte Carlo error and Pareto
    k allow; then by refits without the point, the worst first.
    """
    assert score.pointwise is not None and score.reliability is not None
    pointwise, k, notes = score.pointwise.copy(), score.reliability.copy(), []
    doubtful: dict[int, tuple[float, float]] = {}
    bad = np.flatnonzero(k > score.limit)
    done, by_labels = np.empty(0, int), np.empty((0, 0))
    if has_closed_form(fit):
        rows = np.argsort(-k, kind="stable")[: max(FEW, len(bad))]
        drawn, values, errors, shapes = _given_labels(fit, X, rows)
        good = np.isfinite(values) & (errors <= accuracy) & (shapes <= score.limit)
        done, by_labels = rows[good], drawn[:, good]
        pointwise[done], k[done] = values[good], shapes[good]
        if len(done):
            notes.append(_closed_form_note(len(done), len(bad), score, float(errors[good].max())))
        sound = np.isfinite(values) & (shapes <= score.limit)
        doubtful = {
            int(i): (float(v), float(e)) for i, v, e in zip(rows[sound], values[sound], errors[sound], strict=True)
        }
    left = [i for i in bad[np.argsort(-score.reliability[bad])] if i not in set(done)]
    refitted, trouble = _by_refits(fit, X, left[:max_refits], on_refit)
    # A refit has an error of its own, and may be no better than what it was made for.
    best = {i: min(found, doubtful.get(int(i), found), key=lambda one: one[1]) for i, found in refitted.items()}
    for i, (value, _) in best.items():
        pointwise[i], k[i] = value, -np.inf
    if refitted:
        largest = max(error for _, error in best.values())
        notes.append(
            f"{_points(len(refitted))} of high Pareto k predicted by refits without them (Monte Carlo error at most "
            f"{max(largest, 0.001):.3f} nats a point){trouble}"
        )
    remaining = len(left) - len(refitted)
    if remaining:
        notes.append(
            f"{remaining} of {len(X)} points keep a Pareto k above {score.limit:.2f} (largest "
            f"{k[k > score.limit].max():.2f}){'' if refitted or not trouble else trouble}: the sum is unreliable, and "
            "elpd_kfold is to be preferred"
        )
    made = Score.summed("elpd_loo", pointwise).noted(*notes)
    shared = np.delete(np.arange(len(X)), [*done, *best])
    mc_se = np.hypot(_shared_error(fit, X, shared, by_labels), np.sqrt(sum(error**2 for _, error in best.values())))
    n_recomputed = len(done) + len(refitted)
    return replace(made, reliability=k, limit=score.limit, n_recomputed=n_recomputed, mc_se=float(mc_se))


def _shared_error(fit: Fit, X: np.ndarray, shared: np.ndarray, by_labels: np.ndarray) -> float:
    """Monte Carlo error of all that rests on the fit's own draws: points by PSIS, and (S, m) values from labels."""
    is_shared, parts = np.isin(np.arange(len(X)), shared), []
    if len(shared):
        blocks = pointwise_of(fit, X).blocks()
        parts = [influence(block, -1, np.flatnonzero(is_shared[rows])) for rows, block in blocks]
    if by_labels.size:
        parts.append(influence(by_labels, -1))
    return error_of_sum(parts, fit.estimate.draws().draw_shape) if parts else 0.0


def _given_labels(fit: Fit, X: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(S, m) log densities under each draw; of `rows` left out, their Monte Carlo errors, the ratios' Pareto k."""
    shape, rng = fit.estimate.draws().draw_shape, np.random.default_rng([fit.seed, len(X)])
    drawn = log_density_left_out(fit.model, as_drawn(fit), X, rows, rng)
    values = drawn.reshape(*shape, -1)
    found = np.empty((3, len(rows)))
    for j in range(len(rows)):
        chains = values[..., j]
        ratios = np.exp(chains.min() - chains)
        share, error = _effective(ratios) / ratios.size, _relative_error(ratios)
        cutoff, *tail = np.sort(ratios, axis=None)[-tail_length(ratios.size, share) - 1 :]
        # Few labellings, each many times: a bounded discrete law.  Pareto's is scaled by the first quartile above the
        # cutoff, which must not be the cutoff itself.
        quartile = tail[int(len(tail) / 4 + 0.5) - 1]
        if len(np.unique(tail)) < ALIKE * len(tail) or quartile <= cutoff * (1.0 + TIE):
            found[:, j] = np.log(ratios.size) - logsumexp(-chains), error, -np.inf
        else:
            value, shape_k, _ = array_stats().loo(chains, chain_axis=0, draw_axis=1, r_eff=share)
            found[:, j] = value, error, shape_k
    return drawn, found[0], found[1], found[2]


def _by_refits(
    fit: Fit, X: np.ndarray, rows: list[int], on_refit: Callable[[int, int], None]
) -> tuple[dict[int, tuple[float, float]], str]:
    """Log densities of rows under refits to the others with their Monte Carlo errors, and what went wrong."""
    found, stopped = {}, []
    for count, i in enumerate(rows):
        on_refit(count, len(rows))
        try:
            value, error, sentence = _refitted(fit, X, i)
        except KeyboardInterrupt:
            raise
        except Exception as reason:  # a refit that fails leaves its point as it was
            stopped.append(str(reason) or type(reason).__name__)
            continue
        found[i] = value, error
        if sentence:
            stopped.append(sentence)
    first = next(iter(stopped), "").rstrip(".")
    return found, f"; {len(stopped)} of {len(rows)} refits had trouble, the first: {first}" if stopped else ""


def _refitted(fit: Fit, X: np.ndarray, row: int) -> tuple[float, float, str]:
    """Log density of one row under a refit to the others, its error, and how that ended where it did not converge."""
    others = np.delete(X, row, axis=0)
    check_enough_points(len(others), fit.model.min_points)
    refit = fit.refit(others, rng=np.random.default_rng([fit.seed, row]))
    if refit.status.outcome is Outcome.INTERRUPTED:
        raise KeyboardInterrupt  # the method kept what it had; a refit cut short is none
    if not refit.status.is_usable:
        raise NotApplicableError(refit.status.sentence)
    sentence = "" if refit.status.is_converged else refit.status.sentence
    if has_closed_form(refit):
        values = log_density_given_labels(refit, others, X[row], np.random.default_rng([fit.seed, row, 1]))
    else:
        values = refit.log_density_draws(X[[row]])[:, 0]
    log_mean = float(logsumexp(values) - np.log(len(values)))
    ratios = np.exp(values - values.max()).reshape(refit.estimate.draws().draw_shape)
    return log_mean, _relative_error(ratios), sentence


def _relative_error(chains: np.ndarray) -> float:
    """Monte Carlo error of the mean of (chain, draw) values, relative to it: that of its logarithm."""
    return float(chains.std() / chains.mean() / np.sqrt(_effective(chains)))


def _effective(chains: np.ndarray) -> float:
    """Effective number of draws, at most as many as there are."""
    if np.ptp(chains) == 0:
        return chains.size
    n_eff = array_stats().ess(chains, chain_axis=0, draw_axis=1, method="mean")
    return min(float(np.asarray(n_eff)), chains.size)


def _closed_form_note(n_done: int, n_bad: int, score: Score, error: float) -> str:
    assert score.reliability is not None
    return (
        f"{n_bad} of {len(score.reliability)} points have a Pareto k above {score.limit:.2f} (largest "
        f"{score.reliability.max():.2f}); {_points(n_done)} of the highest computed from labels with the parameters "
        f"integrated out (Monte Carlo error at most {max(error, 0.001):.3f} nats a point)"
    )


def _points(count: int) -> str:
    return "1 point" if count == 1 else f"{count} points"
