"""Draws with more freedom in their arrays than their model has: full matrices that are all diagonal, equal or round."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.covariance import STRUCTURES, CovarianceStructure
from bayesgmm.core.matrices import invert_triangular, precision_chol_of
from bayesgmm.methods.named_draws import ASYMMETRY, Scatter


def narrowed(scatter: Scatter, structure: CovarianceStructure) -> Scatter | None:
    """The same draws as `structure` stores them; None where they are not of this structure.

    Entries may differ by what float32 and decimal files leave.  Draws of fewer parameters than the structure has are
    those of another model.
    """
    k, d = scatter.factor.shape[2:4]
    if structure.n_parameters(k, d) > STRUCTURES[scatter.structure].n_parameters(k, d):
        return None
    spread = _covariances(scatter.factor)
    if structure.is_diagonal and spread.ndim == 5:
        variances = np.array(np.diagonal(spread, axis1=-2, axis2=-1))
        deviations = np.sqrt(variances)
        beside = np.abs(spread) * ~np.eye(spread.shape[-1], dtype=bool)
        if (beside > ASYMMETRY * deviations[..., None] * deviations[..., None, :]).any():
            return None
        spread = variances
    if structure.is_round:
        spread = _alike(spread, -1)
    if structure.is_shared and spread is not None:
        spread = _alike(spread, 2)
    if spread is None or (spread.ndim == 4) != structure.is_diagonal:
        return None
    return Scatter(structure.name, 1.0 / np.sqrt(spread) if structure.is_diagonal else precision_chol_of(spread))


def _covariances(factor: np.ndarray) -> np.ndarray:
    """Covariances, or variances, of all draws."""
    if factor.ndim == 4:
        return factor**-2.0
    inverse = invert_triangular(factor)
    return np.swapaxes(inverse, -1, -2) @ inverse


def _alike(values: np.ndarray, axis: int) -> np.ndarray | None:
    """The values, made exactly equal along an axis where they are equal but for rounding."""
    middle = values.mean(axis, keepdims=True)
    size = np.abs(values).max(axis=tuple(range(2, values.ndim)), keepdims=True)
    if (np.abs(values - middle) > ASYMMETRY * size).any():
        return None
    return np.broadcast_to(middle, values.shape)
