"""Densities of every component of a conjugate law at every component of many mixtures.

What a sum over the orders of the components is made of: the log density of a mixture whose components stand in the
order s is ``common + sum_j pairs[j, s(j)]``.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from bayesgmm.core.params import LOG_2PI, MixtureParams
from bayesgmm.priors.conjugate import ConjugateComponents
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.priors.wisharts import WISHARTS


def log_density_pairs(law: ConjugateMixture, params: MixtureParams) -> tuple[np.ndarray, np.ndarray]:
    """Parts of the log density of `law`, whose weights are a Dirichlet, at (m,) mixtures.

    Returns
    -------
    pairs : (m, K, K) array
        What the law's component j gives to the mixture's component k.
    common : (m,) array
        What does not depend on the order.
    """
    concentration = np.asarray(law.weights.concentration, float)
    log_weights = np.log(np.maximum(params.weights, np.finfo(float).tiny))
    pairs = (concentration - 1.0)[:, None] * log_weights[:, None, :]
    constant = gammaln(concentration.sum()) - gammaln(concentration).sum()
    pairs = pairs + _mean_pairs(law.components, params)
    covariances = _covariance_pairs(law.components, params)
    if law.components.structure.is_shared:
        return pairs, constant + covariances[:, 0, 0]
    return pairs + covariances, np.full(len(pairs), constant)


def _mean_pairs(law: ConjugateComponents, params: MixtureParams) -> np.ndarray:
    offset, factor, form = params.means[:, None] - law.mean[:, None], params.precision_chol, params.form
    squared = (form.whiten(factor[:, None], offset) ** 2).sum(-1)
    log_det = 2.0 * np.log(form.diagonal(factor)).sum(-1)
    precision, d = law.mean_precision, law.n_features
    normal = 0.5 * d * (np.log(precision) - LOG_2PI)[:, None] - 0.5 * precision[:, None] * squared
    return normal + 0.5 * log_det[:, None, :]


def _covariance_pairs(law: ConjugateComponents, params: MixtureParams) -> np.ndarray:
    """(m, rows, rows) log densities of the inverse Wisharts, rows being one where the covariance is shared."""
    rows, p = law.scale.shape[0], law.matrix_size
    dof = np.broadcast_to(law.dof, (rows,))[:, None]
    partition = law.covariance_partition()
    factor, form = law.structure.compact(params.precision_chol), params.form
    log_det, partition = 2.0 * np.log(form.diagonal(factor)).sum(-1), form.total(partition)
    trace = WISHARTS[form].trace_pairs(law.scale, factor)
    return 0.5 * (dof + p + 1) * log_det[:, None, :] - 0.5 * trace - partition[:, None]
