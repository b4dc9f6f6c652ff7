"""`Material`: everything that a relabelling method may read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesgmm.labels.matching import one_hot
from bayesgmm.labels.memberships import Memberships
from bayesgmm.labels.pivot import central_draw


@dataclass(frozen=True, eq=False)
class Material:
    """What is known of the draws; checked, and complete for the method that gets it.

    Parameters
    ----------
    responsibilities, allocations : Memberships or None
    parameters : (draws, K, p) array or None
    X : (n, d) array or None
    pivot : int, (n,) array of int, or None
        A draw, or a label for every point.
    max_iter : int
    """

    responsibilities: Memberships | None
    allocations: Memberships | None
    parameters: np.ndarray | None
    X: np.ndarray | None
    pivot: int | np.ndarray | None
    max_iter: int

    @property
    def memberships(self) -> Memberships:
        """The allocations where there are any, since they are what was drawn; else the responsibilities."""
        found = self.responsibilities if self.allocations is None else self.allocations
        assert found is not None
        return found

    @property
    def groups(self) -> np.ndarray | None:
        """Those of the memberships, where there are any."""
        found = self.responsibilities if self.allocations is None else self.allocations
        return None if found is None else found.groups

    def pivot_draw(self) -> int:
        """The given draw, or the central one."""
        return self.pivot if isinstance(self.pivot, int) else central_draw(self.memberships)

    def pivot_partition(self) -> np.ndarray:
        """(n, K) ones and zeros: the given labels, or the most probable ones of the pivot draw."""
        memberships = self.memberships
        if isinstance(self.pivot, np.ndarray):
            return one_hot(self.pivot, memberships.n_components)
        draw = memberships.at(np.array([self.pivot_draw()]))[0]
        return one_hot(draw.argmax(1), memberships.n_components)
