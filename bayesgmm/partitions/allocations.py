"""Draws of a partition, from a fit or from any program's arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.core import density
from bayesgmm.errors import ArgumentError, DataError, NotApplicableError, shown
from bayesgmm.partitions.contingency import canonical, together
from bayesgmm.partitions.similarity import check_size, mean_similarity
from bayesgmm.result.fit import Fit
from bayesgmm.result.own_data import given_or_own


@dataclass(frozen=True, eq=False)
class Allocations:
    """Different partitions of n points with their probabilities.

    Parameters
    ----------
    partitions : (S, n) int32 array
        Clusters are 0, 1, ... in the order of their first appearance in each row; no two rows are equal.
    weights : (S,) array
        They sum to one.
    """

    partitions: np.ndarray
    weights: np.ndarray

    @property
    def n_clusters(self) -> np.ndarray:
        """(S,) numbers of clusters."""
        return self.partitions.max(1) + 1

    def similarity(self) -> np.ndarray:
        """(n, n) probabilities that two points are in one cluster."""
        return np.clip(together(self.partitions, self.weights), 0.0, 1.0)


def from_array(allocations: ArrayLike, weights: ArrayLike | None) -> Allocations:
    """Check and count the draws of an integer array (draws, n) or (chain, draw, n).

    Raises
    ------
    DataError
        They are no such array, or there are none.
    ArgumentError
        The weights do not fit, or there are too many points.
    """
    try:
        labels = np.asarray(allocations)
    except ValueError as error:
        raise DataError("allocations must be an array (draws, n): these draws have different lengths.") from error
    if labels.ndim not in (2, 3):
        raise DataError(
            f"allocations have shape {labels.shape}: give one row of labels per draw, (draws, n) or (chain, draw, n)."
        )
    if labels.dtype.kind not in "iu":
        raise DataError(
            f"allocations have dtype {labels.dtype}: the labels of clusters must be integers; convert them by "
            "allocations.astype(int) if that is what they are."
        )
    if labels.size == 0:
        raise DataError(f"allocations have shape {labels.shape}: there must be at least one draw of one point.")
    n = labels.shape[-1]
    check_size(n)
    return _counted(labels.reshape(-1, n), _checked_weights(weights, labels.shape[:-1]))


def from_fit(fit: Fit, X: ArrayLike | None, max_draws: int, seed: int) -> tuple[Allocations, np.ndarray]:
    """Allocations drawn from the responsibilities of the draws of a fit, and these draws' similarity matrix.

    The matrix averages over the allocations given the parameters, and so is closer to the posterior's than theirs.

    Raises
    ------
    NotApplicableError
        The fit is a point, has no usable result, or no data.
    DataError, ArgumentError
        X cannot be used, or has too many points.
    """
    if fit.kind == "point":
        raise NotApplicableError(
            "a point fit has one partition, predict(X), and no posterior of partitions; fit by Gibbs, NUTS or VB."
        )
    draws = fit.estimate.draws().spaced(max_draws)
    values = given_or_own(fit, X, "partition them")
    check_size(len(values))
    rng = np.random.default_rng(seed)
    labels = np.empty((len(draws.weights), len(values)), np.int32)

    def shares():
        for s in range(len(labels)):
            responsibilities = density.responsibilities(draws[s].scores(), values)
            labels[s] = density.allocate(responsibilities, rng)
            yield responsibilities

    similarity = mean_similarity(shares(), len(values))  # which draws the labels on its way
    return _counted(labels, np.ones(len(labels))), similarity


def _counted(labels: np.ndarray, weights: np.ndarray) -> Allocations:
    """Each partition once, with the sum of its draws' weights."""
    partitions, position, totals = canonical(labels), {}, []
    for partition, weight in zip(partitions[weights > 0], weights[weights > 0], strict=True):
        at = position.setdefault(partition.tobytes(), len(totals))
        if at == len(totals):
            totals.append(0.0)
        totals[at] += weight
    kept = np.array(totals)
    return Allocations(np.array([np.frombuffer(key, np.int32) for key in position]), kept / kept.sum())


def _checked_weights(weights: ArrayLike | None, shape: tuple[int, ...]) -> np.ndarray:
    if weights is None:
        return np.ones(int(np.prod(shape)))
    values = np.asarray(weights, float)
    if values.shape != shape:
        raise ArgumentError(f"weights have shape {values.shape} and there are {shape} draws: give one for each.")
    if not np.isfinite(values).all() or (values < 0).any() or values.sum() <= 0:
        raise ArgumentError(f"weights={shown(weights)} must be finite, not negative and not all zero.")
    return values.ravel()
