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
from typing import TYPE_CHECKING

import numpy as np
from numba import types

from bayesgmm.core.facts import FACTS_TYPE, NO_FACTS, RowFacts
from bayesgmm.core.kernels import assignment, row_kernels
from bayesgmm.core.kernels.blocks import BLOCK
from bayesgmm.core.kernels.compilation import array_type, compiled, tuple_type
from bayesgmm.core.merging import summed
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.threads import n_threads

if TYPE_CHECKING:
    from bayesgmm.core.params import ComponentScores

GROUPS = 64
SERIAL_WORK = 500_000  # multiply-adds, some 0.1 ms: below this, waking another thread costs more than it saves
NO_CHANCES = np.empty(0)


class Assign(Enum):
    """How a point is shared among the components."""

    SOFT = assignment.SOFT
    HARD = assignment.HARD
    SAMPLED = assignment.SAMPLED


def sweep(
    X: np.ndarray,
    scores: ComponentScores,
    assign: Assign = Assign.SOFT,
    facts: RowFacts = NO_FACTS,
    rng: np.random.Generator | None = None,
) -> SufficientStatistics:
    """Score every point, assign it, and add up the moments of the assigned points.

    Parameters
    ----------
    X : (n, d) array of float64 or float32
        float32 is read as it is and accumulated in float64.  What is not C-contiguous is copied.
    scores : ComponentScores
        Moments are centred at its means and have the form (triangular or diagonal) of its factors.
    assign : Assign
    facts : RowFacts
        Weights, classes and offsets of the rows.
    rng : Generator, optional
        Where labels are drawn: one uniform number a row.

    Returns
    -------
    SufficientStatistics
        A row whose scores are all -inf belongs to no component, and makes the log likelihood -inf.
    """
    assert (assign is Assign.SAMPLED) == (rng is not None)
    rows, (log_weight, means, factors) = contiguous_rows(X), as_contiguous(scores)
    chances = NO_CHANCES if rng is None else rng.random(len(rows))
    known, inputs = tuple(facts), (log_weight, means, factors)
    sweep_groups = _kernel(rows.dtype, factors.ndim)
    bounds = group_bounds(len(rows))

    def add(begin: int, end: int, offset: int, outputs: list[np.ndarray]) -> None:
        sweep_groups(rows, known, chances, bounds, begin, end, offset, inputs, assign.value, tuple(outputs))

    shapes = [(), log_weight.shape, means.shape, factors.shape]
    value, counts, first, second = summed(add, portions(len(bounds) - 1, len(rows) * work_per_row(factors)), shapes)
    n_obs = float(facts.weights.sum()) if len(facts.weights) else float(len(rows))
    return SufficientStatistics(float(value), counts, first, second, scores.means, n_obs)


def contiguous_rows(X: np.ndarray) -> np.ndarray:
    """X as the kernels read it: C-contiguous, float32 or float64."""
    return np.ascontiguousarray(X, np.float32 if X.dtype == np.float32 else np.float64)


def as_contiguous(scores: ComponentScores) -> list[np.ndarray]:
    """The arrays of `scores` as the kernels read them."""
    arrays = (np.ascontiguousarray(a, float) for a in (scores.log_weight, scores.means, scores.precision_chol))
    return [array if array.flags.writeable else array.copy() for array in arrays]


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
    scores = tuple_type(*(array_type(float, ndim) for ndim in (1, 2, factor_ndim)))
    sums = tuple_type(*(array_type(float, ndim) for ndim in (1, 2, 3, factor_ndim + 1)))
    return compiled(
        row_kernels.sweep_groups, array_type(dtype, 2), FACTS_TYPE, vector, index, integer, integer, integer, scores,
        integer, sums,
    )  # fmt: skip
