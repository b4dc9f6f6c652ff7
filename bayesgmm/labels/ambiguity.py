"""How ambiguous an alignment is: the posterior probability that components should have been named otherwise.

Let f_k be the density of component k's parameters, fitted to the aligned draws.  Since the posterior is the same in
every order of the components, a draw came from the order o with probability proportional to the product over k of
f_k(component o_k).  Where these products differ by little, no method can know the order.

References
----------
Sperrin, Jaki and Wit (2010), Statistics and Computing 20, 357-366, doi:10.1007/s11222-009-9129-8.
"""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
from scipy.special import gammaln, logsumexp

from bayesgmm.core.params import MixtureParams
from bayesgmm.labels.features import component_features, whitened

EXACT_COMPONENTS = 7  # 5,040 orders; with more components only exchanges of two are looked at
BLOCK_CELLS = 4_000_000  # draws x orders at a time
NEVER = -1e9  # nats, of a name that a component cannot have: its probability is zero, and its products are finite
MEAN_PRECISION = 0.01  # in draws, of the prior of a component's mean: next to nothing


def ambiguity(
    draws: MixtureParams, is_occupied: np.ndarray, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Of aligned draws: (draws,) probabilities of any other order, and (draws, K) those of another component k.

    `is_occupied` (draws, K) says which components a draw has; others are NaN, and their order does not count.
    Components of different `groups` (K,) are not taken for one another.
    """
    log_density = log_densities(whitened(component_features(draws), is_occupied), is_occupied)
    if draws.n_components == 1:
        return np.zeros(len(log_density)), np.where(is_occupied, 0.0, np.nan)
    groups = np.zeros(draws.n_components, int) if groups is None else groups
    log_density = np.where(groups[:, None] == groups, log_density, NEVER)
    if draws.n_components <= EXACT_COMPONENTS:
        whole, parts = over_orders(log_density, is_occupied, groups)
    else:
        whole, parts = over_exchanges(log_density, is_occupied)
    return whole, np.where(is_occupied, parts, np.nan)


def log_densities(features: np.ndarray, is_occupied: np.ndarray) -> np.ndarray:
    """(draws, K, K): the log density of component l's features under the name k; 0 for an l that is empty.

    Each name has the Student-t predictive of a normal with a weak conjugate prior (Gelman et al. 2013, section 3.6),
    whose scale is the spread within names, so that a name of few draws has a density too.  A name that is often
    empty has a chance to be so.
    """
    n_draws, k, p = features.shape
    counts = is_occupied.sum(0)
    means = np.einsum("tk,tkp->kp", is_occupied, features) / np.maximum(counts, 1)[:, None]
    gaps = np.where(is_occupied[..., None], features - means, 0.0)
    scatters = np.einsum("tkp,tkq->kpq", gaps, gaps)
    # The spread of all in these units is one; of it a little, where names have one draw and no spread within.
    within = scatters.sum(0) / counts.sum() + 1e-6 * np.eye(p)
    out = np.empty((n_draws, k, k))
    for name in range(k):
        kappa, dof = MEAN_PRECISION + counts[name], counts[name] + 3.0
        center = means[name] * counts[name] / kappa
        shrunk = MEAN_PRECISION * counts[name] / kappa * np.outer(means[name], means[name])
        factor = np.linalg.cholesky((within + scatters[name] + shrunk) * (kappa + 1.0) / (kappa * dof))
        distance = (np.linalg.solve(factor, (features - center).reshape(-1, p).T) ** 2).sum(0).reshape(n_draws, k)
        out[..., name] = -0.5 * (dof + p) * np.log1p(distance / dof) + gammaln((dof + p) / 2.0) - gammaln(dof / 2.0)
        out[..., name] -= 0.5 * p * np.log(dof) + np.log(np.diag(factor)).sum()
    share = (counts + 0.5) / (n_draws + 1.0)  # never 0 or 1: a draw more may have it or not
    out += np.log(share) - np.log1p(-share)
    return np.where(is_occupied[:, :, None], out, 0.0)


def over_orders(
    log_density: np.ndarray, is_occupied: np.ndarray, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities of `ambiguity`, by the sum over all orders."""
    n_draws, k, _ = log_density.shape
    names = np.array(list(permutations(range(k))))  # names[o, l]: what order o calls component l
    table = np.zeros((k, k, len(names)))
    for i, name in enumerate(names):
        table[np.arange(k), name, i] = 1.0
    table = table.reshape(k * k, len(names))
    whole, parts = np.empty(n_draws), np.empty((n_draws, k))
    step = max(1, BLOCK_CELLS // len(names))
    # Orders that differ only in the names of empty components are one.
    groups = np.zeros(k, int) if groups is None else groups
    n_empty = np.stack([(~is_occupied[:, groups == group]).sum(1) for group in np.unique(groups)], axis=1)
    same = gammaln(n_empty + 1.0).sum(1)
    for start in range(0, n_draws, step):
        rows = slice(start, start + step)
        logs = log_density[rows].reshape(-1, k * k) @ table
        total = logsumexp(logs, axis=1, keepdims=True)
        as_named = (np.exp(logs - total) @ table.T).reshape(-1, k, k)
        parts[rows] = 1.0 - np.diagonal(as_named, axis1=1, axis2=2)
        whole[rows] = -np.expm1(
            np.minimum(np.trace(log_density[rows], axis1=1, axis2=2) + same[rows] - total[:, 0], 0.0)
        )
    return whole, np.clip(parts, 0.0, 1.0)


def over_exchanges(log_density: np.ndarray, is_occupied: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same where there are too many orders: the present one and all exchanges of two components alone.

    Of many orders with little probability each, the sum over exchanges has the largest.
    """
    n_draws, k, _ = log_density.shape
    own = np.diagonal(log_density, axis1=1, axis2=2)
    pairs = list(combinations(range(k), 2))
    gains = np.full((n_draws, len(pairs) + 1), -np.inf)
    gains[:, 0] = 0.0
    for i, (a, b) in enumerate(pairs, 1):
        gain = log_density[:, a, b] + log_density[:, b, a] - own[:, a] - own[:, b]
        gains[:, i] = np.where(is_occupied[:, a] | is_occupied[:, b], gain, -np.inf)
    shares = np.exp(gains - logsumexp(gains, axis=1, keepdims=True))
    parts = np.zeros((n_draws, k))
    for i, (a, b) in enumerate(pairs, 1):
        parts[:, a] += shares[:, i]
        parts[:, b] += shares[:, i]
    return 1.0 - shares[:, 0], np.clip(parts, 0.0, 1.0)
