"""The start of every chain: a draw around one of the modes that the chains' searches found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import softmax

from bayesgmm.core.params import MixtureParams
from bayesgmm.methods.chains.search import MODE_NATS, Landscape, Optimum
from bayesgmm.models import Model
from bayesgmm.rows import Rows

FURTHER = 12  # searches that are added where fewer than `AGREED` of them found the best mode
AGREED = 0.75
LOWER_NATS = 3.0  # below the best known mode: twenty times less of the posterior, which is clearly lower


@dataclass(frozen=True, eq=False)
class ChainStarts:
    """What the searches of all chains found, put together.

    Every chain has a search of its own, with its own random numbers; the modes are pooled, since a chain that starts
    in a poor one because its own search missed the best says nothing about the posterior.  Where fewer than
    three in four searches found the best mode, better ones may exist: further searches are made.

    Parameters
    ----------
    landscape : Landscape
    optima : tuple of Optimum
        Distinct modes, the best first; at least one.
    n_best, n_searches : int
        Searches that found the best mode, or one at most `LOWER_NATS` lower, of how many.
    """

    landscape: Landscape
    optima: tuple[Optimum, ...]
    n_best: int
    n_searches: int

    @classmethod
    def find(
        cls, model: Model, data: Rows, generators: Sequence[np.random.Generator], further: np.random.Generator
    ) -> ChainStarts | None:
        """Search once with each generator, and with children of `further`; None where every start failed."""
        landscape = Landscape(model, data)
        searches = [landscape.search(generator) for generator in generators]
        for generator in further.spawn(FURTHER):
            if model.n_components == 1 or _n_best(searches) >= AGREED * len(searches):
                break
            searches.append(landscape.search(generator))
        optima = landscape.distinct([one for found in searches for one in found])
        return cls(landscape, tuple(optima), _n_best(searches), len(searches)) if optima else None

    @property
    def best(self) -> Optimum:
        return self.optima[0]

    def in_proportion(self, n_chains: int, rng: np.random.Generator) -> list[Optimum]:
        """A mode for each chain, in proportion to their evidence.

        One uniform number decides for all chains (systematic sampling), so that a mode with a share of the posterior
        above one over the number of chains surely has a chain, and chains are as dispersed as the posterior is.
        """
        shares = softmax([one.log_evidence for one in self.optima])
        places = (rng.random() + np.arange(n_chains)) / n_chains
        chosen = np.minimum(np.searchsorted(np.cumsum(shares), places, side="right"), len(shares) - 1)
        return [self.optima[i] for i in rng.permutation(chosen)]

    def in_turn(self, n_chains: int) -> list[Optimum]:
        """A mode for each chain, one after the other, of all that may matter: for chains that cannot leave theirs."""
        modes = [one for one in self.optima if one.log_evidence > self.best.log_evidence - MODE_NATS]
        return [modes[c % len(modes)] for c in range(n_chains)]

    def draw(self, optimum: Optimum, rng: np.random.Generator) -> MixtureParams:
        """A posterior draw around a mode."""
        return self.landscape.start_of(optimum, rng)


class ChainSearches:
    """The searches of a sampler's chains, made where they are asked for first: a run that goes on makes none.

    Parameters
    ----------
    model : Model
    data : Rows
    generators : sequence of Generator
        One for each chain.  Searches take children of theirs, the same ones in every run from one seed.
    can_move : bool
        Whether chains move between modes: they are then in proportion to the evidence, else one after the other.
    """

    def __init__(self, model: Model, data: Rows, generators: Sequence[np.random.Generator], can_move: bool):
        self.model, self.data, self.can_move = model, data, can_move
        self._own = [generator.spawn(1)[0] for generator in generators]
        self._common = generators[0].spawn(1)[0]

    @cached_property
    def starts(self) -> ChainStarts | None:
        """What the searches found; None where every start failed."""
        return ChainStarts.find(self.model, self.data, self._own, self._common)

    @cached_property
    def modes(self) -> list[Optimum]:
        """The mode in which each chain starts; none where every start failed."""
        if self.starts is None:
            return []
        n_chains = len(self._own)
        return self.starts.in_proportion(n_chains, self._common) if self.can_move else self.starts.in_turn(n_chains)

    def first_draw(self, chain: int, rng: np.random.Generator) -> MixtureParams:
        """A posterior draw around the chain's mode; one from the prior where no mode was found."""
        if self.starts is None:
            return self.model.conjugate().sample(rng, 1)[0]
        return self.starts.draw(self.modes[chain], rng)


def _n_best(searches: Sequence[Sequence[Optimum]]) -> int:
    heights = [found[0].log_evidence for found in searches if found]
    return sum(height > max(heights) - LOWER_NATS for height in heights) if heights else 0
