"""Compiled blocks of the sweep: moments of the assigned points, centred at the current means."""

from __future__ import annotations

from bayesgmm.core.kernels.blocks import STRIDE
from bayesgmm.core.kernels.compilation import inline, inner
from bayesgmm.core.kernels.simd import WIDTH, fma, lanes, load, store, total


@inner
def accumulate_block(block, m, resp, means, workspace, counts, first, second):
    """Add the block's moments, centred at `means`, to counts, first and second (its upper triangle)."""
    for k in range(len(counts)):
        accumulate_component(block, m, resp, k, means, workspace, counts, first, second)


@inner
def accumulate_component(block, m, resp, k, means, workspace, counts, first, second):
    """The same for component k alone."""
    for i in range(m, m + -m % WIDTH):
        resp[k, i] = 0.0
    count = lanes(0.0)
    for i in range(0, m, WIDTH):
        count = count + load(resp, k * STRIDE + i)
    part = total(count)
    if part == 0.0 and is_zero(resp, k, m):
        return
    counts[k] += part
    if second.ndim == 2:
        accumulate_diagonal(block, m, resp, k, means, first, second)
    else:
        accumulate_triangular(block, m, resp, k, means, workspace, first[k], second[k])


@inner
def is_zero(resp, k, m):
    for i in range(m):
        if resp[k, i] != 0.0:
            return False
    return True


@inner
def accumulate_diagonal(block, m, resp, k, means, first, second):
    for d in range(first.shape[1]):
        mean = means[k, d]
        once, twice = lanes(0.0), lanes(0.0)
        for i in range(0, m, WIDTH):
            z = load(block, d * STRIDE + i) - mean
            weighted = z * load(resp, k * STRIDE + i)
            once = once + weighted
            twice = fma(weighted, z, twice)
        first[k, d] += total(once)
        second[k, d] += total(twice)


@inner
def accumulate_triangular(block, m, resp, k, means, workspace, first, second):
    """Two columns at a time, the last ones first, weighted and times all columns from there on."""
    n_features = len(first)
    for d in range(n_features - 2 + n_features % 2, -1, -2):
        begin_tiles(block, m, resp, k, means, workspace, d, first, second)
        for j in range(d + 3, n_features + 1, 3):
            add_tile(m, workspace, d, j, first, second)


@inline
def begin_tiles(block, m, resp, k, means, workspace, d, first, second):
    """Columns d and d + 1 with themselves and the next; `add_tile` finds them centred, and weighted, in the workspace.

    Of an odd number of columns the last is paired with the column of ones.
    """
    n_features, weighted = len(first), (len(first) + 3) * STRIDE
    mean0, mean1 = means[k, d], means[k, d + 1] if d + 1 < n_features else 0.0
    a0, a1, a2, b1, b2 = lanes(0.0), lanes(0.0), lanes(0.0), lanes(0.0), lanes(0.0)
    for i in range(0, m, WIDTH):
        share = load(resp, k * STRIDE + i)
        z0, z1 = load(block, d * STRIDE + i) - mean0, load(block, (d + 1) * STRIDE + i) - mean1
        z2, wa, wb = load(workspace, (d + 2) * STRIDE + i), share * z0, share * z1
        store(workspace, d * STRIDE + i, z0)
        store(workspace, (d + 1) * STRIDE + i, z1)
        store(workspace, weighted + i, wa)
        store(workspace, weighted + STRIDE + i, wb)
        a0, a1, a2 = fma(wa, z0, a0), fma(wa, z1, a1), fma(wa, z2, a2)
        b1, b2 = fma(wb, z1, b1), fma(wb, z2, b2)
    add_product(total(a0), d, d, first, second)
    add_product(total(a1), d, d + 1, first, second)
    add_product(total(a2), d, d + 2, first, second)
    if d + 1 < n_features:
        add_product(total(b1), d + 1, d + 1, first, second)
        add_product(total(b2), d + 1, d + 2, first, second)


@inline
def add_tile(m, workspace, d, j, first, second):
    """The two weighted columns with columns j to j + 2; the sums make twelve AVX registers."""
    n_features, weighted, column = len(first), (len(first) + 3) * STRIDE, j * STRIDE
    a0, a1, a2, b0, b1, b2 = lanes(0.0), lanes(0.0), lanes(0.0), lanes(0.0), lanes(0.0), lanes(0.0)
    for i in range(0, m, WIDTH):
        wa, wb = load(workspace, weighted + i), load(workspace, weighted + STRIDE + i)
        z = load(workspace, column + i)
        a0, b0 = fma(wa, z, a0), fma(wb, z, b0)
        z = load(workspace, column + STRIDE + i)
        a1, b1 = fma(wa, z, a1), fma(wb, z, b1)
        z = load(workspace, column + 2 * STRIDE + i)
        a2, b2 = fma(wa, z, a2), fma(wb, z, b2)
    add_product(total(a0), d, j, first, second)
    add_product(total(a1), d, j + 1, first, second)
    add_product(total(a2), d, j + 2, first, second)
    if d + 1 < n_features:
        add_product(total(b0), d + 1, j, first, second)
        add_product(total(b1), d + 1, j + 1, first, second)
        add_product(total(b2), d + 1, j + 2, first, second)


@inline
def add_product(value, d, j, first, second):
    """Column D is the one of ones; what is behind it has been computed for nothing."""
    if j < len(first):
        second[d, j] += value
    elif j == len(first):
        first[d] += value


@inner
def mirror(second):
    """Copy the upper triangles, which have been summed, to the lower ones."""
    for k in range(len(second)):
        for j in range(second.shape[1]):
            for d in range(j):
                second[k, j, d] = second[k, d, j]
