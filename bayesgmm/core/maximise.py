"""Readouts without a prior: maximum likelihood, and the data's own mean and spread."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.covariance import CovarianceStructure
from bayesgmm.core.facts import NO_FACTS, RowFacts
from bayesgmm.core.params import ComponentScores, MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.sweep import sweep


def maximise(
    stats: SufficientStatistics, structure: CovarianceStructure, whitening: np.ndarray, floor: float
) -> MixtureParams:
    """The M step: maximum likelihood under whitened covariance eigenvalues of at least `floor`."""
    n_components, n_features = stats.first.shape
    points = structure.pool_counts(stats.counts) * structure.residuals_per_point(n_features)
    points = np.where(points > 0, points, 1.0)  # an emptied component has no scatter either, and sits at the floor
    compact = structure.pool(stats.scatter())
    compact /= points.reshape(-1, *(1,) * (compact.ndim - 1))
    factor = structure.expand(structure.clipped_factor(compact, whitening, floor), n_components, n_features)
    return MixtureParams.trusted(stats.counts / stats.counts.sum(), stats.means(), factor)


def moments(X: np.ndarray, is_diagonal: bool, facts: RowFacts = NO_FACTS) -> tuple[np.ndarray, np.ndarray]:
    """Column means (D,) and covariance (D, D), or variances (D,).

    The divisor is n - 1, where n is the sum of the weights; where rows weigh less than 1 on average, n less that mean,
    so that it stays above zero.

    Two sweeps: the second is centred at the means that the first one found.  What leaves the range of float64 is
    infinite or NaN.
    """
    n_features = X.shape[1]
    factor = np.zeros((1, n_features) if is_diagonal else (1, n_features, n_features))
    center = np.array(X[:1], float)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(2):
            stats = sweep(X, ComponentScores(np.zeros(1), center, factor), facts=facts)
            center = stats.means()
        one = min(1.0, stats.n_obs / len(X))
        return center[0], stats.scatter()[0] / (stats.n_obs - one if len(X) > 1 else 1.0)
