"""The search for the partition with the least expected loss, by moves of single points.

Dahl, Johnson and Mueller (2022), Journal of Computational and Graphical Statistics 31, 1189-1201,
doi:10.1080/10618600.2022.2069779 (SALSO): points are allocated one after the other in a random order, scanned until
none wants to move, and clusters are dissolved and built anew.  The loss is exact throughout: the contingency table of
the partition with every draw is kept up to date, which costs a step per draw and move.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayesgmm.core.kernels.compilation import announced_compilation, inner, jit

MARGIN = 1e-10  # by which a move must win, so that rounding moves no point to and fro
MAX_SCANS = 100
MAX_FAILURES = 50  # clusters dissolved in vain, one after the other, before a search ends


class Target(NamedTuple):
    """The draws, and the loss to be expected over them."""

    rows: np.ndarray  # (n, S) uint32, the row in the table of the cluster that has the point in the draw
    weights: np.ndarray  # (S,) of the draws, which sum to one
    row_weights: np.ndarray  # (rows,) the same, of each row of the table
    f: np.ndarray  # (n + 1,) of the loss
    growth: np.ndarray  # (n,) f(x + 1) - f(x)


class State(NamedTuple):
    """A partition of the points allocated so far; its clusters are 0, ..., n_used - 1, none of them empty."""

    labels: np.ndarray  # (n,), -1 where not allocated
    sizes: np.ndarray  # (max_clusters,)
    table: np.ndarray  # (rows, max_clusters) uint16, contingencies with all clusters of all draws
    n_used: np.ndarray  # (1,)
    costs: np.ndarray  # (max_clusters,), workspace
    order: np.ndarray  # (n,), workspace


def make_target(partitions: np.ndarray, weights: np.ndarray, f: np.ndarray) -> Target:
    """The draws (S, n < 2^16), canonical, with their weights, and the table of f of the loss."""
    n_clusters = partitions.max(1).astype(np.int64) + 1
    rows = (partitions + (np.cumsum(n_clusters) - n_clusters)[:, None]).T
    return Target(np.ascontiguousarray(rows, np.uint32), weights, np.repeat(weights, n_clusters), f, np.diff(f))


def improved(target: Target, start: np.ndarray, max_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """The (n,) labels that the search ends with; points that are -1 in `start` are allocated first, in random order."""
    n, n_rows = len(start), len(target.row_weights)
    state = State(
        start.astype(np.int64), np.zeros(max_clusters, np.int64), np.zeros((n_rows, max_clusters), np.uint16),
        np.zeros(1, np.int64), np.empty(max_clusters), np.arange(n),
    )  # fmt: skip
    saved = state.labels.copy()
    with announced_compilation():
        descend(rng, target, state, saved, 0)
    descend(rng, target, state, saved, 1)
    return saved


@jit
def descend(rng, target, state, labels, n_searches):
    """Improve `labels` in place; 0 searches do nothing but compile."""
    if n_searches == 0:
        return
    rebuild(target, state, labels)
    best, cluster, n_failures = np.inf, -1, 0
    while cluster < state.n_used[0] and n_failures < MAX_FAILURES:
        if cluster >= 0 and state.sizes[cluster] == 1:  # a scan has tried it elsewhere
            cluster += 1
            continue
        scope = len(labels) if cluster < 0 else dissolve(target, state, cluster)
        settle(rng, target, state, scope)
        found = loss(target, state)
        if found < best - MARGIN:
            best, cluster, n_failures = found, -1, 0  # all points are scanned again
            for i in range(len(labels)):
                labels[i] = state.labels[i]
        else:
            cluster += 1
            n_failures += 1
            rebuild(target, state, labels)


@inner
def dissolve(target, state, cluster):
    """Take a cluster apart; its points are put first into `order`, and their number is returned."""
    n_members = 0
    for j in range(len(state.order)):
        i = state.order[j]
        if state.labels[i] == cluster:
            state.order[j] = state.order[n_members]
            state.order[n_members] = i
            n_members += 1
    for j in range(n_members):
        lift(target, state, state.order[j])
    return n_members


@inner
def settle(rng, target, state, scope):
    """Scan the first points of `order` in random orders until none moves; what has no cluster is given one."""
    for _ in range(MAX_SCANS):
        n_moved = 0
        shuffle(rng, state.order, scope)
        for j in range(scope):
            i = state.order[j]
            home = state.labels[i]
            if home >= 0:
                was_alone = state.sizes[home] == 1
                lift(target, state, i)
                if was_alone:  # its place is now the open cluster
                    home = state.n_used[0]
            there = cheapest(target, state, i, home)
            n_moved += there != home
            place(target, state, i, there)
        if n_moved == 0:
            break


@inner
def cheapest(target, state, i, home):
    """The cluster that a point costs least to join, a new one included; `home` unless another wins by the margin."""
    rows, costs, n_open = target.rows, state.costs, min(state.n_used[0] + 1, len(state.sizes))
    for k in range(n_open):
        costs[k] = 0.0
    for s in range(len(target.weights)):
        row, weight = rows[i, s], target.weights[s]
        for k in range(n_open):
            costs[k] += weight * target.growth[state.table[row, k]]
    best = 0
    for k in range(n_open):
        costs[k] = target.growth[state.sizes[k]] - 2.0 * costs[k]
        if costs[k] < costs[best]:
            best = k
    return home if home >= 0 and costs[home] <= costs[best] + MARGIN else best


@inner
def place(target, state, i, k):
    """Put a point into a cluster."""
    state.labels[i] = k
    state.sizes[k] += 1
    state.n_used[0] = max(state.n_used[0], k + 1)
    for s in range(len(target.weights)):
        state.table[target.rows[i, s], k] += 1


@inner
def lift(target, state, i):
    """Take a point out of its cluster; where that leaves it empty, the last cluster takes its place."""
    k = state.labels[i]
    state.labels[i] = -1
    state.sizes[k] -= 1
    for s in range(len(target.weights)):
        state.table[target.rows[i, s], k] -= 1
    if state.sizes[k] == 0:
        last = state.n_used[0] - 1
        state.n_used[0] = last
        if k != last:
            state.sizes[k] = state.sizes[last]
            state.sizes[last] = 0
            for row in range(len(state.table)):
                state.table[row, k] = state.table[row, last]
                state.table[row, last] = 0
            for j in range(len(state.labels)):
                if state.labels[j] == last:
                    state.labels[j] = k


@inner
def rebuild(target, state, labels):
    """The state of given labels."""
    for row in range(len(state.table)):
        for k in range(len(state.sizes)):
            state.table[row, k] = 0
    for k in range(len(state.sizes)):
        state.sizes[k] = 0
    state.n_used[0] = 0
    for i in range(len(labels)):
        state.labels[i] = -1
        if labels[i] >= 0:
            place(target, state, i, labels[i])


@inner
def loss(target, state):
    """Expected loss, without its scale and what no partition changes."""
    total = 0.0
    for k in range(state.n_used[0]):
        total += target.f[state.sizes[k]]
    for row in range(len(state.table)):
        part = 0.0
        for k in range(state.n_used[0]):
            part += target.f[state.table[row, k]]
        total -= 2.0 * target.row_weights[row] * part
    return total


@inner
def shuffle(rng, order, length):
    """Put the first so many into a random order (Fisher and Yates)."""
    for i in range(length - 1, 0, -1):
        j = int(rng.random() * (i + 1))
        order[i], order[j] = order[j], order[i]
