"""Priors of the mixture weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from bayesgmm.errors import ArgumentError, NotApplicableError, shown
from bayesgmm.priors.constants import real_numbers


@dataclass(frozen=True, eq=False)
class Dirichlet:
    """``weights ~ Dirichlet(concentration)``, as a prior and as a conjugate posterior.

    Parameters
    ----------
    concentration : float or (K,) array
        Positive.  One number stands for all components.

    Raises
    ------
    ArgumentError
        A concentration is not positive and finite, or there are not K of them.
    """

    concentration: ArrayLike = 1.0

    def __post_init__(self):
        value = real_numbers(self.concentration, "Dirichlet: concentration")
        if value.ndim > 1 or value.size == 0 or not np.isfinite(value).all() or (value <= 0).any():
            raise ArgumentError(
                f"Dirichlet(concentration={shown(self.concentration)}): give one positive number, or one per component."
            )

    def resolve(self, n_components: int) -> Dirichlet:
        """The same prior with one concentration per component."""
        value = np.asarray(self.concentration, float)
        if value.ndim == 1 and len(value) != n_components:
            raise ArgumentError(
                f"Dirichlet has {len(value)} concentrations and the mixture {n_components} components; give one "
                "number, or one per component."
            )
        return Dirichlet(np.array(np.broadcast_to(value, (n_components,))))

    def update(self, counts: np.ndarray) -> Dirichlet:
        """The posterior after `counts` points in each component."""
        return Dirichlet(self.concentration + counts)

    def mode(self) -> np.ndarray:
        """(K,) joint mode; a concentration below one has none."""
        excess = np.asarray(self.concentration) - 1.0
        if (excess < 0).any():
            raise NotApplicableError(
                "a Dirichlet concentration below 1 has no mode inside the simplex, so there is no MAP estimate; "
                "use VB or NUTS, or a concentration of at least 1."
            )
        total = excess.sum()
        return excess / total if total > 0 else np.full(len(excess), 1.0 / len(excess))

    def mean(self) -> np.ndarray:
        """(K,) expected weights."""
        return np.asarray(self.concentration) / np.asarray(self.concentration).sum()

    def expected_log(self) -> np.ndarray:
        """(K,) expected log weights."""
        return scipy.special.digamma(self.concentration) - scipy.special.digamma(np.asarray(self.concentration).sum())

    def sample(self, rng: np.random.Generator, n_draws: int) -> np.ndarray:
        """(n_draws, K) weights."""
        return rng.dirichlet(np.asarray(self.concentration), n_draws)

    def log_partition(self) -> float:
        """Log of the normaliser, the log of the multivariate beta function."""
        return float(
            np.sum(scipy.special.gammaln(self.concentration))
            - scipy.special.gammaln(np.asarray(self.concentration).sum())
        )

    def log_density(self, weights: np.ndarray) -> float:
        """Log density of one vector of weights (on the simplex, with respect to its first K - 1)."""
        excess = np.asarray(self.concentration) - 1.0
        inside = excess != 0  # 0 log 0 = 0 where the concentration is 1
        with np.errstate(divide="ignore"):  # an empty component has no density where the concentration is above 1
            log_weights = np.log(weights[inside])
        return float(np.sum(excess[inside] * log_weights) - self.log_partition())

    def kl(self, prior: Dirichlet) -> float:
        """Kullback-Leibler divergence KL(self || prior)."""
        change = np.asarray(self.concentration) - np.asarray(prior.concentration)
        return float(change @ self.expected_log()) - self.log_partition() + prior.log_partition()

    def log_marginal(self, counts: np.ndarray) -> float:
        """Log probability of one labelling with these counts."""
        return self.update(counts).log_partition() - self.log_partition()
