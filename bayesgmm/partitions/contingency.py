"""Partitions and the losses between them, from contingency tables.

Binder's loss and the variation of information are one formula.  With the sizes a of the clusters of one partition, b
of the other and c of their intersections, both are

    scale * (sum f(a) + sum f(b) - 2 sum f(c)),

where f(x) = x^2 and scale = 1/n^2 for Binder, f(x) = x log x and scale = 1/n for the variation of information (in
nats).  So the kernels know a table of f, and not which loss it is.  Wade and Ghahramani (2018), Bayesian Analysis 13,
559-626, doi:10.1214/17-BA1073, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesgmm.core.kernels.compilation import announced_compilation, jit
from bayesgmm.core.threads import n_threads, run_in_threads


@dataclass(frozen=True, eq=False)
class Terms:
    """A loss between partitions of n points.

    Parameters
    ----------
    f : (n + 1,) array
        f(0), ..., f(n).
    scale : float
    """

    f: np.ndarray
    scale: float

    @classmethod
    def information(cls, n: int) -> Terms:
        """Variation of information, in nats.  Meila (2007), doi:10.1016/j.jmva.2006.11.013."""
        x = np.arange(n + 1.0)
        return cls(x * np.log(np.maximum(x, 1.0)), 1.0 / n)

    @classmethod
    def binder(cls, n: int) -> Terms:
        """Share of the n^2 ordered pairs of points on which two partitions disagree.

        Binder (1978), Biometrika 65, 31-38, doi:10.1093/biomet/65.1.31, with equal costs.
        """
        return cls(np.arange(n + 1.0) ** 2, 1.0 / n**2)


def canonical(labels: np.ndarray) -> np.ndarray:
    """(S, n) labels of any values as 0, 1, ... in the order of their first appearance in each row."""
    lowest, highest = int(labels.min()), int(labels.max())
    if highest - lowest < 4 * labels.shape[1] + 1000:
        wide = np.uint64 if labels.dtype.kind == "u" else np.int64  # what is narrower may overflow
        codes = labels.astype(wide) - wide(lowest)
    else:
        codes = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
    out = np.empty(labels.shape, np.int32)
    first_appearance(np.ascontiguousarray(codes, np.int64), np.full(int(codes.max()) + 1, -1), out)
    return out


def distances(terms: Terms, some: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """(C, S) losses between canonical partitions (C, n) and (S, n), or (C, C) between all pairs of the first."""
    is_mutual = others is None
    others = some if others is None else others
    arrays = (terms.f, some.astype(np.uint32), others.astype(np.uint32), int(others.max()) + 1)
    joint = np.empty((len(some), len(others)))
    with announced_compilation():
        joint_sums(*arrays, 0, 0, 1, is_mutual, joint)
    n_tasks = min(len(some), 8 * n_threads())
    run_in_threads(lambda begin: joint_sums(*arrays, begin, len(some), n_tasks, is_mutual, joint), range(n_tasks))
    if is_mutual:
        below = np.tril_indices(len(joint), -1)
        joint[below] = joint.T[below]
    own = _own_sums(terms, some)[:, None] + _own_sums(terms, others)
    return np.maximum(terms.scale * (own - 2.0 * joint), 0.0)


def pointwise_losses(terms: Terms, partition: np.ndarray, others: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n,) parts of the points in the weighted mean loss of one canonical partition (n,); their mean is that loss.

    A point's part is f(size) / size of its clusters in the two partitions less twice that of their intersection.
    """
    n = len(partition)
    per_point = terms.f / np.maximum(np.arange(n + 1), 1)
    total = per_point[np.bincount(partition)[partition]] * weights.sum()
    for other, weight in zip(others, weights, strict=True):
        both = partition * (int(other.max()) + 1) + other
        total += weight * (per_point[np.bincount(other)[other]] - 2.0 * per_point[np.bincount(both)[both]])
    return np.maximum(n * terms.scale * total, 0.0)


