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

from bayesgmm.core import kernels
from bayesgmm.core.allocation import begin_moments, finish_moments, score_block
from bayesgmm.core.conjugacy import Conjugate, copy_to, empty_conjugate, plug_in, update
from bayesgmm.core.kernels import jit

STEPS = 12  # measured: half as many halve the crossings, and save a quarter of the time
FLOOR = 1e-6  # of a label's probability: a stray point must not forbid the way back
CHUNK = 32  # products of so many probabilities of at least FLOOR stay far above underflow


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
    _seed(rng, points, prior, params, posterior, moments, diff, resp, root)
    for _ in range(STEPS):
        _read(points, m, prior, params, posterior, moments, diff, resp, root)
        score_block(points, m, params.log_weight, params.means, params.factors, diff, resp)
        for i in range(m):
            resp[0, i] = 1.0 / (1.0 + math.exp(resp[1, i] - resp[0, i]))
            resp[1, i] = 1.0 - resp[0, i]
    for i in range(m):
        resp[0, i] = min(max(resp[0, i], FLOOR), 1.0 - FLOOR)


@jit
def _seed(rng, points, prior, params, posterior, moments, diff, resp, root):
    """Cut between two points, the second drawn as in k-means++, in the metric of the whole set.

    Arthur and Vassilvitskii (2007), SODA '07, 1027-1035.
    """
    n_features, m = points.shape
    seed = int(rng.random() * m)
    for i in range(m):
        resp[0, i], resp[1, i] = 1.0, 0.0
    for d in range(n_features):
        params.means[0, d] = params.means[1, d] = points[d, seed]
    _read(points, m, prior, params, posterior, moments, diff, resp, root)
    copy_to(params.factors[0], params.factors[1])
    for k in range(2):
        params.log_weight[k] = 0.0
        for d in range(n_features):
            params.means[k, d] = points[d, seed]
        score_block(points, m, params.log_weight, params.means, params.factors, diff, resp)
        if k == 0:
            seed = _draw_in_proportion(rng, resp[0], m)
    for i in range(m):
        resp[0, i] = 1.0 if resp[0, i] > resp[1, i] else 0.0
        resp[1, i] = 1.0 - resp[0, i]


@jit
def _draw_in_proportion(rng, values, m):
    """A place, in proportion to values of one sign."""
    total = 0.0
    for i in range(m):
        total += values[i]
    total *= rng.random()
    for i in range(m - 1):
        total -= values[i]
        if total > 0.0:
            return i
    return m - 1


@jit
def _read(points, m, prior, params, posterior, moments, diff, resp, root):
    """Moments centred at the present means, conjugate update, plugged in."""
    begin_moments(moments, moments.scatter)
    _add_soft(points, m, resp, params.means, diff, moments, moments.scatter)
    update(prior, moments, posterior)
    plug_in(posterior, params, root)


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
