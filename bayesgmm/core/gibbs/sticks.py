"""Stick-breaking weights given labels, and the labels' order.

With the sticks integrated out, labels have the probability, up to a constant,

    prod_{k<T} alpha Gamma(1 + n_k) * Gamma(alpha + n_T) / Gamma(alpha + n) / prod_{k<T} (alpha + n_k + ... + n_T):

that of a Dirichlet with concentrations 1, ..., 1, alpha, which is how `Conjugate` holds it, times a factor for the
order of the components.
"""

from __future__ import annotations

import math

import numpy as np

from bayesgmm.core.kernels.compilation import inner
from bayesgmm.core.kernels.conjugacy import copy_to


@inner
def log_order(alpha, counts):
    """Log of the factor of the components' order."""
    total, rest = 0.0, 0.0
    for k in range(len(counts) - 1, -1, -1):
        rest += counts[k]
        if k < len(counts) - 1:
            total -= math.log(alpha + rest)
    return total


@inner
def reorder(rng, alpha, labels, moments):
    """Metropolis-Hastings steps that swap neighbouring sticks, from the first to the last; returns the old places.

    The sticks are integrated out, so this is both label-switching moves of Papaspiliopoulos and Roberts (2008),
    Biometrika 95, 169-186, doi:10.1093/biomet/asm086, in one.  A stick can move any way down in one call.
    """
    n_components, counts = len(moments.counts), moments.counts
    order, rest, is_changed = np.arange(n_components), float(len(labels)), False
    for k in range(n_components - 1):
        here, there = counts[order[k]], counts[order[k + 1]]
        rest -= here  # the points of k + 1, ..., T
        if k < n_components - 2:
            ratio = (alpha + rest) / (alpha + rest - there + here)
        else:
            ratio = math.exp(_log_last(alpha, there, here) - _log_last(alpha, here, there))
        if here != there and rng.random() < ratio:
            order[k], order[k + 1] = order[k + 1], order[k]
            rest += here - there
            is_changed = True
    if is_changed:
        _rearrange(order, labels, moments, moments.scatter)
    return order


@inner
def _log_last(alpha, before, last):
    """What the last two sticks add to the labels' log probability."""
    return math.lgamma(1.0 + before) + math.lgamma(alpha + last)


@inner
def _rearrange(order, labels, moments, scatter):
    counts, means, old_scatter = moments.counts.copy(), moments.means.copy(), scatter.copy()
    place = np.empty_like(order)
    for k in range(len(order)):
        place[order[k]] = k
        moments.counts[k] = counts[order[k]]
        copy_to(means[order[k]], moments.means[k])
        copy_to(old_scatter[order[k]], scatter[k])
    for i in range(len(labels)):
        labels[i] = place[labels[i]]


@inner
def draw_sticks(rng, alpha, counts, weights):
    """Draw the weights given the counts; returns the log of the last, the sum of log(1 - v_k).

    In logarithms: with a small alpha, 1 - v_k is often too small for a number.
    """
    rest, log_left = 0.0, 0.0
    for k in range(len(counts)):
        rest += counts[k]
    for k in range(len(counts) - 1):
        rest -= counts[k]
        first, second = _log_gamma_draw(rng, 1.0 + counts[k]), _log_gamma_draw(rng, alpha + rest)
        top = max(first, second)
        total = top + math.log(math.exp(first - top) + math.exp(second - top))
        weights[k] = math.exp(log_left + first - total)
        log_left += second - total
    weights[len(counts) - 1] = math.exp(log_left)
    return log_left


@inner
def _log_gamma_draw(rng, shape):
    """Log of a gamma variable, also where the variable itself would underflow."""
    if shape >= 1.0:
        return math.log(rng.standard_gamma(shape))
    return math.log(rng.standard_gamma(shape + 1.0)) + math.log(1.0 - rng.random()) / shape
