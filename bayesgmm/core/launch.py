"""A proposal for cutting a set of points in two: a launch, and the probability of labels under it.

A launch is two random points of the set, a hard cut between them and a few steps of expectation-maximisation of a
two-component mixture under the two components' own prior.  It depends on the set of points and on chance, never on
their present labels; so it is an auxiliary variable with one law in both directions of a move, as are the launch
states of Jain and Neal (2004), Journal of Computational and Graphical Statistics 13, 158-182,
doi:10.1198/1061860043001.  Given the launch the labels are independent: their probability is a product, and a
proposal costs no more than a few sweeps over the set.
"""

from __future__ import annotations

import math

import numpy as np

from bayesgmm.core import kernels
from bayesgmm.core.allocation import begin_moments, finish_moments, score_block
from bayesgmm.core.conjugacy import Conjugate, copy_to, empty_conjugate, plug_in, update
from bayesgmm.core.kernels import jit

STEPS = 6
FLOOR = 1e-6  # of a label's probability: a stray point must not forbid the way back


@jit
def pair_prior(prior, others, one, two):
    """The prior of components `one` and `two` alone.

    With a shared covariance it is informed by the `others`: moments of all points outside the set, by component.
    """
    rest = empty_conjugate(prior)
    update(prior, others, rest)
    rows = min(2, len(prior.dof))
    pair = Conjugate(
        np.empty(2), np.empty((2, prior.mean.shape[1])), np.empty(2), np.empty(rows), np.empty_like(prior.scale[:rows])
    )
    for part, k in ((0, one), (1, two)):
        pair.concentration[part] = prior.concentration[k]
        pair.mean_precision[part] = prior.mean_precision[k]
        copy_to(prior.mean[k], pair.mean[part])
        if part < rows:
            row = k if rows > 1 else 0
            pair.dof[part] = rest.dof[row]
            copy_to(rest.scale[row], pair.scale[part])
    return pair


@jit
def launch(rng, points, prior, params, posterior, moments, diff, resp, root):
    """(m,) probabilities of the first label of two, for the m > 1 columns of `points`, into ``resp[0]``.

    The rest are work arrays of two components.
    """
    m = points.shape[1]
    ones, log_sums = np.ones(m), np.empty(m)
    one = int(rng.random() * m)
    other = int(rng.random() * (m - 1))
    other += other >= one
    for step in range(STEPS + 1):
        if step == 0:
            for i in range(m):
                resp[0, i], resp[1, i] = 1.0, 0.0
            for d in range(points.shape[0]):
                params.means[0, d] = points[d, one]
                params.means[1, d] = points[d, other]
        begin_moments(moments, moments.scatter)
        _add_soft(points, m, resp, params.means, diff, moments, moments.scatter)
        update(prior, moments, posterior)
        plug_in(posterior, params, root)
        if step == 0:  # distances between the seeds in the metric of the whole set
            copy_to(params.factors[0], params.factors[1])
            for part, seed in ((0, one), (1, other)):
                params.log_weight[part] = 0.0
                for d in range(points.shape[0]):
                    params.means[part, d] = points[d, seed]
        score_block(points, m, params.log_weight, params.means, params.factors, diff, resp)
        if step == 0:
            kernels.harden_block(resp, m, ones, log_sums)
        else:
            kernels.soften_block(resp, m, ones, log_sums)
    for i in range(m):
        resp[0, i] = min(max(resp[0, i], FLOOR), 1.0 - FLOOR)


@jit
def _add_soft(points, m, resp, center, diff, moments, scatter):
    if scatter.ndim == 3:
        kernels.accumulate_block_triangular(points, m, resp, center, diff, moments.counts, moments.means, scatter)
    else:
        kernels.accumulate_block_diagonal(points, m, resp, center, diff, moments.counts, moments.means, scatter)
    for k in range(2):
        finish_moments(center, moments, scatter, k)


@jit
def propose(rng, probability, is_first):
    """Draw the labels; with probability one half all of them the other way round."""
    is_swapped = rng.random() < 0.5
    for i in range(len(is_first)):
        is_first[i] = (rng.random() < probability[i]) != is_swapped


@jit
def log_probability(probability, is_first):
    """Log probability that `propose` draws these labels.

    Both ways round count, because the two labels of a launch are in an order that means nothing.
    """
    straight, swapped = 0.0, 0.0
    for i in range(len(is_first)):
        first, second = math.log(probability[i]), math.log(1.0 - probability[i])
        straight += first if is_first[i] else second
        swapped += second if is_first[i] else first
    top = max(straight, swapped)
    return top + math.log(0.5 * (math.exp(straight - top) + math.exp(swapped - top)))
