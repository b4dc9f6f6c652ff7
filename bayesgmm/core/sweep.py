"""The one hot loop of the package: a pass over the data that leaves `SufficientStatistics`.

    sweep(X, scores, assign) -> SufficientStatistics

Rows are cut into blocks, blocks into at most `GROUPS` contiguous groups whose bounds depend on n alone.
A group is summed in order by one thread, and the groups' sums are added in order: any number of threads
gives the same bits.  Where the sums of all groups would take much memory, only a few of them exist at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import cache, lru_cache

import numpy as np
from numba import types

from bayesgmm.core import assignment, passes
from bayesgmm.core.blocks import BLOCK
from bayesgmm.core.compilation import array_type, compiled
from bayesgmm.core.merging import summed
from bayesgmm.core.params import ComponentScores
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.threads import n_threads

GROUPS = 64
SERIAL_WORK = 500_000  # multiply-adds, some 0.1 ms: below this, waking another thread costs more than it saves
NO_WEIGHTS = np.empty(0)


class Assign(Enum):
    """How a point is shared among the components."""

    SOFT = assignment.SOFT
    HARD = assignment.HARD


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
        float32 is read as it is and accumulated in float64.  What is not C-contiguous is copied.
    scores : ComponentScores
        Moments are centred at its means and have the form (triangular or diagonal) of its factors.
    assign : Assign
    row_weights : (n,) array, optional
        A weight of 2 counts as the row twice.

    Returns
    -------
    SufficientStatistics
        A row whose scores are all -inf belongs to no component, and makes the log likelihood -inf.
    """
    rows, (log_weight, means, factors) = as_rows(X), as_contiguous(scores)
    weights = NO_WEIGHTS if row_weights is None else np.ascontiguousarray(row_weights, float)
    sweep_groups = _kernel(rows.dtype, factors.ndim)
    bounds = group_bounds(len(rows))

    def add(begin: int, end: int, offset: int, outputs: list[np.ndarray]) -> None:
        sweep_groups(rows, bounds, begin, end, log_weight, means, factors, assign.value, weights, offset, *outputs)

    shapes = [(), log_weight.shape, means.shape, factors.shape]
    value, counts, first, second = summed(add, portions(len(bounds) - 1, len(rows) * work_per_row(factors)), shapes)
    n_obs = float(len(rows)) if row_weights is None else float(weights.sum())
    return SufficientStatistics(float(value), counts, first, second, scores.means, n_obs)


def as_rows(X: np.ndarray) -> np.ndarray:
    """X as the kernels read it: C-contiguous, float32 or float64."""
    return np.ascontiguousarray(X, np.float32 if X.dtype == np.float32 else np.float64)


def as_contiguous(scores: ComponentScores) -> list[np.ndarray]:
    """The arrays of `scores` as the kernels read them."""
    return [np.ascontiguousarray(a, float) for a in (scores.log_weight, scores.means, scores.precision_chol)]


@lru_cache(maxsize=64)
def group_bounds(n_obs: int) -> np.ndarray:
    """Row bounds of the groups: multiples of `BLOCK`, as even as they can be, fixed by n alone."""
    n_blocks = max(1, -(-n_obs // BLOCK))
    n_groups = min(GROUPS, n_blocks)
    bounds = np.array([min(n_obs, BLOCK * (n_blocks * g // n_groups)) for g in range(n_groups + 1)])
    bounds.flags.writeable = False  # it is shared
    return bounds


def portions(n_groups: int, work: float) -> list[tuple[int, int]]:
    """Cut the groups into what threads take one after the other: a few each, to even out their speeds."""
    n_portions = 1 if work < SERIAL_WORK else min(n_groups, 4 * n_threads())
    return [(n_groups * i // n_portions, n_groups * (i + 1) // n_portions) for i in range(n_portions)]


def work_per_row(factors: np.ndarray) -> int:
    """Multiply-adds of a row, roughly: an exponential counts for 20."""
    return factors.size + 20 * len(factors)


@cache
def _kernel(dtype: np.dtype, factor_ndim: int) -> Callable:
    vector, index, integer = array_type(float, 1), array_type(np.int64, 1), types.int64
    return compiled(
        passes.sweep_groups, array_type(dtype, 2), index, integer, integer,
        vector, array_type(float, 2), array_type(float, factor_ndim), integer, vector, integer,
        *(array_type(float, ndim, is_output=True) for ndim in (1, 2, 3, factor_ndim + 1)),
    )  # fmt: skip
