"""Stochastic variational Bayes: the posterior in a pass or two, on data of any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayesgmm.core.params import ComponentScores, MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.families.family import Capability
from bayesgmm.methods.climbing.initialize import check_given
from bayesgmm.methods.online import check_switches
from bayesgmm.methods.stream import Position, Streaming, begun, judge, read_stream, sample_rows
from bayesgmm.methods.vb import VB, prior_of
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, whitening_of
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.result.diagnostics import Flag, StreamDiagnostics
from bayesgmm.result.estimates import VariationalPosterior
from bayesgmm.result.fit import Fit
from bayesgmm.result.method import MethodResult, Progress, silent
from bayesgmm.rows import Rows, StreamedRows


@dataclass(frozen=True)
class StochasticVB(Streaming):
    """Variational Bayes on mini-batches: natural-gradient steps on the evidence lower bound.

    Every batch stands for all n points: its statistics, scaled by n / B, are blended with those before, which is to
    blend the natural parameters of the posterior.  Data, options, shuffling and ``fit.partial_fit`` are those of
    `OnlineEM`; constants of the prior that are left to the data come from the first 64 MiB of rows.

    Parameters
    ----------
    batch_size, step, passes, stochastic, shuffle
        As in `OnlineEM`.  With a step of 1 and one batch of all points it is `VB`.
    init, n_init
        As in `OnlineEM`, with VB in the place of EM.

    Notes
    -----
    ``fit.history`` holds each batch's estimate of the ELBO *before* it was used and, where the data can be read
    again, last the ELBO itself.  Otherwise ``fit.elbo`` is not known.  Of an iterator, n is what has been read.

    References
    ----------
    Hoffman, Blei, Wang and Paisley (2013), Journal of Machine Learning Research 14, 1303-1347.
    """

    models: ClassVar[tuple[type, ...]] = (GaussianMixture, DirichletProcessMixture)
    needs: ClassVar[tuple[Capability, ...]] = ("conjugate",)

    def __post_init__(self):
        super().__post_init__()
        check_switches(self)

    def run(
        self,
        model: GaussianMixture | DirichletProcessMixture,
        data: Rows | StreamedRows,
        rng: np.random.Generator,
        progress: Progress,
    ) -> MethodResult:
        """Read the data `passes` times."""
        source, seed = StreamedRows.of(data), int(rng.integers(2**63))
        first = self.first_rows(source)
        if isinstance(self.init, MixtureParams):
            params = check_given(self.init, model, len(source.feature_names))
        else:
            # To its end and with its moves: batches hardly ever empty a component that the start has left too many.
            climb = VB(tol=1e-6, n_init=self.n_init, init=self.init)
            params = climb.run(model, sample_rows(first, rng), rng, silent).estimate.params
        begin = begun(params, whitening_of(model, first), self.sized(len(first.values)))
        return _read(self, source, PosteriorUpdate(prior_of(model)), begin, seed, rng, progress)

    def resume(self, fit: Fit, source: StreamedRows, rng: np.random.Generator, progress: Progress) -> MethodResult:
        """Go on from a fit, with further data."""
        self.first_rows(source)
        seen, estimate = fit.diagnostics, fit.estimate
        assert isinstance(seen, StreamDiagnostics) and isinstance(estimate, VariationalPosterior)
        begin = Position(estimate.posterior, estimate.posterior.expected_scores(), seen)
        return _read(self, source, PosteriorUpdate(prior_of(fit.model)), begin, estimate.seed, rng, progress)


@dataclass(frozen=True, eq=False)
class PosteriorUpdate:
    """Readout: the conjugate update by statistics that are scaled to all points."""

    prior: ConjugateMixture

    def scores(self, state: ConjugateMixture) -> ComponentScores:
        return state.expected_scores()

    def read(self, per_point: SufficientStatistics, n_obs: float) -> ConjugateMixture:
        return self.prior.update(per_point.scaled(n_obs))

    def penalty(self, state: ConjugateMixture) -> float:
        return state.kl(self.prior)

    def flags(self, state: ConjugateMixture, stats: SufficientStatistics) -> tuple[Flag, ...]:
        return ()


def _read(
    options: StochasticVB,
    source: StreamedRows,
    readout: PosteriorUpdate,
    begin: Position[ConjugateMixture],
    seed: int,
    rng: np.random.Generator,
    progress: Progress,
) -> MethodResult:
    reading = read_stream(source, readout, begin, options, rng, progress)
    estimate = VariationalPosterior(reading.state, seed)
    return MethodResult(estimate, judge(options, source, reading), reading.seen, reading.history)
