"""Model-based agglomeration: the components of a fine partition, joined two by two until K are left.

The two are joined that cost the least of the classification likelihood, ``sum_k N_k (log (N_k / n) - 1/2 log |S_k|)``,
with covariances of their own, or with one covariance for all (Ward's criterion in its metric).  Fraley (1998), SIAM
Journal on Scientific Computing 20, 270-281, doi:10.1137/S1064827596311451.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.families.gaussian import CovarianceStructure

HELD = 1e-6  # a part that holds less is empty


def joined(stats: SufficientStatistics, i: int, j: int) -> SufficientStatistics:
    """The same statistics with components i and j as one, in the place of i."""
    pair = np.array([i, j])
    counts, means = stats.counts, stats.means()
    center = means.copy()
    center[pair] = counts[pair] @ means[pair] / counts[pair].sum()
    moved = stats.recentred(center)
    counts, first, second = moved.counts.copy(), moved.first.copy(), moved.second.copy()
    for sums in (counts, first, second):
        sums[i] += sums[j]
    counts, first, second, center = (np.delete(values, j, axis=0) for values in (counts, first, second, center))
    return SufficientStatistics(stats.log_likelihood, counts, first, second, center, stats.n_obs)


def agglomerate(
    stats: SufficientStatistics, metric: np.ndarray, n_components: int, structure: CovarianceStructure
) -> SufficientStatistics:
    """Join components until `n_components` are left, those with too few points first.

    Parameters
    ----------
    stats : SufficientStatistics
    metric : (D, D) or (D,) array
        Precision factor of the scatter within the components, pooled: the units of all that is compared.
    n_components : int
    structure : CovarianceStructure
        Whether every joined component has a covariance of its own, with as many points of the pooled scatter added as
        there are columns, or there is one for all; and of what form.  Components with too few points for it do not
        stay alone, as long as any are joined.
    """
    held = np.flatnonzero(stats.counts > HELD)
    if len(held) < n_components:
        held = np.argsort(-stats.counts, kind="stable")[:n_components]
    stats = stats.permuted(held)
    too_few = structure.too_few_points(stats.first.shape[1])

    def price(stats: SufficientStatistics, i: int) -> np.ndarray:
        if structure.is_shared:
            return _pooled_price(stats, i, metric)
        return _own_price(stats, i, metric, structure)

    costs = np.full((len(held),) * 2, np.inf)
    for i in range(len(held)):
        _set_row(costs, i, price(stats, i))
    while len(stats.counts) > n_components:
        small = stats.counts <= too_few
        eligible = np.where(small[:, None], costs, np.inf) if small.any() else costs
        i, j = sorted(int(index) for index in np.unravel_index(eligible.argmin(), costs.shape))
        stats = joined(stats, i, j)
        costs = np.delete(np.delete(costs, j, axis=0), j, axis=1)
        _set_row(costs, i, price(stats, i))
    return stats


def _set_row(costs: np.ndarray, i: int, prices: np.ndarray) -> None:
    costs[i], costs[:, i] = prices, prices
    costs[i, i] = np.inf


def _between(stats: SufficientStatistics, i: int, metric: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K,) weights and (K, D) differences: what joining with i adds to the scatter is ``weight d d^T``."""
    counts, means = stats.counts, stats.means()
    difference = stats.form.times(means - means[i], metric)
    total = counts + counts[i]
    return counts * counts[i] / np.where(total > 0, total, 1.0), difference


def _pooled_price(stats: SufficientStatistics, i: int, metric: np.ndarray) -> np.ndarray:
    """Half the squared distance that joining with component i adds within."""
    weight, difference = _between(stats, i, metric)
    return 0.5 * weight * (difference**2).sum(1)


def _own_price(stats: SufficientStatistics, i: int, metric: np.ndarray, structure: CovarianceStructure) -> np.ndarray:
    """What joining with component i loses of the classification likelihood."""
    weight, difference = _between(stats, i, metric)
    counts, scatter = stats.counts, stats.form.whitened(stats.scatter(), metric)
    both = stats.form.add_outer(scatter + scatter[i], weight, difference)
    scatter, both = structure.columns.within_group(scatter), structure.columns.within_group(both)
    single = _spread_bits(scatter, counts)
    total = counts + counts[i]
    return _spread_bits(both, total) - single - single[i] - (_entropy(total) - _entropy(counts) - _entropy(counts[i]))


def _spread_bits(scatter: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(K,) values of ``N/2 log |S|``, in which the pooled covariance, here the identity, counts for D points."""
    d = scatter.shape[-1]
    if scatter.ndim == 2:
        return 0.5 * counts * np.log((scatter + d) / (counts[:, None] + d)).sum(1)
    ridged = (scatter + d * np.eye(d)) / (counts[:, None, None] + d)
    return 0.5 * counts * np.linalg.slogdet(ridged)[1]


def _entropy(counts: np.ndarray) -> np.ndarray:
    return counts * np.log(np.where(counts > 0, counts, 1.0))
