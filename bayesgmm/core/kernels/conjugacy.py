"""The conjugate algebra of priors/ once more, compiled, for samplers that update at every sweep.

A test ties it to its NumPy twin.  Triangular and diagonal structures share every function: Numba drops the
branch that an argument's dimensions rule out, so such branches ask an argument and never a field.  Of
symmetric matrices only the upper triangle is kept.  A prior with one row of degrees of freedom shares its
Wishart matrix among all components.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bayesgmm.core.kernels.compilation import inner, jit


class Conjugate(NamedTuple):
    """A prior or posterior of weights and components, with R = K Wishart matrices or one that is shared."""

    concentration: np.ndarray  # (K,)
    mean: np.ndarray  # (K, D)
    mean_precision: np.ndarray  # (K,)
    dof: np.ndarray  # (R,)
    scale: np.ndarray  # (R, D, D); diagonal structures (R, D), round ones (R, 1)


class Moments(NamedTuple):
    """Counts, means and scatter about those means: what an assignment leaves of the data."""

    counts: np.ndarray  # (K,)
    means: np.ndarray  # (K, D)
    scatter: np.ndarray  # (K, D, D) or (K, D)


class Parameters(NamedTuple):
    """One mixture, overwritten by every draw; log weights hold log det of the factor too, and no constant."""

    weights: np.ndarray  # (K,)
    log_weight: np.ndarray  # (K,)
    means: np.ndarray  # (K, D)
    factors: np.ndarray  # (K, D, D), zero below the diagonal from the start; or (K, D)


@jit
def empty_conjugate(like):
    """Room for a posterior of this prior."""
    return Conjugate(
        np.empty_like(like.concentration), np.empty_like(like.mean), np.empty_like(like.mean_precision),
        np.empty_like(like.dof), np.empty_like(like.scale),
    )  # fmt: skip


@inner
def make_root(like):
    """The (D, D) work array that matrices need; variances, of which there may be very many, need none."""
    size = like.mean.shape[1] if like.scale.ndim == 3 else 0
    return np.empty((size, size))


@jit
def copy_to(source, target):
    """``target[:] = source`` for equal shapes, without the code for broadcasting, which takes long to compile."""
    source, target = source.reshape(-1), target.reshape(-1)
    for i in range(len(source)):
        target[i] = source[i]


@jit
def update(prior, moments, posterior):
    """The posterior given the moments, into `posterior`."""
    for k in range(len(moments.counts)):
        count, kappa = moments.counts[k], prior.mean_precision[k]
        posterior.concentration[k] = prior.concentration[k] + count
        posterior.mean_precision[k] = kappa + count
        for d in range(moments.means.shape[1]):
            offset = moments.means[k, d] - prior.mean[k, d]
            posterior.mean[k, d] = prior.mean[k, d] + count / (kappa + count) * offset
    copy_to(prior.dof, posterior.dof)
    copy_to(prior.scale, posterior.scale)
    _update_scale(prior, moments, moments.scatter, posterior.dof, posterior.scale)


@jit
def _update_scale(prior, moments, scatter, dof, scale):
    n_components, n_features = moments.means.shape
    residuals = 1 if scale.ndim == 3 else n_features // scale.shape[1]
    offset = np.empty(n_features)
    for k in range(n_components):
        row, count, kappa = k if len(dof) > 1 else 0, moments.counts[k], prior.mean_precision[k]
        pull = kappa * count / (kappa + count)
        dof[row] += residuals * count
        for d in range(n_features):
            offset[d] = moments.means[k, d] - prior.mean[k, d]
        for d in range(n_features):
            if scale.ndim == 3:
                for j in range(d, n_features):
                    scale[row, d, j] += scatter[k, d, j] + pull * offset[d] * offset[j]
            else:
                scale[row, d // residuals] += scatter[k, d] + pull * offset[d] * offset[d]


@jit
def draw_weights(rng, concentration, weights):
    """One draw from a Dirichlet; a concentration of zero gives a weight of zero."""
    total = 0.0
    for k in range(len(weights)):
        weights[k] = rng.standard_gamma(concentration[k]) if concentration[k] > 0.0 else 0.0
        total += weights[k]
    for k in range(len(weights)):
        weights[k] /= total


@jit
def draw(rng, posterior, params, root):
    """One draw of means and precision factors, beside weights that are there; `root` is a (D, D) work array."""
    draw_factors(rng, posterior.dof, posterior.scale, params.factors, root)
    _draw_means(rng, posterior, params.means, params.factors)
    finish(params, params.factors)


@jit
def plug_in(posterior, params, root):
    """Expected weights, means and precisions, as parameters."""
    total = 0.0
    for k in range(len(params.weights)):
        total += posterior.concentration[k]
    for k in range(len(params.weights)):
        params.weights[k] = posterior.concentration[k] / total
    copy_to(posterior.mean, params.means)
    _expected_factors(posterior.dof, posterior.scale, params.factors, root)
    finish(params, params.factors)


@jit
def log_partition(posterior, root):
    """Log p(data, labels), up to a constant of the prior and the data."""
    total = _log_partition_wishart(posterior.dof, posterior.scale, root)
    for k in range(len(posterior.concentration)):
        total += math.lgamma(posterior.concentration[k])
        total -= 0.5 * posterior.mean.shape[1] * math.log(posterior.mean_precision[k])
    return total


@jit
def _log_partition_wishart(dof, scale, root):
    total = 0.0
    for row in range(len(dof)):
        half = 0.5 * dof[row]
        if scale.ndim == 3:
            cholesky(scale[row], root)
            for d in range(len(root)):
                total += half * (math.log(2.0) - 2.0 * math.log(root[d, d])) + math.lgamma(half - 0.5 * d)
        else:
            for c in range(scale.shape[1]):
                total += half * math.log(2.0 / scale[row, c]) + math.lgamma(half)
    return total


@jit
def cholesky(matrix, root):
    """Lower factor of a matrix of which the upper triangle is given."""
    for j in range(len(matrix)):
        for i in range(j, len(matrix)):
            total = matrix[j, i]
            for m in range(j):
                total -= root[i, m] * root[j, m]
            root[i, j] = math.sqrt(total) if i == j else total / root[j, j]


@jit
def solve_transposed(root, right):
    """Overwrite upper triangular `right` with P, upper triangular too, where ``root^T P = right``."""
    for j in range(len(root)):
        for i in range(j, -1, -1):
            total = right[i, j]
            for m in range(i + 1, j + 1):
                total -= root[m, i] * right[m, j]
            right[i, j] = total / root[i, i]


@jit
def finish(params, factors):
    for k in range(len(params.weights)):
        total = math.log(params.weights[k]) if params.weights[k] > 0.0 else -math.inf
        for d in range(factors.shape[1]):
            total += math.log(factors[k, d, d]) if factors.ndim == 3 else math.log(factors[k, d])
        params.log_weight[k] = total


@jit
def draw_factors(rng, dof, scale, factors, root):
    """Bartlett: Psi = C C^T, P = C^-T A, and P P^T ~ Wishart(dof, Psi^-1) without a second Cholesky."""
    n_features = factors.shape[1]
    for row in range(len(dof)):
        if scale.ndim == 3:
            for d in range(n_features):
                factors[row, d, d] = math.sqrt(2.0 * rng.standard_gamma(0.5 * (dof[row] - n_features + d + 1)))
                for j in range(d + 1, n_features):
                    factors[row, d, j] = rng.standard_normal()
            cholesky(scale[row], root)
            solve_transposed(root, factors[row])
        else:
            columns = scale.shape[1]
            for d in range(n_features):
                if d < columns:
                    factors[row, d] = math.sqrt(2.0 * rng.standard_gamma(0.5 * dof[row]) / scale[row, d])
                else:
                    factors[row, d] = factors[row, 0]
    for k in range(len(dof), len(factors)):
        copy_to(factors[0], factors[k])


@jit
def _expected_factors(dof, scale, factors, root):
    """As above, with ``P P^T = dof Psi^-1``."""
    for row in range(len(dof)):
        spread = math.sqrt(dof[row])
        if scale.ndim == 3:
            for d in range(len(root)):
                for j in range(d, len(root)):
                    factors[row, d, j] = spread if j == d else 0.0
            cholesky(scale[row], root)
            solve_transposed(root, factors[row])
        else:
            columns = scale.shape[1]
            for d in range(factors.shape[1]):
                factors[row, d] = spread / math.sqrt(scale[row, d if d < columns else 0])
    for k in range(len(dof), len(factors)):
        copy_to(factors[0], factors[k])


@jit
def _draw_means(rng, posterior, means, factors):
    """P^T (mean - m) = noise / sqrt(kappa), solved forwards."""
    n_components, n_features = means.shape
    for k in range(n_components):
        spread = 1.0 / math.sqrt(posterior.mean_precision[k])
        for d in range(n_features):
            noise = rng.standard_normal() * spread
            if factors.ndim == 3:
                for j in range(d):
                    noise -= factors[k, j, d] * means[k, j]
                means[k, d] = noise / factors[k, d, d]
            else:
                means[k, d] = noise / factors[k, d]
        for d in range(n_features):
            means[k, d] += posterior.mean[k, d]
