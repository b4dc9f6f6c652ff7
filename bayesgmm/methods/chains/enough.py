"""Sampling until it is enough: rounds of growing length, draws thinned as a run grows, and a budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np

from bayesgmm.methods.chains.running import Chain, Ending, run_chains
from bayesgmm.result.checkpoint import EVERY
from bayesgmm.result.diagnostics import SamplerDiagnostics
from bayesgmm.result.method import Progress

MAX_ROOM = 2000  # draws of a chain; whatever works on draws takes time and memory in proportion
ROOM_BYTES = 2**30  # of the draws of all chains
LEAST_SWEEPS = 1000  # of a chain, before the first look at its draws
LEAST_ROWS = 2e6  # visited by a chain before that: sweeps of small data are cheap, and rare modes want time
ROWS_OF_A_SWEEP = 150  # what a sweep costs at least
DROPPED = 0.2  # of a run, at least: a start that was far off must not count
# Steps of all chains, where a sweep makes (n + ROWS_OF_DRAWING) K (D + 2): the drawing of the parameters takes as long
# as some 1,000 rows.  A step takes 0.4 to 1 ns, so that this is a minute on two cores.
BUDGET = 1.25e11
ROWS_OF_DRAWING = 1000
MARGIN = 1.2  # of what is said about the length of a run: effective sizes are estimates


class Growing(Chain, Protocol):
    """A chain that can be told to go on."""

    @property
    def total(self) -> int: ...

    @total.setter
    def total(self, value: int) -> None: ...

    @property
    def thin(self) -> int:
        """Sweeps per draw."""
        ...


class End(Enum):
    """Why a run until it is enough has ended."""

    ENOUGH = "enough"
    BUDGET = "budget"
    TIME = "time"
    INTERRUPTED = "interrupted"


def room_of(n_chains: int, bytes_per_draw: int) -> int:
    """The most draws that a chain records: a multiple of two chunks on disk."""
    fitting = ROOM_BYTES // (n_chains * bytes_per_draw)
    return max(2 * EVERY, min(MAX_ROOM, fitting - fitting % (2 * EVERY)))


def default_budget(n_chains: int, shape: tuple[int, int], n_components: int) -> int:
    """Sweeps of each chain that spend `BUDGET`, on data of that shape."""
    n_obs, n_features = shape
    steps = (n_obs + ROWS_OF_DRAWING) * n_components * (n_features + 2)
    return max(2 * LEAST_SWEEPS, int(BUDGET / n_chains / steps))


def least_sweeps(n_obs: int) -> int:
    """Sweeps of each chain before the first look."""
    return max(LEAST_SWEEPS, int(LEAST_ROWS / (n_obs + ROWS_OF_A_SWEEP)))


@dataclass(frozen=True)
class Rounds:
    """When a run looks at its draws, in sweeps of each chain, so that machine and threads do not matter.

    Parameters
    ----------
    room : int
        Recorded draws of a chain at which every other one is dropped.
    least : int
        Sweeps before the first look.
    most : int
        Sweeps after which the budget is spent.
    tune : int
        Sweeps that are dropped at least.
    """

    room: int
    least: int
    most: int
    tune: int

    def look(self, recorded: int) -> int:
        """The first number of recorded draws, from this one on, at which the draws are looked at."""
        middle = EVERY * round(0.7 * self.room / EVERY)
        return next(look for look in (self.room // 2, middle, self.room) if look >= recorded)

    def n_dropped(self, recorded: int, thin: int, before: int) -> int:
        """How many of the recorded draws come too early to be kept."""
        early = max(self.tune, int(DROPPED * (before + recorded * thin)))
        return max(0, -(-(early - before) // thin))


def run_until_enough(
    chains: Sequence[Growing],
    rounds: Rounds,
    before: int,
    is_extension: bool,
    is_enough: Callable[[int, int], bool],
    thinned: Callable[[], Sequence[Growing]],
    progress: Progress,
    max_seconds: float | None,
) -> tuple[End, int]:
    """Go on until `is_enough` says so of the draws, or the budget or the time is spent.

    `before` is the number of sweeps before the first recorded draw; returned are why the run ended and this number
    at its end.  ``is_enough(n, before)`` judges the first n recorded draws of each chain; ``thinned()`` halves the
    chains and gives those that go on.  All chains are at the same place at each look, so that what is decided there
    depends on the draws alone, and a resumed run decides what an unbroken one does.
    """
    deadline = np.inf if max_seconds is None else time.perf_counter() + max_seconds
    target, n_chains = max(chain.done for chain in chains) + is_extension, len(chains)
    while True:
        thin = chains[0].thin
        target = min(rounds.look(target), (rounds.most - before) // thin)
        for chain in chains:
            chain.total = target
        begun = n_chains * before

        def show(done: int, total: int, note: str, begun: int = begun, thin: int = thin) -> None:
            progress(begun + thin * done, n_chains * rounds.most, "sweeps at most")

        ending = run_chains(chains, show, deadline)
        if ending is not Ending.DONE:
            return End(ending.value), before
        sweeps, is_full = before + target * thin, target >= rounds.room
        if sweeps >= rounds.least and is_enough(target, before):
            return End.ENOUGH, before
        if sweeps + thin * (1 + is_full) > rounds.most:
            return End.BUDGET, before
        if time.perf_counter() > deadline:
            return End.TIME, before
        if is_full:
            chains = thinned()
            target = chains[0].done
            before = sweeps - target * chains[0].thin
        target += 1


def longer(diagnostics: SamplerDiagnostics) -> float:
    """How many times as long a run should be, with a margin, to one or two digits; NaN where that cannot be told."""
    times = MARGIN * diagnostics.times_longer()
    return rounded_up(max(times, MARGIN)) if np.isfinite(times) else float("nan")


def rounded_up(value: float) -> float:
    """To two digits."""
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(np.round(np.ceil(value / unit - 1e-9) * unit, 10))


def advice_when_fixed(diagnostics: SamplerDiagnostics, draws: int, thin: int) -> str:
    """What to do where a fixed number of draws was not enough."""
    times = longer(diagnostics)
    if np.isnan(times):
        return "without draws= the sampler goes on until it is enough."
    return (
        f"about {times:g} times as many sweeps would do. Without draws= the sampler goes on until it is enough; or ask "
        f"for draws={rounded_up(times * draws):.0f} or thin={rounded_up(times * thin):.0f} (they were {draws} and "
        f"{thin})."
    )


def advice_at_end(diagnostics: SamplerDiagnostics, end: End, sweeps: int, max_seconds: float | None) -> str:
    """What to do where a run until it is enough ended before."""
    if end is End.INTERRUPTED:
        return "the run was interrupted; fit.extend() goes on."
    if end is End.TIME:
        limit, option = f"max_seconds={max_seconds:g} were over after {sweeps} sweeps of each chain", "max_seconds"
    else:
        limit, option = f"the budget of {sweeps} sweeps of each chain is spent", "max_sweeps"
    times = longer(diagnostics)
    if np.isnan(times):
        return f"{limit}. fit.extend() goes on with the same chains."
    wanted = f" to {rounded_up(times * sweeps):.0f}" if option == "max_sweeps" else ""
    return (
        f"{limit}, and about {times:g} times as many in all would do, which takes {times:g} times as long. "
        f"fit.extend() goes on with the same chains; or raise {option}{wanted}."
    )


def when_apart(diagnostics: SamplerDiagnostics, advice: str, crossing: float) -> str:
    """What to do where chains disagree: wait for those that are about to meet, look for modes otherwise."""
    if np.isfinite(diagnostics.times_longer()):
        return f"They have nearly met: {advice}"
    return (
        "They are too far apart to tell how long they need to meet. Where they sit in different modes (see the trace "
        f"plots), raise crossing (it was {crossing:g}), which is how often moves between modes are tried. As for "
        f"longer runs: {advice}"
    )
