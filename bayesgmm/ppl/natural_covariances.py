"""The covariances of a `pm.Model`, and the unknown scale that they may share; their coordinates are Bartlett's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy.special import gammaln

from bayesgmm.core.forms import DIAGONAL, TRIANGULAR, Form
from bayesgmm.core.matrices import invert_triangular
from bayesgmm.core.params import LOG_2PI
from bayesgmm.flat.bartlett import Bartlett
from bayesgmm.flat.scale import DiagonalScale, WishartScale
from bayesgmm.ppl.factors import cov_of_precision_chol, precision_chol_of_chol, precision_chol_of_cov
from bayesgmm.ppl.natural import natural

LOG_2 = float(np.log(2.0))


def covariances_variable(c: Bartlett) -> pt.TensorVariable:
    """(K, D, D) covariances, and as free variable beside them an unknown scale."""
    law = LAWS[c.structure.form](c)
    ratio = () if c.scale is None else (law.scale_ratio(c.scale),)
    shape = (c.n_components, c.n_features, c.n_features)
    return natural("covariances", law, ratio, shape, ("component", "feature", "feature_bis"))


def precision_chol_variable(c: Bartlett, covariances: pt.TensorVariable) -> pt.TensorVariable:
    """(K, D, D) precision factors, or (K, D) in diagonal structures."""
    return LAWS[c.structure.form](c).precision_chol(covariances)


def whole_matrices(c: Bartlett, precision_chol: pt.TensorVariable) -> pt.TensorVariable:
    """(K, D, D) precision factors, with their zeros."""
    return LAWS[c.structure.form](c).whole(precision_chol)


@dataclass(frozen=True, eq=False)
class DiagonalCoordinates:
    """Logarithms of the expected scale over the variances, which are chi-squared over the ratio of the scales."""

    c: Bartlett
    name = "bartlett"

    def precision_chol(self, covariances):
        return 1.0 / pt.sqrt(pt.diagonal(covariances, axis1=1, axis2=2))

    def whole(self, precision_chol):
        return precision_chol[:, :, None] * np.eye(self.c.n_features)

    def scale_ratio(self, scale: DiagonalScale):
        """(C,) ratios of the scale to its expectation; states the scale itself, too."""
        value = natural("scale", ScaleCoordinates(self.c, scale), (), scale.shape, ("feature",)[: len(scale.shape)])
        pm.Deterministic("scale_log_det", pt.log(value).sum())
        return value.reshape((scale.size,)) * self.c.factors.scale_root_diagonal() ** 2

    def value(self, x):
        factors = self.c.root * pt.exp(0.5 * x.reshape(self.c.dof.shape)) * self.c.whitening[: self.c.dof.shape[1]]
        variances = pt.broadcast_to(factors**-2, (self.c.n_components, self.c.n_features))
        return variances[:, :, None] * np.eye(self.c.n_features)

    def coordinates(self, value):
        rows, columns = self.c.dof.shape
        variances = pt.diagonal(value, axis1=1, axis2=2)[:rows, :columns]
        return -(pt.log(variances) + 2.0 * self._log_root()).ravel()

    def log_jacobian(self, x):
        return (-x - 2.0 * self._log_root().ravel()).sum()

    def _log_root(self):
        return np.log(self.c.root * self.c.whitening[: self.c.dof.shape[1]])

    def log_density(self, x, ratio=None):
        return log_chi_squared(x.reshape(self.c.dof.shape), self.c.dof, 1.0 if ratio is None else ratio)

    def draw(self, ratio=None):
        square = pm.ChiSquared.dist(self.c.dof) / (1.0 if ratio is None else ratio)
        return self.value(pt.log(square).ravel())


@dataclass(frozen=True, eq=False)
class MatrixCoordinates:
    """Logarithms of the squared diagonals of all Bartlett factors A, then what is above the diagonals.

    The one parameter is the (D, D) lower factor of the scale's ratio to its expectation: A is a Bartlett factor once it
    is multiplied by that.
    """

    c: Bartlett
    name = "bartlett"

    def precision_chol(self, covariances):
        return precision_chol_of_cov(covariances)

    def whole(self, precision_chol):
        return precision_chol

    def scale_ratio(self, scale: WishartScale):
        """(D, D) lower factor of the scale's ratio to its expectation; states the scale itself, too."""
        coordinates = ScaleMatrixCoordinates(self.c, scale)
        value = natural("scale", coordinates, (), (scale.size, scale.size), ("feature", "feature_bis"))
        chol = _chol(value)
        pm.Deterministic("scale_log_det", 2.0 * pt.log(pt.diagonal(chol)).sum())
        return pt.dot(coordinates.to_ratio, chol)

    @property
    def root(self) -> np.ndarray:
        """(R, D, D) upper triangular T with P = T A."""
        return self.c.whitening @ self.c.root

    def value(self, x):
        factors = pt.matmul(self.root, self._filled(pt.exp(0.5 * self._log_square(x)), self._upper(x)))
        shape = (self.c.n_components, self.c.n_features, self.c.n_features)
        return cov_of_precision_chol(pt.broadcast_to(factors, shape))

    def coordinates(self, value):
        factors = pt.matmul(invert_triangular(self.root), precision_chol_of_cov(value[: len(self.root)]))
        upper = factors[:, *np.triu_indices(self.c.n_features, 1)]
        return pt.concatenate([2.0 * pt.log(pt.diagonal(factors, axis1=1, axis2=2)).ravel(), upper.ravel()])

    def log_jacobian(self, x):
        """A_ii by x, P by A, Lambda = P P^T by P, Sigma by Lambda; each is triangular in the right order."""
        log_square, d = self._log_square(x), self.c.n_features
        log_root = np.log(np.diagonal(self.root, axis1=1, axis2=2))
        index = np.arange(d)
        by_column = 0.5 * log_square + (d - index) * log_root
        to_covariance = (index + 1.0 - 2.0 * (d + 1.0)) * (log_root + 0.5 * log_square)
        return (by_column + to_covariance).sum()

    def log_density(self, x, ratio=None):
        log_square, upper = self._log_square(x), self._upper(x)
        if ratio is None:
            return log_chi_squared(log_square, self.c.dof, 1.0) - 0.5 * (upper**2 + LOG_2PI).sum()
        diagonal, d = pt.diagonal(ratio), self.c.n_features
        white = pt.matmul(ratio.T, self._filled(pt.exp(0.5 * log_square), upper))[:, *np.triu_indices(d, 1)]
        jacobian = len(self.root) * (pt.log(diagonal) * np.arange(d)[::-1]).sum()
        return log_chi_squared(log_square, self.c.dof, diagonal**2) + jacobian - 0.5 * (white**2 + LOG_2PI).sum()

    def draw(self, ratio=None):
        square = pm.ChiSquared.dist(self.c.dof)
        upper = pm.Normal.dist(size=(len(self.root), self.c.n_features * (self.c.n_features - 1) // 2))
        factors = self._filled(pt.sqrt(square), upper)
        if ratio is not None:
            factors = pt.matmul(precision_chol_of_chol(ratio[None]), factors)
        shape = (self.c.n_components, self.c.n_features, self.c.n_features)
        return cov_of_precision_chol(pt.broadcast_to(pt.matmul(self.root, factors), shape))

    def _log_square(self, x):
        return x[: self.c.dof.size].reshape(self.c.dof.shape)

    def _upper(self, x):
        return x[self.c.dof.size :].reshape((len(self.root), self.c.n_upper // len(self.root)))

    def _filled(self, diagonal, upper):
        """(R, D, D) upper triangular matrices from their diagonals and what is above them, row by row."""
        index = np.arange(self.c.n_features)
        factors = pt.zeros((*self.c.dof.shape, self.c.n_features))[:, index, index].set(diagonal)
        return factors[:, *np.triu_indices(self.c.n_features, 1)].set(upper) if self.c.n_upper else factors


def log_chi_squared(log_square, dof, ratio):
    """Log density of the logarithms of chi-squared numbers over `ratio`, in all."""
    half = 0.5 * dof
    log_scaled = log_square + pt.log(ratio)
    return (half * log_scaled - 0.5 * pt.exp(log_scaled) - half * LOG_2 - gammaln(half)).sum()


LAWS: dict[Form, Any] = {TRIANGULAR: MatrixCoordinates, DIAGONAL: DiagonalCoordinates}


def _chol(matrix):
    """Lower factor, by the Ops that compile quickly."""
    return precision_chol_of_chol(precision_chol_of_cov(matrix[None]).mT)[0].T


@dataclass(frozen=True, eq=False)
class ScaleCoordinates:
    """Logarithms of chi-squared numbers, which are the ratios of the scale to its expectation times their number."""

    c: Bartlett
    scale: DiagonalScale
    name = "ratio"

    def value(self, x):
        return pt.exp(x + self._log_unit()).reshape(self.scale.shape)

    def coordinates(self, value):
        return pt.log(value).reshape((self.scale.size,)) - self._log_unit()

    def _log_unit(self):
        return -2.0 * np.log(self.c.factors.scale_root_diagonal()) - np.log(self.scale.dof)

    def log_jacobian(self, x):
        return (x + self._log_unit()).sum()

    def log_density(self, x):
        return log_chi_squared(x, self.scale.square_dof, 1.0)

    def draw(self):
        return self.value(pt.log(pm.ChiSquared.dist(self.scale.square_dof)))


@dataclass(frozen=True, eq=False)
class ScaleMatrixCoordinates:
    """Logarithms of the squared diagonal of the Wishart's Bartlett factor, then what is below it."""

    c: Bartlett
    scale: WishartScale
    name = "ratio"

    @property
    def to_ratio(self) -> np.ndarray:
        """(D, D) lower triangular: times the scale's factor it is that of the ratio."""
        return (self.c.whitening @ self.c.root[0]).T

    @property
    def from_root(self) -> np.ndarray:
        """(D, D) lower triangular: times the Bartlett factor it is the scale's factor."""
        return invert_triangular(self.to_ratio, is_lower=True) / np.sqrt(self.scale.dof)

    def value(self, x):
        half = pt.dot(self.from_root, self._filled(pt.exp(0.5 * x[: self.scale.size]), x[self.scale.size :]))
        return cov_of_precision_chol(precision_chol_of_chol(half[None]))[0]

    def coordinates(self, value):
        root = pt.dot(self.to_ratio * np.sqrt(self.scale.dof), _chol(value))
        return pt.concatenate([2.0 * pt.log(pt.diagonal(root)), root[np.tril_indices(self.scale.size, -1)]])

    def log_jacobian(self, x):
        """L_ii by x, the factor by L, the scale by its factor."""
        size, index = self.scale.size, np.arange(self.scale.size)
        log_square, log_root = x[:size], np.log(np.diag(self.from_root))
        return (0.5 * log_square + (index + 1) * log_root + (size - index) * (log_root + 0.5 * log_square)).sum()

    def log_density(self, x):
        lower = x[self.scale.size :]
        return log_chi_squared(x[: self.scale.size], self.scale.square_dof, 1.0) - 0.5 * (lower**2 + LOG_2PI).sum()

    def draw(self):
        root = self._filled(
            pt.sqrt(pm.ChiSquared.dist(self.scale.square_dof)), pm.Normal.dist(size=(self.scale.n_lower,))
        )
        half = pt.dot(self.from_root, root)
        return pt.dot(half, half.T)

    def _filled(self, diagonal, lower):
        root = pt.diag(diagonal)
        return root[np.tril_indices(self.scale.size, -1)].set(lower) if self.scale.n_lower else root
