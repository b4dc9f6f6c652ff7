"""Draws with more freedom in their arrays than their model has: full matrices that are all diagonal, equal or round."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.forms import DIAGONAL, Form, form_of
from bayesgmm.families.gaussian import STRUCTURES, CovarianceStructure
from bayesgmm.methods.foreign.named_draws import ASYMMETRY, Scatter

AXES = {"components": 2, "columns": -1}  # of (chain, draw, K, ...) covariances


def narrowed(scatter: Scatter, structure: CovarianceStructure) -> Scatter | None:
    """The same draws as `structure` stores them; None where they are not of this structure.

    Entries may differ by what float32 and decimal files leave.  Draws of fewer parameters than the structure has are
    those of another model.
    """
    k, d = scatter.factor.shape[2:4]
    if structure.n_parameters(k, d) > STRUCTURES[scatter.structure].n_parameters(k, d):
        return None
    form = form_of(scatter.factor.ndim - 3)
    spread = _in_form(structure.form, form, form.spread(scatter.factor))
    for what in reversed(structure.equal_among):
        spread = None if spread is None else _alike(spread, AXES[what])
    return None if spread is None else Scatter(structure.name, structure.form.factor(spread))


def _in_form(wanted: Form, form: Form, spread: np.ndarray) -> np.ndarray | None:
    """Covariances of one form in the other; None where they have more than their diagonals, or were given as these."""
    if wanted is form:
        return spread
    if form is DIAGONAL:
        return None
    variances = np.array(form.diagonal(spread))
    deviations = np.sqrt(variances)
    beside = np.abs(spread) * ~np.eye(spread.shape[-1], dtype=bool)
    if (beside > ASYMMETRY * deviations[..., None] * deviations[..., None, :]).any():
        return None
    return variances


def _alike(values: np.ndarray, axis: int) -> np.ndarray | None:
    """The values, made exactly equal along an axis where they are equal but for rounding."""
    middle = values.mean(axis, keepdims=True)
    size = np.abs(values).max(axis=tuple(range(2, values.ndim)), keepdims=True)
    if (np.abs(values - middle) > ASYMMETRY * size).any():
        return None
    return np.broadcast_to(middle, values.shape)
