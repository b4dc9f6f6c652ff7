"""The precision factors of local coordinates, and the gradient in them, in either form of their arrays."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from bayesgmm.core.forms import DIAGONAL, TRIANGULAR, Form
from bayesgmm.core.matrices import invert_triangular


class FactorCoordinates(Protocol):
    """Logarithms and corners of what a factor is of the centre's, which is `base`, expanded or compact."""

    def shifted(self, base: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        """``C u`` of (..., K, D) shifts."""
        ...

    def at(self, base: np.ndarray, entries: np.ndarray) -> np.ndarray:
        """Compact factors at (..., n) entries."""
        ...

    def by_shift(self, base: np.ndarray, factor: np.ndarray, first: np.ndarray) -> np.ndarray:
        """(K, D) gradient in the shifts, from that in the means without the precision."""
        ...

    def by_entry(
        self, base: np.ndarray, factor: np.ndarray, scatter: np.ndarray, points: np.ndarray, entries: np.ndarray
    ) -> np.ndarray:
        """(n,) gradient in the entries."""
        ...

    def cross(self, pull: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """``p v^T`` of each row."""
        ...


class Triangles:
    """A factor is ``P T`` with an upper triangular T, whose diagonal is ``exp(t)``."""

    def shifted(self, base: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        return np.einsum("kji,...kj->...ki", invert_triangular(base), shifts)

    def at(self, base: np.ndarray, entries: np.ndarray) -> np.ndarray:
        d, lead = base.shape[-1], entries.shape[:-1]
        (i, j), entries = np.triu_indices(d), entries.reshape(*lead, len(base), -1)
        triangles = np.zeros((*lead, len(base), d, d))
        triangles[..., i, j] = np.where(i == j, np.exp(entries), entries)
        return base @ triangles

    def by_shift(self, base: np.ndarray, factor: np.ndarray, first: np.ndarray) -> np.ndarray:
        return np.einsum("kij,kjl,kml,km->ki", invert_triangular(base), factor, factor, first)

    def by_entry(
        self, base: np.ndarray, factor: np.ndarray, scatter: np.ndarray, points: np.ndarray, entries: np.ndarray
    ) -> np.ndarray:
        i, j = np.triu_indices(base.shape[-1])
        without_log_det = -np.swapaxes(base, 1, 2) @ scatter @ factor
        scale = np.where(i == j, np.exp(entries.reshape(len(base), -1)), 1.0)
        return (without_log_det[:, i, j] * scale + np.where(i == j, points[:, None], 0.0)).ravel()

    def cross(self, pull: np.ndarray, offset: np.ndarray) -> np.ndarray:
        return pull[:, :, None] * offset[:, None, :]


class Numbers:
    """A factor is ``p exp(t)``, entry by entry."""

    def shifted(self, base: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        return shifts / base

    def at(self, base: np.ndarray, entries: np.ndarray) -> np.ndarray:
        return base * np.exp(entries.reshape(*entries.shape[:-1], *base.shape))

    def by_shift(self, base: np.ndarray, factor: np.ndarray, first: np.ndarray) -> np.ndarray:
        return factor**2 * first / base

    def by_entry(
        self, base: np.ndarray, factor: np.ndarray, scatter: np.ndarray, points: np.ndarray, entries: np.ndarray
    ) -> np.ndarray:
        return (points[:, None] - scatter * factor**2).ravel()

    def cross(self, pull: np.ndarray, offset: np.ndarray) -> np.ndarray:
        return pull * offset


FACTORS: dict[Form, FactorCoordinates] = {TRIANGULAR: Triangles(), DIAGONAL: Numbers()}
