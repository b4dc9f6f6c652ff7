"""Priors of the number of components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, gammaln, logsumexp

from bayesgmm.checks import positive, store


@dataclass(frozen=True)
class Uniform:
    """Every number of components from 1 to the largest is equally probable."""

    def log_probability(self, max_components: int) -> np.ndarray:
        """(max_components,) log probabilities of 1, 2, ... components."""
        return np.full(max_components, -np.log(max_components))


@dataclass(frozen=True)
class BetaNegativeBinomial:
    """``K - 1 ~ BNB(size, a, b)``, cut off at the model's largest number of components.

    ``K - 1`` is negative binomial, the failures before `size` successes, whose probability is drawn from
    ``Beta(a, b)``.  (1, 4, 3) expects two components and has a heavy tail.

    Parameters
    ----------
    size, a, b : float
        Positive.

    Raises
    ------
    ArgumentError
        One of them is not a positive number.

    References
    ----------
    Fruehwirth-Schnatter, Malsiner-Walli and Gruen (2021), Bayesian Analysis 16, 1279-1307, doi:10.1214/21-BA1294.
    """

    size: float = 1.0
    a: float = 4.0
    b: float = 3.0

    def __post_init__(self):
        for name in ("size", "a", "b"):
            store(self, **{name: positive(getattr(self, name), f"BetaNegativeBinomial: {name}")})

    def log_probability(self, max_components: int) -> np.ndarray:
        """(max_components,) log probabilities of 1, 2, ... components."""
        extra = np.arange(max_components)  # K - 1
        value = gammaln(self.size + extra) - gammaln(extra + 1.0) + betaln(self.size + self.a, extra + self.b)
        return value - logsumexp(value)
