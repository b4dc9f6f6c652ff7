"""The density of a new point under a `ConjugateMixture`: a mixture of Student-t components."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy

from bayesgmm.core.density import log_joint
from bayesgmm.core.forms import form_of
from bayesgmm.core.params import ComponentScores
from bayesgmm.families.columns import ALIKE, CORRELATED, SEPARATE, Columns
from bayesgmm.priors.conjugate import ConjugateComponents
from bayesgmm.priors.mixture import ConjugateMixture

FAR = 1e100  # standard deviations, whose square is well within float64


def log_predictive(mixture: ConjugateMixture, X: np.ndarray) -> np.ndarray:
    """(n,) log density of each point with all parameters integrated out; it integrates to one."""
    return scipy.special.logsumexp(log_predictive_joint(mixture, X), axis=1)


def log_predictive_joint(mixture: ConjugateMixture, X: np.ndarray) -> np.ndarray:
    """(n, K) log expected weight plus log Student-t density of each component."""
    components = mixture.components
    return np.log(mixture.weights.mean()) + STUDENT[components.structure.columns](components, X)


def _multivariate_t(components: ConjugateComponents, X: np.ndarray) -> np.ndarray:
    """Matrix-t marginal: dof nu - D + 1 for Wishart matrices, nu for one variance of all columns."""
    d, kappa = components.n_features, components.mean_precision
    dof = np.broadcast_to(components.dof - components.matrix_size + 1.0, kappa.shape)
    # expected_factor carries sqrt(nu); the t's own factor is P sqrt(dof kappa / (kappa + 1)).
    ratio = np.sqrt(dof / components.dof * kappa / (kappa + 1.0))
    factor = components.expected_factor()
    factor = factor * ratio.reshape(-1, *(1,) * (factor.ndim - 1))
    scores = ComponentScores(np.zeros(len(kappa)), components.mean, factor)
    log_ratio = np.log1p(-2.0 * log_joint(scores, X) / dof)
    far = ~np.isfinite(log_ratio).all(1)
    if far.any():
        log_ratio[far] = 2.0 * _log_distances(scores, X[far]) - np.log(dof)
    diagonal = components.structure.form.diagonal(factor)
    constant = scipy.special.gammaln(0.5 * (dof + d)) - scipy.special.gammaln(0.5 * dof) - 0.5 * d * np.log(np.pi * dof)
    return constant + np.log(diagonal).sum(1) - 0.5 * (dof + d) * log_ratio


def _product_of_t(components: ConjugateComponents, X: np.ndarray) -> np.ndarray:
    """Independent columns: a product of univariate t, each with its variance's own dof."""
    kappa = components.mean_precision
    factor = components.expected_factor() * np.sqrt(kappa / (kappa + 1.0))[:, None]
    dof = np.broadcast_to(components.dof, kappa.shape)
    constant = scipy.special.gammaln(0.5 * (dof + 1)) - scipy.special.gammaln(0.5 * dof) - 0.5 * np.log(np.pi * dof)
    total = np.empty((len(X), len(kappa)))
    for k in range(len(kappa)):  # a component at a time, so that memory stays n D
        z = _offsets(X, components.mean[k], factor[k])
        log_ratio = np.log1p(np.minimum(np.abs(z), FAR) ** 2 / dof[k])
        if np.abs(z).max() > FAR:  # there, 1 + z^2 / nu is z^2 / nu
            log_ratio += 2.0 * np.log(np.maximum(np.abs(z) / FAR, 1.0))
        log_t = constant[k] + np.log(factor[k]) - 0.5 * (dof[k] + 1) * log_ratio
        total[:, k] = log_t.sum(1)
    return total


STUDENT: dict[Columns, Callable[[ConjugateComponents, np.ndarray], np.ndarray]] = {
    CORRELATED: _multivariate_t,
    SEPARATE: _product_of_t,
    ALIKE: _multivariate_t,
}


def _offsets(X: np.ndarray, mean: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """(n, D) standardised offsets; infinite beyond 1e308."""
    with np.errstate(over="ignore"):
        return factor * (X - mean)


def _log_distances(scores: ComponentScores, X: np.ndarray) -> np.ndarray:
    """(n, K) logarithms of the lengths of ``P_k^T (x - mean_k)``, of points so far away that their squares overflow."""
    scale = np.maximum(np.abs(X).max(1), np.abs(scores.means).max())[:, None]
    out, form = np.empty((len(X), len(scores.means))), form_of(scores.precision_chol.ndim - 1)
    for k, (mean, factor) in enumerate(zip(scores.means, scores.precision_chol, strict=True)):
        offset = X / scale - mean / scale
        white = form.times(offset, factor)
        largest = np.abs(white).max(1, keepdims=True)
        out[:, k] = np.log(scale[:, 0]) + np.log(largest[:, 0]) + np.log(np.linalg.norm(white / largest, axis=1))
    return out
