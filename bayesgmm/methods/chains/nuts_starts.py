"""Where the chains of NUTS start: around the good modes, or where an earlier stretch ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesgmm.core.params import MixtureParams
from bayesgmm.methods.chains.starts import ChainSearches
from bayesgmm.result.estimates import ChainState

PARAMS = ("weights", "means", "precision_chol")


class DispersedStarts:
    """Starts around the different modes that may matter, the best first; where chains outnumber modes they take turns.

    Modes more than 6 nats below the best evidence are left out, since a chain that starts in one of them and
    cannot leave it says nothing about the posterior.  On galaxies, iris, diabetes and faithful the bound was 0.1 to 4
    nats below an importance sampling estimate of the mode's evidence, and loosest for the poor modes.
    """

    def __init__(self, searches: ChainSearches):
        self.searches = searches

    def draw(self, chain: int, rng: np.random.Generator) -> MixtureParams:
        """The start of a chain."""
        return _inside(self.searches.first_draw(chain, rng))


@dataclass(frozen=True, eq=False)
class LastDraws:
    """Starts where the chains of an earlier run ended."""

    states: tuple[ChainState, ...]

    def draw(self, chain: int, rng: np.random.Generator) -> MixtureParams:
        """The start of a chain."""
        return _inside(MixtureParams.trusted(*(self.states[chain].arrays[name] for name in PARAMS)))


def _inside(params: MixtureParams) -> MixtureParams:
    weights = np.maximum(params.weights, 1e-12)  # a weight that underflows to 0 has no unconstrained coordinate
    return MixtureParams.trusted(weights / weights.sum(), params.means, params.precision_chol)
