"""The gamma distribution, as a prior of a positive number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from bayesgmm.checks import positive, store


@dataclass(frozen=True)
class Gamma:
    """A prior of a positive number, with mean ``shape / rate``.

    Parameters
    ----------
    shape, rate : float
        Positive.

    Raises
    ------
    ArgumentError
        One of them is not a positive number.
    """

    shape: float = 1.0
    rate: float = 1.0

    def __post_init__(self):
        for name in ("shape", "rate"):
            store(self, **{name: positive(getattr(self, name), f"Gamma: {name}")})

    def mean(self) -> float:
        return self.shape / self.rate

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """Log density at positive numbers."""
        constant = self.shape * np.log(self.rate) - scipy.special.gammaln(self.shape)
        return constant + (self.shape - 1.0) * np.log(x) - self.rate * x

    def sample(self, rng: np.random.Generator, n_draws: int) -> np.ndarray:
        """(n_draws,) independent numbers."""
        return rng.gamma(self.shape, 1.0 / self.rate, n_draws)
