"""The compiled blocks of the sweep: scores, assignment, accumulation.

A block is `BLOCK` rows, held transposed, (D, BLOCK), so that every inner loop runs over rows and
vectorises.  Each kernel comes in a triangular and a diagonal form; all release the GIL and are cached
on disk.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 256

# Reassociation lets sums over rows vectorise, contraction allows fused multiply-add.  Results do not
# depend on threads, only on the compiled code; NaN and infinity keep their meaning.
jit = njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")

SOFT, HARD = 0, 1


@jit
def load_block(X, start, stop, block):
    """Copy rows start:stop of X, transposed and as float64, into `block`."""
    for i in range(stop - start):
        for d in range(X.shape[1]):
            block[d, i] = X[start + i, d]


@jit
def score_block_triangular(block, m, log_weight, means, factors, diff, scores):
    """scores[k, :m] = log_weight[k] - 1/2 ||factors[k]^T (x - means[k])||^2."""
    n_features = block.shape[0]
    y = np.empty(block.shape[1])
    for k in range(len(log_weight)):
        row = scores[k]
        for d in range(n_features):
            for i in range(m):
                diff[d, i] = block[d, i] - means[k, d]
        for i in range(m):
            row[i] = 0.0
        for j in range(n_features):
            for i in range(m):
                y[i] = 0.0
            for d in range(j + 1):
                p = factors[k, d, j]
                for i in range(m):
                    y[i] += p * diff[d, i]
            for i in range(m):
                row[i] += y[i] * y[i]
        for i in range(m):
            row[i] = log_weight[k] - 0.5 * row[i]


@jit
def score_block_diagonal(block, m, log_weight, means, factors, diff, scores):
    """As above, with diagonal factors; `diff` is not used."""
    for k in range(len(log_weight)):
        row = scores[k]
        for i in range(m):
            row[i] = 0.0
        for d in range(block.shape[0]):
            p, mean = factors[k, d], means[k, d]
            for i in range(m):
                z = p * (block[d, i] - mean)
                row[i] += z * z
        for i in range(m):
            row[i] = log_weight[k] - 0.5 * row[i]


@jit
def soften_block(scores, m, row_weights, log_sums):
    """Scores become responsibilities times row weight; `log_sums` gets each row's log-sum-exp."""
    top = np.empty(scores.shape[1])
    total = np.zeros(scores.shape[1])
    for i in range(m):
        top[i] = scores[0, i]
    for k in range(1, scores.shape[0]):
        for i in range(m):
            top[i] = max(top[i], scores[k, i])
    for k in range(scores.shape[0]):
        for i in range(m):
            scores[k, i] = np.exp(scores[k, i] - top[i])
            total[i] += scores[k, i]
    for i in range(m):
        log_sums[i] = top[i] + np.log(total[i])
        total[i] = row_weights[i] / total[i]
    for k in range(scores.shape[0]):
        for i in range(m):
            scores[k, i] *= total[i]


@jit
def harden_block(scores, m, row_weights, log_sums):
    """Scores become the row's weight at the first largest score and zero elsewhere; `log_sums` its value."""
    for i in range(m):
        best = 0
        for k in range(1, scores.shape[0]):
            if scores[k, i] > scores[best, i]:
                best = k
        log_sums[i] = scores[best, i]
        for k in range(scores.shape[0]):
            scores[k, i] = 0.0
        scores[best, i] = row_weights[i]


@jit
def accumulate_block_triangular(block, m, resp, means, diff, counts, first, second):
    """Add the block's moments, centred at `means`, to counts, first and the upper triangle of second."""
    n_features = block.shape[0]
    weighted = np.empty(block.shape[1])
    for k in range(resp.shape[0]):
        row = resp[k]
        for i in range(m):
            counts[k] += row[i]
        for d in range(n_features):
            for i in range(m):
                diff[d, i] = block[d, i] - means[k, d]
        for d in range(n_features):
            total = 0.0
            for i in range(m):
                weighted[i] = row[i] * diff[d, i]
                total += weighted[i]
            first[k, d] += total
            for j in range(d, n_features):
                total = 0.0
                for i in range(m):
                    total += weighted[i] * diff[j, i]
                second[k, d, j] += total


@jit
def accumulate_block_diagonal(block, m, resp, means, diff, counts, first, second):
    """As above, with second moments of single columns only; `diff` is not used."""
    for k in range(resp.shape[0]):
        row = resp[k]
        for i in range(m):
            counts[k] += row[i]
        for d in range(block.shape[0]):
            mean, total, square = means[k, d], 0.0, 0.0
            for i in range(m):
                z = block[d, i] - mean
                total += row[i] * z
                square += row[i] * z * z
            first[k, d] += total
            second[k, d] += square
