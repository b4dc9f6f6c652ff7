"""Common principal axes of several covariances, compiled: plane rotations that never raise the criterion."""

from __future__ import annotations

import math

import numpy as np

from bayesgmm.core.kernels.compilation import inner, jit

MOST_ROUNDS = 100
GAIN = 1e-15  # of the criterion, for each point; an angle would be measured in units that columns need not share


@jit
def rotate_to_common_axes(spreads, counts, axes, have_one_volume):
    """Turn `axes` (D, D) in place until no plane rotation lowers the criterion; `spreads` (K, D, D) are turned with it.

    With e_kj the variance of component k along axis j, the criterion is ``sum_k n_k sum_j log e_kj``, or, where all
    components have one volume, ``sum_k n_k exp(mean_j log e_kj)``.  Each round takes every plane in turn, and turns it
    by the angle that is best for the present variances held fixed, which is known in closed form.

    Flury and Gautschi (1986), SIAM Journal on Scientific and Statistical Computing 7, 169-184, doi:10.1137/0907013,
    turn planes for the first criterion; Browne and McNicholas (2014), Advances in Data Analysis and Classification 8,
    217-226, doi:10.1007/s11634-013-0139-1, treat both.
    """
    n_components, n_features = spreads.shape[0], spreads.shape[1]
    volume, least = np.ones(n_components), GAIN * counts.sum()
    unit = 1.0  # one volume has the units of the data, and what a turn gains must have none
    if have_one_volume:
        unit = sum_of_volumes(spreads, counts) / counts.sum()
    for _ in range(MOST_ROUNDS):
        is_done = True
        for j in range(n_features):
            for m in range(j + 1, n_features):
                level, cross = 0.0, 0.0
                for k in range(n_components):
                    if have_one_volume:
                        volume[k] = volume_of(spreads, k) / unit
                    gap = 1.0 / spreads[k, j, j] - 1.0 / spreads[k, m, m]
                    share = counts[k] * volume[k] * gap
                    level += 0.5 * share * (spreads[k, j, j] - spreads[k, m, m])
                    cross += share * spreads[k, j, m]
                size = math.hypot(level, cross)
                gain = cross * cross / (size - level) if level < 0.0 else size + level
                if gain > least:
                    angle = 0.5 * math.atan2(-cross, -level)
                    turn(spreads, axes, j, m, math.cos(angle), math.sin(angle))
                    is_done = False
        if is_done:
            break


@inner
def sum_of_volumes(spreads, counts):
    total = 0.0
    for k in range(len(counts)):
        total += counts[k] * volume_of(spreads, k)
    return total


@inner
def volume_of(spreads, k):
    """Geometric mean of the diagonal of one matrix."""
    total = 0.0
    for j in range(spreads.shape[1]):
        total += math.log(spreads[k, j, j])
    return math.exp(total / spreads.shape[1])


@inner
def turn(spreads, axes, j, m, c, s):
    """Axes j and m become ``c j + s m`` and ``c m - s j``."""
    for d in range(len(axes)):
        one, two = axes[d, j], axes[d, m]
        axes[d, j], axes[d, m] = c * one + s * two, c * two - s * one
    for k in range(len(spreads)):
        for d in range(spreads.shape[1]):
            one, two = spreads[k, d, j], spreads[k, d, m]
            spreads[k, d, j], spreads[k, d, m] = c * one + s * two, c * two - s * one
        for d in range(spreads.shape[1]):
            one, two = spreads[k, j, d], spreads[k, m, d]
            spreads[k, j, d], spreads[k, m, d] = c * one + s * two, c * two - s * one
