"""Weights of several predictive distributions, from the log densities that each gave to points it had not seen."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp, softmax

BLOCK = 2**20  # entries of one block of bootstrap weights


def stacking_weights(pointwise: np.ndarray, concentration: float = 1.0) -> np.ndarray:
    """(m,) weights whose mixture predicts best: the sum over points of the log of the weighted density is largest.

    A concave problem.  With a `concentration` above 1 the log density of a Dirichlet is added, which decides between
    weights that are as good.

    Parameters
    ----------
    pointwise : (m, n) array
        Log densities of n points under each of m distributions.
    """
    from scipy.optimize import minimize  # slow to import

    density, excess = np.exp(pointwise - pointwise.max(0)), concentration - 1.0
    if len(pointwise) == 1:
        return np.ones(1)

    def negative(free: np.ndarray) -> tuple[float, np.ndarray]:
        weights = softmax(free)
        mixture = weights @ density
        value = np.log(mixture).sum() + excess * np.log(np.maximum(weights, np.finfo(float).tiny)).sum()
        slope = weights * (density / mixture).sum(1) + excess
        return -value, -(slope - weights * slope.sum())

    start = np.zeros(len(pointwise))
    found = minimize(negative, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9})
    return softmax(found.x)


def pseudo_bma_weights(pointwise: np.ndarray) -> np.ndarray:
    """(m,) weights in proportion to the exponential of each one's sum over the points."""
    return softmax(pointwise.sum(1))


def bootstrapped_pseudo_bma_weights(pointwise: np.ndarray, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """The same averaged over the Bayesian bootstrap: weights of the points are drawn from Dirichlet(1, ..., 1)."""
    m, n = pointwise.shape
    total, left = np.zeros(m), n_draws
    while left:
        size = min(left, max(1, BLOCK // n))
        shares = rng.dirichlet(np.ones(n), size)
        total += softmax(n * shares @ pointwise.T, axis=1).sum(0)
        left -= size
    return total / n_draws


def log_mixture(log_densities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n,) log density of the weighted mixture of (m, n) log densities."""
    return logsumexp(log_densities, axis=0, b=weights[:, None])
