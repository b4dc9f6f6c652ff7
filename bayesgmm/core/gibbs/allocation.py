"""The sweep with sampled assignment: labels given parameters, and the moments of what each component got."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayesgmm.core.kernels.assignment import SAMPLED
from bayesgmm.core.kernels.blocks import BLOCK, gather_block, make_columns, make_rows
from bayesgmm.core.kernels.compilation import inner
from bayesgmm.core.kernels.moments import accumulate_component
from bayesgmm.core.kernels.row_kernels import assign_rows, make_components, room_around
from bayesgmm.core.kernels.simd import WIDTH, lanes, load, total

TINY = 1e-300  # counts may be zero, and then so are the sums


class Queues(NamedTuple):
    """Labelled rows that wait, by component, until they fill a block; and the arrays it needs."""

    rows: np.ndarray  # (K, BLOCK), their numbers
    lengths: np.ndarray  # (K,)
    block: np.ndarray
    workspace: np.ndarray
    shares: np.ndarray  # (K, STRIDE)


@inner
def sample_labels(rng, X, facts, params, labels, moments):
    """Draw every point's label given the parameters, and leave the moments of the labels.

    Returns the log likelihood of the parameters, without its constant ``-1/2 n D log(2 pi)``.
    """
    n_components, n_features = params.means.shape
    queues = make_queues(n_components, n_features)
    room = room_around(queues.block, queues.workspace, n_components)  # the two are never in use at once
    components = make_components(params.log_weight, params.means, params.factors)
    begin_moments(moments, moments.scatter)
    log_likelihood = lanes(0.0)
    for start in range(0, len(X), BLOCK):
        stop = min(start + BLOCK, len(X))
        m = stop - start
        for i in range(m):
            room.chances[i] = rng.random()
        assign_rows(X, start, stop, components, params.factors, facts, SAMPLED, room)
        for i in range(m, m + -m % WIDTH):
            room.log_sums[i] = 0.0
        for i in range(0, m, WIDTH):
            log_likelihood = log_likelihood + load(room.log_sums, i)
        for i in range(m):
            labels[start + i] = int(room.chosen[i])
        add_rows(X, start, stop, labels, params.means, queues, moments, moments.scatter)
    add_waiting(X, params.means, queues, moments, moments.scatter)
    for k in range(n_components):
        finish_moments(params.means, moments, moments.scatter, k)
    return total(log_likelihood)


@inner
def make_queues(n_components, n_features):
    """Empty queues."""
    rows, lengths = np.empty((n_components, BLOCK), np.int64), np.zeros(n_components, np.int64)
    return Queues(rows, lengths, make_columns(n_features), make_columns(n_features), make_rows(n_components))


@inner
def add_rows(X, start, stop, labels, center, queues, moments, scatter):
    """Let rows start:stop join their components' queues, and full queues the sums, centred at `center`."""
    for i in range(start, stop):
        k = labels[i]
        queues.rows[k, queues.lengths[k]] = i
        queues.lengths[k] += 1
        if queues.lengths[k] == BLOCK:
            add_queue(X, k, center, queues, moments, scatter)


@inner
def add_waiting(X, center, queues, moments, scatter):
    """Add all that still waits."""
    for k in range(len(queues.lengths)):
        if queues.lengths[k] > 0:
            add_queue(X, k, center, queues, moments, scatter)


@inner
def add_queue(X, k, center, queues, moments, scatter):
    m = queues.lengths[k]
    for i in range(m):
        queues.shares[k, i] = 1.0
    gather_block(X, queues.rows[k], m, queues.block)
    accumulate_component(
        queues.block, m, queues.shares, k, center, queues.workspace, moments.counts, moments.means, scatter
    )
    queues.lengths[k] = 0


@inner
def begin_moments(moments, scatter):
    """Zero the sums."""
    for k in range(len(moments.counts)):
        clear(moments, scatter, k)


@inner
def clear(moments, scatter, k):
    """Component k has no points."""
    moments.counts[k] = 0.0
    for d in range(moments.means.shape[1]):
        moments.means[k, d] = 0.0
        if scatter.ndim == 3:
            for j in range(moments.means.shape[1]):
                scatter[k, d, j] = 0.0
        else:
            scatter[k, d] = 0.0


@inner
def finish_moments(center, moments, scatter, k):
    """Sums of component k, centred at ``center[k]``, become its mean and the scatter about it."""
    count, first = moments.counts[k], moments.means[k]
    for d in range(center.shape[1]):
        first[d] /= max(count, TINY)
    for d in range(center.shape[1]):
        if scatter.ndim == 3:
            for j in range(d, center.shape[1]):
                scatter[k, d, j] -= count * first[d] * first[j]
        else:
            scatter[k, d] -= count * first[d] * first[d]
    for d in range(center.shape[1]):
        first[d] += center[k, d]
