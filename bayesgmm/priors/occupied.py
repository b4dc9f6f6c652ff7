"""Weights of an unknown number of components, given which of them are occupied: for searches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from bayesgmm.core.gibbs.telescoping import telescope_tables
from bayesgmm.priors.weights import Dirichlet

OCCUPIED = 1.0  # points: a component that holds fewer is given up


@dataclass(frozen=True, eq=False)
class OccupiedWeights:
    """``q(weights)`` of the occupied components, a Dirichlet; the others have weight zero.

    Parameters
    ----------
    occupied : (M,) bool array
    dirichlet : Dirichlet
        Of the occupied ones, in their order.
    """

    occupied: np.ndarray
    dirichlet: Dirichlet

    def mean(self) -> np.ndarray:
        """(M,) expected weights."""
        return self._spread(self.dirichlet.mean(), 0.0)

    def expected_log(self) -> np.ndarray:
        """(M,) expected log weights."""
        return self._spread(self.dirichlet.expected_log(), -np.inf)

    def kl(self, prior: UnknownNumber) -> float:
        """Kullback-Leibler divergence from the prior of the occupied ones, less the log of how probable they are."""
        n_occupied = int(self.occupied.sum())
        given = Dirichlet(np.full(n_occupied, prior.concentration))
        return self.dirichlet.kl(given) - float(prior.log_ratio[n_occupied - 1])

    def _spread(self, values: np.ndarray, elsewhere: float) -> np.ndarray:
        spread = np.full(len(self.occupied), elsewhere)
        spread[self.occupied] = values
        return spread


@dataclass(frozen=True, eq=False)
class UnknownNumber:
    """The weights of a `MixtureOfFiniteMixtures` as a variational search wants them.

    With the number of components K integrated out, a labelling that occupies t of them has the probability of a
    Dirichlet over these t alone, times a factor of t: of all K >= t, and of the ``K! / (K - t)!`` ways to name them.

    Parameters
    ----------
    concentration : float
        Of the static Dirichlet.
    log_ratio : (M,) array
        Log of that factor, for t = 1, ..., M.
    """

    concentration: float
    log_ratio: np.ndarray

    @classmethod
    def of(cls, log_prior: np.ndarray, concentration: float, n_obs: int) -> UnknownNumber:
        """From the (M,) log prior of K, and the number of points."""
        by_occupied, _ = telescope_tables(log_prior, concentration, n_obs)
        t = np.arange(1, len(log_prior) + 1)
        alone = gammaln(concentration * t) - gammaln(concentration * t + n_obs)
        return cls(concentration, by_occupied[1:] - gammaln(len(log_prior) - t + 1.0) - alone)

    def update(self, counts: np.ndarray) -> OccupiedWeights:
        """``q(weights)`` after so many points; components with less than a point are given up."""
        occupied = counts >= min(OCCUPIED, counts.max())
        return OccupiedWeights(occupied, Dirichlet(self.concentration + counts[occupied]))
