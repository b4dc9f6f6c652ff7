"""Compiled log posterior and gradient on flat unconstrained vectors, in whitened coordinates.

A vector holds, one after the other: the free coordinates of the weights (see `flat_weights`), the logarithms of
the squared Bartlett diagonals, the Bartlett upper triangles (triangular structures only) and the standardized means.
Fisher's identity turns the statistics of one soft sweep into the gradient; the prior of a mean enters them
as one more point, of weight kappa, at the prior mean.

A *problem* is one array, so that a sampler's compiled code can be given it as one pointer: a header, the prior's
constants and the whitened data.  Precision factors are ``root @ bartlett``, and the squared Bartlett diagonals
are chi2 with 2 half_dof degrees of freedom.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.core.assignment import SOFT
from bayesgmm.core.compilation import jit
from bayesgmm.core.params import LOG_2PI
from bayesgmm.core.passes import sweep_rows
from bayesgmm.ppl.flat_weights import add_weights, log_weights_of, n_free

# Total length, n, K, D, rows and columns of half_dof, log normaliser, kind and two constants of the weights, draws made
# (a sampler's counter).
HEADER = 11
WEIGHTS = slice(7, 10)


def pack_problem(X, concentration, half_dof, root, mean, mean_precision, log_normaliser, weights=(0.0, 0.0, 0.0)):
    """The problem array."""
    parts = [np.asarray(part, float).ravel() for part in (concentration, half_dof, mean, mean_precision, root, X)]
    header = [
        HEADER + sum(len(part) for part in parts),
        len(X),
        *mean.shape,
        *half_dof.shape,
        log_normaliser,
        *weights,
        0,
    ]
    return np.concatenate([np.array(header, float), *parts])


@jit
def unpack_problem(problem):
    """concentration (K,), half_dof (R, C), mean (K, D), kappa (K,), root and data (both still flat)."""
    n_obs, n_components, n_features = int(problem[1]), int(problem[2]), int(problem[3])
    shape, size = (int(problem[4]), int(problem[5])), int(problem[4]) * int(problem[5])
    half_at = HEADER + n_components
    mean_at = half_at + size
    kappa_at = mean_at + n_components * n_features
    root_at, data_at = kappa_at + n_components, len(problem) - n_obs * n_features
    half_dof = problem[half_at:mean_at].reshape(shape)
    mean, kappa = problem[mean_at:kappa_at].reshape((n_components, n_features)), problem[kappa_at:root_at]
    return problem[HEADER:half_at], half_dof, mean, kappa, problem[root_at:data_at], problem[data_at:]


@jit
def last_as_matrix(x, n_rows, n_columns):
    """The last entries of x as a matrix."""
    matrix, at = np.empty((n_rows, n_columns)), len(x) - n_rows * n_columns
    for i in range(n_rows):
        for j in range(n_columns):
            matrix[i, j] = x[at]
            at += 1
    return matrix


@jit
def unpack_triangular(x, problem):
    """Log weights (K,), Bartlett factors (R, D, D), precision factors (K, D, D) and means (K, D)."""
    n_components, n_features, rows = int(problem[2]), int(problem[3]), int(problem[4])
    root, at = (
        unpack_problem(problem)[4].reshape((rows, n_features, n_features)),
        n_free(n_components, problem[WEIGHTS]),
    )
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
    return (
        log_weights_of(x, n_components, problem[WEIGHTS]),
        bartlett,
        factors,
        last_as_matrix(x, n_components, n_features),
    )


@jit
def unpack_diagonal(x, problem):
    """Log weights (K,), Bartlett entries (R, C), precision factors (K, D) and means (K, D)."""
    n_components, n_features, rows, columns = int(problem[2]), int(problem[3]), int(problem[4]), int(problem[5])
    root, at = unpack_problem(problem)[4], n_free(n_components, problem[WEIGHTS])
    bartlett, factors = np.empty((rows, columns)), np.empty((n_components, n_features))
    for r in range(rows):
        for c in range(columns):
            bartlett[r, c] = np.exp(0.5 * x[at])
            at += 1
    for k in range(n_components):
        for d in range(n_features):
            r, c = min(k, rows - 1), min(d, columns - 1)
            factors[k, d] = root[r * columns + c] * bartlett[r, c]
    return (
        log_weights_of(x, n_components, problem[WEIGHTS]),
        bartlett,
        factors,
        last_as_matrix(x, n_components, n_features),
    )


@jit
def sweep_triangular(X, start, stop, log_weights, factors, means, counts, first, second):
    """Soft sweep of the rows start:stop; adds to the statistics and returns the log likelihood."""
    log_weight = np.empty(len(means))
    for k in range(len(means)):
        log_weight[k] = log_weights[k] - 0.5 * X.shape[1] * LOG_2PI
        for d in range(X.shape[1]):
            log_weight[k] += np.log(factors[k, d, d])
    return sweep_rows(X, start, stop, log_weight, means, factors, SOFT, counts, first, second)


@jit
def sweep_diagonal(X, start, stop, log_weights, factors, means, counts, first, second):
    """As above, with diagonal factors."""
    log_weight = np.empty(len(means))
    for k in range(len(means)):
        log_weight[k] = log_weights[k] - 0.5 * X.shape[1] * LOG_2PI
        for d in range(X.shape[1]):
            log_weight[k] += np.log(factors[k, d])
    return sweep_rows(X, start, stop, log_weight, means, factors, SOFT, counts, first, second)


@jit
def read_triangular(x, problem, log_weights, bartlett, factors, means, counts, first, second):
    """Value, without the log likelihood, and gradient from the statistics, which are overwritten."""
    concentration, half_dof, prior_mean, kappa, root, _ = unpack_problem(problem)
    (n_components, n_features), rows, gradient = means.shape, len(bartlett), np.zeros(len(x))
    root = root.reshape(bartlett.shape)
    value = problem[6] + add_weights(x, problem[WEIGHTS], concentration, log_weights, counts, gradient)
    d_bartlett, mean_at = np.zeros(bartlett.shape), len(x) - n_components * n_features
    for k in range(n_components):
        r = min(k, rows - 1)
        for d in range(n_features):
            offset = prior_mean[k, d] - means[k, d]
            first[k, d] += kappa[k] * offset
            for e in range(d, n_features):
                second[k, d, e] += kappa[k] * offset * (prior_mean[k, e] - means[k, e])
        value += mean_prior_triangular(kappa[k], prior_mean[k], means[k], factors[k])
        d_mean = gradient[mean_at + k * n_features : mean_at + (k + 1) * n_features]
        pull_back_triangular(counts[k] + 1.0, first[k], second[k], factors[k], root[r], d_mean, d_bartlett[r])
    return value + add_bartlett(
        x, n_free(n_components, problem[WEIGHTS]), half_dof, bartlett, d_bartlett, gradient
    ), gradient


@jit
def mean_prior_triangular(kappa, prior_mean, mean, factor):
    """Log density of one mean given its precision, without constants."""
    value = 0.0
    for j in range(len(mean)):
        whitened = 0.0
        for d in range(j + 1):
            whitened += factor[d, j] * (mean[d] - prior_mean[d])
        value += np.log(factor[j, j]) - 0.5 * kappa * whitened * whitened
    return value


@jit
def pull_back_triangular(count, first, second, factor, root, d_mean, d_bartlett):
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
def add_bartlett(x, at, half_dof, bartlett, d_bartlett, gradient):
    """Log density of the Bartlett factors with the Jacobian of their logarithms; adds to the gradient."""
    rows, n_features = half_dof.shape
    value, upper_at = 0.0, at + half_dof.size
    for r in range(rows):
        for i in range(n_features):
            half_square = 0.5 * bartlett[r, i, i] ** 2
            value += half_dof[r, i] * x[at] - half_square
            gradient[at] += half_dof[r, i] - half_square + 0.5 * bartlett[r, i, i] * d_bartlett[r, i, i]
            at += 1
            for j in range(i + 1, n_features):
                value -= 0.5 * x[upper_at] ** 2
                gradient[upper_at] += d_bartlett[r, i, j] - x[upper_at]
                upper_at += 1
    return value


@jit
def read_diagonal(x, problem, log_weights, bartlett, factors, means, counts, first, second):
    """As `read_triangular`, with diagonal factors."""
    concentration, half_dof, prior_mean, kappa, _, _ = unpack_problem(problem)
    (n_components, n_features), (rows, columns) = means.shape, bartlett.shape
    gradient = np.zeros(len(x))
    value = problem[6] + add_weights(x, problem[WEIGHTS], concentration, log_weights, counts, gradient)
    at, mean_at = n_free(n_components, problem[WEIGHTS]), len(x) - n_components * n_features
    for k in range(n_components):
        for d in range(n_features):
            entry = at + min(k, rows - 1) * columns + min(d, columns - 1)
            offset, square = prior_mean[k, d] - means[k, d], factors[k, d] ** 2
            value += np.log(factors[k, d]) - 0.5 * kappa[k] * square * offset * offset
            gradient[mean_at + k * n_features + d] = square * (first[k, d] + kappa[k] * offset)
            moment = second[k, d] + kappa[k] * offset * offset
            gradient[entry] += 0.5 * (counts[k] + 1.0 - moment * square)
    for r in range(rows):
        for c in range(columns):
            half_square = 0.5 * bartlett[r, c] ** 2
            value += half_dof[r, c] * x[at] - half_square
            gradient[at] += half_dof[r, c] - half_square
            at += 1
    return value, gradient


@jit
def triangular(x, problem):
    """Log posterior and gradient at x, triangular structures."""
    log_weights, bartlett, factors, means = unpack_triangular(x, problem)
    X = unpack_problem(problem)[5].reshape((-1, means.shape[1]))
    counts, first, second = np.zeros(len(means)), np.zeros(means.shape), np.zeros(factors.shape)
    value = sweep_triangular(X, 0, len(X), log_weights, factors, means, counts, first, second)
    log_prior, gradient = read_triangular(x, problem, log_weights, bartlett, factors, means, counts, first, second)
    return value + log_prior, gradient


@jit
def diagonal(x, problem):
    """Log posterior and gradient at x, diagonal structures."""
    log_weights, bartlett, factors, means = unpack_diagonal(x, problem)
    X = unpack_problem(problem)[5].reshape((-1, means.shape[1]))
    counts, first, second = np.zeros(len(means)), np.zeros(means.shape), np.zeros(factors.shape)
    value = sweep_diagonal(X, 0, len(X), log_weights, factors, means, counts, first, second)
    log_prior, gradient = read_diagonal(x, problem, log_weights, bartlett, factors, means, counts, first, second)
    return value + log_prior, gradient
