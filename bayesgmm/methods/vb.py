"""Variational Bayes: coordinate ascent on the evidence lower bound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bayesgmm.core.params import ComponentScores, MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.sweep import sweep
from bayesgmm.data import DataMatrix
from bayesgmm.methods.em import check_options, whitened_change
from bayesgmm.methods.initialize import check_given, start
from bayesgmm.methods.loop import Stopping, climb_all
from bayesgmm.models import GaussianMixture, whitening_of
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.result.diagnostics import Flag
from bayesgmm.result.estimates import VariationalPosterior
from bayesgmm.result.fit import MethodResult, Progress


@dataclass(frozen=True)
class VB:
    """Mean-field variational Bayes with q(labels) q(weights) q(means, covariances).

    The ELBO carries every normaliser: it is a lower bound of log p(X), exact at K = 1.  Its posterior is
    one of the K! symmetric modes of the true one, and usually too narrow.

    Parameters
    ----------
    max_iter, tol, param_tol, n_init, init
        As in `EM`, with the ELBO in the place of the log likelihood.  Given MixtureParams stand for the
        responsibilities that they imply.

    References
    ----------
    Bishop (2006), Pattern Recognition and Machine Learning, section 10.2.  Blei, Kucukelbir and McAuliffe
    (2017), JASA 112, 859-877, doi:10.1080/01621459.2017.1285773.
    """

    max_iter: int = 1000
    tol: float | None = 1e-8
    param_tol: float | None = None
    n_init: int = 10
    init: str | MixtureParams = "kmeans++"

    def __post_init__(self):
        check_options(self)

    def run(
        self, model: GaussianMixture, data: DataMatrix, rng: np.random.Generator, progress: Progress
    ) -> MethodResult:
        """Climb from every start and return the best."""
        prior, X = model.conjugate(), data.values
        whitening = whitening_of(model, data)
        stopping = Stopping(self.max_iter, self.tol, self.param_tol)
        init, seed = self.init, int(rng.integers(2**63))
        if isinstance(init, MixtureParams):
            scores = check_given(init, model, X.shape[1]).scores()
            starts, n_starts = iter([prior.update(sweep(X, scores))]), 1
        else:
            shape, n_starts = (model.covariance, whitening, model.n_components), self.n_init

            def made() -> Iterator[ConjugateMixture]:
                for _ in range(n_starts):
                    yield prior.update(start(X, *shape, init, rng))

            starts = made()
        readout = VariationalUpdate(prior, whitening)
        best, status, diagnostics = climb_all(X, readout, starts, n_starts, stopping, progress)
        return MethodResult(VariationalPosterior(best.state, seed), status, diagnostics, best.history)


@dataclass(frozen=True, eq=False)
class VariationalUpdate:
    """Readout of VB: the conjugate update, whose expected scores the next sweep takes."""

    prior: ConjugateMixture
    whitening: np.ndarray

    def scores(self, state: ConjugateMixture) -> ComponentScores:
        return state.expected_scores()

    def read(self, stats: SufficientStatistics) -> ConjugateMixture:
        return self.prior.update(stats)

    def objective(self, state: ConjugateMixture, stats: SufficientStatistics) -> float:
        """The ELBO at the optimal q(labels), which the log-sum-exp of the expected scores integrates out."""
        return stats.log_likelihood - state.kl(self.prior)

    def change(self, old: ConjugateMixture, new: ConjugateMixture) -> float:
        return whitened_change(VariationalPosterior(old, 0).params, VariationalPosterior(new, 0).params, self.whitening)

    def flags(self, state: ConjugateMixture, stats: SufficientStatistics) -> tuple[Flag, ...]:
        return ()
