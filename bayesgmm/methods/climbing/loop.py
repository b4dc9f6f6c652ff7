"""The one loop: sweep, read out, repeat; history, convergence, status, interrupt.

A `Readout` says what a method's state is and how it comes out of the statistics.  EM, MAP and VB differ in
nothing else: their objective at a state is known from the sweep with that state's own scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

import numpy as np

from bayesgmm.checks import real_number, store, truth, whole_numbers
from bayesgmm.core.params import ComponentScores
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.methods.climbing.acceleration import NEAR, Charted, QuasiNewton
from bayesgmm.result.diagnostics import Flag, Restart
from bayesgmm.result.status import Outcome, Status
from bayesgmm.rows import Rows

State = TypeVar("State")
PLAIN = 5  # steps of EM before anything is learnt: where components are well apart they are all that it takes
PATIENCE = 3  # times in a row that the criteria must hold: on a plateau gains are small by chance, for a step or two


class Readout(Charted[State], Protocol[State]):
    """What turns statistics into a state, and a state into scores; its coordinates are for the acceleration.

    `goal` is what sentences call its objective; `may_empty` says whether an answer with emptied components is one.
    """

    goal: ClassVar[str]
    may_empty: ClassVar[bool]

    def scores(self, state: State) -> ComponentScores: ...

    def read(self, stats: SufficientStatistics, old: State | None = None) -> State:
        """The next state: never lowers the objective.  `old` is the state whose sweep made the statistics, if any did.

        An M step without a closed form goes on from there.
        """
        ...

    def objective(self, state: State, stats: SufficientStatistics) -> float:
        """Value at `state`, in nats, given the sweep with its scores."""
        ...

    def change(self, old: State, new: State) -> float:
        """Largest change of a parameter, in whitened units."""
        ...

    def flags(self, state: State, stats: SufficientStatistics) -> tuple[Flag, ...]:
        """What is suspicious about a final state."""
        ...


@dataclass(frozen=True)
class Stopping:
    """When to stop, and whether to hurry.  Criteria that are None do not count; of two, both must hold.

    A criterion must hold `PATIENCE` times in a row.

    Parameters
    ----------
    max_iter : int
        Sweeps after the first one, those of proposals that were taken back included.
    tol : float or None
        On the mean objective per point: both the last gain and the gain still to come must be at most this.  What is
        still to come follows from the curvature that the acceleration has learnt, or is extrapolated from the last two
        gains (Aitken), so slow convergence is not mistaken for the end.
    param_tol : float or None
        On the largest change of a parameter in whitened units.
    accelerate : bool
        Whether quasi-Newton steps are tried between those of EM.
    """

    max_iter: int
    tol: float | None
    param_tol: float | None
    accelerate: bool = True

    def __post_init__(self):
        whole_numbers(self, {"max_iter": 1})
        for name in ("tol", "param_tol"):
            value = getattr(self, name)
            if value is not None:
                store(self, **{name: real_number(value, name, least=0, also="None")})
        store(self, accelerate=truth(self.accelerate, "accelerate"))

    def is_met(self, history: list[float], n_obs: float, change: float | None, remaining: float | None = None) -> bool:
        """Whether the criteria hold at the last entry of `history`; `remaining` is a better guess of the gain left."""
        if self.tol is None and self.param_tol is None:
            return False
        is_flat = self.tol is None or _remaining_gain(history, remaining) <= self.tol * n_obs
        return is_flat and (self.param_tol is None or (change is not None and change <= self.param_tol))


@dataclass(frozen=True, eq=False)
class Climb(Generic[State]):
    """One restart, from its start to where it stopped."""

    state: State
    stats: SufficientStatistics
    history: np.ndarray
    is_converged: bool
    is_interrupted: bool
    flags: tuple[Flag, ...]
    n_iter: int  # sweeps after the first; `history` leaves out proposals that were taken back

    @property
    def objective(self) -> float:
        return float(self.history[-1])

    def restart(self) -> Restart:
        return Restart(self.objective, self.n_iter, self.is_converged, self.flags)


@dataclass(frozen=True, eq=False)
class Polished(Generic[State]):
    """The chosen climb after a search beyond its optimum, and a sentence about that for the status."""

    climb: Climb[State]
    note: str
    is_interrupted: bool


def climb(rows: Rows, readout: Readout[State], state: State, stopping: Stopping) -> Climb[State]:
    """Sweep and read out until `stopping` is met; an interrupt keeps the last complete state."""
    stats = rows.sweep(readout.scores(state))
    history, is_converged, is_interrupted = [readout.objective(state, stats)], False, False
    guide: QuasiNewton[State] | None = None
    n_iter, n_met, was_refused = 0, 0, False
    try:
        following = readout.read(stats, state)
        while not is_converged and n_iter < stopping.max_iter:
            step, new = None, following
            if stopping.accelerate and guide is None and n_iter >= PLAIN and _is_near(history, stats.n_obs):
                guide = QuasiNewton(readout, stats.n_obs)
                guide.begin(state, following)
            if guide is not None and not was_refused and _is_near(history, stats.n_obs):
                step, proposed = guide.proposal(state)
                new = following if proposed is None else proposed
            new_stats = rows.sweep(readout.scores(new))
            n_iter += 1
            objective = readout.objective(new, new_stats)
            was_refused = step is not None and guide is not None and not guide.accepts(step, objective - history[-1])
            if was_refused and not np.isfinite(objective):
                continue
            new_following = readout.read(new_stats, new)
            if guide is not None:
                guide.learn(new, new_following)
            if was_refused:
                continue
            change = None if stopping.param_tol is None else readout.change(state, new)
            state, stats, following = new, new_stats, new_following
            history.append(objective)
            remaining = None if guide is None else guide.move_on()
            n_met = n_met + 1 if stopping.is_met(history, stats.n_obs, change, remaining) else 0
            is_converged = n_met >= PATIENCE or (n_met > 0 and _gain(history) <= _rounding(history))
    except KeyboardInterrupt:
        is_interrupted = True
    flags = readout.flags(state, stats)
    return Climb(state, stats, np.array(history), is_converged, is_interrupted, flags, n_iter)


def tried(rows: Rows, readout: Readout[State], state: State, stopping: Stopping) -> Climb[State] | None:
    """A climb that need not succeed; None where its numbers left float64, as they may on tied points."""
    try:
        found = climb(rows, readout, state, stopping)
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):
        return None
    return found if np.isfinite(found.objective) else None


def _gain(history: list[float]) -> float:
    return history[-1] - history[-2] if len(history) > 1 else np.inf


def _rounding(history: list[float]) -> float:
    """What the last gain may owe to rounding: a sum of n terms in a tree is this exact."""
    return 8 * np.finfo(float).eps * abs(history[-1])


def _is_near(history: list[float], n_obs: float) -> bool:
    return _gain(history) <= NEAR * n_obs


def _remaining_gain(history: list[float], remaining: float | None = None) -> float:
    """Upper estimate of the objective's last and future gains (Aitken extrapolation, where no guess is given).

    Boehning et al. (1994), Annals of the Institute of Statistical Mathematics 46, 373-388,
    doi:10.1007/BF01720593.
    """
    if len(history) < 3:
        return np.inf
    gain, previous = _gain(history), _gain(history[:-1])
    if gain <= _rounding(history):
        return 0.0
    if remaining is not None:
        return max(gain, remaining)
    rate = gain / previous if previous > 0 else 1.0
    return gain / (1.0 - rate) if rate < 1.0 else np.inf


def status_of(
    climbs: list[Climb[State]], chosen: int, n_starts: int, stopping: Stopping, is_interrupted: bool
) -> Status:
    """What is to be said of the chosen climb and of the others."""
    best, flagged = climbs[chosen], [c for c in climbs if c.flags]
    n_iter = best.n_iter
    if best.flags:
        reason = "; ".join(str(flag) for flag in best.flags)
        outcome = Outcome.COLLAPSED
        sound = max((c.objective for c in climbs if not c.flags), default=None)
        which = "Every restart ended in a suspicious optimum; in the best of them"
        if sound is not None:
            gap = f"{best.objective - sound:.1f} nats"
            which = f"The optima that are not suspicious are at least {gap} lower than the best one; in that"
        sentence = f"{which} {reason}. Use fewer components, a simpler covariance or a prior (MAP, VB)."
    elif best.is_converged:
        outcome, sentence = Outcome.CONVERGED, f"Converged after {n_iter} iterations."
    elif best.is_interrupted:
        outcome, sentence = Outcome.INTERRUPTED, f"It had made {n_iter} iterations."
    else:
        outcome = Outcome.NOT_CONVERGED
        sentence = f"Stopped after {n_iter} iterations without having converged; raise max_iter={stopping.max_iter}."
    if flagged and not best.flags:
        higher = sum(c.objective > best.objective for c in flagged)
        sentence += f" {len(flagged)} of {len(climbs)} restarts ended in a suspicious optimum and were passed over"
        sentence += (
            f", {higher} of them with a higher objective (see diagnostics)." if higher else " (see diagnostics)."
        )
    if is_interrupted:
        outcome = Outcome.INTERRUPTED
        restart = len(climbs) + (not climbs[-1].is_interrupted)
        when = f"in restart {restart} of {n_starts}" if restart <= n_starts else "while the best restarts went on"
        sentence = f"Interrupted {when}; this is the best until then. {sentence}"
    return Status(outcome, sentence)
