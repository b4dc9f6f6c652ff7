"""Weights of a truncated Dirichlet process whose concentration is unknown: the prior and its mean-field posterior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln

from bayesgmm.priors.concentration import Gamma
from bayesgmm.priors.sticks import StickBreaking


@dataclass(frozen=True, eq=False)
class StickPosterior:
    """``q(v) q(concentration)``: independent beta sticks and a gamma.

    Parameters
    ----------
    sticks : StickBreaking
    concentration : Gamma
    """

    sticks: StickBreaking
    concentration: Gamma

    @property
    def n_components(self) -> int:
        return self.sticks.n_components

    def mean(self) -> np.ndarray:
        """(T,) expected weights."""
        return self.sticks.mean()

    def expected_log(self) -> np.ndarray:
        """(T,) expected log weights."""
        return self.sticks.expected_log()

    def sample(self, rng: np.random.Generator, n_draws: int) -> np.ndarray:
        """(n_draws, T) weights."""
        return self.sticks.sample(rng, n_draws)

    def log_density(self, weights: np.ndarray) -> float:
        """Log density of one vector of weights."""
        return self.sticks.log_density(weights)

    def kl(self, prior: UnknownConcentration) -> float:
        """Kullback-Leibler divergence from ``p(v | concentration) p(concentration)``."""
        first, second, alpha = self.sticks.first, self.sticks.second, self.concentration
        total = digamma(first + second)
        log_broken, log_left = digamma(first) - total, digamma(second) - total
        sticks = ((first - 1.0) * log_broken + (second - alpha.mean()) * log_left).sum() - self.sticks.log_partition()
        sticks -= len(first) * (digamma(alpha.shape) - np.log(alpha.rate))
        return float(sticks) + _kl_gamma(alpha, prior.concentration)


@dataclass(frozen=True, eq=False)
class UnknownConcentration:
    """``v_k ~ Beta(1, concentration)`` for k < T, ``v_T = 1``, ``concentration ~ Gamma``.

    Parameters
    ----------
    truncation : int
        T.
    concentration : Gamma

    References
    ----------
    Blei and Jordan (2006), Bayesian Analysis 1, 121-143, doi:10.1214/06-BA104.
    """

    truncation: int
    concentration: Gamma

    @property
    def n_components(self) -> int:
        return self.truncation

    def update(self, counts: np.ndarray) -> StickPosterior:
        """The best ``q(v) q(concentration)`` after `counts` points in each component.

        Coordinate ascent between the two has one fixed point, which is found directly: with a the mean of
        q(concentration), its equation ``shape = a (rate - sum_k E log(1 - v_k))`` falls in a.
        """
        beyond = np.cumsum(counts[::-1])[::-1]
        ahead, behind = beyond[:-1], beyond[1:]  # points in k and after, and after k
        shape, rate = self.concentration.shape + self.truncation - 1, self.concentration.rate

        def excess(log_mean: float) -> float:
            mean = np.exp(log_mean)
            return shape - mean * (rate + (digamma(mean + 1.0 + ahead) - digamma(mean + behind)).sum())

        highest = np.log(shape / rate)
        mean = shape / rate
        if self.truncation > 1:
            from scipy.optimize import brentq  # slow to import

            lowest = highest - 1.0
            while excess(lowest) < 0:
                lowest -= 2.0 * (highest - lowest)
            mean = float(np.exp(brentq(excess, lowest, highest, xtol=1e-14, rtol=1e-14)))
        sticks = StickBreaking(1.0 + counts[:-1], mean + behind)
        return StickPosterior(sticks, Gamma(shape, shape / mean))


def _kl_gamma(q: Gamma, p: Gamma) -> float:
    value = (q.shape - p.shape) * digamma(q.shape) - gammaln(q.shape) + gammaln(p.shape)
    value += p.shape * (np.log(q.rate) - np.log(p.rate)) + q.shape * (p.rate / q.rate - 1.0)
    return float(value)
