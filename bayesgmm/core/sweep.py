"""The one hot loop of the package: a pass over the data that leaves `SufficientStatistics`.

    sweep(X, scores, assign) -> SufficientStatistics

Rows are cut into blocks, blocks into at most `GROUPS` contiguous groups whose bounds depend on n alone.
A group is summed in order by one thread, and the groups' sums are added pairwise in a fixed tree: any
number of threads gives the same bits.
"""

from __future__ import annotations

from enum import Enum

import numpy as np

from bayesgmm.core import kernels
from bayesgmm.core.kernels import BLOCK, jit
from bayesgmm.core.params import ComponentScores
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.threads import run_in_threads

GROUPS = 64


class Assign(Enum):
    """How a point is shared among the components."""

    SOFT = kernels.SOFT
    HARD = kernels.HARD


def sweep(
    X: np.ndarray,
    scores: ComponentScores,
    assign: Assign = Assign.SOFT,
    row_weights: np.ndarray | None = None,
) -> SufficientStatistics:
    """Score every point, assign it, and add up the moments of the assigned points.

    Parameters
    ----------
    X : (n, d) array of float64 or float32
        float32 is read as it is and accumulated in float64.
    scores : ComponentScores
        Moments are centred at its means and have the form (triangular or diagonal) of its factors.
    assign : Assign
    row_weights : (n,) array, optional
        A weight of 2 counts as the row twice.

    Returns
    -------
    SufficientStatistics
    """
    bounds = group_bounds(len(X))
    n_groups, (n_components, n_features) = len(bounds) - 1, scores.means.shape
    log_likelihood = np.zeros(n_groups)
    counts = np.zeros((n_groups, n_components))
    first = np.zeros((n_groups, n_components, n_features))
    second = np.zeros((n_groups, *scores.precision_chol.shape))
    weights = np.ones(BLOCK) if row_weights is None else np.ascontiguousarray(row_weights, float)
    kernel = _sweep_diagonal if scores.precision_chol.ndim == 2 else _sweep_triangular

    def run(g: int) -> None:
        log_likelihood[g] = kernel(
            X, bounds[g], bounds[g + 1], scores.log_weight, scores.means, scores.precision_chol,
            assign.value, weights, row_weights is not None, counts[g], first[g], second[g],
        )  # fmt: skip

    run_in_threads(run, range(n_groups))
    total_second = _tree_sum(second)
    if total_second.ndim == 3:
        total_second += np.swapaxes(np.triu(total_second, 1), 1, 2)
    return SufficientStatistics(
        float(_tree_sum(log_likelihood)), _tree_sum(counts), _tree_sum(first), total_second, scores.means,
        float(len(X)) if row_weights is None else float(np.sum(row_weights)),
    )  # fmt: skip


def group_bounds(n_obs: int) -> list[int]:
    """Row bounds of the groups: multiples of `BLOCK`, as even as they can be, fixed by n alone."""
    n_blocks = -(-n_obs // BLOCK)
    n_groups = min(GROUPS, n_blocks)
    return [min(n_obs, BLOCK * (n_blocks * g // n_groups)) for g in range(n_groups + 1)]


def _tree_sum(parts: np.ndarray) -> np.ndarray:
    while len(parts) > 1:
        even = len(parts) // 2 * 2
        parts = np.concatenate([parts[0:even:2] + parts[1:even:2], parts[even:]])
    return parts[0]


@jit
def _sweep_triangular(
    X, start, stop, log_weight, means, factors, assign, row_weights, has_weights, counts, first, second
):
    n_components, n_features = means.shape
    block, diff = np.empty((n_features, BLOCK)), np.empty((n_features, BLOCK))
    scores, log_sums = np.empty((n_components, BLOCK)), np.empty(BLOCK)
    total = 0.0
    for begin in range(start, stop, BLOCK):
        end = min(begin + BLOCK, stop)
        m = end - begin
        weights = row_weights[begin:end] if has_weights else row_weights
        kernels.load_block(X, begin, end, block)
        kernels.score_block_triangular(block, m, log_weight, means, factors, diff, scores)
        if assign == kernels.SOFT:
            kernels.soften_block(scores, m, weights, log_sums)
        else:
            kernels.harden_block(scores, m, weights, log_sums)
        for i in range(m):
            total += weights[i] * log_sums[i]
        kernels.accumulate_block_triangular(block, m, scores, means, diff, counts, first, second)
    return total


@jit
def _sweep_diagonal(
    X, start, stop, log_weight, means, factors, assign, row_weights, has_weights, counts, first, second
):
    n_components, n_features = means.shape
    block, diff = np.empty((n_features, BLOCK)), np.empty((n_features, BLOCK))
    scores, log_sums = np.empty((n_components, BLOCK)), np.empty(BLOCK)
    total = 0.0
    for begin in range(start, stop, BLOCK):
        end = min(begin + BLOCK, stop)
        m = end - begin
        weights = row_weights[begin:end] if has_weights else row_weights
        kernels.load_block(X, begin, end, block)
        kernels.score_block_diagonal(block, m, log_weight, means, factors, diff, scores)
        if assign == kernels.SOFT:
            kernels.soften_block(scores, m, weights, log_sums)
        else:
            kernels.harden_block(scores, m, weights, log_sums)
        for i in range(m):
            total += weights[i] * log_sums[i]
        kernels.accumulate_block_diagonal(block, m, scores, means, diff, counts, first, second)
    return total
