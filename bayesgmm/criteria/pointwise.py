"""LOO and WAIC from pointwise log likelihoods alone, whoever made them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from scipy.special import logsumexp

from bayesgmm.criteria.score import Score
from bayesgmm.criteria.simulation import error_of_sum, influence
from bayesgmm.result.arviz import array_stats
from bayesgmm.result.smoothing import pareto_k_limit

WAIC_LIMIT = 0.4  # Vehtari, Gelman and Gabry (2017), section 2.2
Blocks = Iterable[tuple[slice, np.ndarray]]  # rows, and (draws, rows) log densities, chains one after the other


def loo_score(blocks: Blocks, n_obs: int, draw_shape: tuple[int, ...], relative_efficiency: float) -> Score:
    """Leave-one-out by Pareto-smoothed importance sampling, with the Pareto k of each point."""
    pointwise, pareto_k, influences = np.empty(n_obs), np.empty(n_obs), []
    for rows, block in blocks:
        by_chain = block.reshape(*draw_shape, -1)
        found = array_stats().loo(by_chain, chain_axis=0, draw_axis=1, r_eff=relative_efficiency)
        pointwise[rows], pareto_k[rows] = found[0], found[1]
        influences.append(influence(block, -1))
    limit = pareto_k_limit(int(np.prod(draw_shape)))
    mc_se = error_of_sum(influences, draw_shape)
    score = Score.summed("elpd_loo", pointwise)
    return replace(score, reliability=pareto_k, limit=limit, n_recomputed=0, mc_se=mc_se)


def cautioned(score: Score, advice: str = ", and elpd_kfold is to be preferred") -> Score:
    """The same, which says how many points of `elpd_loo` are unreliable, if any are."""
    if score.reliability is None or not score.n_unreliable:
        return score
    return score.noted(
        f"{score.n_unreliable} of {len(score.reliability)} points have a Pareto k above {score.limit:.2f} (largest "
        f"{score.reliability.max():.2f}): the sum is unreliable{advice}"
    )


def waic_score(blocks: Blocks, n_obs: int) -> Score:
    """The log mean density less its posterior variance, per point."""
    pointwise, variance = np.empty(n_obs), np.empty(n_obs)
    for rows, block in blocks:
        variance[rows] = block.var(0, ddof=1)
        pointwise[rows] = logsumexp(block, axis=0) - np.log(len(block)) - variance[rows]
    score = replace(Score.summed("elpd_waic", pointwise), reliability=variance, limit=WAIC_LIMIT)
    if not score.n_unreliable:
        return score
    return score.noted(
        f"the log density of {score.n_unreliable} of {n_obs} points has a posterior variance above {WAIC_LIMIT}: the "
        "sum is unreliable"
    )
