"""Compiled prior of Bartlett factors and of the scale that they share, triangular structures.

Of an unknown scale the vector holds the logarithms of the squared diagonal of L and what is below it, row by row; see
`ppl.scale`.  Given the scale, ``ratio^T A`` is a Bartlett factor, where ``ratio = L / sqrt(scale_dof)``.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.core.kernels.compilation import jit


@jit
def n_scale(n_features, scale_dof):
    """Number of coordinates of the scale."""
    return n_features * (n_features + 1) // 2 if scale_dof > 0.0 else 0


@jit
def scale_factor(x, at, n_features, scale_dof):
    """(D, D) lower factor of the present scale's ratio to the expected one; the identity where the scale is known."""
    ratio = np.eye(n_features)
    if scale_dof > 0.0:
        unit, lower_at = 1.0 / np.sqrt(scale_dof), at + n_features
        for i in range(n_features):
            ratio[i, i] = unit * np.exp(0.5 * x[at + i])
            for j in range(i):
                ratio[i, j] = unit * x[lower_at]
                lower_at += 1
    return ratio


@jit
def add_bartlett(x, at, half_dof, ratio, bartlett, d_bartlett, d_ratio, gradient):
    """Log density of the Bartlett factors with the Jacobian of their logarithms, but for powers of the ratio's det.

    Adds all that is known of the gradient in them, and that in the ratio to `d_ratio`.
    """
    rows, n_features = half_dof.shape
    value, upper_at, white = 0.0, at + half_dof.size, np.empty((n_features, n_features))
    for r in range(rows):
        for i in range(n_features):
            for j in range(i, n_features):
                white[i, j] = 0.0
                for m in range(i, j + 1):
                    white[i, j] += ratio[m, i] * bartlett[r, m, j]
                value -= 0.5 * white[i, j] ** 2
                for m in range(i, j + 1):
                    d_ratio[m, i] -= bartlett[r, m, j] * white[i, j]
                    d_bartlett[r, m, j] -= ratio[m, i] * white[i, j]
        for i in range(n_features):
            value += half_dof[r, i] * x[at]
            gradient[at] += half_dof[r, i] + 0.5 * bartlett[r, i, i] * d_bartlett[r, i, i]
            at += 1
            for j in range(i + 1, n_features):
                gradient[upper_at] += d_bartlett[r, i, j]
                upper_at += 1
    return value


@jit
def add_scale(x, at, scale_dof, half_dof, ratio, d_ratio, gradient):
    """Log density of the scale's coordinates, and the powers of the ratio's determinant that `add_bartlett` leaves."""
    n_features = len(ratio)
    value, lower_at, power = 0.0, at + n_features, 0.0
    for r in range(len(half_dof)):
        power += half_dof[r, n_features - 1]
    for i in range(n_features):
        half, half_square = 0.5 * (scale_dof - i) + power, 0.5 * scale_dof * ratio[i, i] ** 2
        value += half * x[at + i] - half_square
        gradient[at + i] += half - half_square + 0.5 * ratio[i, i] * d_ratio[i, i]
        for j in range(i):
            value -= 0.5 * x[lower_at] ** 2
            gradient[lower_at] += d_ratio[i, j] / np.sqrt(scale_dof) - x[lower_at]
            lower_at += 1
    return value
