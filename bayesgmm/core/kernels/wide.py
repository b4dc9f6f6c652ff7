"""Compiled blocks of the sweep for diagonal factors and very many columns: a stretch of the columns at a time.

All columns of a block would take 2 KiB each, and so much more than a few rows of data.  Sums have the order, and so the
bits, that they would have with all columns at once.
"""

from __future__ import annotations

from bayesgmm.core.kernels.blocks import STRIDE
from bayesgmm.core.kernels.compilation import inner
from bayesgmm.core.kernels.simd import WIDTH, fma, lanes, load, load_one, load_strided, store, total

TILE = 2048  # columns, whose block takes 4 MiB


@inner
def load_columns(X, start, stop, first, last, block):
    """Copy columns first:last of the rows start:stop of a C-contiguous X into `block`, transposed and as float64."""
    n_features, m = X.shape[1], stop - start
    whole = m - m % WIDTH
    for i in range(0, whole, WIDTH):
        for d in range(first, last):
            store(block, (d - first) * STRIDE + i, load_strided(X, (start + i) * n_features + d, n_features))
    for i in range(whole, m + -m % WIDTH):
        for d in range(first, last):
            block[d - first, i] = X[start + min(i, m - 1), d]


@inner
def score_wide(X, start, stop, log_weight, means, factors, block, scores):
    """As `load_block` and `score_block`; `block` is left with the last columns."""
    n_components, n_features = means.shape
    m = stop - start
    for k in range(n_components):
        for i in range(0, m, WIDTH):
            store(scores, k * STRIDE + i, lanes(0.0))
    for first in range(0, n_features, TILE):
        last = min(first + TILE, n_features)
        load_columns(X, start, stop, first, last, block)
        for k in range(n_components):
            at = k * n_features
            for i in range(0, m, WIDTH):
                square = load(scores, k * STRIDE + i)
                for d in range(first, last):
                    offset = load(block, (d - first) * STRIDE + i) - load_one(means, at + d)
                    z = offset * load_one(factors, at + d)
                    square = fma(z, z, square)
                store(scores, k * STRIDE + i, square)
    for k in range(n_components):
        for i in range(0, m, WIDTH):
            square = load(scores, k * STRIDE + i)
            store(scores, k * STRIDE + i, fma(square, -0.5, load_one(log_weight, k)))


@inner
def accumulate_wide(X, start, stop, resp, means, block, counts, first_moments, second):
    """As `accumulate_block`, of rows that are loaded again."""
    n_components, n_features = means.shape
    m = stop - start
    for k in range(n_components):
        for i in range(m, m + -m % WIDTH):
            resp[k, i] = 0.0
        count = lanes(0.0)
        for i in range(0, m, WIDTH):
            count = count + load(resp, k * STRIDE + i)
        counts[k] += total(count)
    for first in range(0, n_features, TILE):
        last = min(first + TILE, n_features)
        load_columns(X, start, stop, first, last, block)
        for k in range(n_components):
            for d in range(first, last):
                mean = means[k, d]
                once, twice = lanes(0.0), lanes(0.0)
                for i in range(0, m, WIDTH):
                    z = load(block, (d - first) * STRIDE + i) - mean
                    weighted = z * load(resp, k * STRIDE + i)
                    once = once + weighted
                    twice = fma(weighted, z, twice)
                first_moments[k, d] += total(once)
                second[k, d] += total(twice)
