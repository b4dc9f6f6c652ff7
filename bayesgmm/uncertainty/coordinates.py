"""Unconstrained coordinates around a mixture, in units of its own components; all zero at the mixture itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from bayesgmm.core.conjugacy import Conjugate
from bayesgmm.core.covariance import CovarianceStructure
from bayesgmm.core.matrices import invert_triangular
from bayesgmm.core.params import MixtureParams
from bayesgmm.core.statistics import SufficientStatistics


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Log ratios of the weights to the last one, whitened means, and logarithms and corners of whitened factors.

    A mean is ``center + C u`` with the component's own covariance ``C C^T``, a precision factor is ``P T`` with the
    centre's P and an upper triangular T whose diagonal is ``exp(t)``.  So a step of 1e-4 is small, and no rounding,
    whatever the units.

    Parameters
    ----------
    structure : CovarianceStructure
    center : MixtureParams
        With positive weights.
    """

    structure: CovarianceStructure
    center: MixtureParams

    @property
    def size(self) -> int:
        k, d = self.center.means.shape
        return k - 1 + k * d + self.structure.n_parameters(k, d)

    def at(self, x: np.ndarray) -> MixtureParams:
        """The mixtures at (..., size) coordinates."""
        k, d = self.center.means.shape
        ratios, shifts, factors = np.split(x, [k - 1, k - 1 + k * d], axis=-1)
        last = np.zeros((*x.shape[:-1], 1))
        weights = scipy.special.softmax(np.log(self.center.weights) + np.concatenate([ratios, last], -1), axis=-1)
        shifts = shifts.reshape(*x.shape[:-1], k, d)
        compact = self.structure.compact(self.center.precision_chol)
        if self.structure.is_diagonal:
            means = self.center.means + shifts / self.center.precision_chol
            factor = compact * np.exp(factors.reshape(*x.shape[:-1], *compact.shape))
        else:
            means = self.center.means + np.einsum("kji,...kj->...ki", self._inverse(), shifts)
            factor = compact @ self._triangles(factors.reshape(*x.shape[:-1], len(compact), -1))
        return MixtureParams.trusted(weights, means, self.structure.expand(factor, k, d))

    def gradient(self, x: np.ndarray, params: MixtureParams, stats: SufficientStatistics, excess: Conjugate):
        """(size,) gradient of an objective at x, from the sweep with the mixture there (Fisher's identity)."""
        k, d = params.means.shape
        counts, offset = stats.counts + excess.concentration, excess.mean - params.means
        pull = excess.mean_precision[:, None] * offset
        first, precision = stats.first + pull, params.precision_chol
        points = self.structure.pool_counts(stats.counts) * self.structure.residuals_per_point(d) + excess.dof
        if self.structure.is_diagonal:
            by_mean = precision**2 * first / self.center.precision_chol
            scatter = self.structure.pool(stats.second + pull * offset) + excess.scale
            by_factor = points[:, None] - scatter * self.structure.compact(precision) ** 2
        else:
            by_mean = np.einsum("kij,kjl,kml,km->ki", self._inverse(), precision, precision, first)
            scatter = self.structure.pool(stats.second + pull[:, :, None] * offset[:, None, :]) + excess.scale
            factor = self.structure.compact(precision)
            base = self.structure.compact(self.center.precision_chol)
            by_factor = self._by_triangle(x, -np.swapaxes(base, 1, 2) @ scatter @ factor, points)
        by_ratio = (counts - counts.sum() * params.weights)[:-1]
        return np.concatenate([by_ratio, by_mean.ravel(), by_factor.ravel()])

    def _inverse(self) -> np.ndarray:
        return invert_triangular(self.center.precision_chol)

    def _triangles(self, entries: np.ndarray) -> np.ndarray:
        """(..., R, D, D) triangular matrices of (..., R, D (D + 1) / 2) entries, exponentials on their diagonals."""
        d = self.center.n_features
        i, j = np.triu_indices(d)
        triangles = np.zeros((*entries.shape[:-1], d, d))
        triangles[..., i, j] = np.where(i == j, np.exp(entries), entries)
        return triangles

    def _by_triangle(self, x: np.ndarray, by_entry: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Gradient in the entries of `_triangles`; `by_entry` lacks the log determinant."""
        i, j = np.triu_indices(self.center.n_features)
        scale = np.where(i == j, np.exp(x[-len(by_entry) * len(i) :].reshape(len(by_entry), -1)), 1.0)
        return by_entry[:, i, j] * scale + np.where(i == j, points[:, None], 0.0)
