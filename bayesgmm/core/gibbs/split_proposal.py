"""A proposal for cutting a set of points in two: a launch, and the probability of labels under it.

A launch is two random points of the set, the cut between them and a few steps of expectation-maximisation of a
two-component mixture under the two components' own prior.  It depends on the set of points and on chance, never on
their present labels; so it is an auxiliary variable with one law in both directions of a move, as are the launch
states of Jain and Neal (2004), Journal of Computational and Graphical Statistics 13, 158-182,
doi:10.1198/1061860043001.  Given the launch the labels are independent: their probability is a product, and a
proposal costs no more than a few sweeps over the set.
"""

from __future__ import annotations

import math

import numpy as np

from bayesgmm.core.facts import no_facts
from bayesgmm.core.gibbs.allocation import begin_moments, finish_moments
from bayesgmm.core.kernels.assignment import HARD, SOFT
from bayesgmm.core.kernels.compilation import inner
from bayesgmm.core.kernels.conjugacy import (
    Conjugate,
    Moments,
    Parameters,
    copy_to,
    empty_conjugate,
    make_root,
    plug_in,
    update,
)
from bayesgmm.core.kernels.row_kernels import log_joint_rows, sweep_rows

STEPS = 12  # measured: half as many halve the crossings, and save a quarter of the time
FLOOR = 1e-6  # of a label's probability: a stray point must not forbid the way back
CHUNK = 32  # products of so many probabilities of at least FLOOR stay far above underflow


@inner
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


@inner
def launch(rng, points, prior, like):
    """(m,) probabilities of the first label of two, for m > 1 points; `like` has the form of precision factors."""
    m, n_features = points.shape
    params = Parameters(np.zeros(2), np.zeros(2), np.empty((2, n_features)), np.zeros_like(like[:2]))
    moments = Moments(np.empty(2), np.empty((2, n_features)), np.empty_like(params.factors))
    posterior, root = empty_conjugate(prior), make_root(prior)
    scores, probability = np.empty((m, 2)), np.empty(m)
    seed = points[int(rng.random() * m)]
    copy_to(seed, params.means[0])
    copy_to(seed, params.means[1])
    for step in range(STEPS + 1):  # the first one finds ties, since the factors are zero: all points go to one
        if step == 1:
            _place_seeds(rng, points, seed, params, scores)
        _step(points, HARD if step < 2 else SOFT, prior, params, posterior, moments, root)
    log_joint_rows(points, no_facts(), 0, m, params.log_weight, params.means, params.factors, scores)
    for i in range(m):
        p = 1.0 / (1.0 + math.exp(scores[i, 1] - scores[i, 0]))
        probability[i] = min(max(p, FLOOR), 1.0 - FLOOR)
    return probability


@inner
def _place_seeds(rng, points, seed, params, scores):
    """The means become two points, the second drawn as in k-means++, in the metric of the whole set.

    Arthur and Vassilvitskii (2007), SODA '07, 1027-1035.
    """
    copy_to(params.factors[0], params.factors[1])
    params.log_weight[:] = 0.0
    copy_to(seed, params.means[0])
    log_joint_rows(points, no_facts(), 0, len(points), params.log_weight, params.means, params.factors, scores)
    copy_to(points[_draw_in_proportion(rng, scores)], params.means[1])


@inner
def _draw_in_proportion(rng, scores):
    """A row, in proportion to the first of its scores, which have one sign."""
    total = 0.0
    for i in range(len(scores)):
        total += scores[i, 0]
    total *= rng.random()
    for i in range(len(scores) - 1):
        total -= scores[i, 0]
        if total > 0.0:
            return i
    return len(scores) - 1


@inner
def _step(points, assign, prior, params, posterior, moments, root):
    """Assign the points, and plug in the posterior of their moments."""
    begin_moments(moments, moments.scatter)
    sweep_rows(
        points, no_facts(), 0, len(points), params.log_weight, params.means, params.factors, assign,
        moments.counts, moments.means, moments.scatter,
    )  # fmt: skip
    for k in range(2):
        finish_moments(params.means, moments, moments.scatter, k)
    update(prior, moments, posterior)
    plug_in(posterior, params, root)


@inner
def propose(rng, probability, is_first):
    """Draw the labels; with probability one half all of them the other way round."""
    is_swapped = rng.random() < 0.5
    for i in range(len(is_first)):
        is_first[i] = (rng.random() < probability[i]) != is_swapped


@inner
def log_probability(probability, is_first):
    """Log probability that `propose` draws these labels.

    Both ways round count, because the two labels of a launch are in an order that means nothing.
    """
    straight, swapped = 0.0, 0.0
    for start in range(0, len(is_first), CHUNK):
        product, swapped_product = 1.0, 1.0
        for i in range(start, min(start + CHUNK, len(is_first))):
            p = probability[i] if is_first[i] else 1.0 - probability[i]
            product *= p
            swapped_product *= 1.0 - p
        straight += math.log(product)
        swapped += math.log(swapped_product)
    top = max(straight, swapped)
    return top + math.log(0.5 * (math.exp(straight - top) + math.exp(swapped - top)))
