"""Online expectation-maximisation: maximum likelihood in a pass or two, on data of any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayesgmm.checks import store, truth
from bayesgmm.core.params import ComponentScores, MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.methods.climbing.initialize import check_given, strict_whitening
from bayesgmm.methods.em import EM, MaximumLikelihood
from bayesgmm.methods.stream import Position, Streaming, begun, judge, read_stream, sample_rows
from bayesgmm.models import GaussianMixture
from bayesgmm.result.diagnostics import Flag, StreamDiagnostics
from bayesgmm.result.estimates import PointEstimate
from bayesgmm.result.fit import Fit
from bayesgmm.result.method import MethodResult, Progress, silent
from bayesgmm.rows import Rows, StreamedRows

FLOOR = 1e-6  # of whitened variances, the default of EM


@dataclass(frozen=True)
class OnlineEM(Streaming):
    """Maximum likelihood by online expectation-maximisation.

    After every batch the statistics are blended, ``s <- (1 - step) s + step s_batch``, and the parameters read out
    of them as in `EM`.  The data may be an array or anything that `data_source` takes: a memory-mapped array, a
    Parquet file, an iterator of chunks.  ``fit.partial_fit(X)`` goes on with further data.

    The rows are held, and shuffled, 64 MiB (as float64) at a time.  The first 64 MiB decide what has to be known
    before the reading begins: the start, and the floor of the variances.

    Parameters
    ----------
    batch_size : int, optional
        Points per step.  By default a 64th of the first 64 MiB, from 256 to 16,384.
    step : RobbinsMonro or float
        Step sizes; a number stands for a constant step.  With 1 and one batch of all points it is `EM`.
    passes : int
        How often to read the data; an iterator can be read only once.
    stochastic : bool
        Stochastic EM: each point goes whole to one component, drawn with its responsibilities.
    shuffle : bool
        Whether to shuffle: single rows in batches of up to 1024, runs of neighbours in larger ones, at least 1024
        to a batch.  Rows that are sorted over stretches longer than 64 MiB must be shuffled beforehand: the last ones
        count most.
    init : {"portfolio", "kmeans++", "kmeans", "random"} or MixtureParams
        How EM on 20,000 of the first points begins, whose result is the start; given parameters are the start.
    n_init : int
        Restarts of that.

    Notes
    -----
    ``fit.history`` holds n times the mean log density of each batch *before* it was used and, where the data can be
    read again, last the log likelihood at the end.  Otherwise ``fit.log_likelihood`` is not known.

    References
    ----------
    Cappe and Moulines (2009), JRSS B 71, 593-613, doi:10.1111/j.1467-9868.2009.00698.x.
    """

    needs_rows_everywhere: ClassVar = True

    def __post_init__(self):
        super().__post_init__()
        check_switches(self)

    def run(
        self, model: GaussianMixture, data: Rows | StreamedRows, rng: np.random.Generator, progress: Progress
    ) -> MethodResult:
        """Read the data `passes` times."""
        source = StreamedRows.of(data)
        first = self.first_rows(source)
        whitening = strict_whitening(model, first)
        readout = OnlineMaximum(MaximumLikelihood(model.covariance, whitening, FLOOR, source.mean_weight))
        if isinstance(self.init, MixtureParams):
            params = check_given(self.init, model, len(source.feature_names))
        else:
            climb = EM(max_iter=50, tol=1e-4, n_init=self.n_init, init=self.init)
            params = climb.run(model, sample_rows(first, rng), rng, silent).estimate.params
        begin = begun(readout.rule.admit(params), readout.rule.whitening, self.sized(len(first.values)))
        return _read(self, source, readout, begin, rng, progress)

    def resume(self, fit: Fit, source: StreamedRows, rng: np.random.Generator, progress: Progress) -> MethodResult:
        """Go on from a fit, with further data."""
        self.first_rows(source)
        seen = fit.diagnostics
        assert isinstance(seen, StreamDiagnostics)
        readout = OnlineMaximum(MaximumLikelihood(fit.model.covariance, seen.whitening, FLOOR, source.mean_weight))
        return _read(self, source, readout, Position(fit.params, fit.params.scores(), seen), rng, progress)


@dataclass(frozen=True, eq=False)
class OnlineMaximum:
    """Readout: the M step, which does not ask how many points there are."""

    rule: MaximumLikelihood

    def scores(self, state: MixtureParams) -> ComponentScores:
        return state.scores()

    def read(self, per_point: SufficientStatistics, n_obs: float) -> MixtureParams:
        return self.rule.read(per_point)

    def penalty(self, state: MixtureParams) -> float:
        return 0.0

    def flags(self, state: MixtureParams, stats: SufficientStatistics) -> tuple[Flag, ...]:
        return self.rule.flags(state, stats)


def check_switches(options: Streaming) -> None:
    """Check the options that are on or off."""
    for name in ("stochastic", "shuffle"):
        store(options, **{name: truth(getattr(options, name), name)})


def _read(
    options: OnlineEM,
    source: StreamedRows,
    readout: OnlineMaximum,
    begin: Position[MixtureParams],
    rng: np.random.Generator,
    progress: Progress,
) -> MethodResult:
    reading = read_stream(source, readout, begin, options, rng, progress)
    log_likelihood = float(reading.history[-1]) if reading.seen.is_evaluated else None
    estimate = PointEstimate(reading.state, log_likelihood)
    return MethodResult(estimate, judge(options, source, reading), reading.seen, reading.history)
