"""Bridge sampling between the posterior and a symmetric law near it."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from bayesgmm.criteria.evidence.posterior import Posterior
from bayesgmm.result.arviz import array_stats

N_LAWS, N_DRAWS = 200, 2000
STEPS, TOLERANCE = 1000, 1e-10


def bridge(posterior: Posterior, rng: np.random.Generator) -> tuple[float, float]:
    """Log evidence and its standard error.

    The optimal bridge of Meng and Wong (1996), Statistica Sinica 6, 831-860, iterated to its fixed point, with the
    draws counted by their effective number; its error as in Frühwirth-Schnatter (2004), section 3.3.
    """
    law, ours = posterior.halves(N_LAWS, N_DRAWS, rng)
    theirs = law.sample(N_DRAWS, rng)
    at_draws = ours.log_joint - law.log_density(ours.draws)  # log p / q, the evidence but for noise
    at_law = posterior.log_joint(theirs) - law.log_density(theirs)
    return optimal_bridge(at_draws.reshape(ours.shape), at_law[None], is_independent=True)


def optimal_bridge(ours: np.ndarray, theirs: np.ndarray, is_independent: bool = False) -> tuple[float, float]:
    """Log of the ratio of two normalisers, and its standard error.

    Parameters
    ----------
    ours, theirs : (chain, draw) arrays
        log p / q, both unnormalised, at draws from p and from q.
    is_independent : bool
        Whether the draws from q are.
    """
    at_draws, at_law = ours.ravel(), theirs.ravel()
    n_ours = _effective(ours)
    n_theirs = float(len(at_law)) if is_independent else _effective(theirs)
    log_ours, log_theirs = np.log(n_ours / (n_ours + n_theirs)), np.log(n_theirs / (n_ours + n_theirs))
    value = float(np.median(at_draws))
    for _ in range(STEPS):
        above = at_law - np.logaddexp(log_ours + at_law, log_theirs + value)
        below = -np.logaddexp(log_ours + at_draws, log_theirs + value)
        new = logsumexp(above) - np.log(len(above)) - logsumexp(below) + np.log(len(below))
        if abs(new - value) < TOLERANCE:
            break
        value = float(new)
    above, below = np.exp(above - above.max()), np.exp(below - below.max())
    if not is_independent:
        n_theirs = _effective(above.reshape(theirs.shape))
    variance = above.var() / above.mean() ** 2 / n_theirs
    variance += below.var() / below.mean() ** 2 / _effective(below.reshape(ours.shape))
    return value, float(np.sqrt(variance))


def _effective(values: np.ndarray) -> float:
    """Effective number of (chain, draw) values for their mean."""
    if np.ptp(values) <= 1e-9 * (1.0 + np.abs(values).max()):
        return float(values.size)  # equal but for rounding: any of them is the mean
    return float(min(values.size, array_stats().ess(values, chain_axis=0, draw_axis=1, method="mean")))
