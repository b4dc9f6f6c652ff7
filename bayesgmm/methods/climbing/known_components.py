"""Starts for rows of whose components something is known: labels, or offsets.

A start numbers its parts by chance, whereas labels and offsets name components.  So its parts are numbered anew, such
that as many rows as possible lie in a component that they may be of.  Every other start goes further: its components
are those of the rows of which something is known, and only what no such row has is taken from the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.special import softmax

from bayesgmm.core.facts import log_shares
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.sweep import Assign
from bayesgmm.rows import Rows
from bayesgmm.rows.kmeans import whitened_distances

BLOCK_ROWS = 2**16


def named(
    made: Iterator[SufficientStatistics], rows: Rows, whitening: np.ndarray, number: int = 0
) -> Iterator[SufficientStatistics]:
    """Starts whose components are those that the rows speak of; even numbers, from `number` on, by known rows alone."""
    known = _known(rows)
    for stats in made:
        if len(known):
            stats = stats.permuted(_order(stats, known, whitening))
            stats = _seeded(stats, known, whitening) if number % 2 == 0 else stats
        number += 1
        yield stats


def _known(rows: Rows) -> Rows:
    """The rows that are not the same to all components."""
    facts, is_known = rows.facts, np.zeros(len(rows), bool)
    if len(facts.classes):
        is_known |= facts.classes >= 0
    if len(facts.offsets):
        is_known |= (facts.offsets != facts.offsets[:, :1]).any(1)
    return rows.subset(np.flatnonzero(is_known))


def _order(stats: SufficientStatistics, known: Rows, whitening: np.ndarray) -> np.ndarray:
    """(K,) which part becomes component k."""
    from scipy.optimize import linear_sum_assignment  # slow to import

    scores, k = whitened_distances(stats.means(), whitening), len(stats.counts)
    gains = np.zeros((k, k))
    for block in known.blocks(BLOCK_ROWS):
        parts = np.eye(k)[block.unrestricted().log_joint(scores).argmax(1)]
        weights = block.facts.weights[:, None] if len(block.facts.weights) else 1.0
        shares = softmax(log_shares(block.facts, len(block), k), axis=1)
        gains += np.einsum("nl,nk->lk", parts, weights * shares)  # not by BLAS: its bits depend on threads
    return linear_sum_assignment(gains.T, maximize=True)[1]


def _seeded(stats: SufficientStatistics, known: Rows, whitening: np.ndarray) -> SufficientStatistics:
    """Components of the known rows alone; those that none of them is of as they are, in the same proportion."""
    own = known.sweep(whitened_distances(stats.means(), whitening), Assign.HARD)
    rest, is_own = stats.scaled(own.n_obs / stats.n_obs), own.counts > 0.0

    def chosen(name: str) -> np.ndarray:
        values, others = getattr(own, name), getattr(rest, name)
        return np.where(is_own.reshape(-1, *(1,) * (values.ndim - 1)), values, others)

    return replace(stats, n_obs=own.n_obs, **{name: chosen(name) for name in ("counts", "first", "second", "center")})
