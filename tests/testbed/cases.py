"""Small problems that several tests share: data, prior constants in both forms, statistics by NumPy alone."""

import numpy as np

import bayesgmm as bg
from bayesgmm.core.statistics import SufficientStatistics
from testbed.oracle import STRUCTURES, Constants

__all__ = ["STRUCTURES", "blobs", "hard_statistics", "informative", "model_of", "random_spd"]


def random_spd(rng, d):
    """A covariance with correlations and unequal variances."""
    root = rng.normal(size=(d, d)) + 2 * np.eye(d)
    return root @ root.T / d


def blobs(seed=0, n=120, d=2, k=3, apart=4.0):
    """n points around k centres, with correlated noise."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(k, d)) * apart
    noise = rng.normal(size=(n, d)) @ np.linalg.cholesky(random_spd(rng, d)).T
    return centers[rng.integers(k, size=n)] + noise


def informative(structure, k, d, seed=1):
    """Constants that differ between the components wherever they may, and are far from the defaults."""
    rng = np.random.default_rng([seed, k, d])
    scale = {"full": random_spd(rng, d), "diagonal": rng.uniform(0.5, 2.0, d), "spherical": np.float64(1.7)}
    scale |= {"tied": scale["full"], "shared_diagonal": scale["diagonal"], "isotropic": scale["spherical"]}
    return Constants(
        structure,
        rng.uniform(0.6, 3.0, k),
        rng.normal(size=(k, d)),
        rng.uniform(0.2, 2.0, k),
        d + 4.3,
        scale[structure],
    )


def model_of(constants):
    """The package's model with the oracle's constants."""
    prior = bg.NormalInverseWishart(constants.mean, constants.mean_precision, constants.dof, constants.scale)
    return bg.GaussianMixture(len(constants.mean), constants.structure, bg.Dirichlet(constants.concentration), prior)


def conjugate_of(constants):
    """The package's conjugate prior with the oracle's constants."""
    model = model_of(constants)
    k, d = constants.mean.shape
    prior = model.prior.resolve(model.covariance, k, np.zeros(d), np.ones(d))
    return bg.GaussianMixture(k, model.covariance, model.weights.resolve(k), prior).conjugate()


def hard_statistics(X, z, k, is_diagonal, seed=2):
    """Statistics of labelled points, centred away from their means, without the sweep."""
    center = np.random.default_rng(seed).normal(size=(k, X.shape[1]))
    counts, first = np.bincount(z, minlength=k).astype(float), np.zeros_like(center)
    second = np.zeros((k, X.shape[1], X.shape[1]))
    for x, label in zip(X, z, strict=True):
        first[label] += x - center[label]
        second[label] += np.outer(x - center[label], x - center[label])
    if is_diagonal:
        second = np.diagonal(second, axis1=1, axis2=2).copy()
    return SufficientStatistics(0.0, counts, first, second, center, float(len(X)))
