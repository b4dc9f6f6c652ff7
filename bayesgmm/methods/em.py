"""Expectation-maximisation: maximum likelihood (`EM`) and maximum a posteriori (`MAP`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from bayesgmm.checks import real_number, store, whole_numbers
from bayesgmm.core.params import ComponentScores, MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.families.family import Capability, Frame
from bayesgmm.families.gaussian import CovarianceStructure
from bayesgmm.methods.climbing.beginning import first_parameters
from bayesgmm.methods.climbing.birth_merge import Moves
from bayesgmm.methods.climbing.chart import Chart
from bayesgmm.methods.climbing.dominance import floor_remark, is_by_chance, lone_remark, prior_remark, resolvable
from bayesgmm.methods.climbing.given import GivenShares, as_init
from bayesgmm.methods.climbing.initialize import (
    KINDS,
    check_given,
    has_one_optimum,
    starts,
    strict_whitening,
)
from bayesgmm.methods.climbing.loop import Stopping
from bayesgmm.methods.climbing.restarts import climb_all
from bayesgmm.methods.climbing.saddle import OffSaddles, Polish, in_turn
from bayesgmm.models import GaussianMixture, whitening_of
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.priors.weights import Dirichlet
from bayesgmm.result.diagnostics import Flag
from bayesgmm.result.estimates import PointEstimate
from bayesgmm.result.method import MethodResult, Progress
from bayesgmm.rows import Rows

LOWEST_FLOOR = 1e-12  # below, rounding decides whether a covariance has an inverse


@dataclass(frozen=True)
class EM:
    """Maximum likelihood by expectation-maximisation.

    Parameters
    ----------
    max_iter : int
        Iterations of each restart: sweeps over the data, after the first one.
    tol : float or None
        Stop when the gain of the mean log likelihood per point that is still to come, extrapolated, is at
        most this (nats), three times in a row.
    param_tol : float or None
        Stop when no parameter changes by more than this, in units of the data's spread.  Where `tol`
        is given too, both must hold; where both are None, `max_iter` iterations are made.
    n_init : int
        Starts of a round.  They are compared after 30 iterations, and the best half is climbed to the end, until
        three have met in the best optimum.  Where only one has come there, further rounds are made, three in all at
        most, and the status says so.  Fewer than five starts are all climbed to the end.  The best unflagged one is
        returned.
    init : {"portfolio", "kmeans++", "kmeans", "random"}, MixtureParams, Fit, or array (n,) or (n, K)
        How a restart begins; the portfolio takes several kinds of start in turn.  Parameters, those of another fit,
        labels (a partition of the rows into K parts) and responsibilities are one start each.  A component whose given
        weight is zero stays empty.
    floor : float
        Lower bound of the covariances' eigenvalues in coordinates in which the data have unit spread, at
        least 1e-12; raised where columns are so nearly dependent that float64 cannot tell as little from zero.  A
        restart is flagged when a component sits there, has a variance below 1e-6 on at most D + 10 points, or has too
        few points for its own mean and covariance: no more values than these have parameters, or no more points than
        a covariance matrix has rows.
    moves : int
        Moves that are tried at most, from the best start's optimum: two components merge and a third one is split,
        in several ways, or the two are divided anew.  Whatever ends higher, and is not suspicious, is kept.  None is
        tried from a given start.
    accelerate : bool
        Try quasi-Newton steps, each kept only if the objective rises; False makes plain steps of EM.

    The chosen optimum is checked for a saddle before the fit says that it has converged.

    References
    ----------
    Dempster, Laird and Rubin (1977), JRSS B 39, 1-38, doi:10.1111/j.2517-6161.1977.tb01600.x.
    """

    needs_rows_everywhere: ClassVar = True

    max_iter: int = 1000
    tol: float | None = 1e-8
    param_tol: float | None = None
    n_init: int = 10
    init: Any = "portfolio"
    floor: float = 1e-12
    moves: int = 30
    accelerate: bool = True

    def __post_init__(self):
        check_options(self)
        # Below 1, which is the data's own variance.
        store(self, floor=real_number(self.floor, "floor", least=LOWEST_FLOOR, below=1))

    def run(self, model: GaussianMixture, data: Rows, rng: np.random.Generator, progress: Progress) -> MethodResult:
        """Climb from every start and return the best."""
        whitening = strict_whitening(model, data)
        floor = max(self.floor, resolvable(whitening))
        readout = MaximumLikelihood(model.covariance, whitening, floor, data.mean_weight)

        def begin(stats: SufficientStatistics) -> MixtureParams:
            return first_parameters(stats, model.covariance, whitening, floor)

        return climb_to_point(self, readout, begin, whitening, model, data, rng, progress)


@dataclass(frozen=True)
class MAP:
    """The joint posterior mode in (weights, means, covariances), by expectation-maximisation.

    Parameters are those of `EM`, without a floor: the prior keeps covariances away from zero.

    Raises
    ------
    NotApplicableError
        A Dirichlet concentration is below 1: there is no such mode.

    References
    ----------
    Fraley and Raftery (2007), Journal of Classification 24, 155-181, doi:10.1007/s00357-007-0004-5.
    """

    is_regularised: ClassVar = True  # what is maximised is not the likelihood
    needs: ClassVar[tuple[Capability, ...]] = ("conjugate",)

    max_iter: int = 1000
    tol: float | None = 1e-8
    param_tol: float | None = None
    n_init: int = 10
    init: Any = "portfolio"
    moves: int = 30
    accelerate: bool = True

    def __post_init__(self):
        check_options(self)

    def run(self, model: GaussianMixture, data: Rows, rng: np.random.Generator, progress: Progress) -> MethodResult:
        """Climb from every start and return the best."""
        prior = model.conjugate()
        prior.weights.mode()  # says at once where there is none
        whitening = whitening_of(model, data)
        starting = ConjugateMixture(Dirichlet(np.asarray(prior.weights.concentration) + 1.0), prior.components)

        def begin(stats: SufficientStatistics) -> MixtureParams:
            return starting.update(stats).mode()

        return climb_to_point(self, PosteriorMode(prior, whitening), begin, whitening, model, data, rng, progress)


@dataclass(frozen=True, eq=False)
class MaximumLikelihood:
    """Readout of EM: the M step, under a floor of the covariances' whitened eigenvalues."""

    goal: ClassVar = "log likelihood"
    may_empty: ClassVar = False

    structure: CovarianceStructure
    whitening: np.ndarray
    floor: float
    row_weight: float = 1.0  # of a row on average: how many points lie together is a question of rows

    def admit(self, start: MixtureParams) -> MixtureParams:
        """The start as the family has it, so that no step goes down."""
        return self.structure.admitted(start, self._frame)

    @property
    def _frame(self) -> Frame:
        return Frame(self.whitening, self.floor)

    @property
    def chart(self) -> Chart:
        return Chart(self.structure, self.whitening)

    def place(self, state: MixtureParams) -> MixtureParams:
        return state

    def at(self, params: MixtureParams, like: MixtureParams) -> MixtureParams:
        return self.admit(params)

    def scores(self, state: MixtureParams) -> ComponentScores:
        return state.scores()

    def read(self, stats: SufficientStatistics, old: MixtureParams | None = None) -> MixtureParams:
        return self.structure.maximise(stats, old, self._frame)

    def objective(self, state: MixtureParams, stats: SufficientStatistics) -> float:
        return stats.log_likelihood

    def change(self, old: MixtureParams, new: MixtureParams) -> float:
        return whitened_change(old, new, self.whitening)

    def flags(self, state: MixtureParams, stats: SufficientStatistics) -> tuple[Flag, ...]:
        variances, directions = self.structure.form.narrowest(state.precision_chol, self.whitening)
        flags = []
        needed = self.structure.too_few_points(state.n_features)
        are_at_floor = self.structure.is_at_floor(variances, stats, self._frame)
        for k, n_points in enumerate(stats.counts / self.row_weight):
            at_floor = bool(are_at_floor[k])
            is_narrow = is_by_chance(variances[k], n_points, state.n_features)
            if at_floor or is_narrow or n_points <= needed:
                direction = tuple(float(value) for value in directions[k])
                reason = self._reason(at_floor, n_points <= needed)
                flags.append(Flag(k, float(n_points), float(variances[k]), direction, reason))
        return tuple(flags)

    def _reason(self, at_floor: bool, are_few: bool) -> str:
        if at_floor:
            return "sits at the variance floor"
        if not are_few:
            return "is narrower than so few points tell from chance"
        return self.structure.too_few_words

    def remark(self, state: MixtureParams, stats: SufficientStatistics) -> str:
        """What the status says about components that the floor decides."""
        return floor_remark(self.flags(state, stats), stats, self.whitening, self.floor, LOWEST_FLOOR)


