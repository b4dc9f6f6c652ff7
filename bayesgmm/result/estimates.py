"""The kinds of answer a method can give: `PointEstimate`, `Draws`, `VariationalPosterior`, `NoEstimate`.

Each answers the same questions; what a kind cannot honestly answer raises `NotApplicableError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import scipy

from bayesgmm.core import density
from bayesgmm.core.params import MixtureParams
from bayesgmm.core.student import StudentMixture
from bayesgmm.errors import NotApplicableError
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.priors.predictive import predictive
from bayesgmm.result.alignment import Alignment

UNALIGNED = (
    "the components of these draws are not aligned: label switching makes 'component 1' mean different things in "
    "different draws, so per-component answers would average unlike things. Use label-invariant answers "
    "(log_density, sample, summary()), or align the labels first: bg.relabel(fit)."
)
VB_DRAWS = 1000


class Estimate(Protocol):
    """What every kind of answer offers the `Fit` that holds it."""

    kind: ClassVar[str]

    @property
    def is_aligned(self) -> bool:
        """Whether component k is the same component in every draw."""
        ...

    @property
    def params(self) -> MixtureParams: ...

    def draws(self) -> MixtureParams:
        """Mixtures with leading axes (chain, draw)."""
        ...

    def log_density(self, X: np.ndarray) -> np.ndarray: ...

    def responsibilities(self, X: np.ndarray) -> np.ndarray: ...

    def shares(self, X: np.ndarray) -> np.ndarray:
        """(n, K) as `responsibilities`, also where components alike may have changed places between draws."""
        ...

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray: ...

    def law(self) -> MixtureParams | StudentMixture:
        """The predictive distribution of a point as one mixture."""
        ...


@dataclass(frozen=True, eq=False)
class PointEstimate:
    """One mixture: its density is the plug-in.

    Parameters
    ----------
    params : MixtureParams
    log_likelihood : float or None
        Of the data it was fitted to, in nats; None where they were not read again to find out.
    """

    params: MixtureParams
    log_likelihood: float | None
    kind: ClassVar[str] = "point"

    @property
    def is_aligned(self) -> bool:
        return True

    def draws(self) -> MixtureParams:
        return self.params[None, None]

    def log_density(self, X: np.ndarray) -> np.ndarray:
        return density.log_density(self.params, X)

    def responsibilities(self, X: np.ndarray) -> np.ndarray:
        return density.responsibilities(self.params.scores(), X)

    shares = responsibilities

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return density.sample(self.params, n, rng)[0]

    def law(self) -> MixtureParams:
        return self.params


@dataclass(frozen=True, eq=False)
class ChainState:
    """Where a Markov chain has got to, which is all that it needs to go on.

    Parameters
    ----------
    arrays : dict of str to array
        Its present values, float64.
    generator : dict
        The state of its random numbers, as NumPy's bit generator gives it.
    """

    arrays: dict[str, np.ndarray]
    generator: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Draws:
    """Posterior draws with axes (chain, draw); densities are means over draws.

    Parameters
    ----------
    params : MixtureParams
        With leading axes (chain, draw).
    sample_stats : dict of str to (chain, draw) array
    states : tuple of ChainState
        Of each chain after its last draw; empty where the sampler cannot say.
    alignment : Alignment or None
        How the components were put in one order; None as long as their labels switch.
    is_identified : bool
        Whether labels of rows, or offsets, tell every component from all others, so that none switch.
    """

    params: MixtureParams
    sample_stats: dict[str, np.ndarray]
    states: tuple[ChainState, ...] = ()
    alignment: Alignment | None = None
    is_identified: bool = False
    kind: ClassVar[str] = "draws"

    @property
    def is_aligned(self) -> bool:
        return self.is_identified or self.alignment is not None

    def draws(self) -> MixtureParams:
        return self.params

    def as_drawn(self) -> MixtureParams:
        """The draws in the order that the model gives its components, as sticks have one."""
        return self.params if self.alignment is None else self.params.permuted(self.alignment.drawn_order)

    def log_density(self, X: np.ndarray) -> np.ndarray:
        n_draws = int(np.prod(self.params.draw_shape))
        total = np.empty(len(X))
        for rows, block in density.log_density_blocks(self.params, X):
            total[rows] = scipy.special.logsumexp(block, axis=0) - np.log(n_draws)
        return total

    def responsibilities(self, X: np.ndarray) -> np.ndarray:
        if self.params.n_components == 1:
            return np.ones((len(X), 1))
        if not self.is_aligned:
            raise NotApplicableError(UNALIGNED)
        return self.shares(X)

    def shares(self, X: np.ndarray) -> np.ndarray:
        return mean_responsibilities(self.params, X, self.log_density(X))

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        chains, draws = self.params.draw_shape
        chosen = (rng.integers(chains, size=n), rng.integers(draws, size=n))
        return density.sample(self.params[chosen], n, rng)[0]

    def law(self) -> MixtureParams:
        return self.params.pooled()


@dataclass(frozen=True, eq=False)
class VariationalPosterior:
    """A conjugate q(parameters): its predictive density is a Student-t mixture.

    Parameters
    ----------
    posterior : ConjugateMixture
    seed : int
        Of the 1000 draws that stand for q where draws are asked for.
    """

    posterior: ConjugateMixture
    seed: int
    kind: ClassVar[str] = "variational"

    @property
    def is_aligned(self) -> bool:
        return True

    @property
    def params(self) -> MixtureParams:
        """Expected weights and means, and covariances that invert the expected precisions."""
        components = self.posterior.components
        return MixtureParams.trusted(self.posterior.weights.mean(), components.mean, components.expected_factor())

    def draws(self) -> MixtureParams:
        return self.posterior.sample(np.random.default_rng(self.seed), VB_DRAWS)[None]

    def log_density(self, X: np.ndarray) -> np.ndarray:
        return self.law().log_density(X)

    def responsibilities(self, X: np.ndarray) -> np.ndarray:
        return scipy.special.softmax(self.law().log_joint(X), axis=1)

    shares = responsibilities

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return density.sample(self.posterior.sample(rng, n), n, rng)[0]

    def law(self) -> StudentMixture:
        return predictive(self.posterior)


@dataclass(frozen=True, eq=False)
class NoEstimate:
    """What a failed fit holds: every question is answered with the reason of the failure."""

    reason: str
    kind: ClassVar[str] = "none"

    @property
    def is_aligned(self) -> bool:
        return True

    def _refuse(self) -> NotApplicableError:
        return NotApplicableError(f"this fit has no usable result: {self.reason}")

    @property
    def params(self) -> MixtureParams:
        raise self._refuse()

    def draws(self) -> MixtureParams:
        raise self._refuse()

    def log_density(self, X: np.ndarray) -> np.ndarray:
        raise self._refuse()

    def responsibilities(self, X: np.ndarray) -> np.ndarray:
        raise self._refuse()

    shares = responsibilities

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        raise self._refuse()

    def law(self) -> MixtureParams:
        raise self._refuse()


def mean_responsibilities(draws: MixtureParams, X: np.ndarray, log_density: np.ndarray) -> np.ndarray:
    """(n, K) of the predictive mixture of aligned draws: the mean of each component's part of the density.

    `log_density` (n,) is that of the predictive mixture, so that nothing overflows.
    """
    flat = draws.reshaped(int(np.prod(draws.draw_shape)))
    total = np.zeros((len(X), draws.n_components))
    for s in range(len(flat.weights)):
        scores = flat[s].scores()
        share = np.exp(density.log_sums(scores, X) - log_density)
        total += share[:, None] * density.responsibilities(scores, X)
    return total / total.sum(1, keepdims=True)


def log_density_draw_blocks(estimate: Estimate, X: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (rows, (draws, rows)) log densities of every draw, chains one after the other."""
    return density.log_density_blocks(estimate.draws(), X)
