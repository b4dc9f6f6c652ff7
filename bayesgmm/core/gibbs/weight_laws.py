"""The law of the weights: a Dirichlet, broken sticks, or a Dirichlet over an unknown number of components.

`Conjugate` has the concentrations of a Dirichlet.  What the others have beside it is here: a factor of the labels'
probability, how weights are drawn given labels, and a number that is drawn with them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayesgmm.core.gibbs.sticks import draw_sticks, log_order
from bayesgmm.core.gibbs.telescoping import deactivate, draw_count
from bayesgmm.core.kernels.compilation import inner
from bayesgmm.core.kernels.conjugacy import draw_weights

DIRICHLET, STICKS, TELESCOPE = 0, 1, 2


class Mixing(NamedTuple):
    """A law of the weights and the present value of its own unknown."""

    kind: int
    state: np.ndarray  # (1,): the concentration under STICKS, the number of components under TELESCOPE
    gamma: np.ndarray  # (2,) shape and rate of the concentration, or (0,) where it is fixed
    by_occupied: np.ndarray  # (K + 1,) log factor of the number of occupied components under TELESCOPE
    cumulative: np.ndarray  # (K + 1, K) probabilities of at most so many components, given how many are occupied


@inner
def log_factor(mixing, counts):
    """Log of the labels' probability beyond that under the Dirichlet of `Conjugate`."""
    if mixing.kind == STICKS:
        return log_order(mixing.state[0], counts)
    if mixing.kind == TELESCOPE:
        return mixing.by_occupied[count_occupied(counts)]
    return 0.0


@inner
def count_occupied(counts):
    """Number of components that hold a point."""
    n_occupied = 0
    for k in range(len(counts)):
        n_occupied += counts[k] > 0.0
    return n_occupied


@inner
def draw_mixing(rng, mixing, prior, counts, posterior, weights):
    """Draw the weights given the labels, and the law's own unknown with them."""
    last = len(counts) - 1
    if mixing.kind == STICKS:
        log_last = draw_sticks(rng, mixing.state[0], counts, weights)
        if len(mixing.gamma) > 0:
            mixing.state[0] = rng.standard_gamma(mixing.gamma[0] + last) / (mixing.gamma[1] - log_last)
            prior.concentration[last] = mixing.state[0]
        return
    if mixing.kind == TELESCOPE:
        mixing.state[0] = draw_count(rng, mixing.cumulative, count_occupied(counts))
        deactivate(counts, mixing.state[0], posterior.concentration)
    draw_weights(rng, posterior.concentration, weights)
