"""Moves of labels between modes: Metropolis-Hastings on p(labels | data), the parameters integrated out.

Three kinds, for occupied components i, j, k drawn uniformly:

- EXCHANGE: i takes the points of j, and those of k are cut into k and j.  With fewer components than clusters it
  moves from one pair of clusters that share a component to another.  The inverse is the move for k, j, i.
- REDIVIDE: the points of i and j are cut into i and j anew.
- SPLIT_OR_MERGE: those of i are cut into i and an empty j; or i takes the points of j.

The way there and the way back have a launch each (see `launch`).  Jain and Neal (2004),
doi:10.1198/1061860043001; Richardson and Green (1997), doi:10.1111/1467-9868.00095.
"""

from __future__ import annotations

import math

import numpy as np

from bayesgmm.core.facts import are_alike
from bayesgmm.core.gibbs.allocation import add_rows, add_waiting, clear, finish_moments, make_queues
from bayesgmm.core.gibbs.split_proposal import launch, log_probability, pair_prior, propose
from bayesgmm.core.gibbs.weight_laws import STICKS, log_factor
from bayesgmm.core.kernels.compilation import inner, jit
from bayesgmm.core.kernels.conjugacy import Moments, copy_to, empty_conjugate, log_partition, make_root, update

EXCHANGE, REDIVIDE, SPLIT_OR_MERGE = 0, 1, 2
N_KINDS = 3


@jit
def cross(rng, kind, X, facts, labels, prior, mixing, moments):
    """Try one move of a kind; labels and moments change where it is accepted, which is returned.

    Components that what is known of the rows tells apart, such as those of two classes, exchange no points: the way
    back would be refused as well.
    """
    counts, is_exchange = moments.counts, kind == EXCHANGE
    i, j, k, log_ratio = choose(rng, kind, counts, mixing.kind == STICKS)
    if i < 0 or counts[i] + counts[j] < 2 or (is_exchange and counts[k] < 2):
        return False
    if not are_alike(facts, i, j) or (is_exchange and not are_alike(facts, i, k)):
        return False
    is_forward = kind != SPLIT_OR_MERGE or counts[j] == 0
    is_back = kind != SPLIT_OR_MERGE or counts[j] > 0
    others, new = copy_moments(moments), copy_moments(moments)
    clear(others, others.scatter, i)
    clear(others, others.scatter, j)
    if is_exchange:
        merge(new, new.scatter, i, j)
        clear(new, new.scatter, k)
    else:
        copy_moments_to(others, new)
    old_rows, old_points = gather(X, labels, i, j)
    rows, points = gather(X, labels, k, k) if is_exchange else (old_rows, old_points)
    one, two = (k, j) if is_exchange else (i, j)
    is_first, was_first = np.ones(len(rows), np.bool_), np.empty(len(old_rows), np.bool_)
    for r in range(len(old_rows)):
        was_first[r] = labels[old_rows[r]] == i
    if is_forward:
        probability = launch(rng, points, pair_prior(prior, new, one, two), moments.scatter)
        propose(rng, probability, is_first)
        log_ratio -= log_probability(probability, is_first)
    if is_back:
        probability = launch(rng, old_points, pair_prior(prior, others, i, j), moments.scatter)
        log_ratio += log_probability(probability, was_first)
    add_pair(points, is_first, new, one, two)
    if is_forward and (new.counts[one] == 0 or new.counts[two] == 0):
        return False
    posterior, root = empty_conjugate(prior), make_root(prior)
    log_ratio += _log_marginal(prior, mixing, new, posterior, root)
    log_ratio -= _log_marginal(prior, mixing, moments, posterior, root)
    if math.log(rng.random()) >= log_ratio:
        return False
    copy_moments_to(new, moments)
    for r in range(len(old_rows)):
        labels[old_rows[r]] = i
    for r in range(len(rows)):
        labels[rows[r]] = one if is_first[r] else two
    return True


@inner
def _log_marginal(prior, mixing, moments, posterior, root):
    """Log p(labels | data) but for a constant."""
    update(prior, moments, posterior)
    return log_partition(posterior, root) + log_factor(mixing, moments.counts)


