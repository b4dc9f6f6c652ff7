"""Draws of parameters given labels where means and covariances have independent priors, compiled.

Given the labels, each mean is normal given its covariance, each covariance inverse Wishart given its mean, and an
unknown scale, which all components share, a Wishart given the covariances; Richardson and Green (1997),
doi:10.1111/1467-9868.00095, for one column.  Components without points say nothing about the scale: they are left out
when it is drawn, and are drawn from their prior given it.

No closed form is left of the likelihood with means *and* covariances integrated out, so labels cannot cross alone.
They cross with the parameters instead, by delayed acceptance (Christen and Fox 2005, Journal of Computational and
Graphical Statistics 14, 795-810, doi:10.1198/106186005X76983).  A conjugate stand-in prior, with the same covariances
and means of variance ``Sigma_k / kappa``, has the moves of `crossing`; one that is accepted there is completed by
parameters drawn from the stand-in's posterior, and accepted again with the ratio of the two priors at the parameters
that were drawn and at those that they replace.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from bayesgmm.core.gibbs.split_merge import copy_moments, copy_moments_to, cross
from bayesgmm.core.kernels.compilation import inner
from bayesgmm.core.kernels.conjugacy import (
    Parameters,
    cholesky,
    copy_to,
    draw,
    draw_factors,
    empty_conjugate,
    finish,
    update,
)


class Independent(NamedTuple):
    """What `Conjugate` lacks; there, `scale` is the present one and `mean_precision` the stand-in's kappa."""

    precision: np.ndarray  # (D, D) or (D,): inverse covariance of the means
    log_det: float  # of it
    hyper: np.ndarray  # (1,) shape of the scale's prior, or (0,) where the scale is known
    rate: np.ndarray  # (1, D, D), (1, D) or (1, 1)


@inner
def draw_independent(rng, prior, independent, moments, posterior, params, root):
    """One draw of the scale, the covariances and the means; into `prior` and `params`."""
    n_features = params.means.shape[1]
    if len(independent.hyper) > 0:
        _draw_scale(rng, prior, prior.scale, independent, moments.counts, params.factors, root)
        _set_stand_in(prior, prior.scale, independent.precision, n_features)
    copy_to(prior.dof, posterior.dof)
    copy_to(prior.scale, posterior.scale)
    _add_residuals(moments, moments.scatter, params.means, posterior.dof, posterior.scale)
    draw_factors(rng, posterior.dof, posterior.scale, params.factors, root)
    _draw_means(rng, prior.mean, independent.precision, moments, params.means, params.factors, root)
    finish(params, params.factors)


@inner
def log_scale(prior, scale, root):
    """Log det of the present scale of the first component."""
    total = 0.0
    if scale.ndim == 3:
        cholesky(scale[0], root)
        for d in range(len(root)):
            total += 2.0 * math.log(root[d, d])
    else:
        for c in range(scale.shape[1]):
            total += math.log(scale[0, c])
    return total


@inner
def _draw_scale(rng, prior, scale, independent, counts, factors, root):
    """Gamma(shape + sum of dof / 2, rate + sum of precisions / 2), over the components that hold a point."""
    dof, rate = np.full(1, 2.0 * independent.hyper[0]), 2.0 * independent.rate
    for row in range(len(prior.dof)):
        if counts[row] > 0.0 or len(prior.dof) == 1:
            dof[0] += prior.dof[row]
            _add_precision(rate, factors[row])
    factor = np.zeros_like(factors[:1])
    draw_factors(rng, dof, rate, factor, root)
    scale[:] = 0.0
    for row in range(len(scale)):
        _add_precision(scale[row : row + 1], factor[0])


@inner
def _add_precision(total, factor):
    """Add P P^T to the first row, the upper triangle or the compact diagonal."""
    n_features = len(factor)
    if total.ndim == 3:
        for i in range(n_features):
            for j in range(i, n_features):
                for m in range(j, n_features):
                    total[0, i, j] += factor[i, m] * factor[j, m]
    else:
        for c in range(total.shape[1]):
            total[0, c] += factor[c] * factor[c]


@inner
def _set_stand_in(prior, scale, precision, n_features):
    """``kappa = trace(scale / dof precision) / D``: as much variance for a typical covariance."""
    for k in range(len(prior.mean_precision)):
        row, trace = k if len(prior.dof) > 1 else 0, 0.0
        for i in range(n_features):
            if scale.ndim == 3:
                for j in range(i, n_features):
                    trace += scale[row, i, j] * precision[i, j] * (1.0 if i == j else 2.0)
            else:
                trace += scale[row, i if scale.shape[1] > 1 else 0] * precision[i]
        prior.mean_precision[k] = trace / (n_features * prior.dof[row])


