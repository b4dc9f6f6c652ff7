"""The draw that the others are first matched to."""

from __future__ import annotations

import numpy as np

from bayesgmm.labels.memberships import Memberships

COLUMNS = 1000  # components of all candidates together
POINTS = 2000


def central_draw(memberships: Memberships) -> int:
    """The draw whose partition is nearest to those of the others, by least squares of co-clustering.

    No order of components matters to it.  At most 1000 / K evenly spaced draws (but 20 at the least) and 2,000 evenly
    spaced points are looked at.  With H the memberships of a draw, its co-clustering matrix is H H^T, and two of these
    have the inner product ||H^T H'||^2, so no n x n matrix is needed.

    References
    ----------
    Dahl (2006), in Bayesian Inference for Gene Expression and Proteomics, 201-218, doi:10.1017/CBO9780511584589.011.
    """
    k = memberships.n_components
    candidates = _spaced(memberships.n_draws, max(20, COLUMNS // k))
    points = _spaced(memberships.n_points, POINTS)
    columns = np.concatenate([memberships.at(candidates[i : i + 1])[0][points] for i in range(len(candidates))], axis=1)
    squares = (columns.T @ columns) ** 2
    inner = squares.reshape(len(candidates), k, len(candidates), k).sum((1, 3))
    return int(candidates[(0.5 * np.diag(inner) - inner.mean(1)).argmin()])


def _spaced(n: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))
