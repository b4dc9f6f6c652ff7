"""Compiled log posterior and gradient on flat unconstrained vectors, in whitened coordinates: triangular structures.

A vector holds, one after the other: the free coordinates of the weights (see `weight_kernels`), those of an unknown
scale (see `bartlett_kernels`), the logarithms of the squared Bartlett diagonals, the Bartlett upper triangles
(triangular structures only) and the standardized means.  Fisher's identity turns the statistics of one soft sweep into
the gradient; the conjugate prior of a mean enters them as one more point, of weight kappa, at the prior mean.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.core.kernels.assignment import SOFT
from bayesgmm.core.kernels.compilation import jit
from bayesgmm.core.kernels.row_kernels import sweep_rows
from bayesgmm.core.params import LOG_2PI
from bayesgmm.flat.bartlett_kernels import add_bartlett, add_scale, n_scale, scale_factor
from bayesgmm.flat.problem import last_as_matrix, rows_of, unpack_problem
from bayesgmm.flat.weight_kernels import add_weights, log_weights_of, n_free


@jit
def unpack(x, problem):
    """Log weights (K,), Bartlett factors (R, D, D), precision factors (K, D, D) and means (K, D)."""
    p = unpack_problem(problem)
    (n_components, n_features), rows = p.mean.shape, len(p.half_dof)
    root = p.root.reshape((rows, n_features, n_features))
    at = n_free(n_components, p.law) + n_scale(n_features, p.scale_dof)
    upper_at = at + rows * n_features
    bartlett = np.zeros((rows, n_features, n_features))
    for r in range(rows):
        for i in range(n_features):
            bartlett[r, i, i] = np.exp(0.5 * x[at])
            at += 1
            for j in range(i + 1, n_features):
                bartlett[r, i, j] = x[upper_at]
                upper_at += 1
    factors = np.zeros((n_components, n_features, n_features))
    for k in range(n_components):
        r = min(k, rows - 1)
        for i in range(n_features):
            for j in range(i, n_features):
                for m in range(i, j + 1):
                    factors[k, i, j] += root[r, i, m] * bartlett[r, m, j]
    log_weights = log_weights_of(x, n_components, p.law)
    return log_weights, bartlett, factors, last_as_matrix(x, n_components, n_features)


@jit
def sweep(X, facts, start, stop, log_weights, factors, means, counts, first, second):
    """Soft sweep of the rows start:stop; adds to the statistics and returns the log likelihood."""
    log_weight = np.empty(len(means))
    for k in range(len(means)):
        log_weight[k] = log_weights[k] - 0.5 * X.shape[1] * LOG_2PI
        for d in range(X.shape[1]):
            log_weight[k] += np.log(factors[k, d, d])
    return sweep_rows(X, facts, start, stop, log_weight, means, factors, SOFT, counts, first, second)


@jit
def read(x, problem, log_weights, bartlett, factors, means, counts, first, second):
    """Value, without the log likelihood, and gradient from the statistics, which are overwritten."""
    p = unpack_problem(problem)
    (n_components, n_features), rows, gradient = means.shape, len(bartlett), np.zeros(len(x))
    root = p.root.reshape(bartlett.shape)
    value = p.constant + add_weights(x, p.law, p.concentration, log_weights, counts, gradient)
    d_bartlett, mean_at = np.zeros(bartlett.shape), len(x) - n_components * n_features
    for k in range(n_components):
        r = min(k, rows - 1)
        d_mean = gradient[mean_at + k * n_features : mean_at + (k + 1) * n_features]
        if len(p.precision) > 0:
            value += add_independent_mean(p.precision, p.mean[k], means[k], d_mean)
        else:
            value += add_conjugate_mean(p.kappa[k], p.mean[k], means[k], factors[k], first[k], second[k])
            counts[k] += 1.0
        pull_back(counts[k], first[k], second[k], factors[k], root[r], d_mean, d_bartlett[r])
    scale_at = n_free(n_components, p.law)
    ratio = scale_factor(x, scale_at, n_features, p.scale_dof)
    d_ratio, at = np.zeros(ratio.shape), scale_at + n_scale(n_features, p.scale_dof)
    value += add_bartlett(x, at, p.half_dof, ratio, bartlett, d_bartlett, d_ratio, gradient)
    if p.scale_dof > 0.0:
        value += add_scale(x, scale_at, p.scale_dof, p.half_dof, ratio, d_ratio, gradient)
    return value, gradient


@jit
def add_conjugate_mean(kappa, prior_mean, mean, factor, first, second):
    """Log density of one mean given its precision, without constants; adds to the moments."""
    value = 0.0
    for j in range(len(mean)):
        whitened = 0.0
        for d in range(j + 1):
            whitened += factor[d, j] * (mean[d] - prior_mean[d])
        value += np.log(factor[j, j]) - 0.5 * kappa * whitened * whitened
    for d in range(len(mean)):
        offset = prior_mean[d] - mean[d]
        first[d] += kappa * offset
        for e in range(d, len(mean)):
            second[d, e] += kappa * offset * (prior_mean[e] - mean[e])
    return value


@jit
def add_independent_mean(precision, prior_mean, mean, d_mean):
    """Log density of one mean whose precision is given (flat), without constants; adds the gradient."""
    value, n_features = 0.0, len(mean)
    for d in range(n_features):
        pull = 0.0
        for e in range(n_features):
            pull += precision[d * n_features + e] * (prior_mean[e] - mean[e])
        d_mean[d] += pull
        value -= 0.5 * pull * (prior_mean[d] - mean[d])
    return value


@jit
def pull_back(count, first, second, factor, root, d_mean, d_bartlett):
    """Add one component's gradients by Fisher's identity; only the upper triangle of `second` is read."""
    n_features = len(first)
    d_column = np.empty(n_features)
    for j in range(n_features):
        whitened = 0.0
        for d in range(j + 1):
            whitened += factor[d, j] * first[d]
            d_column[d] = 0.0
            for e in range(j + 1):
                d_column[d] -= second[min(d, e), max(d, e)] * factor[e, j]
        d_column[j] += count / factor[j, j]
        for d in range(j + 1):
            d_mean[d] += factor[d, j] * whitened
            for m in range(d + 1):
                d_bartlett[d, j] += root[m, d] * d_column[m]


@jit
def evaluate(x, problem):
    """Log posterior and gradient at x."""
    log_weights, bartlett, factors, means = unpack(x, problem)
    X, facts = rows_of(problem)
    counts, first, second = np.zeros(len(means)), np.zeros(means.shape), np.zeros(factors.shape)
    value = sweep(X, facts, 0, len(X), log_weights, factors, means, counts, first, second)
    log_prior, gradient = read(x, problem, log_weights, bartlett, factors, means, counts, first, second)
    return value + log_prior, gradient