def losses_of_cuts(terms: Terms, merges: np.ndarray, others: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n,) weighted mean losses of the partitions after 0, ..., n - 1 merges (n - 1, 2) of SciPy's numbering."""
    n = others.shape[1]
    arrays = (terms.f, np.ascontiguousarray(merges, np.int64))
    own, joint = np.zeros(n), np.zeros(n)
    with announced_compilation():
        add_merge_sums(*arrays, np.zeros((1, n), np.int32), np.ones(1), own)
    add_merge_sums(*arrays, others.astype(np.int32), weights, joint)
    return np.maximum(terms.scale * (own + weights @ _own_sums(terms, others) - 2.0 * joint), 0.0)


def together(partitions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n, n) weights of the partitions (S, n) in which two points are in one cluster."""
    n = partitions.shape[1]
    arrays, out = (partitions.astype(np.int32), weights), np.zeros((n, n))
    with announced_compilation():
        add_together(*arrays, 0, 0, 1, out)
    n_tasks = min(n, 8 * n_threads())
    run_in_threads(lambda begin: add_together(*arrays, begin, n, n_tasks, out), range(n_tasks))
    upper = np.triu_indices(n, 1)
    out[upper] = out.T[upper]
    return out


def _own_sums(terms: Terms, partitions: np.ndarray) -> np.ndarray:
    return np.array([terms.f[np.bincount(partition)].sum() for partition in partitions])


@jit
def first_appearance(codes, code, out):
    """`code` is -1 everywhere, before and after."""
    for s in range(codes.shape[0]):
        n_seen = 0
        for i in range(codes.shape[1]):
            if code[codes[s, i]] < 0:
                code[codes[s, i]] = n_seen
                n_seen += 1
            out[s, i] = code[codes[s, i]]
        for i in range(codes.shape[1]):
            code[codes[s, i]] = -1


@jit
def joint_sums(f, some, others, width, begin, stop, step, is_triangle, out):
    """Sums of f over the intersections, for the rows begin, begin + step, ...; of a triangle from the diagonal on.

    `width` is above every label of `others`.  Two tables, of either half of the points, take turns: adding to the one
    cell again and again would wait for each addition.
    """
    n = some.shape[1]
    half = n // 2
    for c in range(begin, stop, step):
        first = np.empty(n, np.uint32)
        largest = 0
        for i in range(n):
            first[i] = some[c, i] * width
            largest = max(largest, first[i])
        counts, more = np.zeros(largest + width, np.int32), np.zeros(largest + width, np.int32)
        for s in range(c if is_triangle else 0, len(others)):
            for i in range(half):
                counts[np.uint32(first[i] + others[s, i])] += 1
                more[np.uint32(first[half + i] + others[s, half + i])] += 1
            if n > 2 * half:
                counts[np.uint32(first[n - 1] + others[s, n - 1])] += 1
            total = 0.0
            if len(counts) <= 2 * n:
                for j in range(len(counts)):
                    total += f[counts[j] + more[j]]
                    counts[j] = 0
                    more[j] = 0
            else:  # most cells are empty: look where there are points
                for i in range(n):
                    j = np.uint32(first[i] + others[s, i])
                    total += f[counts[j] + more[j]]
                    counts[j] = 0
                    more[j] = 0
            out[c, s] = total


@jit
def add_together(partitions, weights, begin, stop, step, out):
    """The lower triangle of `together`, for the rows begin, begin + step, ...."""
    for i in range(begin, stop, step):
        for s in range(len(partitions)):
            cluster, weight = partitions[s, i], weights[s]
            for j in range(i + 1):
                out[i, j] += weight if partitions[s, j] == cluster else 0.0


@jit
def add_merge_sums(f, merges, partitions, weights, out):
    """Weighted sums of f over the intersections after 0, ..., n - 1 merges, for one cluster of a draw at a time."""
    n = partitions.shape[1]
    counts = np.zeros(2 * n, np.int64)
    for s in range(len(partitions)):
        n_clusters = 0
        for i in range(n):
            n_clusters = max(n_clusters, partitions[s, i] + 1)
        for k in range(n_clusters):
            total = 0.0
            for i in range(n):
                counts[i] = partitions[s, i] == k
                total += f[counts[i]]
            out[0] += weights[s] * total
            for m in range(n - 1):
                one, other = counts[merges[m, 0]], counts[merges[m, 1]]
                counts[n + m] = one + other
                total += f[one + other] - f[one] - f[other]
                out[m + 1] += weights[s] * total
