"""`Alignment`: how the components of draws were put in one order, and how sure that order is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Alignment:
    """What `bayesgmm.relabel` did to the draws of a fit.

    Ambiguity is the posterior probability that another order of the components is the right one.  With f_k the
    density of component k's parameters (a Student-t fitted to the aligned draws), a draw belongs in the order o with
    probability proportional to the product over k of f_k(component o_k): 0 where no other order is possible, 1/2 where
    two are as good (Sperrin, Jaki and Wit 2010, doi:10.1007/s11222-009-9129-8).

    Parameters
    ----------
    method : str
    order : (chain, draw, K) array of int
        Component k of a draw was component ``order[..., k]`` when it was drawn.
    draws : (chain, draw) array
        The ambiguity of each draw: the probability of any other order.
    components : (chain, draw, K) array
        The probability that another component of the draw is component k; NaN where the draw has none.
    is_occupied : (chain, draw, K) array of bool
        Whether component k holds a point; True throughout where the prior expects no empty components.
    """

    method: str
    order: np.ndarray
    draws: np.ndarray
    components: np.ndarray
    is_occupied: np.ndarray

    @property
    def overall(self) -> float:
        """The mean ambiguity of the draws: the expected share of draws in a wrong order."""
        return float(self.draws.mean())

    @property
    def per_component(self) -> np.ndarray:
        """(K,) mean ambiguity of each component over the draws that have it; NaN where none has."""
        counts = self.is_occupied.sum((0, 1))
        return np.where(counts > 0, np.nansum(self.components, (0, 1)) / np.maximum(counts, 1), np.nan)

    @property
    def occupied(self) -> np.ndarray:
        """(K,) share of the draws in which each component holds a point."""
        return self.is_occupied.mean((0, 1))

    @property
    def drawn_order(self) -> np.ndarray:
        """(chain, draw, K) the inverse of `order`: it gives the draws back as they were drawn."""
        return np.argsort(self.order, axis=-1)

    def __repr__(self) -> str:
        return f"<Alignment by {self.method!r}: ambiguity {self.overall:.3g}>"
