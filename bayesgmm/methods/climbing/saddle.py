"""Whether an optimum is one: the largest eigenvalue of a step's Jacobian, and a climb from either side of it.

A climb that stops has found where the gradient vanishes, and gains that stay small for many steps do not tell a
maximum from a saddle: near a saddle what lies in its rising direction grows by its eigenvalue a step, a little above
one, from as little as rounding has left there.  The Jacobian of a step of EM, in the metric of the complete data, is
symmetric, and is the identity less the objective's curvature; so an eigenvalue above one means that the objective still
rises along its vector.  Lanczos's method finds the largest from a random vector in a few sweeps, one for each product,
by a difference.  Where none comes near one, the optimum is strict.  Where one does, the climb is resumed from either
side, a finite step away: what ends higher was not at the end.

Dempster, Laird and Rubin (1977), JRSS B 39, 1-38; Meng and Rubin (1994), Linear Algebra and its Applications 199,
413-425, doi:10.1016/0024-3795(94)90363-8 (the Jacobian's eigenvalues); Golub and Van Loan (2013), Matrix Computations,
section 10.1 (Lanczos).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.methods.climbing.loop import Climb, Polished, Readout, Stopping, climb, tried
from bayesgmm.rows import Rows

State = TypeVar("State")
Polish = Callable[[Climb], Polished]  # a search beyond an optimum

STEP = 1e-4  # of the differences, in the metric: far above the rounding of a sweep, far below what bends the objective
MOST = 15  # products at most
SLOW = 0.98  # an eigenvalue from which on the two sides are tried; a steep optimum is left alone
SADDLE = 1.005  # an eigenvalue that differences do not make of one below 1
ASIDE = 0.1  # how far from the optimum, in the metric
TRIAL = 50  # iterations after which a side must have paid
WORTH = 1e-3  # nats that a side must end higher: less is nothing that data can tell
ROUNDS = 10


@dataclass(frozen=True, eq=False)
class OffSaddles:
    """For `climb_all`: leave a saddle, as often as there is one, and vouch for the optimum.

    Parameters
    ----------
    rows : Rows
    readout : Readout
    stopping : Stopping
    """

    rows: Rows
    readout: Readout
    stopping: Stopping

    def __call__(self, best: Climb) -> Polished:
        """The climb, resumed from beside its end while it ends higher."""
        if not best.is_converged or best.flags:
            return Polished(best, "", False)
        begin = best.objective
        try:
            for i in range(ROUNDS):
                eigenvalue, change = slowest(self.rows, self.readout, best)
                higher = self._beside(best, change, ASIDE * 2.0**i) if eigenvalue >= SLOW else None
                if higher is None:
                    break
                best = higher
                if not best.is_converged:
                    break
            else:
                best = replace(best, is_converged=eigenvalue < SADDLE)
        except KeyboardInterrupt:
            return Polished(best, "Interrupted while the optimum was checked.", True)
        gain = best.objective - begin
        note = f"A search beside the first optimum raised the objective by {gain:.2f} nats." if gain > 0 else ""
        return Polished(best, note, best.is_interrupted)

    def _beside(self, best: Climb[State], change: np.ndarray, length: float) -> Climb[State] | None:
        """A climb from one side of the optimum that ends higher; None where there is none."""
        chart, place = self.readout.chart, self.readout.place(best.state)
        at = chart.vector(place)
        trial_stopping = replace(self.stopping, max_iter=min(TRIAL, self.stopping.max_iter))
        margin = max(10.0 * best.stats.n_obs * (self.stopping.tol or 0.0), WORTH, 1e-10 * abs(best.objective))
        length /= max(1.0, length * chart.largest_ratio(change, len(place.weights)))
        for side in (length, -length):
            params = chart.params(at + side * change, len(place.weights))
            state = None if params is None else self.readout.at(params, best.state)
            trial = None if state is None else tried(self.rows, self.readout, state, trial_stopping)
            if trial is None:
                continue
            if trial.is_interrupted:
                raise KeyboardInterrupt
            if trial.objective > best.objective + margin and not trial.flags:
                return resumed(self.rows, self.readout, best, trial, self.stopping)
        return None


def in_turn(*searches: Polish) -> Polish:
    """One search after the other, as one; an interrupt ends them."""

    def search(best: Climb[State]) -> Polished[State]:
        notes, is_interrupted = [], False
        for part in searches:
            polished = part(best)
            best, is_interrupted = polished.climb, polished.is_interrupted
            notes.append(polished.note)
            if is_interrupted:
                break
        return Polished(best, " ".join(filter(None, notes)), is_interrupted)

    return search


def resumed(
    rows: Rows, readout: Readout[State], old: Climb[State], trial: Climb[State], stopping: Stopping
) -> Climb[State]:
    """A trial climbed to its end, with the history of how the objective rose through the old climb and this one."""
    new = trial if trial.is_converged else climb(rows, readout, trial.state, stopping)
    higher = np.concatenate([trial.history, new.history[1:]]) if new is not trial else new.history
    history = np.concatenate([old.history, higher[higher > old.objective]])
    return replace(new, history=history, n_iter=old.n_iter + new.n_iter + (trial.n_iter if new is not trial else 0))


def slowest(rows: Rows, readout: Readout[State], best: Climb[State]) -> tuple[float, np.ndarray]:
    """Largest eigenvalue of a step's Jacobian at a climb's end, and its vector in coordinates, 1 long in the metric.

    Fixed seed: the vector depends on the data alone.
    """
    chart, place = readout.chart, readout.place(best.state)
    at, k = chart.vector(place), len(place.weights)

    def after(stats: SufficientStatistics, old: State) -> np.ndarray:
        return chart.vector(readout.place(readout.read(stats, old)))

    base = after(best.stats, best.state)

    def product(direction: np.ndarray) -> np.ndarray | None:
        params = chart.params(at + STEP * chart.shrink(place, direction), k)
        beside = None if params is None else readout.at(params, best.state)
        if beside is None:
            return None
        try:
            return chart.stretch(place, (after(rows.sweep(readout.scores(beside)), beside) - base) / STEP)
        except (ArithmeticError, ValueError, np.linalg.LinAlgError):  # beside it there is nothing in float64
            return None

    def inside(values: np.ndarray) -> np.ndarray:
        return chart.stretch(place, chart.shrink(place, values))

    start = inside(np.random.default_rng(0).standard_normal(len(at)))
    eigenvalue, vector = largest(product, inside, start, SLOW)
    return eigenvalue, chart.shrink(place, vector)


def largest(
    product: Callable[[np.ndarray], np.ndarray | None],
    inside: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    bound: float,
) -> tuple[float, np.ndarray]:
    """Largest eigenvalue of a nearly symmetric map and its vector, by Lanczos's method with full reorthogonalisation.

    It stops where the value is clearly below `bound`, has settled, or the space is exhausted.
    """
    basis = [start / np.linalg.norm(start)]
    images: list[np.ndarray] = []
    value, vector = 0.0, basis[0]
    while True:
        image = product(basis[-1])
        if image is None or not np.isfinite(image).all():
            return value, vector
        images.append(inside(image))
        space, projected = np.array(basis), np.array(images)
        small = space @ projected.T
        values, vectors = np.linalg.eigh(0.5 * (small + small.T))
        value, weights = float(values[-1]), vectors[:, -1]
        vector = weights @ space
        rest = images[-1] - space.T @ (space @ images[-1])
        rest -= space.T @ (space @ rest)
        left = float(np.linalg.norm(rest))
        error = abs(weights[-1]) * left  # there is an eigenvalue this near
        if len(basis) > 2 and (value + error < bound or error < 0.2 * max(abs(1.0 - value), 0.02)):
            return value, vector
        if len(basis) == MOST or left < 1e-8:
            return value, vector
        basis.append(rest / left)
