"""The posterior by Gibbs sampling, with moves between modes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesgmm.core import chain, crossing
from bayesgmm.core.conjugacy import Conjugate, Parameters
from bayesgmm.core.params import LOG_2PI, MixtureParams
from bayesgmm.data import DataMatrix
from bayesgmm.errors import ArgumentError
from bayesgmm.methods.chains import failure, judge, kept_lengths, run_chains, stack
from bayesgmm.methods.initialize import start
from bayesgmm.models import GaussianMixture, whitening_of
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.result.diagnostics import diagnose, invariant_quantities
from bayesgmm.result.estimates import Draws
from bayesgmm.result.fit import MethodResult, Progress

MAX_THIN = 100
ROWS_PER_DRAW = 20_000


@dataclass(frozen=True)
class Gibbs:
    """Draws from the posterior of a finite mixture by blocked Gibbs sampling with moves between modes.

    A sweep draws all labels given the parameters, tries now and then to merge, split, exchange or divide anew whole
    components (with the parameters integrated out), and draws all parameters given the labels.  Every chain starts
    from its own random partition.  The draws are mixtures: densities never condition on labels.  The same seed gives
    the same draws with any number of threads.

    Parameters
    ----------
    draws : int
        Draws kept of each chain.
    tune : int
        Draws before those, which are dropped.
    chains : int
        At least 2 let convergence be judged; 4 or more are recommended.  They run in threads.
    thin : int, optional
        Sweeps per draw.  By default as many as visit about 20,000 rows, at most 100: sweeps of small data are cheap,
        and their posteriors often slow.
    crossing : float
        Probability that a sweep tries a move between modes; such a move costs a few sweeps.  Without them a chain
        stays for ever in one of several well separated modes.

    Raises
    ------
    ArgumentError
        An option is out of range.

    References
    ----------
    Diebolt and Robert (1994), Journal of the Royal Statistical Society B 56, 363-375,
    doi:10.1111/j.2517-6161.1994.tb01985.x.  Jain and Neal (2004), Journal of Computational and Graphical Statistics
    13, 158-182, doi:10.1198/1061860043001.
    """

    draws: int = 1000
    tune: int = 500
    chains: int = 4
    thin: int | None = None
    crossing: float = 0.1

    def __post_init__(self):
        for name, lowest in (("draws", 4), ("tune", 0), ("chains", 1), ("thin", 1)):
            value = getattr(self, name)
            if name == "thin" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < lowest:
                raise ArgumentError(f"{name}={value!r} must be an integer of at least {lowest}.")
        if isinstance(self.crossing, bool) or not 0 <= self.crossing <= 1:
            raise ArgumentError(f"crossing={self.crossing!r} must be a probability, between 0 and 1.")

    def run(
        self, model: GaussianMixture, data: DataMatrix, rng: np.random.Generator, progress: Progress
    ) -> MethodResult:
        """Sample, and judge the draws."""
        prior, whitening = model.conjugate(), whitening_of(model, data)
        thin = min(MAX_THIN, max(1, ROWS_PER_DRAW // len(data.values))) if self.thin is None else self.thin
        chains = []
        for generator in rng.spawn(self.chains):
            stats = start(data.values, model.covariance, whitening, model.n_components, "random", generator)
            first = prior.update(stats).sample(generator, 1)[0]
            chains.append(GibbsChain(generator, data.values, prior, first, self.draws, self.tune, thin, self.crossing))
        chains[0].advance(0)  # compiles, in the main thread, where an interrupt is heard
        is_interrupted = run_chains(chains, progress)
        kept, length = kept_lengths([chain.n_kept for chain in chains], self.draws)
        params = stack([MixtureParams.trusted(*chains[c].trace[:3]) for c in kept], length)
        stats = {
            "log_likelihood": np.stack([chains[c].trace.log_likelihood[:length] for c in kept])
            - 0.5 * data.values.size * LOG_2PI,
            "n_occupied": np.stack([chains[c].trace.n_occupied[:length] for c in kept]),
        }
        if not np.isfinite(stats["log_likelihood"]).all():
            return failure("A draw was not finite: the prior's scale is too small for the units of these data.")
        diagnostics = diagnose(invariant_quantities(params, data.values))
        status = judge(
            diagnostics, params.draw_shape, self, is_interrupted,
            f"Raise thin (it was {thin}) or draws; if chains still sit in different modes, raise "
            f"crossing={self.crossing:g}.",
            f"raise thin (it was {thin}) or draws.",
        )  # fmt: skip
        return MethodResult(Draws(params, stats), status, diagnostics, np.empty(0))


class GibbsChain:
    """One chain: its generator, its present parameters and its trace are all of its state."""

    def __init__(
        self,
        rng: np.random.Generator,
        X: np.ndarray,
        prior: ConjugateMixture,
        first: MixtureParams,
        draws: int,
        tune: int,
        thin: int,
        crossing_rate: float,
    ):
        self.rng, self.X, self.prior = rng, X, compiled_prior(prior)
        self.tune, self.thin, self.crossing_rate = tune, thin, crossing_rate
        self.done, self.total = 0, tune + draws
        arrays = (first.weights, first.log_weight(), first.means, first.precision_chol)
        self.params = Parameters(*(np.array(v, order="C") for v in arrays))
        self.params.log_weight[:] += 0.5 * first.n_features * LOG_2PI
        self.labels = np.zeros(len(X), np.int64)
        kept = (np.empty((draws, *v.shape)) for v in (first.weights, first.means, first.precision_chol))
        self.trace = chain.Trace(*kept, np.empty(draws), np.empty(draws, np.int64))
        self.counters = np.zeros((crossing.N_KINDS, 2), np.int64)

    @property
    def n_kept(self) -> int:
        return max(0, self.done - self.tune)

    def advance(self, steps: int) -> None:
        """Make up to `steps` draws; the last one of the tuning ends a stretch."""
        is_tuning = self.done < self.tune
        begin = self.done if is_tuning else self.n_kept
        end = min(begin + steps, self.tune if is_tuning else self.total - self.tune)
        trace = chain.Trace(*(v[:0] for v in self.trace)) if is_tuning else self.trace
        chain.run(
            self.rng, self.X, self.prior, self.params, self.labels, trace, begin, end, self.thin, self.crossing_rate,
            self.counters,
        )  # fmt: skip
        self.done += end - begin


def compiled_prior(prior: ConjugateMixture) -> Conjugate:
    """A conjugate prior as plain contiguous arrays."""
    parts = prior.components
    arrays = (prior.weights.concentration, parts.mean, parts.mean_precision, parts.dof, parts.scale)
    return Conjugate(*(np.array(v, dtype=float, order="C") for v in arrays))
