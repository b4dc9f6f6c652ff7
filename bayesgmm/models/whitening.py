"""The units in which the data have unit covariance, for any model."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.forms import DIAGONAL
from bayesgmm.models.finite import GaussianMixture
from bayesgmm.models.process import DirichletProcessMixture
from bayesgmm.models.spread import check_range, has_enough_rows, is_singular, moments_of
from bayesgmm.models.unknown import MixtureOfFiniteMixtures
from bayesgmm.rows import Rows


def whitening_of(model: GaussianMixture | DirichletProcessMixture | MixtureOfFiniteMixtures, data: Rows) -> np.ndarray:
    """Precision factor of the data's spread within the structure's group, (D, D) or (D,).

    Where the spread is singular the resolved prior's scale stands in for it.
    """
    structure, n_features = model.covariance, data.values.shape[1]
    is_enough = has_enough_rows(structure, data)
    _, spread = moments_of(data, structure.form if is_enough else DIAGONAL)  # variances alone are quick
    check_range(spread, data)
    if not is_enough or is_singular(structure, spread):
        shape = structure.compact_shape(model.n_components, n_features)
        typical = np.broadcast_to(model.prior.typical_scale, shape).mean(0, keepdims=True)
        spread = structure.expand(typical, 1, n_features)[0]
    return structure.whitening(spread)
