"""Coordinates in which EM and VB move: unconstrained, whitened, with the metric of the complete data.

A point is (log weights, whitened means, logarithms of the diagonals and regression coefficients of the whitened
precision factors), each covariance that is shared only once.  Any vector is a mixture of the structure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesgmm.core.params import MixtureParams
from bayesgmm.families.compact import Compact
from bayesgmm.methods.climbing.chart_factors import FACTORS, ChartFactors

SMALLEST = 1e-300  # of a weight: the logarithm of an emptied component's stays finite
EMPTY = 1e-290  # a weight below is that of an emptied component, moved by rounding, and stays zero
LIGHTEST = 1e-6  # weight of a component in the metric: one that holds nothing is not moved a million deviations


@dataclass(frozen=True, eq=False)
class Chart:
    """Vectors for the mixtures of one structure.

    Parameters
    ----------
    structure : Compact
    whitening : (D, D) or (D,) array
    """

    structure: Compact
    whitening: np.ndarray

    @cached_property
    def _factors(self) -> ChartFactors:
        return FACTORS[self.structure.form](self.whitening)

    def vector(self, params: MixtureParams) -> np.ndarray:
        """(p,) coordinates of one mixture."""
        means, factor = self._white(params)
        diagonal, coefficients = self._factors.parts(self.structure.compact(factor))
        logs = np.log(np.maximum(params.weights, SMALLEST)), np.log(diagonal)
        return np.concatenate([logs[0], means.ravel(), logs[1].ravel(), coefficients.ravel()])

    def params(self, vector: np.ndarray, n_components: int) -> MixtureParams | None:
        """The mixture at a vector; None where its numbers leave float64."""
        n_features = self.whitening.shape[0]
        log_weights, means, log_diagonal, coefficients = self._cut(vector, n_components)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            weights = np.exp(log_weights - log_weights.max())
            weights[weights < EMPTY] = 0.0
            factor = self._factors.joined(np.exp(log_diagonal), coefficients)
            factor = self._factors.in_data_units(self.structure.expand(factor, n_components, n_features))
            means = self._factors.points(means)
        if not (np.isfinite(vector).all() and np.isfinite(means).all() and np.isfinite(factor).all()):
            return None
        is_sound = (self.structure.form.diagonal(factor) > 0).all()
        return MixtureParams.trusted(weights / weights.sum(), means, factor) if is_sound else None

    def stretch(self, params: MixtureParams, changes: np.ndarray) -> np.ndarray:
        """Changes (..., p) at a mixture, scaled so that their Euclidean products are those of the metric.

        The metric is the Fisher information of one point whose component is known: of the weights a multinomial's,
        of the means and the factors a Gaussian's.  The coordinates make it block diagonal.  In it one step of EM is
        the gradient, to first order (Dempster, Laird and Rubin 1977; Lange 1995).
        """
        w, root, factor, share = self._metric(params)
        log_weights, means, log_diagonal, coefficients = self._cut(changes, len(w))
        centred = root * (log_weights - (log_weights @ w)[..., None])
        parts = [centred, self._factors.stretch_means(means, root, factor), share * log_diagonal]
        parts += self._factors.stretch(coefficients, share, self.structure.compact(factor))
        return np.concatenate([part.reshape(*changes.shape[:-1], -1) for part in parts], axis=-1)

    def shrink(self, params: MixtureParams, stretched: np.ndarray) -> np.ndarray:
        """The inverse of `stretch` for one vector (p,) in its full, square layout."""
        w, root, factor, share = self._metric(params)
        log_weights, means, log_diagonal, coefficients = self._cut(stretched, len(w))
        parts = [log_weights / root, self._factors.shrink_means(means, root, factor), log_diagonal / share]
        parts += self._factors.shrink(coefficients, share, self.structure.compact(factor))
        return np.concatenate([part.ravel() for part in parts])

    def white_factor(self, params: MixtureParams) -> np.ndarray:
        """Expanded precision factors in whitened coordinates."""
        return self._white(params)[1]

    def largest_ratio(self, change: np.ndarray, n_components: int) -> float:
        """The largest change of a logarithm of a weight or of a scale."""
        log_weights, _, log_diagonal, _ = self._cut(change, n_components)
        return float(max(np.abs(log_weights).max(), np.abs(log_diagonal).max()))

    def _metric(self, params: MixtureParams) -> tuple[np.ndarray, ...]:
        """Weights, their roots, white factors, roots of the information of the scales."""
        w = np.maximum(params.weights, LIGHTEST)
        columns = self.structure.residuals_per_point(self.whitening.shape[0])
        share = np.sqrt(2.0 * columns * self.structure.pool_counts(w))[:, None]
        return w, np.sqrt(w), self._white(params)[1], share

    def _white(self, params: MixtureParams) -> tuple[np.ndarray, np.ndarray]:
        """Whitened means and expanded factors."""
        means = self.structure.form.times(params.means, self.whitening)
        return means, self._factors.white(params.precision_chol)

    def _cut(self, vector: np.ndarray, n_components: int) -> tuple[np.ndarray, ...]:
        """Views (..., K), (..., K, D), (..., R, c) and (..., R, D, D) of a vector's parts."""
        n_features, lead = self.whitening.shape[0], vector.shape[:-1]
        shape = self.structure.compact_shape(n_components, n_features)[:2]
        ends = np.cumsum([n_components, n_components * n_features, shape[0] * shape[1]])
        log_weights, means, log_diagonal, rest = np.split(vector, ends, axis=-1)
        return (
            log_weights,
            means.reshape(*lead, n_components, n_features),
            log_diagonal.reshape(*lead, *shape),
            self._factors.shaped(rest, shape[0]),
        )
