"""Quasi-Newton steps for a climb by EM: the objective's own curvature, learnt from the steps that were made.

A step of EM is the gradient in the metric of the complete data, so L-BFGS with the products of this metric needs
nothing but what the sweeps leave: where a step would lead, before and after.  A proposal's sweep is the next step's
too, so a proposal that is kept costs what a step of EM costs.  One that does not raise the objective by a part of what
it promised is taken back, and a step of EM made, so the objective never falls.

Jamshidian and Jennrich (1997), JRSS B 59, 569-587, doi:10.1111/1467-9868.00083 (quasi-Newton acceleration of EM);
Liu and Nocedal (1989), Mathematical Programming 45, 503-528, doi:10.1007/BF01589116 (L-BFGS); Varadhan and Roland
(2008), Scandinavian Journal of Statistics 35, 335-353, doi:10.1111/j.1467-9469.2007.00585.x, whose SQUAREM took
1.5 to 4 times as many sweeps where components overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from bayesgmm.core.params import MixtureParams
from bayesgmm.methods.climbing.chart import Chart

State = TypeVar("State")

MEMORY = 10  # pairs of steps; 5 and 20 need as many sweeps
NEAR = 1e-2  # nats a point: while steps of EM gain more, the curvature at hand is not that of the optimum
RADIUS = 0.3  # first bound of a step in the metric, which is in standard deviations
RATIO = 1.0  # largest change of a logarithm in one step: small components are not thrown away
ENOUGH = 1e-4  # share of the promised gain that a proposal must show (Armijo)


class Charted(Protocol[State]):
    """A readout whose states have coordinates."""

    @property
    def chart(self) -> Chart: ...

    def place(self, state: State) -> MixtureParams:
        """The state as a mixture, whose coordinates say all that is to be known about it."""
        ...

    def at(self, params: MixtureParams, like: State) -> State | None:
        """The state at a mixture, for as many points as `like` has seen; None where there is none."""
        ...


@dataclass(frozen=True, eq=False)
class Step:
    """A proposal: where it leads, how far in the metric, what it promises."""

    change: np.ndarray
    length: float
    promise: float
    is_cut: bool


class QuasiNewton(Generic[State]):
    """What one climb has learnt about its objective.

    Parameters
    ----------
    readout : Charted
    n_obs : float
        Points, in which the metric is per point.
    """

    def __init__(self, readout: Charted[State], n_obs: float):
        self._readout, self._chart, self._n_obs, self._radius = readout, readout.chart, n_obs, RADIUS
        self._moves: list[np.ndarray] = []
        self._falls: list[np.ndarray] = []  # of the gradient over each move
        self._step: Step | None = None

    def begin(self, state, following) -> None:
        """Take a first state, and the state to which a step of EM leads."""
        self._visit(state, following)
        self.move_on()

    def learn(self, state, following) -> None:
        """Remember what the gradient is at another state; the present one stays until `move_on`."""
        self._visit(state, following)
        self._moves = [*self._moves[-MEMORY + 1 :], self._visited_at - self._at]
        self._falls = [*self._falls[-MEMORY + 1 :], self._gradient - self._visited_gradient]

    def move_on(self) -> float:
        """Make the state that was visited last the present one; returns the gain still to come from there, in nats.

        By the curvature learnt so far.  It is infinite where the last step found the gradient to grow, as it does
        when a saddle is left.
        """
        self._params, self._at, self._gradient = self._visited, self._visited_at, self._visited_gradient
        return self._look()

    def proposal(self, like: State) -> tuple[Step, State] | tuple[None, None]:
        """The quasi-Newton step from the present state, and the state there, for as many points as `like` has seen."""
        if self._step is None:
            return None, None
        params = self._chart.params(self._at + self._step.change, len(self._params.weights))
        state = None if params is None else self._readout.at(params, like)
        return (None, None) if state is None else (self._step, state)

    def accepts(self, step: Step, gain: float) -> bool:
        """Whether a step that gained so much is kept; the bound on steps follows."""
        is_kept = bool(np.isfinite(gain)) and gain >= ENOUGH * step.promise
        if not is_kept:
            self._radius = max(step.length / 4.0, 1e-3)
        elif step.is_cut and gain > 0.25 * step.promise:
            self._radius = 2.0 * max(self._radius, step.length)
        return is_kept

    def _look(self) -> float:
        """Find the step from the present state; returns what a full one promises."""
        self._step = None
        vectors = np.stack([self._gradient, *self._moves, *self._falls])
        stretched = self._chart.stretch(self._params, vectors)
        gradient, (moves, falls) = stretched[0], np.split(stretched[1:], 2)
        curvature = np.einsum("mp,mp->m", moves, falls)
        used = np.flatnonzero(curvature > 1e-10 * np.einsum("mp,mp->m", moves, moves))
        white, change = self._two_loops(gradient, moves, falls, curvature, used)
        slope, length = float(gradient @ white), float(np.sqrt(white @ white))
        if len(used) and slope > 0 and np.isfinite(length):
            ratio = self._chart.largest_ratio(change, len(self._params.weights))
            cut = min(1.0, self._radius / length, RATIO / max(ratio, 1e-300))
            promise = self._n_obs * slope * (cut - 0.5 * cut**2)
            self._step = Step(cut * change, cut * length, promise, cut < 1.0)
        is_unstable = len(curvature) > 0 and curvature[-1] <= 0
        return np.inf if is_unstable or not np.isfinite(slope) else 0.5 * self._n_obs * abs(slope)

    def _visit(self, state, following) -> None:
        chart = self._chart
        self._visited = self._readout.place(state)
        self._visited_at = chart.vector(self._visited)
        self._visited_gradient = chart.vector(self._readout.place(following)) - self._visited_at

    def _two_loops(self, gradient, moves, falls, curvature, used) -> tuple[np.ndarray, np.ndarray]:
        """L-BFGS's direction, stretched and as it is."""
        white, change, factors = gradient.copy(), self._gradient.copy(), {}
        for i in used[::-1]:
            factors[i] = (moves[i] @ white) / curvature[i]
            white -= factors[i] * falls[i]
            change -= factors[i] * self._falls[i]
        if len(used):
            last = used[-1]
            scale = max(curvature[last] / (falls[last] @ falls[last]), 1.0)  # a step of EM is never too long
            white, change = scale * white, scale * change
        for i in used:
            factor = factors[i] - (falls[i] @ white) / curvature[i]
            white += factor * moves[i]
            change += factor * self._moves[i]
        return white, change
