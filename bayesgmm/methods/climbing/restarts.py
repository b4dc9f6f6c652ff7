"""Many starts, compared after a few iterations; the best are climbed to the end.

A round is ``n_init`` starts.  Its most promising half is climbed to the end, in order, until three climbs have met in
the best optimum.  Where only one has come there, another may well lie higher, and a further round is made: three rounds
at most.  So it is where every start ended with a component on a few points.  Fewer than five starts are all climbed to
the end, in one round.  Short runs of EM before long ones: Biernacki, Celeux and Govaert (2003), Computational
Statistics & Data Analysis 41, 561-575, doi:10.1016/S0167-9473(02)00163-9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Generic

import numpy as np

from bayesgmm.methods.climbing.dominance import gain_by_collapse
from bayesgmm.methods.climbing.loop import Climb, Polished, Readout, State, Stopping, climb, status_of
from bayesgmm.result.diagnostics import OptimiserDiagnostics
from bayesgmm.result.method import Progress
from bayesgmm.result.status import Outcome, Status
from bayesgmm.rows import Rows

FIRST = 30  # iterations after which starts are compared
AGREED = 3  # climbs in the best optimum that are enough
ROUNDS = 3
FEW = 5  # starts; fewer are all climbed to the end, and that no two of them agree says little
SAME = 0.1  # nats: optima that differ by less are equally good for any purpose


@dataclass(eq=False)
class Search(Generic[State]):
    """The climbs so far, those that are at their end, and what is needed to go on."""

    rows: Rows
    readout: Readout[State]
    stopping: Stopping
    n_starts: int
    climbs: list[Climb[State]] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)
    is_interrupted: bool = False

    def is_compared(self) -> bool:
        """Whether starts compete: few do not, and without a criterion of convergence each makes all its iterations."""
        return self.n_starts >= FEW and not (self.stopping.tol is None and self.stopping.param_tol is None)

    def run_round(self, starts: Iterable[State], report: Callable[[], None]) -> None:
        """Begin from every start, then take the best half to the end; an interrupt keeps what there is."""
        first, begin = self.stopping, len(self.climbs)
        if self.is_compared():
            first = replace(first, max_iter=min(FIRST, first.max_iter))
        try:
            for state in starts:
                report()
                self._keep(len(self.climbs), climb(self.rows, self.readout, state, first))
                if self.is_interrupted:
                    return
            for place, i in enumerate(self._by_promise(begin)):
                if self._is_enough(i, place):
                    break
                if i not in self.ended:
                    report()
                    self._keep(i, self._continued(self.climbs[i]))
                if self.is_interrupted:
                    return
        except KeyboardInterrupt:  # between two climbs, or while a start was made
            self.is_interrupted = True
            if not self.climbs:
                raise

    def chosen(self) -> int:
        """The best sound climb, one at its end before others.

        A suspicious one is chosen where none is sound, or where its height cannot be owed to what is suspicious:
        then the sound ones are poor, as with a group of equal far outliers.
        """
        best = max(range(len(self.climbs)), key=self._rank)
        at_end = range(len(self.climbs)) if self.is_interrupted or not self.ended else sorted(self.ended)
        other = max(at_end, key=self._least)  # one that was cut may be higher by rounding
        return other if self._least(other) > self.climbs[best].objective else best

    def _least(self, i: int) -> float:
        """The objective of climb i without what a collapse may have added."""
        return self.climbs[i].objective - gain_by_collapse(self.climbs[i].flags, self.rows.mean_weight)

    def n_agreed(self) -> int:
        """How many climbs ended in the best optimum."""
        best = self.climbs[self.chosen()]
        margin = SAME + 2.0 * (self.stopping.tol or 0.0) * best.stats.n_obs  # that much may still have been to come
        sound = (self.climbs[i] for i in self.ended if self.climbs[i].flags == () or best.flags)
        return sum(c.objective >= best.objective - margin for c in sound)

    def is_lonely(self) -> bool:
        """Whether the best optimum was found once only, or all that was found are a few points that lie together."""
        flags = self.climbs[self.chosen()].flags
        is_poor = np.isinf(gain_by_collapse(flags, 1.0)) if flags else self.n_agreed() == 1
        return self.is_compared() and bool(is_poor)

    def _rank(self, i: int) -> tuple[bool, bool, float]:
        return not self.climbs[i].flags, self.is_interrupted or i in self.ended, self.climbs[i].objective

    def _by_promise(self, begin: int) -> list[int]:
        """The climbs of this round, from the one that stands highest."""
        return sorted(
            range(begin, len(self.climbs)), key=lambda i: (bool(self.climbs[i].flags), -self.climbs[i].objective)
        )

    def _is_enough(self, i: int, place: int) -> bool:
        """Whether climb i, in this place by its promise, need not go on."""
        if not self.ended or self.climbs[self.chosen()].flags:
            return False  # any start may still end in a sound optimum
        is_above = self.climbs[i].objective > self.climbs[self.chosen()].objective and not self.climbs[i].flags
        return not is_above and (2 * place >= self.n_starts or self.n_agreed() >= AGREED)

    def _keep(self, i: int, found: Climb[State]) -> None:
        self.climbs[i:] = [found, *self.climbs[i + 1 :]]
        self.is_interrupted = found.is_interrupted
        if found.is_converged or found.n_iter >= self.stopping.max_iter:
            self.ended.add(i)

    def _continued(self, begun: Climb[State]) -> Climb[State]:
        left = replace(self.stopping, max_iter=self.stopping.max_iter - begun.n_iter)
        rest = climb(self.rows, self.readout, begun.state, left)
        history = np.concatenate([begun.history[:-1], rest.history])
        return replace(rest, history=history, n_iter=begun.n_iter + rest.n_iter)


def climb_all(
    rows: Rows,
    readout: Readout[State],
    starts: Iterator[State],
    n_starts: int,
    stopping: Stopping,
    progress: Progress,
    polish: Callable[[Climb[State]], Polished[State]] | None = None,
    max_rounds: int = ROUNDS,
) -> tuple[Climb[State], Status, OptimiserDiagnostics]:
    """Every restart; the best unflagged one is chosen, and a flagged one only if all are.

    `polish` gets the chosen one where nothing was interrupted.
    """
    search, rounds, n_steps = Search(rows, readout, stopping, n_starts), 1, 0
    per_round = n_starts + (-(-n_starts // 2) if search.is_compared() else 0)

    def report() -> None:
        nonlocal n_steps
        progress(min(n_steps, rounds * per_round - 1), rounds * per_round, "restarts")
        n_steps += 1

    search.run_round(islice(starts, n_starts), report)
    while not search.is_interrupted and search.is_lonely() and rounds < max_rounds:
        rounds, n_steps = rounds + 1, rounds * per_round
        search.run_round(islice(starts, n_starts), report)
    try:
        progress(rounds * per_round, rounds * per_round, "restarts")
    except KeyboardInterrupt:  # as late as this, all climbs are there
        search.is_interrupted = True
    chosen, is_interrupted = search.chosen(), search.is_interrupted
    is_told = rounds > 1 and not is_interrupted and not search.climbs[chosen].flags
    notes = [_rounds_note(search)] if is_told else []
    if polish is not None and not is_interrupted:
        polished = polish(search.climbs[chosen])
        if polished.climb is not search.climbs[chosen]:
            notes = []  # they speak of the optimum that was left
        search.climbs[chosen], is_interrupted = polished.climb, polished.is_interrupted
        notes.append(polished.note)
    status = status_of(search.climbs, chosen, n_starts, stopping, search.is_interrupted)
    if is_interrupted:
        status = Status(Outcome.INTERRUPTED, status.sentence)
    for note in filter(None, notes):
        status = status.noting(note)
    return search.climbs[chosen], status, OptimiserDiagnostics(tuple(c.restart() for c in search.climbs), chosen)


def _rounds_note(search: Search) -> str:
    """What further rounds of starts have shown."""
    n_starts, n_agreed = len(search.climbs), search.n_agreed()
    if n_agreed > 1:
        return (
            f"{n_agreed} of {n_starts} starts reached this optimum, the best one; the first {search.n_starts} did not "
            "agree on one."
        )
    return (
        f"Only one of {n_starts} starts reached this optimum, the best one, so a better one may exist: raise "
        f"n_init={search.n_starts}."
    )
