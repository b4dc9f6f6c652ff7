"""Compiled log posterior and gradient on flat unconstrained vectors, in whitened coordinates: diagonal structures.

The vector is that of `triangular`, without triangles; of an unknown scale it holds the logarithms of `scale_dof`
times its ratio to the expected one.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.core.kernels.assignment import SOFT
from bayesgmm.core.kernels.compilation import jit
from bayesgmm.core.kernels.row_kernels import sweep_rows
from bayesgmm.core.params import LOG_2PI
from bayesgmm.flat.problem import last_as_matrix, rows_of, unpack_problem
from bayesgmm.flat.weight_kernels import add_weights, log_weights_of, n_free


@jit
def entries_at(p):
    """Where the Bartlett entries begin in the vector."""
    n_scale = p.half_dof.shape[1] if p.scale_dof > 0.0 else 0
    return n_free(len(p.mean), p.law) + n_scale


@jit
def unpack(x, problem):
    """Log weights (K,), Bartlett entries (R, C), precision factors (K, D) and means (K, D)."""
    p = unpack_problem(problem)
    (n_components, n_features), (rows, columns), at = p.mean.shape, p.half_dof.shape, entries_at(p)
    bartlett, factors = np.empty((rows, columns)), np.empty((n_components, n_features))
    for r in range(rows):
        for c in range(columns):
            bartlett[r, c] = np.exp(0.5 * x[at])
            at += 1
    for k in range(n_components):
        for d in range(n_features):
            r, c = min(k, rows - 1), min(d, columns - 1)
            factors[k, d] = p.root[r * columns + c] * bartlett[r, c]
    log_weights = log_weights_of(x, n_components, p.law)
    return log_weights, bartlett, factors, last_as_matrix(x, n_components, n_features)


@jit
def sweep(X, facts, start, stop, log_weights, factors, means, counts, first, second):
    """Soft sweep of the rows start:stop; adds to the statistics and returns the log likelihood."""
    log_weight = np.empty(len(means))
    for k in range(len(means)):
        log_weight[k] = log_weights[k] - 0.5 * X.shape[1] * LOG_2PI
        for d in range(X.shape[1]):
            log_weight[k] += np.log(factors[k, d])
    return sweep_rows(X, facts, start, stop, log_weight, means, factors, SOFT, counts, first, second)


@jit
def read(x, problem, log_weights, bartlett, factors, means, counts, first, second):
    """Value, without the log likelihood, and gradient from the statistics."""
    p = unpack_problem(problem)
    (n_components, n_features), (rows, columns) = means.shape, bartlett.shape
    gradient, is_conjugate = np.zeros(len(x)), len(p.precision) == 0
    value = p.constant + add_weights(x, p.law, p.concentration, log_weights, counts, gradient)
    at, mean_at = entries_at(p), len(x) - n_components * n_features
    for k in range(n_components):
        for d in range(n_features):
            entry = at + min(k, rows - 1) * columns + min(d, columns - 1)
            offset, square = p.mean[k, d] - means[k, d], factors[k, d] ** 2
            pull, moment, count = square * first[k, d], second[k, d], counts[k]
            if is_conjugate:
                value += np.log(factors[k, d]) - 0.5 * p.kappa[k] * square * offset * offset
                pull += square * p.kappa[k] * offset
                moment += p.kappa[k] * offset * offset
                count += 1.0
            else:
                value -= 0.5 * p.precision[d] * offset * offset
                pull += p.precision[d] * offset
            gradient[mean_at + k * n_features + d] = pull
            gradient[entry] += 0.5 * (count - moment * square)
    return value + add_entries(x, p, bartlett, gradient), gradient


@jit
def add_entries(x, p, bartlett, gradient):
    """Log density of the Bartlett entries and of an unknown scale with its Jacobians; adds the gradient in both."""
    (rows, columns), at, scale_dof = bartlett.shape, entries_at(p), p.scale_dof
    value = 0.0
    for c in range(columns):
        scale_at, ratio, half_squares, halves = at - columns + c, 1.0, 0.0, 0.0
        if scale_dof > 0.0:
            ratio = np.exp(x[scale_at]) / scale_dof
        for r in range(rows):
            half_square, entry = 0.5 * ratio * bartlett[r, c] ** 2, at + r * columns + c
            value += p.half_dof[r, c] * x[entry] - half_square
            gradient[entry] += p.half_dof[r, c] - half_square
            half_squares += half_square
            halves += p.half_dof[r, c]
        if scale_dof > 0.0:
            half = 0.5 * scale_dof + halves
            value += half * x[scale_at] - 0.5 * scale_dof * ratio
            gradient[scale_at] += half - 0.5 * scale_dof * ratio - half_squares
    return value


@jit
def evaluate(x, problem):
    """Log posterior and gradient at x."""
    log_weights, bartlett, factors, means = unpack(x, problem)
    X, facts = rows_of(problem)
    counts, first, second = np.zeros(len(means)), np.zeros(means.shape), np.zeros(factors.shape)
    value = sweep(X, facts, 0, len(X), log_weights, factors, means, counts, first, second)
    log_prior, gradient = read(x, problem, log_weights, bartlett, factors, means, counts, first, second)
    return value + log_prior, gradient
