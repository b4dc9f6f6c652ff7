"""The one routine by which every compiled pass reads a block of rows, and the passes that Python calls.

    load -> score -> offset and restrict -> assign (softly, hard, or by chance) -> accumulate

Triangular and diagonal factors share the code: Numba drops the branch on ``ndim`` that does not apply.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayesgmm.core.facts import RowFacts, load_weights, restrict_block
from bayesgmm.core.kernels.assignment import (
    HARD,
    SOFT,
    choose_block,
    harden_block,
    log_sum_block,
    mark_block,
    soften_block,
)
from bayesgmm.core.kernels.blocks import BLOCK, load_block, make_columns, make_rows, pack_factors, score_block
from bayesgmm.core.kernels.compilation import inner, jit
from bayesgmm.core.kernels.moments import accumulate_block, mirror
from bayesgmm.core.kernels.simd import WIDTH, lanes, load, total, where_greater
from bayesgmm.core.kernels.wide import TILE, accumulate_wide, score_wide


class Components(NamedTuple):
    """The components' scores as a block needs them; the factors themselves, whose form decides, go beside it."""

    log_weight: np.ndarray  # (K,)
    means: np.ndarray  # (K, D)
    packed: np.ndarray  # the factors, from `pack_factors`


class Scores(NamedTuple):
    """`ComponentScores` for compiled code."""

    log_weight: np.ndarray  # (K,)
    means: np.ndarray  # (K, D)
    factors: np.ndarray  # (K, D, D) or (K, D)


class Sums(NamedTuple):
    """What a sweep adds up, for each of some groups of rows."""

    values: np.ndarray  # (G,) weighted log-sums
    counts: np.ndarray  # (G, K)
    first: np.ndarray  # (G, K, D)
    second: np.ndarray  # (G, K, D, D) or (G, K, D)


class Room(NamedTuple):
    """Work arrays for one block after the other, and what `assign_block` leaves of a block."""

    block: np.ndarray
    workspace: np.ndarray
    scores: np.ndarray  # responsibilities times weights, once they are assigned
    weights: np.ndarray
    log_sums: np.ndarray
    chosen: np.ndarray  # labels, where they were drawn
    chances: np.ndarray  # uniform numbers for that


@inner
def make_components(log_weight, means, factors):
    return Components(log_weight, means, pack_factors(factors))


@inner
def make_room(factors):
    """Room for blocks of rows of weight one."""
    block, workspace = make_blocks(factors)
    return room_around(block, workspace, len(factors))


