"""Coordinates in which EM and VB move: unconstrained, whitened, with the metric of the complete data.

A point is (log weights, whitened means, logarithms of the diagonals and regression coefficients of the whitened
precision factors), each covariance that is shared only once.  Any vector is a mixture of the structure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesgmm.core.covariance import CovarianceStructure
from bayesgmm.core.matrices import invert_triangular
from bayesgmm.core.params import MixtureParams

SMALLEST = 1e-300  # of a weight: the logarithm of an emptied component's stays finite
EMPTY = 1e-290  # a weight below is that of an emptied component, moved by rounding, and stays zero
LIGHTEST = 1e-6  # weight of a component in the metric: one that holds nothing is not moved a million deviations


@dataclass(frozen=True, eq=False)
class Chart:
    """Vectors for the mixtures of one structure.

    Parameters
    ----------
    structure : CovarianceStructure
    whitening : (D, D) or (D,) array
    """

    structure: CovarianceStructure
    whitening: np.ndarray

    @cached_property
    def _unwhitening(self) -> np.ndarray:
        return 1.0 / self.whitening if self.whitening.ndim == 1 else invert_triangular(self.whitening[None])[0]

    def vector(self, params: MixtureParams) -> np.ndarray:
        """(p,) coordinates of one mixture."""
        means, factor = self._white(params)
        diagonal, coefficients = self._parts(self.structure.compact(factor))
        logs = np.log(np.maximum(params.weights, SMALLEST)), np.log(diagonal)
        return np.concatenate([logs[0], means.ravel(), logs[1].ravel(), coefficients.ravel()])

    def params(self, vector: np.ndarray, n_components: int) -> MixtureParams | None:
        """The mixture at a vector; None where its numbers leave float64."""
        n_features = self.whitening.shape[0]
        log_weights, means, log_diagonal, coefficients = self._cut(vector, n_components)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            weights = np.exp(log_weights - log_weights.max())
            weights[weights < EMPTY] = 0.0
            factor = np.exp(log_diagonal)
            if not self.structure.is_diagonal:
                factor = (coefficients + np.eye(n_features)) * factor[:, None, :]
            factor = self.structure.expand(factor, n_components, n_features)
            if self.whitening.ndim == 1:
                means, factor = means * self._unwhitening, factor * self.whitening
            else:
                means, factor = means @ self._unwhitening, self.whitening @ factor
        if not (np.isfinite(vector).all() and np.isfinite(means).all() and np.isfinite(factor).all()):
            return None
        diagonal = factor if self.structure.is_diagonal else np.diagonal(factor, axis1=1, axis2=2)
        return MixtureParams.trusted(weights / weights.sum(), means, factor) if (diagonal > 0).all() else None

    def stretch(self, params: MixtureParams, changes: np.ndarray) -> np.ndarray:
        """Changes (..., p) at a mixture, scaled so that their Euclidean products are those of the metric.

        The metric is the Fisher information of one point whose component is known: of the weights a multinomial's,
        of the means and the factors a Gaussian's.  The coordinates make it block diagonal.  In it one step of EM is
        the gradient, to first order (Dempster, Laird and Rubin 1977; Lange 1995).
        """
        w, root, precision, share, diagonal = self._metric(params)
        log_weights, means, log_diagonal, coefficients = self._cut(changes, len(w))
        centred = root * (log_weights - (log_weights @ w)[..., None])
        if precision.ndim == 2:
            means = root[:, None] * precision * means
        else:
            means = root[:, None] * (means[..., None, :] @ precision)[..., 0, :]
        parts = [centred, means, share * log_diagonal]
        if not self.structure.is_diagonal:
            inverse = invert_triangular(self.structure.compact(precision))
            parts.append(np.sqrt(0.5) * share[..., None] * (inverse @ (coefficients * diagonal[:, None, :])))
        return np.concatenate([part.reshape(*changes.shape[:-1], -1) for part in parts], axis=-1)

    def shrink(self, params: MixtureParams, stretched: np.ndarray) -> np.ndarray:
        """The inverse of `stretch` for one vector (p,) in its full, square layout."""
        w, root, precision, share, diagonal = self._metric(params)
        log_weights, means, log_diagonal, coefficients = self._cut(stretched, len(w))
        if precision.ndim == 2:
            means = means / (root[:, None] * precision)
        else:
            means = np.linalg.solve(np.swapaxes(precision, 1, 2), (means / root[:, None])[..., None])[..., 0]
        parts = [log_weights / root, means.ravel(), (log_diagonal / share).ravel()]
        if not self.structure.is_diagonal:
            factor = self.structure.compact(precision)
            back = factor @ (coefficients * np.sqrt(2.0) / share[..., None]) / diagonal[:, None, :]
            parts.append(np.triu(back, 1).ravel())
        return np.concatenate(parts)

    def white_factor(self, params: MixtureParams) -> np.ndarray:
        """Expanded precision factors in whitened coordinates."""
        return self._white(params)[1]

    def largest_ratio(self, change: np.ndarray, n_components: int) -> float:
        """The largest change of a logarithm of a weight or of a scale."""
        log_weights, _, log_diagonal, _ = self._cut(change, n_components)
        return float(max(np.abs(log_weights).max(), np.abs(log_diagonal).max()))

    def _metric(self, params: MixtureParams) -> tuple[np.ndarray, ...]:
        """Weights, their roots, white factors, roots of the information of the scales, compact diagonals."""
        w = np.maximum(params.weights, LIGHTEST)
        _, precision = self._white(params)
        factor = self.structure.compact(precision)
        diagonal = factor if self.structure.is_diagonal else np.diagonal(factor, axis1=1, axis2=2)
        columns = self.structure.residuals_per_point(self.whitening.shape[0])
        share = np.sqrt(2.0 * columns * self.structure.pool_counts(w))[:, None]
        return w, np.sqrt(w), precision, share, diagonal

    def _white(self, params: MixtureParams) -> tuple[np.ndarray, np.ndarray]:
        """Whitened means and expanded factors."""
        if self.whitening.ndim == 1:
            return params.means * self.whitening, params.precision_chol / self.whitening
        return params.means @ self.whitening, self._unwhitening @ params.precision_chol

    def _parts(self, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Diagonal of compact factors, and the coefficients, in units of their column's diagonal."""
        if self.structure.is_diagonal:
            return factor, np.zeros(0)
        diagonal = np.diagonal(factor, axis1=1, axis2=2)
        return diagonal, np.triu(factor / diagonal[:, None, :], 1)

    def _cut(self, vector: np.ndarray, n_components: int) -> tuple[np.ndarray, ...]:
        """Views (..., K), (..., K, D), (..., R, c) and (..., R, D, D) of a vector's parts."""
        n_features, lead = self.whitening.shape[0], vector.shape[:-1]
        shape = self.structure.compact_shape(n_components, n_features)[:2]
        ends = np.cumsum([n_components, n_components * n_features, shape[0] * shape[1]])
        log_weights, means, log_diagonal, rest = np.split(vector, ends, axis=-1)
        coefficients = rest if self.structure.is_diagonal else rest.reshape(*lead, shape[0], n_features, n_features)
        return (
            log_weights,
            means.reshape(*lead, n_components, n_features),
            log_diagonal.reshape(*lead, *shape),
            coefficients,
        )
