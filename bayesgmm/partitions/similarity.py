"""The probability of each pair of points to be together."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.checks import whole_number
from bayesgmm.core import density
from bayesgmm.data import matching_columns
from bayesgmm.errors import ArgumentError, NotApplicableError
from bayesgmm.result.estimates import Draws
from bayesgmm.result.fit import Fit

BLOCK_BYTES = 64 * 2**20  # of the memberships of a block of draws
LIMIT = 2**30  # bytes of the result
# Halves of chains, as in R-hat: shorter batches are not independent where chains move slowly between modes (fifths
# stated two thirds of the spread over seeds at R-hat 1.15).  Eight know the error to a quarter of it.
BATCHES, LEAST = 2, 8
STACKED = "source_chain"  # a statistic of the draws of `stack_chains`


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
    draws = fit.estimate.draws().spaced(whole_number(max_draws, "max_draws"))
    shares = (density.responsibilities(draws[s].scores(), values) for s in range(len(draws.weights)))
    return mean_similarity(shares, len(values))


def co_clustering_error(fit: Fit, X: ArrayLike, max_draws: int = 1000) -> np.ndarray:
    """(n, n) Monte Carlo standard errors of `co_clustering`, from the means of batches of consecutive draws.

    Parameters
    ----------
    fit : Fit
        With draws of a posterior.
    X : (n, d) array or frame
    max_draws : int
        As in `co_clustering`; of every chain the same number is used.

    Returns
    -------
    (n, n) array
        Symmetric, with a diagonal of zeros.  It knows of no mode that no chain has visited.

    Raises
    ------
    ArgumentError
        The matrix would be above 1 GiB.
    NotApplicableError
        The fit has no draws of a posterior, or too few of each chain, or they are stacked.

    References
    ----------
    Flegal and Jones (2010), Annals of Statistics 38, 1034-1070, doi:10.1214/09-AOS735.
    """
    if not isinstance(fit.estimate, Draws):
        raise NotApplicableError("the error of co-clustering is that of draws of a posterior: fit by Gibbs or NUTS.")
    values = matching_columns(X, fit.feature_names)
    check_size(len(values))
    draws = fit.estimate.draws()
    n_chains, n_draws = draws.draw_shape
    if STACKED in fit.estimate.sample_stats:
        raise NotApplicableError("the draws of stacked chains are resampled, and do not show their Monte Carlo error.")
    n_batches = max(BATCHES, -(-LEAST // n_chains))
    used = np.unique(np.linspace(0, n_draws - 1, max(1, whole_number(max_draws, "max_draws") // n_chains)).astype(int))
    if len(used) < n_batches:
        raise NotApplicableError(
            f"the error of co-clustering needs at least {n_batches} draws of each of {n_chains} chains."
        )
    center, squares, count = np.zeros((len(values), len(values))), np.zeros((len(values), len(values))), 0
    for chain in range(n_chains):
        for batch in np.array_split(used, n_batches):
            found = mean_similarity(
                (density.responsibilities(draws[chain, s].scores(), values) for s in batch), len(values)
            )
            count += 1
            found -= center  # Welford's recursion, which needs no batch again
            center += found / count
            squares += found**2 * ((count - 1) / count)
    return np.sqrt(squares / (count * (count - 1)))


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
