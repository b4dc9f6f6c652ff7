"""Diagnostics: of restarts for optimisers, of label-invariant quantities for draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.core import density
from bayesgmm.core.params import MixtureParams
from bayesgmm.core.statistics import SufficientStatistics

RHAT_LIMIT = 1.01  # Vehtari et al. (2021), Bayesian Analysis 16, 667-718, doi:10.1214/20-BA1221
ESS_LIMIT = 400  # ibid.: what R-hat and the errors need to be trusted themselves
N_POINTS = 5
N_COEFFICIENTS = 4  # of a direction that a message lists


@dataclass(frozen=True)
class Flag:
    """A component that may be a spurious optimum: at the variance floor, or on too few points.

    Parameters
    ----------
    component : int
    n_points : float
        Total responsibility.
    whitened_variance : float
        Smallest variance in coordinates in which the data have unit covariance.
    direction : tuple of float
        Unit vector a, in data coordinates: the combination ``a^T x`` of the columns has that variance.
    reason : str
    """

    component: int
    n_points: float
    whitened_variance: float
    direction: tuple[float, ...]
    reason: str

    def __str__(self) -> str:
        where = f"component {self.component} ({self.n_points:.1f} points) {self.reason}"
        if len(self.direction) <= N_COEFFICIENTS:
            combination = ", ".join(f"{value:.3g}" for value in self.direction)
            return f"{where}, narrowest in the combination ({combination}) of the columns"
        sizes = np.abs(self.direction)
        largest = np.argsort(-sizes, kind="stable")[:N_COEFFICIENTS]
        named = ", ".join(f"{self.direction[j]:.3g} of column {j}" for j in largest if sizes[j] > 0)
        n_rest = int((sizes > 0).sum()) - N_COEFFICIENTS
        rest = f" and smaller parts of {n_rest} more" if n_rest > 0 else ""
        return f"{where}, narrowest in the combination {named}{rest}"


@dataclass(frozen=True)
class Restart:
    """One start of an optimiser: where it ended, and what is suspicious there."""

    objective: float
    n_iter: int
    is_converged: bool
    flags: tuple[Flag, ...]


@dataclass(frozen=True)
class OptimiserDiagnostics:
    """Every restart, and which of them was chosen."""

    restarts: tuple[Restart, ...]
    chosen: int

    @property
    def n_iter(self) -> int:
        return self.restarts[self.chosen].n_iter

    @property
    def flags(self) -> tuple[Flag, ...]:
        """Flags of the chosen restart; empty where there is nothing to distrust."""
        return self.restarts[self.chosen].flags


@dataclass(frozen=True, eq=False)
class StreamDiagnostics:
    """What a method that reads a batch at a time has learnt, which is all that it needs to go on.

    Parameters
    ----------
    statistics : SufficientStatistics
        Blended, and per point: their ``n_obs`` is 1.
    n_rows : int
        Rows that were used.
    n_seen : int
        The same, but a row counts once in every pass.
    n_steps : int
        Batches that were used.
    batch_size : int
        Rows of a whole batch; fewer are a part of a step.
    whitening : (D, D) or (D,) array
        The units in which the floor of the variances is measured.
    is_evaluated : bool
        Whether the last entry of the history is the objective on all of the data, at the end.
    flags : tuple of Flag
    """

    statistics: SufficientStatistics
    n_rows: int
    n_seen: int
    n_steps: int
    batch_size: int
    whitening: np.ndarray
    is_evaluated: bool = False
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True)
class QuantityDiagnostics:
    """Mean and Monte Carlo quality of one label-invariant quantity."""

    name: str
    mean: float
    sd: float
    mcse: float
    ess_bulk: float
    ess_tail: float
    rhat: float


@dataclass(frozen=True)
class SamplerDiagnostics:
    """Label-invariant quantities, and what the sampler itself reported."""

    quantities: tuple[QuantityDiagnostics, ...]
    n_divergent: int
    n_max_treedepth: int

    @property
    def max_rhat(self) -> float:
        return float(np.max([q.rhat for q in self.quantities]))

    @property
    def min_ess(self) -> float:
        return float(np.min([min(q.ess_bulk, q.ess_tail) for q in self.quantities]))

    def worst(self) -> QuantityDiagnostics:
        """The quantity with the largest R-hat."""
        return max(self.quantities, key=lambda q: q.rhat)


def invariant_quantities(draws: MixtureParams, X: np.ndarray) -> dict[str, np.ndarray]:
    """Label-invariant (chain, draw) quantities of unaligned draws.

    The log likelihood, the sum of squared weights, and the log density at `N_POINTS` rows of X spread
    from its middle to its edge (by Mahalanobis rank, so that units do not matter).
    """
    log_likelihood = np.zeros(int(np.prod(draws.draw_shape)))
    for _, block in density.log_density_blocks(draws, X):
        log_likelihood += block.sum(1)
    quantities = {
        "log_likelihood": log_likelihood.reshape(draws.draw_shape),
        "sum_squared_weights": (draws.weights**2).sum(-1),
    }
    rows = _spread_rows(X)
    at_points = density.log_density(draws, X[rows])
    for i, row in enumerate(rows):
        quantities[f"log_density[row {row}]"] = at_points[..., i]
    return quantities


def diagnose(quantities: dict[str, np.ndarray], n_divergent: int = 0, n_max_treedepth: int = 0) -> SamplerDiagnostics:
    """R-hat, effective sample sizes and Monte Carlo errors of (chain, draw) quantities."""
    from arviz_stats import base

    array_stats: Any = base.array_stats  # pyright: ignore[reportPrivateImportUsage]
    rows = []
    for name, values in quantities.items():
        if np.ptp(values) == 0:  # as the sum of squared weights is at K = 1: chains agree, and R-hat would be 0/0
            n_draws = float(values.size)
            rows.append(QuantityDiagnostics(name, float(values.flat[0]), 0.0, 0.0, n_draws, n_draws, 1.0))
            continue
        with np.errstate(divide="ignore", invalid="ignore"):  # chains that do not move have an infinite R-hat
            rows.append(
                QuantityDiagnostics(
                    name,
                    float(values.mean()),
                    float(values.std(ddof=1)),
                    float(array_stats.mcse(values, chain_axis=0, draw_axis=1, method="mean")),
                    float(array_stats.ess(values, chain_axis=0, draw_axis=1, method="bulk")),
                    float(array_stats.ess(values, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95))),
                    float(array_stats.rhat(values, chain_axis=0, draw_axis=1, method="rank")),
                )
            )
    return SamplerDiagnostics(tuple(rows), n_divergent, n_max_treedepth)


def _spread_rows(X: np.ndarray) -> list[int]:
    deviations = X.std(0, dtype=float)
    centered = (X - X.mean(0, dtype=float)) / np.where(deviations > 0, deviations, 1.0)
    # The pseudo-inverse lets constant and dependent columns through: they cannot change the ranks.
    inverse = np.linalg.pinv(np.atleast_2d(centered.T @ centered) / len(X))
    distance = np.einsum("ij,jk,ik->i", centered, inverse, centered)
    order = np.argsort(distance, kind="stable")
    return sorted({int(order[int(q * (len(X) - 1))]) for q in np.linspace(0.05, 0.95, N_POINTS)})
