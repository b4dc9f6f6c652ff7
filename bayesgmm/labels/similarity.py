"""The probability of each pair of points to be together."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.core import density
from bayesgmm.data import matching_columns
from bayesgmm.errors import ArgumentError
from bayesgmm.result.fit import Fit

BLOCK_BYTES = 64 * 2**20  # of the memberships of a block of draws
LIMIT = 2**30  # bytes of the result


def co_clustering(fit: Fit, X: ArrayLike, max_draws: int = 1000) -> np.ndarray:
    """(n, n) posterior probabilities that two points come from one component.

    Given the parameters the points' components are independent, so each draw gives ``sum_k r_ik r_jk`` and no
    labels have to be drawn (Rao-Blackwell); the sum does not depend on the components' order, so no draws have
    to be aligned.  A variational fit gives it from draws of q, a point fit from its parameters alone.

    Parameters
    ----------
    fit : Fit
    X : (n, d) array or frame
    max_draws : int
        Of more draws, as many evenly spaced ones are used.

    Returns
    -------
    (n, n) array
        Symmetric, with a diagonal of ones.

    Raises
    ------
    ArgumentError
        The matrix would be above 1 GiB.
    NotApplicableError
        The fit has no usable result.
    """
    values = matching_columns(X, fit.feature_names)
    check_size(len(values))
    draws = fit.estimate.draws().spaced(max_draws)
    shares = (density.responsibilities(draws[s].scores(), values) for s in range(len(draws.weights)))
    return mean_similarity(shares, len(values))


def mean_similarity(memberships: Iterable[np.ndarray], n: int) -> np.ndarray:
    """(n, n) mean of ``R R^T`` over (n, K) responsibilities R."""
    total, block, width, count = np.zeros((n, n)), [], 0, 0
    for shares in memberships:
        block.append(shares)
        width += shares.shape[1]
        count += 1
        if 8 * n * width >= BLOCK_BYTES:
            total += _gram(block)
            block, width = [], 0
    if block:
        total += _gram(block)
    total /= count
    np.clip(total, 0.0, 1.0, out=total)
    np.fill_diagonal(total, 1.0)  # a point is always with itself, which the product of independent labels misses
    return total


def check_size(n: int) -> None:
    """Raise an ArgumentError where an (n, n) array would be too large."""
    if 8 * n**2 > LIMIT:
        raise ArgumentError(
            f"the co-clustering matrix of {n} points would take {8 * n**2 / 2**30:.1f} GiB: pass some of the rows."
        )


def _gram(block: list[np.ndarray]) -> np.ndarray:
    stacked = np.hstack(block)
    return stacked @ stacked.T
