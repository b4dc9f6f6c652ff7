"""First parameters of EM: what a hard assignment's own scatter says, and what it leaves open.

A component begins with the scatter of its own points.  A share of the spread of all data, however small, would make
narrow components as wide as the gaps between them where the data reach a thousand standard deviations, and EM then
begins on a plateau.  Points that are too few to have a scatter borrow: their size from the other components (a mean of
logarithms, which wide components do not decide), their shape from the data's spread.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.core.matrices import invert_triangular
from bayesgmm.core.params import MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.families.gaussian import CovarianceStructure

LEAST_SHARE = 1e-3  # of the data's shape in a component's, so that tied points have a variance in every direction


def first_parameters(
    stats: SufficientStatistics, structure: CovarianceStructure, whitening: np.ndarray, floor: float
) -> MixtureParams:
    """Well-posed parameters from the statistics of a hard assignment.

    Sizes and shapes are measured in whitened coordinates, so a change of units changes nothing.  A component of n
    points has a share of ``((D + 1) / n)^2`` of the data's shape, at least `LEAST_SHARE`: its scatter has no inverse
    at n = D, and an error of about ``sqrt(D / n)``.
    """
    k, n_features = stats.first.shape
    per_point = structure.residuals_per_point(n_features)
    counts = structure.pool_counts(stats.counts)
    points = np.maximum(counts, 1.0) * per_point
    own = structure.pool(stats.scatter())
    own = own / points.reshape(-1, *(1,) * (own.ndim - 1))
    if whitening.ndim == 2:
        root = invert_triangular(whitening[None])[0]
        unit = root.T @ root
    else:
        unit = whitening**-2.0
    unit = structure.pool(unit[None])[:1] / per_point
    white = np.einsum("ai,kab,bi->k", whitening, own, whitening) / n_features if whitening.ndim == 2 else None
    sizes = (own / unit).mean(1) if white is None else white
    order = structure.form.matrix_size(n_features)
    target = _borrowed(sizes, counts, order, k, n_features)
    share = np.clip(((order + 1.0) / np.maximum(counts * per_point, 1.0)) ** 2, LEAST_SHARE, 1.0)
    share = np.where(sizes > 0, share, 1.0)
    column = (-1, *(1,) * (own.ndim - 1))
    shape = own / np.where(sizes > 0, sizes, 1.0).reshape(column)
    compact = target.reshape(column) * ((1.0 - share).reshape(column) * shape + share.reshape(column) * unit)
    factor = structure.expand(structure.form.clipped_factor(compact, whitening, floor), k, n_features)
    weights = (stats.counts + 1.0) / (stats.counts.sum() + k)
    return MixtureParams.trusted(weights, stats.means(), factor)


def _borrowed(sizes: np.ndarray, counts: np.ndarray, order: int, n_components: int, n_features: int) -> np.ndarray:
    """Mean whitened variances, those of few points drawn towards the typical one of all, in logarithms."""
    has_size = (sizes > 0) & (counts > 1)
    if not has_size.any():  # every component holds one value: as wide as K equal parts of the data
        return np.full(len(sizes), n_components ** (-2.0 / n_features))
    logs = np.log(np.where(has_size, sizes, 1.0))
    typical = np.average(logs[has_size], weights=counts[has_size])
    held, prior = np.where(has_size, counts, 0.0), order + 2.0
    return np.exp((held * logs + prior * typical) / (held + prior))
