"""What samplers share: chains in threads, until they are done or interrupted, and the verdict on their draws."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from enum import Enum
from typing import Protocol

import numpy as np

from bayesgmm.core.params import MixtureParams
from bayesgmm.core.threads import n_threads
from bayesgmm.result.diagnostics import (
    ESS_LIMIT,
    MCSE_LIMIT,
    RHAT_LIMIT,
    SamplerDiagnostics,
    shown_rhat,
)
from bayesgmm.result.estimates import Draws, NoEstimate
from bayesgmm.result.method import MethodResult, Progress
from bayesgmm.result.status import Outcome, Status

MIN_DRAWS = 100  # fewer kept draws of a chain, left by an interrupt, say nothing about whether it has converged
STRETCH = 0.1  # seconds between two looks at the keyboard


class Chain(Protocol):
    """A chain that keeps its own state; where it is cut into stretches must not change its draws."""

    @property
    def done(self) -> int: ...

    @property
    def total(self) -> int: ...

    def advance(self, steps: int) -> None:
        """Make up to `steps` further draws, tuning included, without the GIL; `done` says how many it were."""
        ...


class SamplerOptions(Protocol):
    """What was asked for."""

    @property
    def draws(self) -> int | None:
        """Of each chain; None for as many as are enough."""
        ...

    @property
    def chains(self) -> int: ...


class Ending(Enum):
    """Why chains have stopped."""

    DONE = "done"
    INTERRUPTED = "interrupted"
    TIME = "time"


def run_chains(chains: Sequence[Chain], progress: Progress, deadline: float = np.inf) -> Ending:
    """Run every chain to its end, taking turns on the threads, unless an interrupt or the deadline comes first.

    The main thread only waits, so that an interrupt reaches it; the stretches under way are then finished.
    `deadline` is a time of ``time.perf_counter()``.
    """
    ending = Ending.DONE
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
                if running and time.perf_counter() > deadline:
                    ending = Ending.TIME
                    break
        except KeyboardInterrupt:
            ending = Ending.INTERRUPTED
        for future in running:
            future.cancel()
    return ending


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


def extended_length(further: Sequence[int]) -> int:
    """How many further draws of each chain an extension keeps: as many as the shortest chain has.

    Raises
    ------
    KeyboardInterrupt
        A chain has none, so that nothing is left of the extension.
    """
    if not min(further):
        raise KeyboardInterrupt
    return min(further)


def joined(old: Draws, new: Draws) -> Draws:
    """The draws of the same chains, end to end."""
    names = ("weights", "means", "precision_chol")
    before = old.as_drawn()  # an alignment knows nothing of the new draws
    pairs = [(getattr(before, name), getattr(new.params, name)) for name in names]
    params = MixtureParams.trusted(*(np.concatenate(pair, axis=1) for pair in pairs))
    stats = {
        name: np.concatenate([values, new.sample_stats[name]], axis=1) for name, values in old.sample_stats.items()
    }
    return Draws(params, stats, new.states)


def stack(chains: Sequence[MixtureParams], length: int) -> MixtureParams:
    """The first `length` draws of each chain, with axes (chain, draw)."""
    names = ("weights", "means", "precision_chol")
    return MixtureParams.trusted(*(np.stack([getattr(chain, name)[:length] for chain in chains]) for name in names))


def judge(
    diagnostics: SamplerDiagnostics,
    shape: tuple[int, ...],
    options: SamplerOptions,
    is_interrupted: bool,
    if_apart: str,
    if_few: str,
    notes: Iterable[str] = (),
) -> Status:
    """Converged, or everything that speaks against it and what to do about it.

    `shape` is that of the kept draws.  `if_apart` says what to do where chains disagree, `if_few` where effective
    draws are too few; `notes` are the method's own complaints.
    """
    n_chains, n_draws = shape
    found = []
    if is_interrupted:
        wanted = MIN_DRAWS if options.draws is None else min(options.draws, MIN_DRAWS)
        found.append(
            f"Interrupted: {n_chains} of {options.chains} chains had at least {wanted} draws, "
            f"and the first {n_draws} of each are kept."
        )
    if n_chains == 1:
        found.append("One chain cannot show that it has found every mode: run at least 4.")
    found.extend(_complaints(diagnostics, n_chains, if_apart, if_few))
    worst = diagnostics.worst()
    found.extend(notes)
    if found:
        return Status(Outcome.INTERRUPTED if is_interrupted else Outcome.NOT_CONVERGED, " ".join(found))
    return Status(
        Outcome.CONVERGED,
        f"Converged: {n_chains} chains of {n_draws} draws agree (largest R-hat {worst.rhat:.3f}, at least "
        f"{diagnostics.min_ess:.0f} effective draws).",
    )


def _complaints(diagnostics: SamplerDiagnostics, n_chains: int, if_apart: str, if_few: str) -> Iterator[str]:
    """What R-hat, effective draws and the probabilities of counts say against the draws, each with what to do."""
    worst, fewest = diagnostics.worst(), diagnostics.fewest()
    disputed, vaguest = diagnostics.disputed(), diagnostics.vaguest()
    if n_chains > 1 and not worst.rhat < RHAT_LIMIT:
        yield (
            f"The chains disagree: R-hat of {worst.name} is {shown_rhat(worst.rhat)} (limit {RHAT_LIMIT}). {if_apart}"
        )
    elif not diagnostics.min_ess > ESS_LIMIT:
        yield (
            f"Only {diagnostics.min_ess:.0f} effective draws of {fewest.name} (more than {ESS_LIMIT} are wanted): "
            f"{if_few}"
        )
    elif disputed is not None:
        how_sure = f"p = {disputed.agreement:.1g}"
        yield f"The chains disagree about the probability of {disputed.label} ({how_sure}). {if_apart}"
    elif vaguest is not None and not vaguest.mcse <= MCSE_LIMIT:
        yield (
            f"The probability of {vaguest.label} is {vaguest.probability:.2f} with a Monte Carlo error of "
            f"{vaguest.mcse:.3f} (at most {MCSE_LIMIT} is wanted): {if_few}"
        )


def even_if_interrupted(judging: Callable[[], MethodResult]) -> MethodResult:
    """What comes of draws that are made: an interrupt meanwhile must not lose them, and only a second one is obeyed."""
    try:
        return judging()
    except KeyboardInterrupt:
        return judging()


def failure(reason: str) -> MethodResult:
    """No draws, and why."""
    return MethodResult(NoEstimate(reason), Status(Outcome.FAILED, reason), SamplerDiagnostics((), 0, 0), np.empty(0))


def _stretch(chain: Chain, steps: int) -> float:
    begin = time.perf_counter()
    chain.advance(steps)
    return time.perf_counter() - begin
