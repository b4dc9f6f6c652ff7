"""A stretch of one Markov chain of the Gibbs sampler, compiled: no Python between its sweeps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayesgmm.core.gibbs import split_merge
from bayesgmm.core.gibbs.allocation import sample_labels
from bayesgmm.core.gibbs.independent import cross_independent, draw_independent, log_scale, reorder_parameters
from bayesgmm.core.gibbs.sticks import reorder
from bayesgmm.core.gibbs.weight_laws import STICKS, count_occupied, draw_mixing
from bayesgmm.core.kernels.compilation import jit
from bayesgmm.core.kernels.conjugacy import Moments, copy_to, draw, empty_conjugate, make_root, update


class Trace(NamedTuple):
    """Room for the kept draws of one chain."""

    weights: np.ndarray  # (draws, K)
    means: np.ndarray  # (draws, K, D)
    factors: np.ndarray  # (draws, K, D, D) or (draws, K, D)
    log_likelihood: np.ndarray  # (draws,), without its constant
    n_occupied: np.ndarray  # (draws,)
    state: np.ndarray  # (draws,) of `Mixing`
    log_scale: np.ndarray  # (draws,) log det of the prior's scale, which changes only where it is unknown


@jit
def run(rng, X, facts, prior, independent, mixing, params, labels, trace, start, stop, thin, move_rate, counters):
    """Make the kept draws start:stop, each after `thin` sweeps; `params`, `rng` and the state of `mixing` go on.

    A sweep draws labels given parameters, tries with probability `move_rate` one crossing move of a random kind
    and draws parameters given labels.  `independent` is None under a conjugate prior.  `counters` (kinds, 2) count
    moves tried and accepted.  With an empty trace nothing is kept.
    """
    n_components, n_features = params.means.shape
    moments = Moments(np.empty(n_components), np.empty((n_components, n_features)), np.empty_like(params.factors))
    posterior, root = empty_conjugate(prior), make_root(prior)
    for t in range(start, stop):
        for s in range(thin):
            log_likelihood = sample_labels(rng, X, facts, params, labels, moments)
            if s == thin - 1 and len(trace.weights) > 0:
                copy_to(params.weights, trace.weights[t])
                copy_to(params.means, trace.means[t])
                copy_to(params.factors, trace.factors[t])
                trace.log_likelihood[t] = log_likelihood
                trace.n_occupied[t] = count_occupied(moments.counts)
                trace.state[t] = mixing.state[0]
                trace.log_scale[t] = log_scale(prior, prior.scale, root)
            if move_rate > 0.0 and rng.random() < move_rate:
                kind = int(rng.random() * split_merge.N_KINDS)
                counters[kind, 0] += 1
                if independent is None:
                    counters[kind, 1] += split_merge.cross(rng, kind, X, facts, labels, prior, mixing, moments)
                else:
                    counters[kind, 1] += cross_independent(
                        rng, kind, X, facts, labels, prior, mixing, moments, independent, params, root
                    )
            if mixing.kind == STICKS:
                order = reorder(rng, mixing.state[0], labels, moments)
                if independent is not None:
                    reorder_parameters(order, params)
            update(prior, moments, posterior)
            draw_mixing(rng, mixing, prior, moments.counts, posterior, params.weights)
            if independent is None:
                draw(rng, posterior, params, root)
            else:
                draw_independent(rng, prior, independent, moments, posterior, params, root)
