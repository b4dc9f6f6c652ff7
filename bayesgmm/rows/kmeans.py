"""K-means on the package's own hard sweep, the whitening standing in for every component's factor.

No copy of the data is made, and any number of threads gives the same bits.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.core.density import log_joint
from bayesgmm.core.params import ComponentScores
from bayesgmm.core.sweep import Assign
from bayesgmm.rows.memory import Rows

MAX_ITER = 100
TIE = 1e-12  # relative; a sum of n terms in pairs is exact to some 1e-15
TOL = 1e-6  # relative change of the inertia; a start need not be better


def whitened_distances(centers: np.ndarray, whitening: np.ndarray) -> ComponentScores:
    """Scores whose value is -1/2 the squared whitened distance to each centre."""
    factors = np.repeat(whitening[None], len(centers), axis=0)
    return ComponentScores(np.zeros(len(centers)), np.ascontiguousarray(centers, float), factors)


def kmeans_plus_plus(rows: Rows, whitening: np.ndarray, n_components: int, rng: np.random.Generator) -> np.ndarray:
    """(K, D) points drawn in proportion to their weighted squared distance, the best of a few candidates each time.

    Arthur and Vassilvitskii (2007), SODA, 1027-1035.
    """
    n_candidates = 2 + int(np.log(n_components))
    X, weights = rows.values, rows.facts.weights if len(rows.facts.weights) else None
    centers = X[[_any_row(rows, rng)]]
    nearest = _distances(rows, centers, whitening)[:, 0]
    while len(centers) < n_components:
        cumulative = np.cumsum(nearest if weights is None else weights * nearest)
        if cumulative[-1] > 0:
            chosen = np.searchsorted(cumulative, rng.random(n_candidates) * cumulative[-1], side="right")
            chosen = np.minimum(chosen, len(X) - 1)
        else:  # fewer different points than components
            chosen = rng.integers(len(X), size=n_candidates)
        distances = np.minimum(nearest[:, None], _distances(rows, X[chosen], whitening))
        left = (distances if weights is None else weights[:, None] * distances).sum(0)
        # Two neighbours far from all others leave the same; which of them is taken must not be for rounding to say.
        best = np.flatnonzero(left <= left.min() + TIE * cumulative[-1])[0]
        centers, nearest = np.vstack([centers, X[[chosen[best]]]]), distances[:, best]
    return centers


def _any_row(rows: Rows, rng: np.random.Generator) -> int:
    """A row drawn in proportion to its weight."""
    if not len(rows.facts.weights):
        return int(rng.integers(len(rows)))
    cumulative = np.cumsum(rows.facts.weights)
    return min(int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")), len(rows) - 1)


def _distances(rows: Rows, centers: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    """(n, C) squared whitened distances, halved."""
    return -log_joint(whitened_distances(centers, whitening), rows.values)


def kmeans(rows: Rows, whitening: np.ndarray, n_components: int, rng: np.random.Generator) -> np.ndarray:
    """Lloyd's iterations from k-means++."""
    centers, inertia = kmeans_plus_plus(rows, whitening, n_components, rng), np.inf
    for _ in range(MAX_ITER):
        stats = rows.sweep(whitened_distances(centers, whitening), Assign.HARD)
        centers, previous, inertia = stats.means(), inertia, -stats.log_likelihood
        if previous - inertia <= TOL * inertia:
            break
    return centers
