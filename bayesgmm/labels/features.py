"""The parameters of each component as unconstrained numbers, in which their posterior is nearly normal."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.forms import TRIANGULAR
from bayesgmm.core.params import MixtureParams

MOST = 200  # numbers of one component, above which correlations are left out: 20,000 draws can tell no more apart


def component_features(draws: MixtureParams) -> np.ndarray:
    """(draws, K, p): log weight, mean, log precisions and regression coefficients of each component.

    With the precision ``P P^T`` these are the logarithm of the diagonal of P and ``P_ij / P_jj`` above it.  In more
    than some 18 dimensions the latter are left out.
    """
    d = draws.n_features
    log_weight = np.log(np.maximum(draws.weights, np.finfo(float).tiny))[..., None]
    diagonal = draws.form.diagonal(draws.precision_chol)
    parts = [log_weight, draws.means, np.log(diagonal)]
    if draws.form is TRIANGULAR and 1 + 2 * d + d * (d - 1) // 2 <= MOST:
        rows, columns = np.triu_indices(d, 1)
        parts.append((draws.precision_chol / diagonal[..., None, :])[..., rows, columns])
    return np.concatenate(parts, axis=2)


def whitened(features: np.ndarray, is_present: np.ndarray) -> np.ndarray:
    """(draws, K, q) the same in uncorrelated units; combinations that never vary, as in round structures, are dropped.

    The units are those of all present components of all draws together, so no order of them matters.
    """
    present = features[is_present]
    spread = present.std(0)
    is_free = spread > 1e-12 * np.abs(present).max(0)  # rounding: what is the same in all components of all draws
    scaled = (features[..., is_free] - present[:, is_free].mean(0)) / spread[is_free]
    values, vectors = np.linalg.eigh(np.cov(scaled[is_present].T).reshape(is_free.sum(), -1))
    kept = values > 1e-10 * values.max()  # rounding of correlations, which are of order one
    return scaled @ (vectors[:, kept] / np.sqrt(values[kept]))
