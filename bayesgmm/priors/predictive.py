"""The density of a new point under a `ConjugateMixture`: a mixture of Student-t components."""

from __future__ import annotations

import numpy as np
import scipy

from bayesgmm.core.density import log_joint
from bayesgmm.core.params import ComponentScores
from bayesgmm.priors.conjugate import ConjugateComponents
from bayesgmm.priors.mixture import ConjugateMixture


def log_predictive(mixture: ConjugateMixture, X: np.ndarray) -> np.ndarray:
    """(n,) log density of each point with all parameters integrated out; it integrates to one."""
    return scipy.special.logsumexp(log_predictive_joint(mixture, X), axis=1)


def log_predictive_joint(mixture: ConjugateMixture, X: np.ndarray) -> np.ndarray:
    """(n, K) log expected weight plus log Student-t density of each component."""
    components = mixture.components
    is_product = components.structure.is_diagonal and not components.structure.is_round
    density = _product_of_t if is_product else _multivariate_t
    return np.log(mixture.weights.mean()) + density(components, X)


def _multivariate_t(components: ConjugateComponents, X: np.ndarray) -> np.ndarray:
    """Matrix-t marginal: dof nu - D + 1 for Wishart matrices, nu for one variance of all columns."""
    d, kappa = components.n_features, components.mean_precision
    dof = np.broadcast_to(components.dof - components.matrix_size + 1.0, kappa.shape)
    # expected_factor carries sqrt(nu); the t's own factor is P sqrt(dof kappa / (kappa + 1)).
    ratio = np.sqrt(dof / components.dof * kappa / (kappa + 1.0))
    factor = components.expected_factor()
    factor = factor * ratio.reshape(-1, *(1,) * (factor.ndim - 1))
    quadratic = -2.0 * log_joint(ComponentScores(np.zeros(len(kappa)), components.mean, factor), X)
    diagonal = factor if factor.ndim == 2 else np.diagonal(factor, axis1=1, axis2=2)
    constant = scipy.special.gammaln(0.5 * (dof + d)) - scipy.special.gammaln(0.5 * dof) - 0.5 * d * np.log(np.pi * dof)
    return constant + np.log(diagonal).sum(1) - 0.5 * (dof + d) * np.log1p(quadratic / dof)


def _product_of_t(components: ConjugateComponents, X: np.ndarray) -> np.ndarray:
    """Independent columns: a product of univariate t, each with its variance's own dof."""
    kappa = components.mean_precision
    factor = components.expected_factor() * np.sqrt(kappa / (kappa + 1.0))[:, None]
    dof = components.dof
    constant = scipy.special.gammaln(0.5 * (dof + 1)) - scipy.special.gammaln(0.5 * dof) - 0.5 * np.log(np.pi * dof)
    total = np.empty((len(X), len(kappa)))
    for k in range(len(kappa)):  # a component at a time, so that memory stays n D
        z = factor[k] * (X - components.mean[k])
        log_t = constant[k] + np.log(factor[k]) - 0.5 * (dof[k] + 1) * np.log1p(z**2 / dof[k])
        total[:, k] = log_t.sum(1)
    return total
