"""Variational Bayes: coordinate ascent on the evidence lower bound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from bayesgmm.core.params import ComponentScores, MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.families.family import Capability
from bayesgmm.methods.climbing.birth_merge import Moves
from bayesgmm.methods.climbing.chart import Chart
from bayesgmm.methods.climbing.dominance import prior_remark
from bayesgmm.methods.climbing.given import GivenShares
from bayesgmm.methods.climbing.initialize import check_given, has_one_optimum, starts
from bayesgmm.methods.climbing.loop import Stopping
from bayesgmm.methods.climbing.restarts import ROUNDS, climb_all
from bayesgmm.methods.climbing.saddle import OffSaddles, in_turn
from bayesgmm.methods.em import check_options, whitened_change
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, Model, whitening_of
from bayesgmm.priors.concentration import Gamma
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.priors.process import UnknownConcentration
from bayesgmm.priors.sticks import StickBreaking
from bayesgmm.result.diagnostics import Flag
from bayesgmm.result.estimates import VariationalPosterior
from bayesgmm.result.method import MethodResult, Progress
from bayesgmm.rows import Rows


def prior_of(model: Model) -> ConjugateMixture:
    """The prior, with whatever of it is unknown."""
    prior = model.conjugate()
    if isinstance(model, DirichletProcessMixture) and isinstance(model.concentration, Gamma):
        return replace(prior, weights=UnknownConcentration(model.truncation, model.concentration))
    return prior


@dataclass(frozen=True)
class VB:
    """Mean-field variational Bayes with q(labels) q(weights) q(means, covariances).

    The ELBO carries every normaliser: it is a lower bound of log p(X), exact at K = 1.  Its posterior is
    one of the K! symmetric modes of the true one, and usually too narrow.  For a Dirichlet process, q(weights) is
    q(sticks), times q(concentration) where that is unknown, and the largest components come first where that
    raises the ELBO.

    Parameters
    ----------
    max_iter, tol, param_tol, n_init, init, accelerate
        As in `EM`, with the ELBO in the place of the log likelihood.  Given MixtureParams stand for the
        responsibilities that they imply.
    moves : int
        Birth and merge moves that are tried at most, from the best restart's optimum; one that does not raise the
        ELBO on all of the data is taken back.  Without `tol` and `param_tol` there are none.

    References
    ----------
    Bishop (2006), Pattern Recognition and Machine Learning, section 10.2.  Blei, Kucukelbir and McAuliffe
    (2017), JASA 112, 859-877, doi:10.1080/01621459.2017.1285773.  Blei and Jordan (2006), Bayesian Analysis 1,
    121-143, doi:10.1214/06-BA104.  Hughes and Sudderth (2013), NeurIPS 26: the moves.
    """

    models: ClassVar[tuple[type, ...]] = (GaussianMixture, DirichletProcessMixture)
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

    def run(
        self,
        model: GaussianMixture | DirichletProcessMixture,
        data: Rows,
        rng: np.random.Generator,
        progress: Progress,
    ) -> MethodResult:
        """Climb from every start, and from the best by moves."""
        prior = prior_of(model)
        whitening = whitening_of(model, data)
        stopping = Stopping(self.max_iter, self.tol, self.param_tol, self.accelerate)
        init, seed = self.init, int(rng.integers(2**63))
        if isinstance(init, GivenShares):
            begun, n_starts = iter([prior.update(init.statistics(data, model.n_components, model.covariance.form))]), 1
        elif isinstance(init, MixtureParams):
            scores = check_given(init, model, data.values.shape[1]).scores()
            begun, n_starts = iter([prior.update(data.sweep(scores))]), 1
        else:
            made = starts(data, model.covariance, whitening, model.n_components, init, rng)
            begun = (prior.update(stats) for stats in made)
            n_starts = 1 if has_one_optimum(data, model.n_components) else self.n_init
        readout = VariationalUpdate(prior, whitening)
        moves = Moves(data, readout, whitening, stopping, self.moves, rng)
        polish = in_turn(moves, OffSaddles(data, readout, stopping))
        rounds = 1 if moves.are_possible(model.n_components) else ROUNDS  # the moves stand in for further starts
        best, status, diagnostics = climb_all(data, readout, begun, n_starts, stopping, progress, polish, rounds)
        status = status.noting(readout.remark(best.state, best.stats))
        return MethodResult(VariationalPosterior(best.state, seed), status, diagnostics, best.history)


@dataclass(frozen=True, eq=False)
class VariationalUpdate:
    """Readout of VB: the conjugate update, whose expected scores the next sweep takes."""

    goal: ClassVar = "ELBO"
    may_empty: ClassVar = True

    prior: ConjugateMixture
    whitening: np.ndarray

    @property
    def chart(self) -> Chart:
        return Chart(self.prior.components.structure, self.whitening)

    def place(self, state: ConjugateMixture) -> MixtureParams:
        """Weights of a component that are those of its points and one more, so that an emptied one has a logarithm."""
        components = state.components
        held = components.mean_precision - self.prior.components.mean_precision + 1.0
        return MixtureParams.trusted(held / held.sum(), components.mean, components.expected_factor())

    def at(self, params: MixtureParams, like: ConjugateMixture) -> ConjugateMixture | None:
        start, now = self.prior.components, like.components
        n_obs = (now.mean_precision - start.mean_precision).sum()
        counts = np.maximum(params.weights * (n_obs + len(params.weights)) - 1.0, 0.0)
        if not counts.any():
            return None
        counts *= n_obs / counts.sum()
        components = start.posterior_at(counts, params.means, params.precision_chol)
        return ConjugateMixture(self.prior.weights.update(counts), components)

    def scores(self, state: ConjugateMixture) -> ComponentScores:
        return state.expected_scores()

    def read(self, stats: SufficientStatistics, old: ConjugateMixture | None = None) -> ConjugateMixture:
        return self.prior.update(in_best_order(self.prior, stats))

    def objective(self, state: ConjugateMixture, stats: SufficientStatistics) -> float:
        """The ELBO at the optimal q(labels), which the log-sum-exp of the expected scores integrates out."""
        return stats.log_likelihood - state.kl(self.prior)

    def change(self, old: ConjugateMixture, new: ConjugateMixture) -> float:
        return whitened_change(VariationalPosterior(old, 0).params, VariationalPosterior(new, 0).params, self.whitening)

    def flags(self, state: ConjugateMixture, stats: SufficientStatistics) -> tuple[Flag, ...]:
        return ()

    def remark(self, state: ConjugateMixture, stats: SufficientStatistics) -> str:
        """What the status says about components that the prior decides."""
        return prior_remark(self.prior.components, stats)


def in_best_order(prior: ConjugateMixture, stats: SufficientStatistics) -> SufficientStatistics:
    """The components from the largest to the smallest, where the order of the sticks makes that the better one.

    The components of a Dirichlet process are alike but for their sticks, so only the weights' part of the ELBO moves.
    """
    if not isinstance(prior.weights, (StickBreaking, UnknownConcentration)):
        return stats
    order = np.argsort(-stats.counts, kind="stable")
    if np.array_equal(order, np.arange(len(order))):
        return stats
    ordered = stats.permuted(order)
    return max((stats, ordered), key=lambda s: _weights_bound(prior, s.counts))


def _weights_bound(prior: ConjugateMixture, counts: np.ndarray) -> float:
    posterior = prior.weights.update(counts)
    return float(counts @ posterior.expected_log()) - posterior.kl(prior.weights)
