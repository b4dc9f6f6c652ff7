"""`StudentMixture`: a mixture of Student-t components, such as a conjugate posterior gives for new points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from bayesgmm.core import algebra
from bayesgmm.core.columns import as_columns, as_given
from bayesgmm.core.density import log_joint
from bayesgmm.core.forms import form_of
from bayesgmm.core.params import ComponentScores

FAR = 1e100  # standard deviations, whose square is well within float64


@dataclass(frozen=True, eq=False)
class StudentMixture:
    """Weights, locations, scales and degrees of freedom.

    Parameters
    ----------
    weights : (K,) array
    means : (K, D) array
        Locations.
    precision_chol : (K, D, D) or (K, D) array
        P upper triangular, or its diagonal, where ``P P^T`` is the inverse of the scale matrix.
    dof : (K,) or (K, D) array
        One for each component, or one for each of its columns, which then are independent.
    """

    weights: np.ndarray
    means: np.ndarray
    precision_chol: np.ndarray
    dof: np.ndarray

    @property
    def n_components(self) -> int:
        return self.means.shape[0]

    @property
    def n_features(self) -> int:
        return self.means.shape[1]

    @property
    def covariances(self) -> np.ndarray:
        """(K, D, D) covariances; infinite with two degrees of freedom or fewer."""
        form = form_of(self.precision_chol.ndim - 1)
        spread = form.spread(self.precision_chol)
        with np.errstate(divide="ignore", invalid="ignore"):  # infinity times no covariance
            ratio = np.where(self.dof > 2.0, self.dof / np.maximum(self.dof - 2.0, 0.0), np.inf)
            if self.dof.ndim == 2:
                return form.whole(spread * ratio)
            return form.whole(spread) * ratio[:, None, None]

    def log_joint(self, X: np.ndarray) -> np.ndarray:
        """(n, K) log weights plus log densities of the components."""
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        return log_weights + (self._together(X) if self.dof.ndim == 1 else self._by_columns(X))

    def log_density(self, X: np.ndarray) -> np.ndarray:
        """(n,) log densities."""
        return scipy.special.logsumexp(self.log_joint(X), axis=1)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n, D) points."""
        labels = rng.choice(self.n_components, size=n, p=self.weights)
        dof = self.dof[labels] if self.dof.ndim == 2 else self.dof[labels, None]
        noise = rng.standard_normal((n, self.n_features)) / np.sqrt(rng.chisquare(dof) / dof)
        form = form_of(self.precision_chol.ndim - 1)
        return self.means[labels] + form.unwhiten(self.precision_chol[labels], noise)

    def marginal(self, columns: Sequence[int]) -> StudentMixture:
        """The mixture of some columns, in their order."""
        order = as_columns(columns, self.n_features)
        means, factor = algebra.marginal(self.means, self.precision_chol, order)
        dof = self.dof[:, order] if self.dof.ndim == 2 else self.dof
        return StudentMixture(self.weights, means, factor, dof)

    def conditional(self, given: Mapping[int, float]) -> StudentMixture:
        """The mixture of the other columns where some have given values.

        References
        ----------
        Ding (2016), The American Statistician 70, 293-295, doi:10.1080/00031305.2016.1164756.
        """
        columns, values = as_given(given, self.n_features)
        found = algebra.conditional(self.means, self.precision_chol, columns, values)
        known = self.marginal(columns)
        weights = algebra.shares(known.log_joint(values[None])[0])
        if self.dof.ndim == 2:  # independent columns
            rest = [j for j in range(self.n_features) if j not in columns]
            return StudentMixture(weights, found.means, found.factor, self.dof[:, rest])
        dof = self.dof + len(columns)
        ratio = np.sqrt(dof / (self.dof + found.distance))
        ratio = ratio.reshape(-1, *(1,) * (found.factor.ndim - 1))
        return StudentMixture(weights, found.means, found.factor * ratio, dof)

    def _together(self, X: np.ndarray) -> np.ndarray:
        """(n, K) log densities of multivariate t components."""
        d, dof = self.n_features, self.dof
        scores = ComponentScores(np.zeros(self.n_components), self.means, self.precision_chol)
        log_ratio = np.log1p(-2.0 * log_joint(scores, X) / dof)
        far = ~np.isfinite(log_ratio).all(1)
        if far.any():
            log_ratio[far] = 2.0 * _log_distances(scores, X[far]) - np.log(dof)
        diagonal = form_of(self.precision_chol.ndim - 1).diagonal(self.precision_chol)
        gammas = scipy.special.gammaln(0.5 * (dof + d)) - scipy.special.gammaln(0.5 * dof)
        constant = gammas - 0.5 * d * np.log(np.pi * dof)
        return constant + np.log(diagonal).sum(1) - 0.5 * (dof + d) * log_ratio

    def _by_columns(self, X: np.ndarray) -> np.ndarray:
        """(n, K) log densities of products of univariate t, each with its own dof."""
        factor, dof = self.precision_chol, self.dof
        constant = scipy.special.gammaln(0.5 * (dof + 1)) - scipy.special.gammaln(0.5 * dof) - 0.5 * np.log(np.pi * dof)
        total = np.empty((len(X), self.n_components))
        for k in range(self.n_components):  # a component at a time, so that memory stays n D
            z = _offsets(X, self.means[k], factor[k])
            log_ratio = np.log1p(np.minimum(np.abs(z), FAR) ** 2 / dof[k])
            if np.abs(z).max() > FAR:  # there, 1 + z^2 / nu is z^2 / nu
                log_ratio += 2.0 * np.log(np.maximum(np.abs(z) / FAR, 1.0))
            log_t = constant[k] + np.log(factor[k]) - 0.5 * (dof[k] + 1) * log_ratio
            total[:, k] = log_t.sum(1)
        return total


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
