"""The weights of a `pm.Model`: on the simplex under a Dirichlet, or by sticks with their concentration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayesgmm.flat.weights import TINY, SimplexWeights, StickWeights
from bayesgmm.ppl.natural import natural
from bayesgmm.priors.concentration import Gamma


def weights_variable(weights: SimplexWeights | StickWeights) -> pt.TensorVariable:
    """(K,) weights."""
    if isinstance(weights, SimplexWeights):
        return natural("weights", SimplexCoordinates(weights), (), weights.concentration.shape, ("component",))
    alpha = weights.prior
    if isinstance(alpha, Gamma):
        alpha = pm.Gamma("concentration", alpha=alpha.shape, beta=alpha.rate)
    if weights.truncation == 1:
        return pm.Deterministic("weights", pt.ones(1), dims="component")
    return natural("weights", StickCoordinates(weights), (alpha,), (weights.truncation,), ("component",))


@dataclass(frozen=True, eq=False)
class SimplexCoordinates:
    """The weights are the softmax of (x, -sum x), as PyMC has them, and Dirichlet."""

    weights: SimplexWeights
    name = "simplex"

    def value(self, x):
        return pt.exp(_log_softmax(x))

    def coordinates(self, value):
        logs = pt.log(pt.maximum(value, TINY))
        return logs[:-1] - logs.mean()

    def log_jacobian(self, x):
        return np.log(len(self.weights.concentration)) + _log_softmax(x).sum()

    def log_density(self, x):
        return self.weights.log_normaliser() + (self.weights.concentration * _log_softmax(x)).sum()

    def draw(self):
        return pm.Dirichlet.dist(self.weights.concentration)


def _log_softmax(x):
    return pt.special.log_softmax(pt.concatenate([x, -x.sum(keepdims=True)]), axis=-1)


@dataclass(frozen=True, eq=False)
class StickCoordinates:
    """The log odds of the sticks, ``sticks ~ Beta(1, concentration)``."""

    weights: StickWeights
    name = "sticks"

    def value(self, x):
        return pt.exp(_log_sticks(x))

    def coordinates(self, value):
        beyond = pt.maximum(pt.cumsum(value[::-1])[::-1][1:], TINY)
        return pt.log(pt.maximum(value[:-1], TINY)) - pt.log(beyond)

    def log_jacobian(self, x):
        # d weight_k / d x_k = left_k v_k (1 - v_k), and the weights before k do not depend on x_k.
        return (_log_sticks(x)[:-1] - pt.softplus(x)).sum()

    def log_density(self, x, concentration):
        parts = pt.log(concentration) - pt.softplus(-x) - concentration * pt.softplus(x)
        return parts.sum()

    def draw(self, concentration):
        sticks = pm.Beta.dist(alpha=1.0, beta=concentration, size=self.weights.truncation - 1)
        left = pt.concatenate([[1.0], pt.cumprod(1.0 - sticks)])
        return left * pt.concatenate([sticks, [1.0]])


def _log_sticks(x):
    """(T,) log weights."""
    left = pt.concatenate([[0.0], -pt.cumsum(pt.softplus(x))])
    return left - pt.concatenate([pt.softplus(-x), [0.0]])