@inner
def choose(rng, kind, counts, is_ordered):
    """Components i, j, k of a move, i < 0 where there is none; and the log probability of choosing the way back.

    The latter is relative to that of the way there.
    """
    occupied, empty, m = np.empty(len(counts), np.int64), np.empty(len(counts), np.int64), 0
    for c in range(len(counts)):
        if counts[c] > 0.0:
            occupied[m] = c
            m += 1
        else:
            empty[c - m] = c
    empty = empty[: len(counts) - m]
    if kind == SPLIT_OR_MERGE:
        is_split = rng.random() < 0.5
        if len(empty) == 0 if is_split else m < 2:
            return -1, 0, 0, 0.0
        if is_ordered:
            return _choose_stick(rng, is_split, counts, occupied[:m], empty)
        if is_split:
            i, j = occupied[int(rng.random() * m)], empty[int(rng.random() * len(empty))]
            return i, j, 0, math.log(len(empty) / (m + 1))
        one, two, _ = _different(rng, m)
        return occupied[one], occupied[two], 0, math.log(m / (len(empty) + 1))
    if m < (3 if kind == EXCHANGE else 2):
        return -1, 0, 0, 0.0
    one, two, three = _different(rng, m)
    return occupied[one], occupied[two], occupied[three] if m > 2 else 0, 0.0


@inner
def _choose_stick(rng, is_split, counts, occupied, empty):
    """A split takes the first empty stick: far down, labels are improbable.  A merge empties one that is then first."""
    n_leading = empty[0] if len(empty) > 0 else len(counts)  # occupied sticks before the first empty one
    if is_split:
        n_after = n_leading + 1
        while n_after < len(counts) and counts[n_after] > 0.0:
            n_after += 1
        return occupied[int(rng.random() * len(occupied))], n_leading, 0, -math.log(n_after)
    if n_leading == 0:
        return -1, 0, 0, 0.0
    j, i = int(rng.random() * n_leading), int(rng.random() * (len(occupied) - 1))
    return occupied[i + (i >= j)], j, 0, math.log(n_leading)


@inner
def _different(rng, n_components):
    """Three different components, the last of no meaning where there are only two."""
    one = int(rng.random() * n_components)
    two = int(rng.random() * (n_components - 1))
    two += two >= one
    three = int(rng.random() * (n_components - 2))
    three += three >= min(one, two)
    three += three >= max(one, two)
    return one, two, three


@inner
def gather(X, labels, one, two):
    """Row numbers of two components' points, and the points as float64."""
    rows = np.empty(len(labels), np.int64)
    m = 0
    for i in range(len(labels)):
        rows[m] = i
        m += (labels[i] == one) | (labels[i] == two)
    rows = rows[:m]
    points = np.empty((m, X.shape[1]))
    for i in range(m):
        for d in range(X.shape[1]):
            points[i, d] = X[rows[i], d]
    return rows, points


@inner
def copy_moments(moments):
    return Moments(moments.counts.copy(), moments.means.copy(), moments.scatter.copy())


@inner
def copy_moments_to(source, target):
    copy_to(source.counts, target.counts)
    copy_to(source.means, target.means)
    copy_to(source.scatter, target.scatter)


@inner
def merge(moments, scatter, into, gone):
    """Component `into` takes the points of `gone`."""
    n_features = moments.means.shape[1]
    total = moments.counts[into] + moments.counts[gone]
    share = moments.counts[gone] / total
    weight = moments.counts[into] * share
    shift = moments.means[gone] - moments.means[into]
    for d in range(n_features):
        if scatter.ndim == 3:
            for j in range(d, n_features):
                scatter[into, d, j] += scatter[gone, d, j] + weight * shift[d] * shift[j]
        else:
            scatter[into, d] += scatter[gone, d] + weight * shift[d] * shift[d]
        moments.means[into, d] += share * shift[d]
    moments.counts[into] = total
    clear(moments, scatter, gone)


@inner
def add_pair(points, is_first, moments, one, two):
    """Moments of two components that were empty, from the points that go to each."""
    labels = np.empty(len(is_first), np.int64)
    centers = moments.means.copy()
    for r in range(len(is_first)):
        labels[r] = one if is_first[r] else two
    copy_to(points[0], centers[one])
    copy_to(points[0], centers[two])
    queues = make_queues(*centers.shape)
    add_rows(points, 0, len(points), labels, centers, queues, moments, moments.scatter)
    add_waiting(points, centers, queues, moments, moments.scatter)
    finish_moments(centers, moments, moments.scatter, one)
    finish_moments(centers, moments, moments.scatter, two)
