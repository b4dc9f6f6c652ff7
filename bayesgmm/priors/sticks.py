"""Stick-breaking weights: a Dirichlet process that is cut off, as a prior and as a conjugate posterior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, digamma

from bayesgmm.errors import NotApplicableError


@dataclass(frozen=True, eq=False)
class StickBreaking:
    """``weight_k = v_k prod_{j<k} (1 - v_j)`` with ``v_k ~ Beta(first_k, second_k)`` and ``v_T = 1``.

    The generalised Dirichlet distribution of Connor and Mosimann (1969), JASA 64, 194-206,
    doi:10.1080/01621459.1969.10500963.

    Parameters
    ----------
    first, second : (T - 1,) array
        Positive.
    """

    first: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, concentration: float, truncation: int) -> StickBreaking:
        """The truncated Dirichlet process, ``v_k ~ Beta(1, concentration)``.

        Ishwaran and James (2001), JASA 96, 161-173, doi:10.1198/016214501750332758.
        """
        return cls(np.ones(truncation - 1), np.full(truncation - 1, float(concentration)))

    @property
    def n_components(self) -> int:
        return len(self.first) + 1

    def update(self, counts: np.ndarray) -> StickBreaking:
        """The posterior after `counts` points in each component."""
        beyond = np.cumsum(counts[::-1])[::-1][1:]
        return StickBreaking(self.first + counts[:-1], self.second + beyond)

    def mode(self) -> np.ndarray:
        raise NotApplicableError("a stick-breaking prior has no mode that does not depend on the order of the sticks.")

    def mean(self) -> np.ndarray:
        """(T,) expected weights."""
        broken = self.first / (self.first + self.second)
        return _weights(broken, 1.0 - broken)

    def expected_log(self) -> np.ndarray:
        """(T,) expected log weights."""
        total = digamma(self.first + self.second)
        left = np.concatenate([[0.0], np.cumsum(digamma(self.second) - total)])
        return np.append(digamma(self.first) - total, 0.0) + left

    def sample(self, rng: np.random.Generator, n_draws: int) -> np.ndarray:
        """(n_draws, T) weights."""
        first = rng.standard_gamma(self.first, (n_draws, len(self.first)))
        second = rng.standard_gamma(self.second, first.shape)
        total = np.maximum(first + second, np.finfo(float).tiny)
        return _weights(first / total, second / total)

    def log_partition(self) -> float:
        """Log of the normaliser, a sum of log beta functions."""
        return float(betaln(self.first, self.second).sum())

    def log_density(self, weights: np.ndarray) -> float:
        """Log density of one vector of weights (on the simplex, with respect to its first T - 1)."""
        left = np.cumsum(weights[::-1])[::-1]  # 1 - sum of the weights before, without cancellation
        ahead, beyond = left[:-1], left[1:]
        sticks = (self.first - 1.0) * np.log(weights[:-1]) + (self.second - 1.0) * np.log(beyond)
        return float((sticks - (self.first + self.second - 1.0) * np.log(ahead)).sum() - self.log_partition())

    def kl(self, prior: StickBreaking) -> float:
        """Kullback-Leibler divergence KL(self || prior)."""
        total = digamma(self.first + self.second)
        change = (self.first - prior.first) * (digamma(self.first) - total)
        change += (self.second - prior.second) * (digamma(self.second) - total)
        return float(change.sum()) - self.log_partition() + prior.log_partition()

    def log_marginal(self, counts: np.ndarray) -> float:
        """Log probability of one labelling with these counts."""
        return self.update(counts).log_partition() - self.log_partition()


def _weights(broken: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Weights from the fraction of each stick that is broken off and the one that is left."""
    ones = np.ones((*broken.shape[:-1], 1))
    return np.concatenate([broken, ones], -1) * np.cumprod(np.concatenate([ones, left], -1), -1)