@inner
def room_around(block, workspace, n_components):
    """The same with a block and a workspace that are there."""
    return Room(
        block, workspace, make_rows(n_components), np.ones(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    )


@inner
def make_blocks(factors):
    """Room for the columns of a block, and the workspace, which triangular factors alone need."""
    if factors.ndim == 2:
        return make_columns(min(factors.shape[1], TILE)), make_columns(0)
    return make_columns(factors.shape[1]), make_columns(factors.shape[1])


@inner
def load_and_score(X, start, stop, log_weight, means, factors, packed, block, workspace, scores):
    """Scores of the rows start:stop; whether `block` holds all of their columns."""
    if factors.ndim == 2:
        if factors.shape[1] > TILE:
            score_wide(X, start, stop, log_weight, means, factors, block, scores)
            return False
    load_block(X, start, stop, block)
    score_block(block, stop - start, log_weight, means, factors, packed, workspace, scores)
    return True


@inner
def score_rows(X, start, stop, components, factors, facts, room):
    """Scores of the rows start:stop, with what is known of each; whether the room holds all of their columns."""
    is_whole = load_and_score(
        X, start, stop, components.log_weight, components.means, factors, components.packed, room.block,
        room.workspace, room.scores,
    )  # fmt: skip
    restrict_block(facts, start, stop, room.scores)
    return is_whole


@inner
def assign_rows(X, start, stop, components, factors, facts, assign, room):
    """Score the rows start:stop and assign them; whether the room holds all of their columns.

    Its scores become the responsibilities, times the rows' weights; where labels are drawn, which takes
    ``room.chances``, they are in ``room.chosen``, and the scores of no use.
    """
    is_whole = score_rows(X, start, stop, components, factors, facts, room)
    m = stop - start
    load_weights(facts, start, stop, room.weights)
    if assign == SOFT:
        soften_block(room.scores, m, room.weights, room.log_sums)
    elif assign == HARD:
        harden_block(room.scores, m, room.weights, room.log_sums)
    else:
        log_sum_block(room.scores, m, room.log_sums, room.chosen)
        choose_block(room.scores, m, room.chances, room.chosen)
    return is_whole


@jit
def sweep_groups(X, facts, chances, bounds, begin, end, offset, scores, assign, sums):
    """Add the statistics of the rows bounds[g]:bounds[g + 1] to entry g - offset of the sums, for g in begin:end.

    `facts`, `scores` and `sums` are `RowFacts`, `Scores` and `Sums` as plain tuples.  `chances` has a uniform number
    for each row where labels are drawn, and is empty elsewhere.
    """
    facts, scores, sums = RowFacts(*facts), Scores(*scores), Sums(*sums)
    room, components = make_room(scores.factors), make_components(*scores)
    for g in range(begin, end):
        sums.values[g - offset] += sweep_blocks(
            X, facts, chances, bounds[g], bounds[g + 1], components, scores.factors, assign, room,
            sums.counts[g - offset], sums.first[g - offset], sums.second[g - offset],
        )  # fmt: skip


@jit
def sweep_rows(X, facts, start, stop, log_weight, means, factors, assign, counts, first, second):
    """Add the statistics of the rows start:stop to counts, first and second; return their log-sums."""
    room, components = make_room(factors), make_components(log_weight, means, factors)
    return sweep_blocks(X, facts, np.empty(0), start, stop, components, factors, assign, room, counts, first, second)


@inner
def sweep_blocks(X, facts, chances, begin, end, components, factors, assign, room, counts, first, second):
    """Add the statistics of the rows begin:end; return their weighted log-sums."""
    value = 0.0
    for start in range(begin, end, BLOCK):
        stop = min(start + BLOCK, end)
        m = stop - start
        if len(chances) > 0:
            for i in range(m):
                room.chances[i] = chances[start + i]
        is_whole = assign_rows(X, start, stop, components, factors, facts, assign, room)
        if len(chances) > 0:
            mark_block(room.scores, m, room.weights, room.chosen)
        value += weighted_total(m, room.weights, room.log_sums)
        accumulate(X, start, stop, is_whole, room, components.means, counts, first, second)
    if second.ndim == 3:
        mirror(second)
    return value


@inner
def accumulate(X, start, stop, is_whole, room, means, counts, first, second):
    """Add the moments of the rows start:stop."""
    if second.ndim == 2:
        if not is_whole:
            accumulate_wide(X, start, stop, room.scores, means, room.block, counts, first, second)
            return
    accumulate_block(room.block, stop - start, room.scores, means, room.workspace, counts, first, second)


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
def log_density_rows(X, facts, start, stop, log_weight, means, factors, out):
    """out[s, start:stop] = log density of the rows under draw s of the parameters; `facts` is a plain tuple."""
    facts = RowFacts(*facts)
    n_draws, n_components, n_features = means.shape
    (block, workspace), scores = make_blocks(factors[0]), make_rows(n_components)
    totals, log_sums = np.empty(BLOCK), np.empty(BLOCK)
    for begin in range(start, stop, BLOCK):
        end = min(begin + BLOCK, stop)
        m = end - begin
        is_whole = factors.ndim == 4 or n_features <= TILE
        if is_whole:
            load_block(X, begin, end, block)  # once for all draws
        for s in range(n_draws):
            packed = pack_factors(factors[s])
            if is_whole:
                score_block(block, m, log_weight[s], means[s], factors[s], packed, workspace, scores)
            if factors.ndim == 3:
                if not is_whole:
                    score_wide(X, begin, end, log_weight[s], means[s], factors[s], block, scores)
            restrict_block(facts, begin, end, scores)
            log_sum_block(scores, m, log_sums, totals)
            for i in range(m):
                out[s, begin + i] = log_sums[i]


@jit
def log_joint_rows(X, facts, start, stop, log_weight, means, factors, out):
    """out[start:stop, k] = score of the rows by component k; `facts` is a plain tuple."""
    facts = RowFacts(*facts)
    room, components = make_room(factors), make_components(log_weight, means, factors)
    for begin in range(start, stop, BLOCK):
        end = min(begin + BLOCK, stop)
        score_rows(X, begin, end, components, factors, facts, room)
        for i in range(end - begin):
            for k in range(len(means)):
                out[begin + i, k] = room.scores[k, i]
