"""Compiled blocks of the sweep: rows are loaded and scored.

A block is at most `BLOCK` rows held transposed, (D, STRIDE), so that eight neighbouring rows are one vector
(`simd`).  It goes with its number of rows `m`; loops run over whole vectors, and what stands in the last one behind
row m is a repeated row that counts for nothing.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.core.kernels.compilation import inline, inner
from bayesgmm.core.kernels.simd import WIDTH, fma, lanes, load, load_one, load_strided, store

BLOCK = 256  # rows: enough to amortise what is done once per block, few enough to stay in the first-level cache
STRIDE = BLOCK + WIDTH  # between the rows of a transposed block: a power of two would map them to a few cache sets


@inner
def load_block(X, start, stop, block):
    """Copy rows start:stop of a C-contiguous X into `block`, transposed and as float64."""
    n_features = X.shape[1]
    m = stop - start
    whole = m - m % WIDTH
    for i in range(0, whole, WIDTH):
        for d in range(n_features):
            store(block, d * STRIDE + i, load_strided(X, (start + i) * n_features + d, n_features))
    for i in range(whole, m + -m % WIDTH):
        for d in range(n_features):
            block[d, i] = X[start + min(i, m - 1), d]


@inner
def gather_block(X, rows, m, block):
    """Copy the rows X[rows[:m]] into `block`, transposed and as float64."""
    for i in range(m + -m % WIDTH):
        row = rows[min(i, m - 1)]
        for d in range(X.shape[1]):
            block[d, i] = X[row, d]


@inner
def make_rows(n_rows):
    """Uninitialised rows of STRIDE that begin at a cache line: a vector across two lines costs a third more time."""
    buffer = np.empty((n_rows + 1) * STRIDE)
    skip = -(buffer.ctypes.data // 8) % WIDTH
    return buffer[skip : skip + n_rows * STRIDE].reshape((n_rows, STRIDE))


@inner
def make_columns(n_features):
    """A block for D columns, or `accumulate_block`'s workspace.

    The D columns; one of ones, which turns first moments into second moments, and two of zeros, which fill up tiles;
    room for two columns times the responsibilities.
    """
    columns = make_rows(n_features + 5)
    for i in range(STRIDE):
        columns[n_features, i] = 1.0
        columns[n_features + 1, i] = 0.0
        columns[n_features + 2, i] = 0.0
    return columns


@inner
def score_block(block, m, log_weight, means, factors, packed, workspace, scores):
    """scores[k, :m] = log_weight[k] - 1/2 ||factors[k]^T (x - means[k])||^2; `packed` as from `pack_factors`."""
    n_components, n_features = means.shape
    for k in range(n_components):
        at, p = k * n_features, k * packed.shape[1]
        for i in range(0, m, WIDTH):
            if factors.ndim == 2:
                square = square_diagonal(block, i, at, n_features, means, packed)
            else:
                square = square_triangular(block, i, at, n_features, means, p, packed, workspace)
            store(scores, k * STRIDE + i, fma(square, -0.5, load_one(log_weight, k)))


@inline
def square_diagonal(block, i, at, n_features, means, factors):
    """Squared lengths of eight rows' whitened differences from the mean that begins at `at`."""
    square = lanes(0.0)
    for d in range(n_features):
        z = (load(block, d * STRIDE + i) - load_one(means, at + d)) * load_one(factors, at + d)
        square = fma(z, z, square)
    return square


@inline
def square_triangular(block, i, at, n_features, means, p, packed, z):
    """As above with P upper triangular, `packed` from p on: D % 4 columns at once, then the rest four at a time.

    Four columns of P share each load of a difference, and their sums make eight AVX registers.
    """
    for d in range(n_features):
        store(z, d * WIDTH, load(block, d * STRIDE + i) - load_one(means, at + d))
    head, square = n_features % 4, lanes(0.0)
    if head > 0:
        z0 = load(z, 0)
        y = z0 * load_one(packed, p)
        square = y * y
        if head > 1:
            z1 = load(z, WIDTH)
            y = fma(z1, load_one(packed, p + head), z0 * load_one(packed, p + 1))
            square = fma(y, y, square)
            if head > 2:
                y = fma(z1, load_one(packed, p + 4), z0 * load_one(packed, p + 2))
                y = fma(load(z, 2 * WIDTH), load_one(packed, p + 5), y)
                square = fma(y, y, square)
        p += head * (head + 1) // 2
    for j in range(head, n_features, 4):
        y0, y1, y2, y3 = lanes(0.0), lanes(0.0), lanes(0.0), lanes(0.0)
        for d in range(j + 1):
            zd = load(z, d * WIDTH)
            y0 = fma(zd, load_one(packed, p), y0)
            y1 = fma(zd, load_one(packed, p + 1), y1)
            y2 = fma(zd, load_one(packed, p + 2), y2)
            y3 = fma(zd, load_one(packed, p + 3), y3)
            p += 4
        zd = load(z, (j + 1) * WIDTH)
        y1 = fma(zd, load_one(packed, p), y1)
        y2 = fma(zd, load_one(packed, p + 1), y2)
        y3 = fma(zd, load_one(packed, p + 2), y3)
        zd = load(z, (j + 2) * WIDTH)
        y2 = fma(zd, load_one(packed, p + 3), y2)
        y3 = fma(zd, load_one(packed, p + 4), y3)
        y3 = fma(load(z, (j + 3) * WIDTH), load_one(packed, p + 5), y3)
        p += 6
        square = fma(y3, y3, fma(y2, y2, fma(y1, y1, fma(y0, y0, square))))
    return square


@inner
def pack_factors(factors):
    """(K, ...) factors in the order in which `square_triangular` reads them; diagonal ones as they are."""
    if factors.ndim == 2:
        return factors
    n_components, n_features = factors.shape[:2]
    packed, at = np.empty((n_components, n_features * (n_features + 1) // 2)), 0
    flat = packed.ravel()
    for k in range(n_components):
        start, stop = 0, n_features % 4
        while stop <= n_features:
            for d in range(stop):
                for j in range(max(d, start), stop):
                    flat[at] = factors[k, d, j]
                    at += 1
            start, stop = stop, stop + 4
    return packed
