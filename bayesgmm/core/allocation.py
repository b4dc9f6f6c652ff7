"""The sweep with sampled assignment: labels given parameters, and the moments of what each component got."""

from __future__ import annotations

import math

import numpy as np

from bayesgmm.core import kernels
from bayesgmm.core.kernels import BLOCK, jit

TINY = 1e-300  # counts may be zero, and then so are the sums


@jit
def sample_labels(rng, X, params, labels, moments):
    """Draw every point's label given the parameters, and leave the moments of the labels.

    Returns the log likelihood of the parameters, without its constant ``-1/2 n D log(2 pi)``.
    """
    n_components, n_features = params.means.shape
    block, diff = np.empty((n_features, BLOCK)), np.empty((n_features, BLOCK))
    scores, top, total = np.empty((n_components, BLOCK)), np.empty(BLOCK), np.empty(BLOCK)
    begin_moments(moments, moments.scatter)
    log_likelihood = 0.0
    for start in range(0, len(X), BLOCK):
        stop = min(start + BLOCK, len(X))
        m = stop - start
        kernels.load_block(X, start, stop, block)
        score_block(block, m, params.log_weight, params.means, params.factors, diff, scores)
        accumulate_probabilities(scores, m, top, total)
        for i in range(m):
            log_likelihood += top[i] + math.log(total[i])
            total[i] *= rng.random()
        for i in range(m):
            label = 0
            for k in range(n_components - 1):
                label += scores[k, i] <= total[i]
            labels[start + i] = label
        add_block(block, m, labels[start:stop], params.means, moments, moments.scatter)
    for k in range(n_components):
        finish_moments(params.means, moments, moments.scatter, k)
    return log_likelihood


@jit
def score_block(block, m, log_weight, means, factors, diff, scores):
    """Scores with either form of factors."""
    if factors.ndim == 3:
        kernels.score_block_triangular(block, m, log_weight, means, factors, diff, scores)
    else:
        kernels.score_block_diagonal(block, m, log_weight, means, factors, diff, scores)


@jit
def accumulate_probabilities(scores, m, top, total):
    """Scores become cumulative sums over the components of exp(score - top)."""
    for i in range(m):
        top[i] = scores[0, i]
        total[i] = 0.0
    for k in range(1, scores.shape[0]):
        for i in range(m):
            top[i] = max(top[i], scores[k, i])
    for k in range(scores.shape[0]):
        for i in range(m):
            total[i] += math.exp(scores[k, i] - top[i])
            scores[k, i] = total[i]


@jit
def begin_moments(moments, scatter):
    """Zero the sums that `add_block` adds to."""
    for k in range(len(moments.counts)):
        clear(moments, scatter, k)


@jit
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


@jit
def add_block(block, m, labels, center, moments, scatter):
    """Add the points of a transposed block to their components' sums, centred at `center`."""
    n_features = block.shape[0]
    diff = np.empty(n_features)
    for i in range(m):
        k = labels[i]
        moments.counts[k] += 1.0
        for d in range(n_features):
            diff[d] = block[d, i] - center[k, d]
            moments.means[k, d] += diff[d]
        for d in range(n_features):
            if scatter.ndim == 3:
                for j in range(d, n_features):
                    scatter[k, d, j] += diff[d] * diff[j]
            else:
                scatter[k, d] += diff[d] * diff[d]


@jit
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
