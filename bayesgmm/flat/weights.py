"""The coordinates of the weights: a simplex under a Dirichlet, or broken sticks with their concentration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, expit, gammaln

from bayesgmm.models import DirichletProcessMixture, GaussianMixture
from bayesgmm.priors.concentration import Gamma
from bayesgmm.priors.weights import Dirichlet

TINY = np.finfo(float).tiny  # stands for weights that float64 has not: what they really are, it cannot tell
DIRICHLET, FIXED_STICKS, GAMMA_STICKS = 0, 1, 2  # as the kernels tell them apart


@dataclass(frozen=True, eq=False)
class SimplexWeights:
    """``weights ~ Dirichlet``, by PyMC's simplex transform: the softmax of (x, -sum x).

    Parameters
    ----------
    prior : Dirichlet
        With one concentration for each component.
    """

    prior: Dirichlet

    @property
    def constants(self) -> tuple[float, float, float]:
        """Kind, and two numbers of the prior of the concentration."""
        return DIRICHLET, 0.0, 0.0

    @property
    def concentration(self) -> np.ndarray:
        return np.asarray(self.prior.concentration, float)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weights": (len(self.concentration),)}

    @property
    def n_dim(self) -> int:
        return len(self.concentration) - 1

    def log_normaliser(self) -> float:
        """What the kernels leave out."""
        return np.log(len(self.concentration)) - self.prior.log_partition()

    def expand(self, flat: np.ndarray) -> np.ndarray:
        """(..., K) weights."""
        log_weights = np.concatenate([flat, -flat.sum(-1, keepdims=True)], -1)
        weights = np.exp(log_weights - log_weights.max(-1, keepdims=True))
        return weights / weights.sum(-1, keepdims=True)

    def states(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """What else the coordinates hold, with the leading axes of `flat`."""
        return {}

    def variables(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        return {"weights": weights}

    def flatten(self, weights: np.ndarray) -> np.ndarray:
        log_weights = np.log(np.maximum(weights, TINY))
        return log_weights[:-1] - log_weights.mean()


@dataclass(frozen=True, eq=False)
class StickWeights:
    """``sticks_k ~ Beta(1, concentration)``, by their log odds; before them the log of an unknown concentration.

    Parameters
    ----------
    truncation : int
    prior : Gamma or float
        Of the concentration, or its value.
    """

    truncation: int
    prior: Gamma | float

    @property
    def is_unknown(self) -> bool:
        return isinstance(self.prior, Gamma)

    @property
    def constants(self) -> tuple[float, float, float]:
        if isinstance(self.prior, Gamma):
            return GAMMA_STICKS, self.prior.shape, self.prior.rate
        return FIXED_STICKS, self.prior, 0.0

    @property
    def concentration(self) -> np.ndarray:
        return np.ones(self.truncation)  # has no meaning here

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        sticks = {"sticks": (self.truncation - 1,)} if self.truncation > 1 else {}
        return {"concentration": ()} | sticks if self.is_unknown else sticks

    @property
    def n_dim(self) -> int:
        return self.truncation - 1 + self.is_unknown

    def log_normaliser(self) -> float:
        if isinstance(self.prior, Gamma):
            return float(self.prior.shape * np.log(self.prior.rate) - gammaln(self.prior.shape))
        return 0.0

    def expand(self, flat: np.ndarray) -> np.ndarray:
        odds = flat[..., self.is_unknown :]
        ones = np.ones((*flat.shape[:-1], 1))
        left = np.cumprod(np.concatenate([ones, expit(-odds)], -1), -1)
        return left * np.concatenate([expit(odds), ones], -1)

    def states(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        return {"concentration": np.exp(flat[..., 0])} if self.is_unknown else {}

    def variables(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """With the concentration's geometric mean given the sticks.

        At the mean the gradient would be exactly zero, which nutpie takes for a failure of the log density.
        """
        left = np.maximum(np.cumsum(weights[::-1])[::-1], TINY)
        values = {"sticks": weights[:-1] / left[:-1]}
        if isinstance(self.prior, Gamma):
            shape, rate = self.prior.shape + self.truncation - 1, self.prior.rate - np.log(left[-1])
            values["concentration"] = np.asarray(np.exp(digamma(shape)) / rate)
        return {name: values[name] for name in self.shapes}

    def flatten(self, weights: np.ndarray) -> np.ndarray:
        beyond = np.maximum(np.cumsum(weights[::-1])[::-1][1:], TINY)
        odds = np.log(np.maximum(weights[:-1], TINY)) - np.log(beyond)
        if not self.is_unknown:
            return odds
        return np.append(np.log(self.variables(weights)["concentration"]), odds)


def weights_of(model: GaussianMixture | DirichletProcessMixture) -> SimplexWeights | StickWeights:
    """The weights of a resolved model."""
    if isinstance(model, DirichletProcessMixture):
        return StickWeights(model.truncation, model.concentration)
    return SimplexWeights(model.weights)
