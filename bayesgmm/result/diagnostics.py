"""Diagnostics: of restarts for optimisers, of label-invariant quantities for draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.special import fdtrc

from bayesgmm.core import density
from bayesgmm.core.facts import NO_FACTS, RowFacts
from bayesgmm.core.params import MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.result.arviz import array_stats

RHAT_FAR = 1.05  # from here on chains have not met, and no law says when they will
RHAT_LIMIT = 1.01  # Vehtari et al. (2021), Bayesian Analysis 16, 667-718, doi:10.1214/20-BA1221
ESS_LIMIT = 400  # ibid.: what R-hat and the errors need to be trusted themselves
N_POINTS = 5
N_COEFFICIENTS = 4  # of a direction that a message lists
RHAT_DIGITS = 1.0 / np.sqrt(np.finfo(float).eps)  # above, the variance within chains is rounding error
MCSE_LIMIT = 0.025  # of a probability: the error that `ESS_LIMIT` independent draws have at worst
AGREE_LIMIT = 0.01  # level at which chains disagree about any of the probabilities, after Bonferroni
RARE = 0.02  # events of smaller probability, or their complements, are too rare to be judged
MIN_VISITS = 20  # of all chains to an event, below which means of batches are not near normal
N_BATCHES = 20


EMPTY = 1e-3  # points
ROUNDING = 1e-6  # of the largest coefficient


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
        if self.n_points < EMPTY or len(self.direction) == 1:  # no points have no narrowest direction
            return where
        sizes = np.abs(self.direction)
        sizes[sizes < ROUNDING * sizes.max()] = 0.0
        if (sizes > 0).sum() == 1:
            return f"{where}, narrowest in column {int(sizes.argmax())}"
        if len(self.direction) <= N_COEFFICIENTS:
            combination = ", ".join(f"{value:.3g}" for value in np.where(sizes > 0, self.direction, 0.0))
            return f"{where}, narrowest in the combination ({combination}) of the columns"
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
    n_rows: float
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
class EventDiagnostics:
    """The probability that a count has one value, and how well it is known.

    R-hat and effective sample sizes, which rest on ranks, say little about a count that hardly ever changes.  The
    indicator of each of its values has a mean with an error of its own, and whether chains agree about this mean is
    an analysis of variance of the means of batches.

    Parameters
    ----------
    name : str
        Of the count.
    value : int
    probability : float
    mcse : float
        Its Monte Carlo standard error; differences between chains raise it.
    agreement : float
        p-value of the hypothesis that all chains have the same probability; 1 where the event was seen too seldom
        for the test.
    """

    name: str
    value: int
    probability: float
    mcse: float
    agreement: float

    @property
    def label(self) -> str:
        return f"{self.name} = {self.value}"


@dataclass(frozen=True)
class SamplerDiagnostics:
    """Label-invariant quantities, and what the sampler itself reported.

    Parameters
    ----------
    quantities : tuple of QuantityDiagnostics
    n_divergent, n_max_treedepth : int
    events : tuple of EventDiagnostics
        Of the counts among the quantities, which are judged by these and not by R-hat.
    thin : int
        Sweeps per kept draw.
    dropped : int
        Sweeps before the kept draws.
    """

    quantities: tuple[QuantityDiagnostics, ...]
    n_divergent: int
    n_max_treedepth: int
    events: tuple[EventDiagnostics, ...] = ()
    thin: int = 1
    dropped: int = 0

    @property
    def judged(self) -> tuple[QuantityDiagnostics, ...]:
        """The quantities that R-hat and effective sample sizes can judge: all but the counts."""
        counts = {event.name for event in self.events}
        return tuple(q for q in self.quantities if q.name not in counts)

    @property
    def max_rhat(self) -> float:
        return float(np.max([q.rhat for q in self.judged]))

    @property
    def min_ess(self) -> float:
        return float(np.min([min(q.ess_bulk, q.ess_tail) for q in self.judged]))

    def worst(self) -> QuantityDiagnostics:
        """The quantity with the largest R-hat."""
        return max(self.judged, key=lambda q: q.rhat)

    def fewest(self) -> QuantityDiagnostics:
        """The quantity with the fewest effective draws."""
        return min(self.judged, key=lambda q: min(q.ess_bulk, q.ess_tail))

    def vaguest(self) -> EventDiagnostics | None:
        """The event whose probability has the largest error; None without counts."""
        return max(self.events, key=lambda event: event.mcse, default=None)

    def disputed(self) -> EventDiagnostics | None:
        """The event about which chains differ most, where that is more than chance; None otherwise."""
        most = min(self.events, key=lambda event: event.agreement, default=None)
        return most if most is not None and not most.agreement * len(self.events) >= AGREE_LIMIT else None

    @property
    def is_enough(self) -> bool:
        """Whether all chains agree and every error is small enough."""
        is_known = all(e.mcse <= MCSE_LIMIT for e in self.events) and self.disputed() is None
        return is_known and bool(self.max_rhat < RHAT_LIMIT and self.min_ess > ESS_LIMIT)

    def times_longer(self) -> float:
        """How many times as many sweeps would be enough, by the laws of long runs; NaN where chains are far apart.

        Effective draws grow with the length of a run, and the squares of errors and of R-hat less one fall with it.
        """
        if not self.max_rhat < RHAT_FAR:
            return float("nan")
        by_rhat = (self.max_rhat**2 - 1.0) / (RHAT_LIMIT**2 - 1.0)
        by_error = max(((e.mcse / MCSE_LIMIT) ** 2 for e in self.events), default=0.0)
        return float(max(ESS_LIMIT / self.min_ess, by_rhat, by_error))


def invariant_quantities(
    draws: MixtureParams,
    X: np.ndarray,
    log_likelihood: np.ndarray | None = None,
    facts: RowFacts = NO_FACTS,
) -> dict[str, np.ndarray]:
    """Label-invariant (chain, draw) quantities of unaligned draws.

    The log likelihood (computed here unless it is given, with what is known of rows), the sum of squared weights, and
    the log density at `N_POINTS` rows of X spread from its middle to its edge (by Mahalanobis rank, so that units do
    not matter).
    """
    if log_likelihood is None:
        log_likelihood = density.log_likelihoods(draws, X, facts)
    quantities = {
        "log_likelihood": log_likelihood,
        "sum_squared_weights": (draws.weights**2).sum(-1),
    }
    rows = _spread_rows(X)
    at_points = density.log_density(draws, X[rows])
    for i, row in enumerate(rows):
        quantities[f"log_density[row {row}]"] = at_points[..., i]
    return quantities


def diagnose(
    quantities: dict[str, np.ndarray],
    n_divergent: int = 0,
    n_max_treedepth: int = 0,
    counts: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> SamplerDiagnostics:
    """R-hat, effective sample sizes and Monte Carlo errors of (chain, draw) quantities, and events of counts."""
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
                    float(array_stats().mcse(values, chain_axis=0, draw_axis=1, method="mean")),
                    float(array_stats().ess(values, chain_axis=0, draw_axis=1, method="bulk")),
                    float(array_stats().ess(values, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95))),
                    _digits(float(array_stats().rhat(values, chain_axis=0, draw_axis=1, method="rank"))),
                )
            )
    events = tuple(event for name, values in counts.items() for event in events_of(name, values))
    return SamplerDiagnostics(tuple(rows), n_divergent, n_max_treedepth, events)


def events_of(name: str, counts: np.ndarray) -> list[EventDiagnostics]:
    """Of (chain, draw) counts, every value whose probability is neither near 0 nor near 1."""
    found = []
    for value in np.unique(counts):
        here = (counts == value).astype(float)
        if RARE <= here.mean() <= 1.0 - RARE:
            error = float(array_stats().mcse(here, chain_axis=0, draw_axis=1, method="mean"))
            found.append(EventDiagnostics(name, int(value), float(here.mean()), error, chains_agree(here)))
    return found


def chains_agree(here: np.ndarray) -> float:
    """p-value that the rows of a (chain, draw) indicator have one mean: F test of the means of batches.

    Batches shorter than the memory of the chains make it too small rather than too large.
    """
    n_chains, n_draws = here.shape
    size = n_draws // N_BATCHES
    n_visits = int(here[:, 0].sum() + (np.diff(here, axis=1) > 0).sum())
    n_leaves = int((1.0 - here[:, 0]).sum() + (np.diff(here, axis=1) < 0).sum())
    is_moving = (np.diff(here, axis=1) != 0).any()
    if n_chains == 1 or size < 2 or (is_moving and min(n_visits, n_leaves) < MIN_VISITS):
        return 1.0
    means = here[:, n_draws - size * N_BATCHES :].reshape(n_chains, N_BATCHES, size).mean(2)
    between = N_BATCHES * means.mean(1).var(ddof=1)
    within = means.var(axis=1, ddof=1).mean()
    if between == 0.0 or within == 0.0:
        return float(between == 0.0)
    return float(fdtrc(n_chains - 1, n_chains * (N_BATCHES - 1), between / within))


def shown_rhat(rhat: float) -> str:
    """An R-hat for people."""
    return "infinite" if np.isinf(rhat) else f"{rhat:.3f}"


def _digits(rhat: float) -> float:
    """An R-hat without those of rounding errors, as of chains that do not move."""
    return float("inf") if rhat > RHAT_DIGITS else rhat


def _spread_rows(X: np.ndarray) -> list[int]:
    deviations = X.std(0, dtype=float)
    centered = (X - X.mean(0, dtype=float)) / np.where(deviations > 0, deviations, 1.0)
    if len(X) > X.shape[1]:
        # The pseudo-inverse lets constant and dependent columns through: they cannot change the ranks.
        inverse = np.linalg.pinv(np.atleast_2d(centered.T @ centered) / len(X))
        distance = np.einsum("ij,jk,ik->i", centered, inverse, centered)
    else:  # so few rows are all at one distance in their own metric
        distance = (centered**2).sum(1)
    order = np.argsort(distance, kind="stable")
    return sorted({int(order[int(q * (len(X) - 1))]) for q in np.linspace(0.05, 0.95, N_POINTS)})
