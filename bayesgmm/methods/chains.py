"""Markov chains that run in threads, a short stretch at a time, until they are done or the user has had enough."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

from bayesgmm.core.threads import n_threads
from bayesgmm.result.fit import Progress

MIN_DRAWS = 100  # fewer kept draws of a chain, left by an interrupt, say nothing about whether it has converged
STRETCH = 0.1  # seconds between two looks at the keyboard


class Chain(Protocol):
    """A chain that keeps its own state; where it is cut into stretches must not change its draws."""

    done: int
    total: int

    def advance(self, steps: int) -> None:
        """Make up to `steps` further draws, tuning included, without the GIL; `done` says how many it were."""
        ...


def run_chains(chains: Sequence[Chain], progress: Progress) -> bool:
    """Run every chain to its end, taking turns on the threads; whether an interrupt came first.

    The main thread only waits, so that an interrupt reaches it; the stretches under way are then finished.
    """
    is_interrupted = False
    steps = dict.fromkeys(range(len(chains)), 1)
    with ThreadPoolExecutor(min(n_threads(), len(chains)), thread_name_prefix="chain") as pool:
        running: dict[Future[float], int] = {}
        try:
            for c in range(len(chains)):
                running[pool.submit(_stretch, chains[c], 1)] = c
            while running:
                for future in wait(running, STRETCH, FIRST_COMPLETED).done:
                    c = running.pop(future)
                    seconds = future.result()
                    if chains[c].done < chains[c].total:
                        steps[c] = max(1, int(steps[c] * min(2.0, STRETCH / max(seconds, 1e-9))))
                        running[pool.submit(_stretch, chains[c], steps[c])] = c
                progress(sum(c.done for c in chains), sum(c.total for c in chains), "draws")
        except KeyboardInterrupt:
            is_interrupted = True
            for future in running:
                future.cancel()
    return is_interrupted


def kept_lengths(done: Sequence[int], wanted: int) -> tuple[list[int], int]:
    """Which chains to keep after an interrupt and how many draws of each: the length of the shortest.

    Raises
    ------
    KeyboardInterrupt
        No chain has `MIN_DRAWS` draws.
    """
    kept = [c for c, length in enumerate(done) if length >= min(wanted, MIN_DRAWS)]
    if not kept:
        raise KeyboardInterrupt
    return kept, min(done[c] for c in kept)


def _stretch(chain: Chain, steps: int) -> float:
    begin = time.perf_counter()
    chain.advance(steps)
    return time.perf_counter() - begin
