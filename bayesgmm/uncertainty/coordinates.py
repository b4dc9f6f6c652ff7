"""Unconstrained coordinates around a mixture, in units of its own components; all zero at the mixture itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from bayesgmm.core.kernels.conjugacy import Conjugate
from bayesgmm.core.params import MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.families.gaussian import CovarianceStructure
from bayesgmm.uncertainty.factor_coordinates import FACTORS


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
        base, of_factors = self.center.precision_chol, FACTORS[self.structure.form]
        means = self.center.means + of_factors.shifted(base, shifts)
        factor = of_factors.at(self.structure.compact(base), factors)
        return MixtureParams.trusted(weights, means, self.structure.expand(factor, k, d))

    def gradient(self, x: np.ndarray, params: MixtureParams, stats: SufficientStatistics, excess: Conjugate):
        """(size,) gradient of an objective at x, from the sweep with the mixture there (Fisher's identity)."""
        k, d = params.means.shape
        counts, offset = stats.counts + excess.concentration, excess.mean - params.means
        pull = excess.mean_precision[:, None] * offset
        first, precision = stats.first + pull, params.precision_chol
        points = self.structure.pool_counts(stats.counts) * self.structure.residuals_per_point(d) + excess.dof
        base, of_factors = self.center.precision_chol, FACTORS[self.structure.form]
        by_mean = of_factors.by_shift(base, precision, first)
        scatter = self.structure.pool(stats.second + of_factors.cross(pull, offset)) + excess.scale
        compact, own = self.structure.compact(base), self.structure.compact(precision)
        by_factor = of_factors.by_entry(compact, own, scatter, points, x[k - 1 + k * d :])
        by_ratio = (counts - counts.sum() * params.weights)[:-1]
        return np.concatenate([by_ratio, by_mean.ravel(), by_factor])
