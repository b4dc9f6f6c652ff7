"""Moves that leave a local optimum: components merge, and others are born by splitting.

A move proposes statistics; the climb from there goes over all of the data, and the move is accepted only where the
objective ends higher than it was, and nothing about its end is suspicious.  Hughes and Sudderth (2013), "Memoized
online variational inference for Dirichlet process mixture models", NeurIPS 26; merge and split at once where no
component is free: Ueda, Nakano, Ghahramani and Hinton (2000), Neural Computation 12, 2109-2128,
doi:10.1162/089976600300015088.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, product

import numpy as np

from bayesgmm.core.params import ComponentScores
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.methods.climbing.loop import Climb, Polished, Readout, Stopping, climb, tried
from bayesgmm.methods.climbing.splits import SPLITS, Part, Split
from bayesgmm.rows import Rows

EMPTY = 1.0  # a component that holds less than a row is free to be born anew
N_PAIRS = 3  # the most alike pairs of components that are tried
EARLY, TRIAL = 10, 30  # iterations after which a move must promise to pay, and must have paid
BLOCK_ROWS = 2**16


@dataclass(frozen=True, eq=False)
class Moves:
    """Births and merges, for `climb_all`.

    Parameters
    ----------
    rows : Rows
    readout : Readout
    whitening : (D, D) or (D,) array
    stopping : Stopping
    budget : int
        Moves that are tried at most.
    rng : Generator
        Of the order of the less promising moves.
    """

    rows: Rows
    readout: Readout
    whitening: np.ndarray
    stopping: Stopping
    budget: int
    rng: np.random.Generator

    def __call__(self, best: Climb) -> Polished:
        """Try moves until none of those at hand raises the objective."""
        n_tried, n_accepted, begin = 0, 0, best.objective
        margin = self.rows.n_obs * (self.stopping.tol or 0.0) + 1e-9 * abs(begin)  # what a longer climb might gain
        is_done = not best.is_converged or bool(best.flags) or not self.are_possible(len(best.stats.counts))
        while not is_done:
            is_done = True
            for stats in self._proposals(best):
                if n_tried == self.budget:
                    break
                n_tried += 1
                try:
                    trial = self._trial(stats, best.objective)
                except KeyboardInterrupt:  # in the first sweep of a trial there is nothing of it to keep
                    return Polished(best, f"Interrupted after {n_tried} birth and merge moves.", True)
                if trial is None:
                    continue
                if trial.objective > best.objective + margin and self._is_sound(trial) and not trial.is_interrupted:
                    trial = trial if trial.is_converged else climb(self.rows, self.readout, trial.state, self.stopping)
                    if self._is_sound(trial):
                        best, n_accepted, is_done = _after(best, trial), n_accepted + 1, False
                if trial.is_interrupted:
                    return Polished(best, f"Interrupted after {n_tried} birth and merge moves.", True)
                if not is_done:
                    break
        gain = f"raised the {self.readout.goal} by {best.objective - begin:.2f} nats"
        note = f"{n_accepted} of {n_tried} birth and merge moves {gain}." if n_accepted else ""
        return Polished(best, note, False)

    def are_possible(self, n_components: int) -> bool:
        """Whether there are any, among components that nothing known of the rows tells apart."""
        return self.budget > 0 and len(set(self.rows.groups(n_components))) < n_components

    @property
    def _empty(self) -> float:
        return EMPTY * self.rows.mean_weight

    def _is_sound(self, trial: Climb) -> bool:
        return not trial.flags and (self.readout.may_empty or trial.stats.counts.min() >= self._empty)

    def _trial(self, stats: SufficientStatistics, aim: float) -> Climb | None:
        """The first iterations after a move; None where it leads nowhere, or not to `aim` at its present pace."""
        early, late = (replace(self.stopping, max_iter=min(n, self.stopping.max_iter)) for n in (EARLY, TRIAL - EARLY))
        trial = tried(self.rows, self.readout, self.readout.read(stats), early)
        if trial is None or trial.is_converged or trial.is_interrupted or len(trial.history) < 2:
            return trial
        pace = trial.history[-1] - trial.history[-2]
        if trial.objective + late.max_iter * pace < aim:
            return None
        return tried(self.rows, self.readout, trial.state, late)

    def _proposals(self, now: Climb) -> Iterator[SufficientStatistics]:
        """Statistics after one move each: merges alone, divisions by 2-means, then other divisions in random order."""
        stats, scores = now.stats, self.readout.scores(now.state)
        occupied, free = np.flatnonzero(stats.counts >= self._empty), np.flatnonzero(stats.counts < self._empty)
        groups = self.rows.groups(len(stats.counts))  # points move among components that nothing tells apart
        pairs = _pairs(self._overlap(scores), occupied, groups)
        fused = [_Division(merged(stats, i, j), (i, j), i, j) for i, j in pairs]
        if self.readout.may_empty:
            yield from (one.stats for one in fused)
        largest = [int(k) for k in occupied[np.argsort(-stats.counts[occupied], kind="stable")]]
        if len(free):
            at = {groups[k]: int(k) for k in free[::-1]}  # the first free one of a group
            births = [_Division(stats, (k,), k, at[groups[k]]) for k in largest if groups[k] in at]
        else:
            births = [
                _Division(one.stats, (k,), k, one.free)
                for one in fused for k in largest
                if k not in one.holders and groups[k] == groups[one.free]
            ]  # fmt: skip

        @cache
        def halves(split: Split, holders: tuple[int, ...]) -> SufficientStatistics | None:
            try:
                return split(self._part(stats, scores, holders))
            except np.linalg.LinAlgError:  # a division that fails must not end a fit
                return None

        others = [(split, one) for split in SPLITS[1:] for one in births] + list(product(SPLITS, fused))
        order = self.rng.permutation(len(others))
        for split, one in chain(product(SPLITS[:1], births), (others[t] for t in order)):
            parts = halves(split, one.holders)
            if parts is not None:
                yield replaced(one.stats, one.k, one.free, parts)

    def _overlap(self, scores: ComponentScores) -> np.ndarray:
        """(K, K) correlations of the responsibilities, not centred."""
        total = np.zeros((len(scores.log_weight),) * 2)
        for block in self.rows.blocks(BLOCK_ROWS):
            shares = block.responsibilities(scores)
            weighted = shares * block.facts.weights[:, None] if len(block.facts.weights) else shares
            total += np.einsum("nk,nl->kl", weighted, shares)  # not by BLAS, whose bits depend on its threads
        size = np.sqrt(np.maximum(np.diag(total), np.finfo(float).tiny))
        return total / size / size[:, None]

    def _part(self, stats: SufficientStatistics, scores: ComponentScores, holders: tuple[int, ...]) -> Part:
        """The points of one component, or of a pair that is to be divided anew."""
        blocks = self.rows.blocks(BLOCK_ROWS)
        shares = np.concatenate([block.responsibilities(scores)[:, holders].sum(1) for block in blocks])
        k = holders[0]
        whole = stats if len(holders) == 1 else merged(stats, *holders)
        return Part(self.rows.shared(shares), whole.means()[k], whole.scatter()[k] / whole.counts[k], self.whitening)


@dataclass(frozen=True, eq=False)
class _Division:
    """The points of `holders` are divided between components k and `free` of the statistics."""

    stats: SufficientStatistics
    holders: tuple[int, ...]
    k: int
    free: int


def merged(stats: SufficientStatistics, i: int, j: int) -> SufficientStatistics:
    """Component i with the points of both, component j with none."""
    center = stats.means()
    total = stats.counts[i] + stats.counts[j]
    center[i] = center[j] = (stats.counts[i] * center[i] + stats.counts[j] * center[j]) / total
    moved = stats.recentred(center)
    counts, first, second = moved.counts.copy(), moved.first.copy(), moved.second.copy()
    for sums in (counts, first, second):
        sums[i] += sums[j]
        sums[j] = 0.0
    return replace(moved, counts=counts, first=first, second=second)


def replaced(stats: SufficientStatistics, k: int, free: int, halves: SufficientStatistics) -> SufficientStatistics:
    """Components k and `free` with the two halves of k's points."""
    arrays = {name: getattr(stats, name).copy() for name in ("counts", "first", "second", "center")}
    for name, values in arrays.items():
        values[[k, free]] = getattr(halves, name)
    return replace(stats, **arrays)


def _pairs(overlap: np.ndarray, occupied: np.ndarray, groups: np.ndarray) -> list[tuple[int, int]]:
    pairs = [(int(i), int(j)) for a, i in enumerate(occupied) for j in occupied[a + 1 :] if groups[i] == groups[j]]
    return sorted(pairs, key=lambda pair: -overlap[pair])[:N_PAIRS]


def _after(old: Climb, new: Climb) -> Climb:
    """The new climb with the history of how the objective rose through both."""
    higher = new.history[new.history > old.objective]
    return replace(new, history=np.concatenate([old.history, higher]), n_iter=old.n_iter + new.n_iter)
