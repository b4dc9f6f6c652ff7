"""Partitions of the points, which do not depend on the order of the components."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.core import density
from bayesgmm.data import as_matrix
from bayesgmm.errors import ArgumentError
from bayesgmm.result.estimates import Draws
from bayesgmm.result.fit import Fit

BLOCK_BYTES = 64 * 2**20  # of the responsibilities of a block of draws
LIMIT = 2**30  # bytes of the result


def co_clustering(fit: Fit, X: ArrayLike, max_draws: int = 1000) -> np.ndarray:
    """(n, n) posterior probabilities that two points come from one component.

    Given the parameters the points' components are independent, so each draw gives ``sum_k r_ik r_jk`` and no
    labels have to be drawn (Rao-Blackwell); the sum does not depend on the components' order, so no draws have
    to be aligned.  Point and variational fits give it from their responsibilities alone.

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
    values = as_matrix(X).values
    if 8 * len(values) ** 2 > LIMIT:
        raise ArgumentError(
            f"the co-clustering matrix of {len(values)} points would take {8 * len(values) ** 2 / 2**30:.1f} GiB: "
            "pass some of the rows."
        )
    if not isinstance(fit.estimate, Draws):
        stacked = fit.responsibilities(values)
        total = stacked @ stacked.T
    else:
        draws = fit.params.reshaped(-1)
        chosen = np.unique(np.linspace(0, len(draws.weights) - 1, max_draws).astype(int))
        step = max(1, BLOCK_BYTES // (8 * len(values) * draws.n_components))
        total = np.zeros((len(values), len(values)))
        for begin in range(0, len(chosen), step):
            block = [density.responsibilities(draws[s].scores(), values) for s in chosen[begin : begin + step]]
            stacked = np.hstack(block)
            total += stacked @ stacked.T
        total /= len(chosen)
    np.fill_diagonal(total, 1.0)  # a point is always with itself, which the product of independent labels misses
    return total
