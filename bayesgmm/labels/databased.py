"""Relabelling by the data: each point is near the centre of the component that it is allocated to.

References
----------
Rodriguez and Walker (2014), Journal of Computational and Graphical Statistics 23, 25-45,
doi:10.1080/10618600.2012.735624.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.labels.matching import match_until_settled
from bayesgmm.labels.relabel_input import Material


def data_based(material: Material) -> np.ndarray:
    """Orders with a minimal sum of ``((x - m_k) / s_k)^2 / 2 + log s_k`` over points, columns and draws.

    The centres m and scales s are those of the points allocated to k in all draws, in the orders found; they begin at
    the pivot's.  The published loss is without the logarithm, and passes over the draws may then go in circles.
    """
    assert material.X is not None
    X = np.asarray(material.X, float)
    X = X - X.mean(0)
    variance = X.var(0)

    def closeness(mean: np.ndarray) -> np.ndarray:
        """(n, K); a component has one point of the data's own spread besides, for it may have none or one."""
        counts = mean.sum(0)[:, None]
        centers = mean.T @ X / np.maximum(counts, 1e-9)  # of a point: what rounding leaves of none
        gaps = (X[:, None, :] - centers) ** 2
        scales = (np.einsum("nk,nkd->kd", mean, gaps) + variance) / (counts + 1.0)
        scales = np.where(scales > 0, scales, 1.0)  # a constant column
        return -0.5 * (gaps / scales + np.log(scales)).sum(2)

    start = closeness(material.pivot_partition())
    return match_until_settled(material.memberships, start, closeness, material.max_iter)
