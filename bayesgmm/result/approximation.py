"""`ApproximateDraws`: draws from an approximation of the posterior, and what is known of its error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import NotApplicableError
from bayesgmm.result.alignment import Alignment
from bayesgmm.result.estimates import UNALIGNED, Draws, mean_responsibilities

PARETO_K_LIMIT = 0.7  # Vehtari et al. (2024), Journal of Machine Learning Research 25(72), 1-58


@dataclass(frozen=True, eq=False)
class ApproximateDraws:
    """Independent draws from an approximation q of the posterior; densities are means over draws.

    Parameters
    ----------
    center : MixtureParams
        The mixture at the centre of q.
    sampled : MixtureParams
        With leading axes (1, draw).
    is_aligned : bool
        Whether component k is the same in all draws, as it is where q has one mode.
    alignment : Alignment or None
        How it was made so, where q has several.
    log_ratio : (draw,) array or None
        log p(X, theta) - log q(theta) but for a constant, in coordinates without bounds; None where the draws are no
        longer those of q but resampled.
    """

    center: MixtureParams
    sampled: MixtureParams
    is_aligned: bool
    alignment: Alignment | None = None
    log_ratio: np.ndarray | None = None
    kind: ClassVar[str] = "variational"

    @property
    def params(self) -> MixtureParams:
        return self.center

    def draws(self) -> MixtureParams:
        return self.sampled

    def log_density(self, X: np.ndarray) -> np.ndarray:
        return Draws(self.sampled, {}).log_density(X)

    def responsibilities(self, X: np.ndarray) -> np.ndarray:
        """Those of the predictive mixture: the mean over draws of each component's part of the density."""
        if not self.is_aligned and self.center.n_components > 1:
            raise NotApplicableError(UNALIGNED)
        return self.shares(X)

    def shares(self, X: np.ndarray) -> np.ndarray:
        return mean_responsibilities(self.sampled, X, self.log_density(X))

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return Draws(self.sampled, {}).sample(n, rng)

    def law(self) -> MixtureParams:
        return self.sampled.pooled()


@dataclass(frozen=True)
class ApproximationDiagnostics:
    """How good an approximation q is where it has mass.

    Parameters
    ----------
    pareto_k : float
        Of the importance ratios p / q at draws of q.  Up to 0.7 they could correct q; above, q is far from p.  A
        mode of p that no draw of q comes near does not show in it.
    elbo, elbo_se : float
        Evidence lower bound of q, in nats, as the mean of log p - log q over the draws, and its standard error.
    n_iter : int
        Steps of the optimiser, of all paths together.
    path_elbos : tuple of float
        The bound of each path by itself.

    References
    ----------
    Yao, Vehtari, Simpson and Gelman (2018), ICML, Proceedings of Machine Learning Research 80, 5581-5590.
    """

    pareto_k: float
    elbo: float
    elbo_se: float
    n_iter: int
    path_elbos: tuple[float, ...]

    @property
    def is_reliable(self) -> bool:
        return bool(self.pareto_k <= PARETO_K_LIMIT)
