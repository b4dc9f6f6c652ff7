"""Compiled affine map of a sampler's coordinates to the flat vector: ``x = center + scale * (root^T z)``.

It is packed as center (p,), scale (p,) and the p rows of the lower triangular root, each padded by zeros to whole
vectors of `simd`.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.core.kernels.compilation import inner
from bayesgmm.core.kernels.simd import WIDTH, fma, lanes, load, total


def pack_map(center: np.ndarray, scale: np.ndarray, root: np.ndarray) -> np.ndarray:
    """The map as `mapped` and `pulled` take it."""
    n_dim = len(center)
    rows = np.zeros((n_dim, n_dim + -n_dim % WIDTH))
    rows[:, :n_dim] = root
    return np.concatenate([center, scale, rows.ravel()])


@inner
def mapped(z, packed):
    """The flat vector at z."""
    n_dim = len(z)
    width, x = n_dim + -n_dim % WIDTH, np.zeros(n_dim)
    for j in range(n_dim):
        row, value = packed[2 * n_dim + j * width :], z[j]
        for i in range(j + 1):
            x[i] += value * row[i]
    for i in range(n_dim):
        x[i] = packed[i] + packed[n_dim + i] * x[i]
    return x


@inner
def pulled(gradient, packed):
    """The gradient in z from that in the flat vector."""
    n_dim = len(gradient)
    width, result = n_dim + -n_dim % WIDTH, np.empty(n_dim)
    scaled = np.zeros(width)
    for i in range(n_dim):
        scaled[i] = packed[n_dim + i] * gradient[i]
    for j in range(n_dim):
        at, part = 2 * n_dim + j * width, lanes(0.0)
        for i in range(0, j + 1, WIDTH):
            part = fma(load(packed, at + i), load(scaled, i), part)
        result[j] = total(part)
    return result
