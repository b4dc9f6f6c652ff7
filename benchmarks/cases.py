"""Simulated mixtures, and starts near the truth, for both sides alike."""

from __future__ import annotations

import numpy as np

import bayesgmm as bg

SHAPES = (
    (20_000, 2, 4),
    (100_000, 2, 8),
    (100_000, 8, 8),
    (50_000, 16, 16),
    (20_000, 32, 8),
    (10_000, 64, 8),
    (1_000_000, 4, 10),
)
LARGEST = ((1_000_000, 4, 10), (100_000, 8, 8), (50_000, 16, 16))


def simulated(n: int, d: int, k: int, apart: float = 3.0) -> tuple[np.ndarray, bg.MixtureParams]:
    """n points of an overlapping mixture with full covariances, and parameters off the truth.

    `apart` is the root mean square distance of the means from the middle.
    """
    rng = np.random.default_rng([n, d, k])
    means = apart * rng.standard_normal((k, d)) / np.sqrt(d)
    roots = np.eye(d) + 0.5 * rng.standard_normal((k, d, d)) / np.sqrt(d)
    labels = rng.integers(k, size=n)
    X = rng.standard_normal((n, d))
    for j in range(k):
        X[labels == j] = X[labels == j] @ roots[j].T
    X += means[labels]
    off = means + 0.3 * rng.standard_normal((k, d)) / np.sqrt(d)
    return X, bg.MixtureParams(np.full(k, 1.0 / k), off, 1.3 * roots @ np.swapaxes(roots, 1, 2))
