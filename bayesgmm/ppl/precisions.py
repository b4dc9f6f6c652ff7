"""Precision factors in a `pm.Model`, and the unknown scale that they may share; the coordinates are Bartlett's."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayesgmm.core.params import LOG_2PI, invert_triangular
from bayesgmm.ppl.bartlett import Bartlett
from bayesgmm.ppl.factors import precision_chol_of_chol


def white_factors(c: Bartlett) -> pt.TensorVariable:
    """(K, D, D) or (K, D) precision factors of the whitened data, from free entries."""
    ratio = None if c.scale is None else _scale_ratio(c)
    if c.structure.is_diagonal:
        dims = ("component", "feature")[c.structure.is_shared : 1 if c.structure.is_round else 2]
        factors, shape = c.root * pt.sqrt(_square(c, ratio, dims)), (c.n_components, c.n_features)
    else:
        dims = ("feature",) if c.structure.is_shared else ("component", "feature")
        square = _square(c, ratio, dims)
        upper = _upper(c, ratio, square) if c.n_upper else None
        factors, shape = pt.matmul(c.root, _filled(pt.sqrt(square), upper)), (c.n_components, *2 * (c.n_features,))
    return pt.broadcast_to(factors, shape)


def _square(c: Bartlett, ratio: pt.TensorVariable | None, dims: tuple[str, ...]) -> pt.TensorVariable:
    """(R, D) or (R, C) squared diagonals of the Bartlett factors: chi-squared, over the ratio of the scales."""
    shape = c.shapes["bartlett_square"]
    if ratio is None:
        return pm.ChiSquared("bartlett_square", nu=c.dof.reshape(shape), dims=dims).reshape(c.dof.shape)
    diagonal = ratio if c.structure.is_diagonal else pt.diagonal(ratio) ** 2
    rate = pt.broadcast_to(0.5 * diagonal, c.dof.shape).reshape(shape)
    return pm.Gamma("bartlett_square", alpha=0.5 * c.dof.reshape(shape), beta=rate, dims=dims).reshape(c.dof.shape)


def _upper(c: Bartlett, ratio: pt.TensorVariable | None, square: pt.TensorVariable) -> pt.TensorVariable:
    """(R, ...) what is above the diagonals, given them: standard normal once it is multiplied by the ratio's factor."""
    shape, by_row = c.shapes["bartlett_upper"], (len(c.root), c.n_upper // len(c.root))
    if ratio is None:
        return pm.Normal("bartlett_upper", 0.0, 1.0, shape=shape).reshape(by_row)
    rows, columns = np.triu_indices(c.n_features, 1)

    def draw(ratio, diagonal, size):
        noise = _filled(pt.diagonal(ratio) * diagonal, pm.Normal.dist(size=by_row))
        return pt.matmul(precision_chol_of_chol(ratio[None]), noise)[:, rows, columns].reshape(shape)

    def log_density(value, ratio, diagonal):
        white = pt.matmul(ratio.T, _filled(diagonal, value.reshape(by_row)))[:, rows, columns]
        jacobian = (pt.log(pt.diagonal(ratio)) * np.arange(c.n_features)[::-1]).sum()
        return (jacobian - (0.5 * white**2 + 0.5 * LOG_2PI).sum(1)).reshape(shape[:-1])

    upper = pm.CustomDist("bartlett_upper", ratio, pt.sqrt(square), shape=shape, dist=draw, logp=log_density)
    return upper.reshape(by_row)


def _filled(diagonal: pt.TensorVariable, upper: pt.TensorVariable | None) -> pt.TensorVariable:
    """(R, D, D) upper triangular matrices from their diagonals and what is above them, row by row."""
    d = diagonal.type.shape[1]
    index = np.arange(d)
    factors = pt.zeros((*diagonal.shape, d))[:, index, index].set(diagonal)
    if upper is None:
        return factors
    rows, columns = np.triu_indices(d, 1)
    return factors[:, rows, columns].set(upper)


def _scale_ratio(c: Bartlett) -> pt.TensorVariable:
    """(D, D) lower factor of the scale's ratio to its expectation, or (C,) ratios; states the scale itself, too."""
    assert c.scale is not None
    shape, size = c.shapes["scale_square"], c.scale.size
    dims = ("feature",)[: len(shape)]
    square = pm.ChiSquared("scale_square", nu=c.scale.square_dof.reshape(shape), dims=dims).reshape((size,))
    expected = c.scale_root_diagonal() ** -2
    if c.structure.is_diagonal:
        ratio = square / c.scale.dof
        pm.Deterministic("scale", (ratio * expected).reshape(shape), dims=dims)
    else:
        root = pt.diag(pt.sqrt(square))
        if c.scale.n_lower:
            lower = pm.Normal("scale_lower", 0.0, 1.0, shape=c.shapes["scale_lower"])
            root = root[np.tril_indices(size, -1)].set(lower)
        ratio = root / np.sqrt(c.scale.dof)
        half = pt.dot(invert_triangular(c.whitening @ c.root[0]).T, ratio)
        pm.Deterministic("scale", pt.dot(half, half.T), dims=("feature", "feature_bis"))
    pm.Deterministic("scale_log_det", pt.log(square).sum() + np.log(expected / c.scale.dof).sum())
    return ratio
