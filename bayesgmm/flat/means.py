"""The priors of the means, in whitened coordinates: given their covariances, or independent of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesgmm.core.forms import form_of
from bayesgmm.core.params import LOG_2PI
from bayesgmm.models import DirichletProcessMixture, GaussianMixture
from bayesgmm.priors.components import NormalInverseWishart


@dataclass(frozen=True, eq=False)
class ConjugateMeans:
    """``z_k | Sigma_k ~ N(mean_k, Sigma_k / mean_precision_k)``.

    Parameters
    ----------
    mean : (K, D) array
    mean_precision : (K,) array
    """

    mean: np.ndarray
    mean_precision: np.ndarray

    @property
    def precision(self) -> np.ndarray:
        """Nothing: there is none without a covariance."""
        return np.empty(0)

    def log_normaliser(self) -> float:
        """What the kernels leave out."""
        return float(0.5 * self.mean.shape[1] * np.sum(np.log(self.mean_precision) - LOG_2PI))


@dataclass(frozen=True, eq=False)
class IndependentMeans:
    """``z_k ~ N(mean_k, precision^-1)`` whatever the covariances.

    Parameters
    ----------
    mean : (K, D) array
    factor : (D, D) upper triangular or (D,) array
        ``precision = factor factor^T``, or the squares.
    """

    mean: np.ndarray
    factor: np.ndarray

    @property
    def mean_precision(self) -> np.ndarray:
        """Zeros: no mean weighs as points of its component do."""
        return np.zeros(len(self.mean))

    @property
    def precision(self) -> np.ndarray:
        """(D, D) or (D,), as the kernels take it."""
        return form_of(self.factor.ndim).precision(self.factor)

    def log_normaliser(self) -> float:
        """What the kernels leave out."""
        diagonal = form_of(self.factor.ndim).diagonal(self.factor)
        return float(len(self.mean) * np.sum(np.log(diagonal) - 0.5 * LOG_2PI))


def means_of(
    model: GaussianMixture | DirichletProcessMixture, mean: np.ndarray, whitening: np.ndarray
) -> ConjugateMeans | IndependentMeans:
    """The means of a resolved model; `mean` (K, D) is whitened."""
    prior, structure = model.prior, model.covariance
    if isinstance(prior, NormalInverseWishart):
        return ConjugateMeans(mean, prior.conjugate(structure, model.n_components).mean_precision)
    factor = structure.form.factor(np.asarray(prior.mean_covariance, float)[None])[0]
    return IndependentMeans(mean, structure.form.whitened_factor(factor, whitening))