@dataclass(frozen=True, eq=False)
class PosteriorMode:
    """Readout of MAP-EM: the mode of the conjugate update."""

    goal: ClassVar = "log posterior density"
    may_empty: ClassVar = False  # a component without points has the highest density, at the prior's mode: no answer

    prior: ConjugateMixture
    whitening: np.ndarray

    def admit(self, start: MixtureParams) -> MixtureParams:
        return start

    @property
    def chart(self) -> Chart:
        return Chart(self.prior.components.structure, self.whitening)

    def place(self, state: MixtureParams) -> MixtureParams:
        return state

    def at(self, params: MixtureParams, like: MixtureParams) -> MixtureParams:
        return params

    def scores(self, state: MixtureParams) -> ComponentScores:
        return state.scores()

    def read(self, stats: SufficientStatistics, old: MixtureParams | None = None) -> MixtureParams:
        return self.prior.update(stats).mode()

    def objective(self, state: MixtureParams, stats: SufficientStatistics) -> float:
        return stats.log_likelihood + self.prior.log_density(state)

    def change(self, old: MixtureParams, new: MixtureParams) -> float:
        return whitened_change(old, new, self.whitening)

    def flags(self, state: MixtureParams, stats: SufficientStatistics) -> tuple[Flag, ...]:
        return ()

    def remark(self, state: MixtureParams, stats: SufficientStatistics) -> str:
        """What the status says about components that the prior decides."""
        return " ".join(filter(None, (prior_remark(self.prior.components, stats), lone_remark(stats.counts))))


