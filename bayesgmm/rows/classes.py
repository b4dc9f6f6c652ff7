"""`Classes`: which classes the labels of rows name, and which components are theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.core.facts import RowFacts


@dataclass(frozen=True)
class Classes:
    """The classes of labelled rows.

    Parameters
    ----------
    names : tuple
        The labels as they were given, one for each class.
    owner : tuple of int
        The class of each component, -1 for a component of no class.
    """

    names: tuple[Any, ...]
    owner: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.names)

    def written(self) -> tuple[tuple[Any, ...], tuple[int, ...]]:
        """Names and owners for a file, in which a name that is neither number nor text becomes a text."""
        plain = (bool, int, float, str)
        return tuple(name if isinstance(name, plain) else str(name) for name in self.names), self.owner

    def shares(self, responsibilities: np.ndarray) -> np.ndarray:
        """(n, C) sums of (n, K) responsibilities over the components of each class."""
        owner = np.array(self.owner)
        return np.stack([responsibilities[:, owner == c].sum(1) for c in range(len(self))], axis=1)

    @property
    def has_free(self) -> bool:
        """Whether there are components of no class."""
        return -1 in self.owner

    def allowed(self) -> np.ndarray:
        """(C, K) zero where a component is of the class, -inf elsewhere."""
        return np.where(np.array(self.owner) == np.arange(len(self))[:, None], 0.0, -np.inf)

    def shares_or_offsets(self, offsets: np.ndarray) -> np.ndarray:
        """(n, C) the offsets that probabilities of the classes made, or (n, K) the offsets where they are others."""
        if not len(offsets):
            return offsets
        by_class = offsets[:, [self.owner.index(c) for c in range(len(self))]]
        return by_class if np.array_equal(self._spread_out(by_class), offsets) else offsets

    def facts_for(self, theirs: RowFacts, owner: Classes) -> RowFacts:
        """What is known of the rows of a fit with other components of the same classes, as these components need it."""
        if owner.owner == self.owner:
            return theirs
        offsets, by_class = theirs.offsets, owner.shares_or_offsets(theirs.offsets)
        if by_class is not offsets:
            offsets = self._spread_out(by_class)
        return theirs._replace(allowed=self.allowed() if len(theirs.allowed) else theirs.allowed, offsets=offsets)

    def _spread_out(self, by_class: np.ndarray) -> np.ndarray:
        """(n, K) of (n, C) log probabilities: 0 where nothing is known, -inf of a component of no class elsewhere."""
        free = np.where((by_class == 0.0).all(1), 0.0, -np.inf)
        return np.ascontiguousarray(np.column_stack([by_class, free])[:, np.array(self.owner)])

    def numbers(self, labels: Any) -> np.ndarray:
        """(n,) labels as numbers of classes, -1 where a label is no class here."""
        place = {name: c for c, name in enumerate(self.names)}
        return np.array([place.get(label, -1) for label in labels], np.int64)

    def named(self, numbers: np.ndarray) -> np.ndarray:
        """(n,) the labels of classes by their numbers; None for -1, or -1 itself where labels are whole numbers."""
        kinds, is_complete = {type(name) for name in self.names}, bool((numbers >= 0).all())
        if kinds == {int}:
            return np.array([*self.names, -1])[numbers]
        if is_complete and len(kinds) == 1 and kinds <= {str, float, bool}:
            return np.array(self.names)[numbers]
        named = np.empty(len(self) + 1, object)  # one by one, as a tuple would become an axis
        for c, name in enumerate((*self.names, None)):
            named[c] = name
        return named[numbers]