@inner
def _add_residuals(moments, scatter, means, dof, scale):
    """Counts and second moments about the present means."""
    n_components, n_features = means.shape
    residuals = 1 if scale.ndim == 3 else n_features // scale.shape[1]
    offset = np.empty(n_features)
    for k in range(n_components):
        row, count = k if len(dof) > 1 else 0, moments.counts[k]
        dof[row] += residuals * count
        for d in range(n_features):
            offset[d] = moments.means[k, d] - means[k, d]
        for d in range(n_features):
            if scale.ndim == 3:
                for j in range(d, n_features):
                    scale[row, d, j] += scatter[k, d, j] + count * offset[d] * offset[j]
            else:
                scale[row, d // residuals] += scatter[k, d] + count * offset[d] * offset[d]


@inner
def _draw_means(rng, center, precision, moments, means, factors, root):
    """Normal with precision Q = B^-1 + N Lambda about center + Q^-1 N Lambda (mean of the points - center)."""
    n_components, n_features = means.shape
    total, pull = np.empty_like(root), np.empty(n_features)
    for k in range(n_components):
        count = moments.counts[k]
        if factors.ndim == 3:
            for i in range(n_features):
                pull[i] = 0.0
                for j in range(i, n_features):
                    entry = 0.0
                    for m in range(j, n_features):
                        entry += factors[k, i, m] * factors[k, j, m]
                    total[i, j] = total[j, i] = count * entry
            for i in range(n_features):
                for j in range(n_features):
                    pull[i] += total[i, j] * (moments.means[k, j] - center[k, j])
            for i in range(n_features):
                for j in range(n_features):
                    total[i, j] += precision[i, j]
            cholesky(total, root)
            _solve_and_perturb(rng, root, pull)
        else:
            for d in range(n_features):
                weight = count * factors[k, d] * factors[k, d]
                both = weight + precision[d]
                pull[d] = weight * (moments.means[k, d] - center[k, d]) / both + rng.standard_normal() / math.sqrt(both)
        for d in range(n_features):
            means[k, d] = center[k, d] + pull[d]


@inner
def _solve_and_perturb(rng, root, right):
    """``right = L^-T (L^-1 right + noise)`` for the lower factor L."""
    n_features = len(right)
    for i in range(n_features):
        for m in range(i):
            right[i] -= root[i, m] * right[m]
        right[i] /= root[i, i]
    for i in range(n_features - 1, -1, -1):
        right[i] += rng.standard_normal()
        for m in range(i + 1, n_features):
            right[i] -= root[m, i] * right[m]
        right[i] /= root[i, i]


@inner
def cross_independent(rng, kind, X, facts, labels, prior, mixing, moments, independent, params, root):
    """Try one move of labels and parameters; whether it was accepted."""
    old_labels, old = labels.copy(), copy_moments(moments)
    if not cross(rng, kind, X, facts, labels, prior, mixing, moments):
        return False
    is_changed = np.full(len(moments.counts), len(prior.dof) == 1)
    for i in range(len(labels)):
        if labels[i] != old_labels[i]:
            is_changed[labels[i]] = is_changed[old_labels[i]] = True
    posterior = empty_conjugate(prior)
    update(prior, moments, posterior)
    new = Parameters(params.weights, params.log_weight.copy(), params.means.copy(), params.factors.copy())
    draw(rng, posterior, new, root)
    log_ratio = 0.0
    for k in range(len(is_changed)):
        if is_changed[k] and moments.counts[k] > 0.0:
            log_ratio += _log_prior_ratio(prior, independent, independent.precision, k, new.means, new.factors)
        if is_changed[k] and old.counts[k] > 0.0:
            log_ratio -= _log_prior_ratio(prior, independent, independent.precision, k, params.means, params.factors)
    if math.log(rng.random()) >= log_ratio:
        copy_to(old_labels, labels)
        copy_moments_to(old, moments)
        return False
    for k in range(len(is_changed)):
        if is_changed[k]:
            copy_to(new.means[k], params.means[k])
            copy_to(new.factors[k], params.factors[k])
    return True


@inner
def _log_prior_ratio(prior, independent, precision, k, means, factors):
    """Log of the prior density of a mean over the stand-in's, given its covariance."""
    n_features = means.shape[1]
    kappa = prior.mean_precision[k]
    offset = np.empty(n_features)
    for d in range(n_features):
        offset[d] = means[k, d] - prior.mean[k, d]
    ours, theirs, log_det = 0.0, 0.0, 0.0
    for j in range(n_features):
        if factors.ndim == 3:
            white = 0.0
            for i in range(j + 1):
                white += factors[k, i, j] * offset[i]
            for i in range(n_features):
                ours += offset[i] * precision[i, j] * offset[j]
            log_det += 2.0 * math.log(factors[k, j, j])
        else:
            white = factors[k, j] * offset[j]
            ours += precision[j] * offset[j] * offset[j]
            log_det += 2.0 * math.log(factors[k, j])
        theirs += kappa * white * white
    return 0.5 * (independent.log_det - ours - n_features * math.log(kappa) - log_det + theirs)


@inner
def reorder_parameters(order, params):
    """Carry the parameters along where sticks have swapped their labels."""
    means, factors = params.means.copy(), params.factors.copy()
    for k in range(len(order)):
        copy_to(means[order[k]], params.means[k])
        copy_to(factors[order[k]], params.factors[k])