def climb_to_point(
    options: EM | MAP,
    readout: MaximumLikelihood | PosteriorMode,
    begin: Callable[[SufficientStatistics], MixtureParams],
    whitening: np.ndarray,
    model: GaussianMixture,
    data: Rows,
    rng: np.random.Generator,
    progress: Progress,
) -> MethodResult:
    """Climb from given or made starts; `begin` turns hard statistics into well-posed parameters."""
    stopping = Stopping(options.max_iter, options.tol, options.param_tol, options.accelerate)
    polish: Polish = OffSaddles(data, readout, stopping)
    init = options.init
    if not isinstance(init, str):
        if isinstance(init, GivenShares):
            stats = init.statistics(data, model.n_components, model.covariance.form)
            given = readout.admit(begin(stats.scaled(1.0 / data.mean_weight)))
        else:
            given = readout.admit(check_given(init, model, data.values.shape[1]))
        best, status, diagnostics = climb_all(data, readout, iter([given]), 1, stopping, progress, polish)
    else:
        made = starts(data, model.covariance, whitening, model.n_components, init, rng)
        begun = (readout.admit(begin(stats.scaled(1.0 / data.mean_weight))) for stats in made)
        polish = in_turn(Moves(data, readout, whitening, stopping, options.moves, rng), polish)
        n_starts = 1 if has_one_optimum(data, model.n_components) else options.n_init
        best, status, diagnostics = climb_all(data, readout, begun, n_starts, stopping, progress, polish)
    likelihood, status = best.stats.log_likelihood, status.noting(readout.remark(best.state, best.stats))
    return MethodResult(PointEstimate(best.state, likelihood), status, diagnostics, best.history)


def whitened_change(old: MixtureParams, new: MixtureParams, whitening: np.ndarray) -> float:
    """Largest change of a weight, a whitened mean or a whitened covariance."""
    means = new.form.times(new.means - old.means, whitening)
    covariances = new.form.whitened(new.spread - old.spread, whitening)
    return float(max(np.abs(new.weights - old.weights).max(), np.abs(means).max(), np.abs(covariances).max()))


def check_options(options) -> None:
    """Checks that EM, MAP and VB share."""
    checked = Stopping(options.max_iter, options.tol, options.param_tol, options.accelerate)
    store(options, **{one.name: getattr(checked, one.name) for one in fields(checked)})
    store(options, init=as_init(options.init, tuple(KINDS)))
    whole_numbers(options, {"n_init": 1, "moves": 0})
