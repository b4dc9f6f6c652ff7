"""The loop of methods that read the data a batch at a time: statistics are blended, parameters read out.

Statistics are kept per point, so that what has been learnt does not depend on how many points there will be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

import numpy as np

from bayesgmm.checks import real_number, store, whole_numbers
from bayesgmm.core.params import ComponentScores, MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.sweep import Assign
from bayesgmm.errors import ArgumentError, DataError
from bayesgmm.methods.climbing.initialize import check_init
from bayesgmm.result.diagnostics import Flag, StreamDiagnostics
from bayesgmm.result.method import Progress
from bayesgmm.result.status import Outcome, Status
from bayesgmm.rows import Rows, StreamedRows

BUFFER_BYTES = 2**26  # of float64 rows that are in memory, and shuffled, at a time
START_ROWS = 20_000
RUNS = 1024
STEPS, SMALLEST, LARGEST = 64, 256, 16_384  # of batches whose size is not given: how many, and their bounds
MIN_STEPS = 4  # in each third of the steps, for a mean and its error
RISE = 0.01  # nats per point between two thirds of the steps that are no longer worth a warning

State = TypeVar("State")


@dataclass(frozen=True)
class RobbinsMonro:
    """Step sizes ``(t + delay)^-power``, t = 1, 2, ...: they sum to infinity, and their squares do not.

    Parameters
    ----------
    power : float
        Above 1/2 and at most 1.  The larger, the smoother, and the longer the start is remembered.
    delay : float
        At least 0.  The larger, the smaller the first steps.

    Raises
    ------
    ArgumentError
        One of them is out of range.

    References
    ----------
    Robbins and Monro (1951), Annals of Mathematical Statistics 22, 400-407, doi:10.1214/aoms/1177729586.
    """

    power: float = 0.6
    delay: float = 1.0

    def __post_init__(self):
        store(self, power=real_number(self.power, "power", above=0.5, most=1))
        store(self, delay=real_number(self.delay, "delay", least=0, below=np.inf))

    def size(self, t: int) -> float:
        return (t + self.delay) ** -self.power


@dataclass(frozen=True)
class Streaming:
    """How to read: the options that all methods of this kind share, checked."""

    batch_size: int | None = None
    step: float | RobbinsMonro = field(default_factory=RobbinsMonro)
    passes: int = 1
    stochastic: bool = False
    shuffle: bool = True
    init: str | MixtureParams = "portfolio"
    n_init: int = 3

    def __post_init__(self):
        whole_numbers(self, {"batch_size": 1, "passes": 1, "n_init": 1}, optional=("batch_size",))
        if not isinstance(self.step, RobbinsMonro):
            store(self, step=real_number(self.step, "step", above=0, most=1, also="RobbinsMonro()"))
        check_init(self.init)

    def step_size(self, t: int) -> float:
        """The size of step t = 1, 2, ..."""
        return self.step.size(t) if isinstance(self.step, RobbinsMonro) else float(self.step)

    def first_rows(self, source: StreamedRows) -> Rows:
        """The rows that decide what is to be known before the reading begins."""
        if self.passes > 1 and not source.is_repeatable:
            raise ArgumentError(
                f"passes={self.passes}: {source.name} can be read only once; use passes=1, or give a function that "
                "returns a new iterator each time."
            )
        return source.first(buffer_rows(self.batch_size or 1, len(source.feature_names)))

    def sized(self, n_first: int) -> int:
        """The size of a batch, where the first rows are so many."""
        wanted = min(max(n_first // STEPS, SMALLEST), LARGEST) if self.batch_size is None else self.batch_size
        return min(wanted, n_first)


class StreamReadout(Protocol[State]):
    """What turns statistics per point, of `n_obs` points, into a state, and a state into scores."""

    def scores(self, state: State) -> ComponentScores: ...

    def read(self, per_point: SufficientStatistics, n_obs: float) -> State: ...

    def penalty(self, state: State) -> float:
        """What the objective of all points has beyond the sum of their log-sums, with the sign changed."""
        ...

    def flags(self, state: State, stats: SufficientStatistics) -> tuple[Flag, ...]: ...


@dataclass(frozen=True, eq=False)
class Position(Generic[State]):
    """Where the reading of a stream has got to; there is no state before the first step."""

    state: State | None
    scores: ComponentScores
    seen: StreamDiagnostics


@dataclass(frozen=True, eq=False)
class Reading(Generic[State]):
    """A stream that has been read, or as much of it as there was time for.

    ``history`` holds the objective of all points as each batch estimated it before it was used, and the objective
    itself at the end where ``seen.is_evaluated``.  ``values`` are the batches' mean log-sums.
    """

    state: State
    seen: StreamDiagnostics
    history: np.ndarray
    values: np.ndarray
    is_interrupted: bool


def begun(params: MixtureParams, whitening: np.ndarray, batch_size: int) -> Position:
    """A start at given parameters, which stand for the statistics that they would have come out of."""
    covariances = params.spread
    second = params.weights.reshape(-1, *(1,) * (covariances.ndim - 1)) * covariances
    stats = SufficientStatistics(0.0, params.weights, np.zeros_like(params.means), second, params.means, 1.0)
    return Position(None, params.scores(), StreamDiagnostics(stats, 0, 0, 0, batch_size, whitening))


def sample_rows(first: Rows, rng: np.random.Generator) -> Rows:
    """At most `START_ROWS` of the first rows, drawn at random."""
    if len(first.values) <= START_ROWS:
        return first
    return first.subset(np.sort(rng.choice(len(first.values), START_ROWS, replace=False)))


def read_stream(
    source: StreamedRows,
    readout: StreamReadout[State],
    begin: Position[State],
    options: Streaming,
    rng: np.random.Generator,
    progress: Progress,
) -> Reading[State]:
    """Blend the statistics of one batch after the other; an interrupt keeps those of the whole batches.

    Where all of the data are in the source and can be read again, the objective is evaluated at the end.
    """
    now, values, penalties, is_interrupted, objective = begin, [], [], False, None
    total = None if source.n_rows is None else source.n_rows * options.passes
    known = begin.seen.n_rows + (source.n_obs or 0)
    try:
        for i_pass, batch in _batches(source, options, begin.seen.batch_size, rng):
            penalties.append(0.0 if now.state is None else readout.penalty(now.state))
            now, value = _blend(now, batch, i_pass == 0, known, source.mean_weight, readout, options, rng)
            values.append(value)
            n_done = now.seen.n_seen - begin.seen.n_seen
            progress(n_done, n_done if total is None else total, "points")
        if source.is_repeatable and begin.seen.n_rows == 0 and now.state is not None:
            objective = _total(source, now.scores, now.seen.batch_size) - readout.penalty(now.state)
    except KeyboardInterrupt:
        if now.state is None:
            raise
        is_interrupted = True
    if now.state is None:
        raise DataError(f"{source.name} has no rows: it must have at least one.")
    n_rows = float(now.seen.n_rows)
    history = n_rows * np.array(values) - penalties[: len(values)]
    flags = readout.flags(now.state, now.seen.statistics.scaled(n_rows))
    seen = replace(now.seen, is_evaluated=objective is not None, flags=flags)
    history = history if objective is None else np.append(history, objective)
    return Reading(now.state, seen, history, np.array(values), is_interrupted)


def buffer_rows(batch_size: int, n_features: int) -> int:
    """Rows that are held and shuffled together: a number of whole batches, about `BUFFER_BYTES` of float64."""
    return batch_size * max(1, BUFFER_BYTES // (8 * n_features * batch_size))


def _batches(
    source: StreamedRows, options: Streaming, size: int, rng: np.random.Generator
) -> Iterator[tuple[int, Rows]]:
    for i_pass in range(options.passes):
        for rows in source.stretches(buffer_rows(size, len(source.feature_names))):
            order = _shuffled(len(rows), size, rng) if options.shuffle and len(rows) > size else None
            for i in range(0, len(rows), size):
                yield i_pass, rows.subset(slice(i, i + size) if order is None else order[i : i + size])


def _shuffled(n_rows: int, batch_size: int, rng: np.random.Generator) -> np.ndarray:
    """A random order of the rows, in runs of neighbours that are so short that a batch has `RUNS` of them or more.

    Single rows of a large array would take as long to fetch as a sweep over them.
    """
    run = max(1, batch_size // RUNS)
    n_runs = n_rows // run
    order = (run * rng.permutation(n_runs)[:, None] + np.arange(run)).ravel()
    return np.concatenate([order, np.arange(run * n_runs, n_rows)])


def _blend(
    now: Position[State],
    batch: Rows,
    is_first_pass: bool,
    n_known: float,
    mean_weight: float,
    readout: StreamReadout[State],
    options: Streaming,
    rng: np.random.Generator,
) -> tuple[Position[State], float]:
    seen, n_new, size = now.seen, len(batch), now.seen.batch_size
    step = options.step_size(seen.n_steps + 1)
    if n_new < size:  # what is left at the end: so many rows are that part of a step
        step = 1.0 - (1.0 - step) ** (n_new / size)
    stats = batch.sweep(now.scores, Assign.SAMPLED, rng) if options.stochastic else batch.sweep(now.scores)
    n_points = n_new * mean_weight  # not the batch's own: one of light rows has less to say
    # The batch comes first: its centres are the present means, near which the sum stays exact.
    per_point = stats.scaled(step / n_points) + seen.statistics.scaled(1.0 - step)
    n_rows = seen.n_rows + (_count(batch.n_obs) if is_first_pass else 0)
    state = readout.read(per_point, float(max(n_rows, n_known)))
    further = StreamDiagnostics(per_point, n_rows, seen.n_seen + n_new, seen.n_steps + 1, size, seen.whitening)
    return Position(state, readout.scores(state), further), stats.log_likelihood / n_points


def _total(source: StreamedRows, scores: ComponentScores, batch_size: int) -> float:
    stretches = source.stretches(buffer_rows(batch_size, len(source.feature_names)))
    return float(sum(rows.total(rows.log_sums(scores)) for rows in stretches))


def _count(n_points: float) -> int | float:
    """A sum of weights, as a whole number where it is one."""
    return int(n_points) if n_points == int(n_points) else n_points


def judge(options: Streaming, source: StreamedRows, reading: Reading) -> Status:
    """Whether the points were still being described better and better when the reading ended."""
    seen, values = reading.seen, reading.values
    n_all = None if source.n_rows is None else source.n_rows * options.passes
    if reading.is_interrupted:
        what = f"{seen.n_seen} points ({seen.n_steps} steps)" + ("" if n_all is None else f", with {n_all} to read")
        return Status(
            Outcome.INTERRUPTED,
            f"Interrupted after {what}; what they taught is kept, and partial_fit goes on from there.",
        )
    passes = "" if options.passes == 1 else f" in {options.passes} passes"
    done = f"Read {seen.n_seen} points of {source.name}{passes}, in {seen.n_steps} steps"
    if seen.flags:
        reason = "; ".join(str(flag) for flag in seen.flags)
        return Status(Outcome.COLLAPSED, f"{done}; {reason}. Use fewer components or a simpler covariance.")
    more = f"raise passes={options.passes}" if source.is_repeatable else "give more data with partial_fit"
    part = len(values) // 3
    if part < MIN_STEPS:
        return Status(
            Outcome.NOT_CONVERGED,
            f"{done}, which are too few to see whether the fit still improves: {more}, or lower "
            f"batch_size={seen.batch_size}.",
        )
    before, last = values[-2 * part : -part], values[-part:]
    rise, error = last.mean() - before.mean(), np.sqrt((before.var(ddof=1) + last.var(ddof=1)) / part)
    span = "over the last third of them, the log density of points not yet used rose by"
    if rise - 2.0 * error > RISE:
        return Status(Outcome.NOT_CONVERGED, f"{done}; {span} {rise:.2g} nats per point: {more}.")
    return Status(Outcome.CONVERGED, f"{done}; {span} no more than {RISE} nats per point, within its noise.")
