"""The compiled sweep over rows, and the two passes that only score: what Python calls.

Triangular and diagonal factors share the code: Numba drops the branch on ``ndim`` that does not apply.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayesgmm.core.assignment import SOFT, harden_block, log_sum_block, soften_block
from bayesgmm.core.blocks import BLOCK, load_block, make_columns, make_rows, pack_factors, score_block
from bayesgmm.core.compilation import inline, inner, jit
from bayesgmm.core.lanes import WIDTH, lanes, load, total, where_greater
from bayesgmm.core.moments import accumulate_block, mirror
from bayesgmm.core.wide import TILE, accumulate_wide, score_wide


class Room(NamedTuple):
    """Work arrays for one block after the other."""

    block: np.ndarray
    workspace: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    log_sums: np.ndarray


@jit
def sweep_groups(
    X, bounds, begin, end, log_weight, means, factors, assign, row_weights, offset, values, counts, first, second
):
    """Add the statistics of the rows bounds[g]:bounds[g + 1] to entry g - offset of the outputs, for g in begin:end.

    `values` gets the weighted log-sums.  `row_weights` is empty or has n entries.
    """
    room, packed = make_room(factors), pack_factors(factors)
    for g in range(begin, end):
        values[g - offset] += sweep_blocks(
            X, bounds[g], bounds[g + 1], log_weight, means, factors, packed, assign, row_weights, room,
            counts[g - offset], first[g - offset], second[g - offset],
        )  # fmt: skip


@jit
def sweep_rows(X, start, stop, log_weight, means, factors, assign, counts, first, second):
    """Add the statistics of the rows start:stop to counts, first and second; return their log-sums."""
    room, packed, no_weights = make_room(factors), pack_factors(factors), np.empty(0)
    return sweep_blocks(
        X, start, stop, log_weight, means, factors, packed, assign, no_weights, room, counts, first, second
    )


@inner
def make_room(factors):
    """Room for blocks of rows of weight one."""
    block, workspace = make_blocks(factors)
    return Room(block, workspace, make_rows(len(factors)), np.ones(BLOCK), np.empty(BLOCK))


@inner
def make_blocks(factors):
    """Room for the columns of a block, and the workspace, which triangular factors alone need."""
    if factors.ndim == 2:
        return make_columns(min(factors.shape[1], TILE)), make_columns(0)
    return make_columns(factors.shape[1]), make_columns(factors.shape[1])


@inline
def load_and_score(X, start, stop, log_weight, means, factors, packed, block, workspace, scores):
    """Scores of the rows start:stop; whether `block` holds all of their columns."""
    if factors.ndim == 2:
        if factors.shape[1] > TILE:
            score_wide(X, start, stop, log_weight, means, factors, block, scores)
            return False
    load_block(X, start, stop, block)
    score_block(block, stop - start, log_weight, means, factors, packed, workspace, scores)
    return True


@inline
def accumulate(X, start, stop, is_whole, block, scores, means, workspace, counts, first, second):
    """Add the moments of the rows start:stop."""
    if second.ndim == 2:
        if not is_whole:
            accumulate_wide(X, start, stop, scores, means, block, counts, first, second)
            return
    accumulate_block(block, stop - start, scores, means, workspace, counts, first, second)


@inner
def sweep_blocks(X, begin, end, log_weight, means, factors, packed, assign, row_weights, room, counts, first, second):
    """Add the statistics of the rows begin:end; return their weighted log-sums."""
    block, workspace, scores, weights, log_sums = room
    value = 0.0
    for start in range(begin, end, BLOCK):
        stop = min(start + BLOCK, end)
        m = stop - start
        if len(row_weights) > 0:
            for i in range(m):
                weights[i] = row_weights[start + i]
        is_whole = load_and_score(X, start, stop, log_weight, means, factors, packed, block, workspace, scores)
        if assign == SOFT:
            soften_block(scores, m, weights, log_sums)
        else:
            harden_block(scores, m, weights, log_sums)
        value += weighted_total(m, weights, log_sums)
        accumulate(X, start, stop, is_whole, block, scores, means, workspace, counts, first, second)
    if second.ndim == 3:
        mirror(second)
    return value


@inner
def weighted_total(m, weights, log_sums):
    """Sum of the log-sums; where a weight is zero, a log-sum of -inf does not matter."""
    for i in range(m, m + -m % WIDTH):
        log_sums[i] = 0.0
    part = lanes(0.0)
    for i in range(0, m, WIDTH):
        weight = load(weights, i)
        part = part + where_greater(weight, 0.0, weight * load(log_sums, i), 0.0)
    return total(part)


@jit
def log_density_rows(X, start, stop, log_weight, means, factors, out):
    """out[s, start:stop] = log density of the rows under draw s of the parameters."""
    n_draws, n_components, n_features = means.shape
    (block, workspace), scores = make_blocks(factors[0]), make_rows(n_components)
    totals, log_sums = np.empty(BLOCK), np.empty(BLOCK)
    for begin in range(start, stop, BLOCK):
        end = min(begin + BLOCK, stop)
        m = end - begin
        is_whole = factors.ndim == 4 or n_features <= TILE
        if is_whole:
            load_block(X, begin, end, block)
        for s in range(n_draws):
            packed = pack_factors(factors[s])
            if is_whole:
                score_block(block, m, log_weight[s], means[s], factors[s], packed, workspace, scores)
            if factors.ndim == 3:
                if not is_whole:
                    score_wide(X, begin, end, log_weight[s], means[s], factors[s], block, scores)
            log_sum_block(scores, m, log_sums, totals)
            for i in range(m):
                out[s, begin + i] = log_sums[i]


@jit
def log_joint_rows(X, start, stop, log_weight, means, factors, out):
    """out[start:stop, k] = score of the rows by component k."""
    n_components = len(means)
    (block, workspace), scores, packed = make_blocks(factors), make_rows(n_components), pack_factors(factors)
    for begin in range(start, stop, BLOCK):
        end = min(begin + BLOCK, stop)
        load_and_score(X, begin, end, log_weight, means, factors, packed, block, workspace, scores)
        for i in range(end - begin):
            for k in range(n_components):
                out[begin + i, k] = scores[k, i]
