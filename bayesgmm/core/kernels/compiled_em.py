"""Expectation-maximisation from one start, compiled: no Python between its sweeps.

For many small problems one after the other, as the bootstrap has them; `methods.loop` is its twin for a single fit,
with a history and a floor.  What is climbed is given as a `Conjugate` whose posterior's `plug_in` is the next state:
a conjugate prior with its concentration less one and its degrees of freedom raised to the denominator of the mode, or
zeros throughout for maximum likelihood.
"""

from __future__ import annotations

import math

import numpy as np

from bayesgmm.core.gibbs.allocation import begin_moments, finish_moments
from bayesgmm.core.kernels.assignment import SOFT
from bayesgmm.core.kernels.compilation import inner, jit
from bayesgmm.core.kernels.conjugacy import Moments, empty_conjugate, make_root, plug_in, update
from bayesgmm.core.kernels.row_kernels import make_components, make_room, sweep_blocks

EPSILON = 2.220446049250313e-16


@jit
def climb(X, facts, excess, params, max_iter, tol):
    """Climb in place until the gain still to come is at most `tol` a point, or `max_iter` steps are made.

    Returns the objective at `params`, without the constants of the prior and ``-1/2 n D log(2 pi)``, and whether it
    has settled.  A component that vanishes makes the objective NaN.
    """
    n_components, n_features = params.means.shape
    moments = Moments(np.empty(n_components), np.empty((n_components, n_features)), np.empty_like(params.factors))
    posterior, root = empty_conjugate(excess), make_root(excess)
    room = make_room(params.factors)
    n_obs = facts.weights.sum() if len(facts.weights) > 0 else float(len(X))
    last, previous = -math.inf, math.inf
    for step in range(max_iter + 1):
        begin_moments(moments, moments.scatter)
        value = sweep_blocks(
            X, facts, np.empty(0), 0, len(X), make_components(params.log_weight, params.means, params.factors),
            params.factors, SOFT, room, moments.counts, moments.means, moments.scatter,
        )  # fmt: skip
        value += log_prior(excess, params, params.factors, excess.scale)
        if not math.isfinite(value):
            return math.nan, False
        gain = value - last
        if step > 1 and is_settled(gain, previous, value, tol * n_obs):
            return value, True
        if step == max_iter:
            return value, False
        last, previous = value, gain
        for k in range(n_components):
            finish_moments(params.means, moments, moments.scatter, k)
        update(excess, moments, posterior)
        plug_in(posterior, params, root)
    return math.nan, False


@inner
def is_settled(gain, previous, value, tol):
    """Aitken's extrapolation of the gains to come, as in `methods.loop`."""
    if gain <= 8.0 * EPSILON * abs(value):
        return True
    rate = gain / previous if previous > 0.0 else 1.0
    return rate < 1.0 and gain / (1.0 - rate) <= tol


@inner
def log_prior(excess, params, factors, scale):
    """Log density of the prior at the parameters, without constants; zero for maximum likelihood."""
    n_components, n_features = params.means.shape
    total = 0.0
    for k in range(n_components):
        if excess.concentration[k] != 0.0:
            total += excess.concentration[k] * math.log(params.weights[k])
        for j in range(n_features):
            white = 0.0
            if factors.ndim == 3:
                for d in range(j + 1):
                    white += factors[k, d, j] * (params.means[k, d] - excess.mean[k, d])
            else:
                white = factors[k, j] * (params.means[k, j] - excess.mean[k, j])
            total -= 0.5 * excess.mean_precision[k] * white * white
    for row in range(len(excess.dof)):
        columns = n_features if scale.ndim == 3 else scale.shape[1]
        for j in range(columns):
            if scale.ndim == 3:
                total += excess.dof[row] * math.log(factors[row, j, j])
                for d in range(j + 1):  # trace(P^T Psi P), of which the upper triangle is given
                    for e in range(j + 1):
                        total -= 0.5 * factors[row, d, j] * scale[row, min(d, e), max(d, e)] * factors[row, e, j]
            else:
                total += excess.dof[row] * math.log(factors[row, j]) - 0.5 * scale[row, j] * factors[row, j] ** 2
    return total
