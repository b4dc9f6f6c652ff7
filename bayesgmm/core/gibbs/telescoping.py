"""The number of components given the partition: the telescoping sampler.

Fruehwirth-Schnatter, Malsiner-Walli and Gruen (2021), Bayesian Analysis 16, 1279-1307, doi:10.1214/21-BA1294.  Labels
name M slots, of which the occupied ones and as many empty ones as make K are active.  With K and the weights
integrated out, labels have the probability, up to a constant,

    prod_k Gamma(c + n_k) * f(t),   f(t) = (M - t)! sum_{K >= t} p(K) K! / (K - t)! Gamma(c K) / Gamma(c K + n):

that of a Dirichlet over all M slots, times a factor of the number t of occupied ones.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, logsumexp

from bayesgmm.core.kernels.compilation import inner


def telescope_tables(log_prior: np.ndarray, concentration: float, n_obs: int) -> tuple[np.ndarray, np.ndarray]:
    """log f(t), and the cumulative probabilities of K = 1, ..., M given t, for t = 0, ..., M.

    Parameters
    ----------
    log_prior : (M,) array
        Of K.
    concentration : float
        c, of the static Dirichlet.
    n_obs : int

    Returns
    -------
    (M + 1,) and (M + 1, M) arrays
    """
    largest = len(log_prior)
    t, k = np.arange(largest + 1)[:, None], np.arange(1, largest + 1)
    log_ways = gammaln(k + 1.0) - gammaln(np.maximum(k - t, 0) + 1.0)
    log_weights = gammaln(concentration * k) - gammaln(concentration * k + n_obs)
    terms = np.where(k >= t, log_prior + log_ways + log_weights, -np.inf)
    log_total = logsumexp(terms, axis=1)
    cumulative = np.cumsum(np.exp(terms - log_total[:, None]), axis=1)
    cumulative[:, -1] = 1.0
    return gammaln(largest - t[:, 0] + 1.0) + log_total, cumulative


@inner
def draw_count(rng, cumulative, n_occupied):
    """K given the number of occupied slots."""
    u, count = rng.random(), 1
    for k in range(cumulative.shape[1] - 1):
        count += cumulative[n_occupied, k] <= u
    return count


@inner
def deactivate(counts, n_active, concentration):
    """Set the concentration of empty slots beyond the first that make `n_active` to zero."""
    n_empty = n_active
    for k in range(len(counts)):
        n_empty -= counts[k] > 0.0
    for k in range(len(counts)):
        if counts[k] == 0.0:
            n_empty -= 1
            if n_empty < 0:
                concentration[k] = 0.0
