"""Which component each point belongs to, draw by draw: the one thing that every relabelling method reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from bayesgmm.core.params import MixtureParams
from bayesgmm.rows import Rows

BLOCK_BYTES = 16 * 2**20  # of the memberships of a block of draws: small enough to stay in the cache between two reads
KEPT_BYTES = 2**29  # up to this size a fit's responsibilities are kept, above it every pass computes them anew


@dataclass(frozen=True)
class Memberships:
    """Memberships (draws, n, K), of which some draws are made at a time.

    Parameters
    ----------
    n_draws, n_points, n_components : int
    at : callable
        ``at(index)``, where index is a slice or an array of draws, gives (len, n, K): rows sum to one.
    groups : (K,) array or None
        A number for each component: those of one number may change places, and without numbers all may.
    """

    n_draws: int
    n_points: int
    n_components: int
    at: Callable[[slice | np.ndarray], np.ndarray]
    groups: np.ndarray | None = None

    def slices(self) -> Iterator[slice]:
        """Blocks of draws, which are the same for all memberships of one shape."""
        step = max(1, BLOCK_BYTES // (8 * self.n_points * self.n_components))
        for start in range(0, self.n_draws, step):
            yield slice(start, min(start + step, self.n_draws))


def from_responsibilities(values: np.ndarray) -> Memberships:
    """Those of an array (draws, n, K)."""
    n_draws, n_points, n_components = values.shape
    return Memberships(n_draws, n_points, n_components, values.__getitem__)


def from_allocations(allocations: np.ndarray, n_components: int) -> Memberships:
    """Those of labels (draws, n): ones and zeros."""
    identity = np.eye(n_components)
    n_draws, n_points = allocations.shape
    return Memberships(n_draws, n_points, n_components, lambda index: identity[allocations[index]])


def from_draws(draws: MixtureParams, rows: Rows) -> Memberships:
    """The responsibilities of each of the mixtures (draws,), kept where they take little memory."""
    n_draws, groups = len(draws.weights), rows.named_groups(draws.n_components)

    def at(index: slice | np.ndarray) -> np.ndarray:
        chosen = np.arange(n_draws)[index]
        block = np.empty((len(chosen), len(rows), draws.n_components))
        for i, s in enumerate(chosen):
            block[i] = rows.responsibilities(draws[s].scores())
        return block

    if 8 * n_draws * len(rows) * draws.n_components <= KEPT_BYTES:
        return replace(from_responsibilities(at(slice(None))), groups=groups)
    return Memberships(n_draws, len(rows), draws.n_components, at, groups)


def restricted(memberships: Memberships, is_occupied: np.ndarray) -> Memberships:
    """The same without the components that `is_occupied` (draws, K) denies; rows sum to one again."""

    def at(index: slice | np.ndarray) -> np.ndarray:
        block = memberships.at(index) * is_occupied[index][:, None, :]
        return block / block.sum(2, keepdims=True)

    return replace(memberships, at=at)


def sampled_allocations(soft: Memberships, seed: int) -> np.ndarray:
    """(draws, n) labels drawn from responsibilities, in one pass."""
    rng = np.random.default_rng(seed)
    labels = np.empty((soft.n_draws, soft.n_points), np.int16)
    for rows in soft.slices():
        cumulative = soft.at(rows).cumsum(2)
        threshold = rng.random((*cumulative.shape[:2], 1)) * cumulative[..., -1:]
        labels[rows] = (threshold >= cumulative).sum(2)
    return labels
