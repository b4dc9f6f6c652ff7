"""`Pointwise`: the log density of every point under every draw, computed once for all who ask."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.core.density import log_density_blocks, log_likelihoods
from bayesgmm.core.facts import NO_FACTS, RowFacts
from bayesgmm.core.params import MixtureParams
from bayesgmm.data import data_hash
from bayesgmm.errors import ArgumentError

if TYPE_CHECKING:
    from bayesgmm.result.fit import Fit

WHOLE_BYTES = 2**30  # of one draws x points array
KEPT_BYTES = 256 * 2**20  # of all fits together, so that a comparison of many needs no more than one of few
Block = tuple[slice, np.ndarray]


class Pointwise:
    """Log densities of points under draws: read-only, and computed when they are first asked for.

    The sums over the points are kept, and the (draws, n) values themselves as long as those of all fits that were asked
    last are within `KEPT_BYTES`; beyond that they are computed anew, block by block.

    Parameters
    ----------
    draws : callable
        Gives the mixtures, with any leading axes.
    X : (n, d) array
    facts : RowFacts
        What is known of the rows' components: the density of a labelled row is that of its values and its class.
    is_kept : bool
        False where nobody will ask again.
    """

    def __init__(
        self, draws: Callable[[], MixtureParams], X: np.ndarray, facts: RowFacts = NO_FACTS, is_kept: bool = True
    ):
        self.draws, self.X, self.facts, self.is_kept = draws, X, facts, is_kept
        self._blocks: tuple[Block, ...] | None = None
        self._total: np.ndarray | None = None

    def __reduce__(self) -> tuple:
        # Without the values: another process computes them anew sooner than it is sent a quarter of a GiB.
        return Pointwise, (self.draws, self.X, self.facts, self.is_kept)

    def blocks(self) -> Iterator[Block]:
        """Yield (rows, (draws, rows) log densities), chains one after the other, in bounded memory."""
        if self._blocks is not None:
            yield from self._blocks
            return
        params = self.draws()
        n_draws = int(np.prod(params.draw_shape))
        n_bytes = 8 * n_draws * len(self.X)
        kept: list[Block] | None = [] if self.is_kept and _room.clear(n_bytes) else None
        total = np.zeros(n_draws)
        for rows, block in log_density_blocks(params, self.X, self.facts):
            total += block.sum(1)
            block.flags.writeable = False
            if kept is not None:
                kept.append((rows, block))
            yield rows, block
        total.flags.writeable = False
        self._total = total.reshape(params.draw_shape)
        if kept is not None:
            self._blocks = tuple(kept)
            _room.enter(self, n_bytes)

    def whole(self) -> np.ndarray:
        """(draws, n) all of them.

        Raises
        ------
        ArgumentError
            The array would be above 1 GiB.
        """
        n_draws = int(np.prod(self.draws().draw_shape))
        if 8 * n_draws * len(self.X) > WHOLE_BYTES:
            raise ArgumentError(
                f"{n_draws} draws x {len(self.X)} points would take {8 * n_draws * len(self.X) / 2**30:.1f} GiB; "
                "iterate over log_density_blocks(X) instead."
            )
        out = np.empty((n_draws, len(self.X)))
        for rows, block in self.blocks():
            out[:, rows] = block
        return out

    def total(self) -> np.ndarray:
        """Log likelihood of each draw: the sum over the points, with the axes of the draws."""
        if self._total is None:
            for _ in self.blocks():
                pass
        assert self._total is not None
        return self._total

    def total_at(self, chosen: slice | np.ndarray | tuple) -> np.ndarray:
        """`total` at some draws, for which the others are not computed where nothing is known yet."""
        if self._total is not None:
            return self._total[chosen]
        return log_likelihoods(self.draws()[chosen], self.X, self.facts)

    def forget(self) -> None:
        """Let go of the values, for which others need the room."""
        self._blocks = None


class _Room:
    """Who keeps values, the oldest first."""

    def __init__(self):
        self._lock = Lock()
        self._held: list[tuple[weakref.ref[Pointwise], int]] = []

    def clear(self, n_bytes: int) -> bool:
        """Make room for so many bytes, if there can be any."""
        if n_bytes > KEPT_BYTES:
            return False
        with self._lock:
            self._held = [one for one in self._held if one[0]() is not None]
            while sum(size for _, size in self._held) + n_bytes > KEPT_BYTES:
                oldest = self._held.pop(0)[0]()
                if oldest is not None:
                    oldest.forget()
        return True

    def enter(self, owner: Pointwise, n_bytes: int) -> None:
        with self._lock:
            self._held.append((weakref.ref(owner), n_bytes))


_room = _Room()


def pointwise_of(fit: Fit, X: np.ndarray) -> Pointwise:
    """Those of a fit at its own data, which all who ask share, or at other points.

    Whether they are its own is told by their hash, so that a copy of the data is, and data that were changed are not.
    Points are values alone: where labels or offsets are known of the fit's rows, `fit.pointwise` has other densities.
    """
    is_own = fit.X is not None and not fit.rows.is_restricted and fit.rows.is_whole and len(X) == len(fit.points)
    if is_own and fit.sample_weight is None:
        is_own = data_hash(X) == fit.provenance["data_sha256"]
    elif is_own:
        is_own = data_hash(X) == data_hash(fit.points)
    return fit.pointwise if is_own else Pointwise(fit.estimate.draws, X, is_kept=False)
