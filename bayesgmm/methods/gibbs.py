"""The posterior by Gibbs sampling, with moves between modes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from bayesgmm.core import chain, crossing
from bayesgmm.core.conjugacy import Conjugate, Parameters
from bayesgmm.core.independent import Independent
from bayesgmm.core.mixing import DIRICHLET, STICKS, TELESCOPE, Mixing
from bayesgmm.core.params import LOG_2PI, MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.telescope import telescope_tables
from bayesgmm.data import DataMatrix
from bayesgmm.errors import ArgumentError
from bayesgmm.methods.chains import extended_length, failure, joined, judge, kept_lengths, run_chains, stack
from bayesgmm.methods.initialize import start
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, MixtureOfFiniteMixtures, Model, whitening_of
from bayesgmm.priors.concentration import Gamma
from bayesgmm.priors.independent import COMPONENTS_PRIORS, HierarchicalScale, IndependentNormalInverseWishart
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.priors.sticks import StickBreaking
from bayesgmm.result.checkpoint import EVERY, Checkpoint
from bayesgmm.result.diagnostics import diagnose, invariant_quantities
from bayesgmm.result.estimates import ChainState, Draws
from bayesgmm.result.fit import Fit, MethodResult, Progress

MAX_THIN = 100
ROWS_PER_DRAW = 20_000
STATES = ("state", "log_scale")  # of a trace
RARE = 0.02  # of draws: R-hat and effective sample sizes of rarer events are not to be trusted


@dataclass(frozen=True)
class Gibbs:
    """Draws from the posterior by blocked Gibbs sampling with moves between modes: any of the models.

    A sweep draws all labels given the parameters, tries now and then to merge, split, exchange or divide anew whole
    components (with the parameters integrated out), and draws all parameters given the labels.  Every chain starts
    from its own random partition.  The draws are mixtures: densities never condition on labels.  The same seed gives
    the same draws with any number of threads.

    Under a Dirichlet process the concentration is drawn given the sticks, and neighbouring sticks swap their labels
    with the sticks integrated out; ``sample_stats`` has its draws as ``concentration``.  Under a prior on the number
    of components K that is drawn given the partition (the telescoping sampler), empty components from their prior;
    ``sample_stats`` has K as ``n_components``.

    Under an `IndependentNormalInverseWishart` the parameters cannot be integrated out: the moves are made under a
    conjugate prior that stands in for it, and accepted a second time together with parameters for the new components.
    An unknown scale is drawn with them; ``sample_stats`` has the log of its determinant as ``scale_log_det``.

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
    13, 158-182, doi:10.1198/1061860043001.  Ishwaran and James (2001), JASA 96, 161-173,
    doi:10.1198/016214501750332758.  Papaspiliopoulos and Roberts (2008), Biometrika 95, 169-186,
    doi:10.1093/biomet/asm086.  Fruehwirth-Schnatter, Malsiner-Walli and Gruen (2021), Bayesian Analysis 16,
    1279-1307, doi:10.1214/21-BA1294.
    """

    models: ClassVar = (GaussianMixture, DirichletProcessMixture, MixtureOfFiniteMixtures)
    priors: ClassVar = COMPONENTS_PRIORS
    has_separate_chains: ClassVar = True

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
        self,
        model: Model,
        data: DataMatrix,
        rng: np.random.Generator,
        progress: Progress,
        checkpoint: Checkpoint | None = None,
    ) -> MethodResult:
        """Sample, and judge the draws."""
        prior, whitening, plan = model.conjugate(), whitening_of(model, data), self._plan(data, self.draws, self.tune)
        chains: list[GibbsChain] = []
        for c, generator in enumerate(rng.spawn(self.chains)):
            written = None if checkpoint is None else checkpoint.written(c)
            if written is None:
                first = _first_draw(model, data.values, prior, whitening, generator)
                chains.append(GibbsChain.of(model, data, generator, first, *plan))
            else:
                chains.append(GibbsChain.resumed(model, data, written.state, *plan))
                chains[c].restore(written.done, written.arrays)
        chains[0].advance(0)  # compiles, in the main thread, where an interrupt is heard
        going = chains if checkpoint is None else [RecordedChain(c, one, checkpoint) for c, one in enumerate(chains)]
        is_interrupted = run_chains(going, progress)
        kept, length = kept_lengths([chain.n_kept for chain in chains], self.draws)
        return self._result(model, data, _draws_of(model, data, [chains[c] for c in kept], length), is_interrupted)

    def extend(self, fit: Fit, draws: int, data: DataMatrix, progress: Progress) -> MethodResult:
        """Go on with every chain: the draws are those that one longer run would have made."""
        old = fit.estimate
        assert isinstance(old, Draws)
        plan = self._plan(data, draws, 0)
        chains = [GibbsChain.resumed(fit.model, data, state, *plan) for state in old.states]
        chains[0].advance(0)
        is_interrupted = run_chains(chains, progress)
        length = extended_length([chain.n_kept for chain in chains])
        both = joined(old, _draws_of(fit.model, data, chains, length))
        return replace(self, draws=both.params.draw_shape[1])._result(fit.model, data, both, is_interrupted)

    def _plan(self, data: DataMatrix, draws: int, tune: int) -> tuple[int, int, int, float]:
        return draws, tune, self._sweeps(data), self.crossing

    def _sweeps(self, data: DataMatrix) -> int:
        """Sweeps per draw."""
        return min(MAX_THIN, max(1, ROWS_PER_DRAW // len(data.values))) if self.thin is None else self.thin

    def _result(self, model: Model, data: DataMatrix, draws: Draws, is_interrupted: bool) -> MethodResult:
        stats, thin = draws.sample_stats, self._sweeps(data)
        if not np.isfinite(stats["log_likelihood"]).all():
            return failure("A draw was not finite: the prior's scale is too small for the units of these data.")
        diagnostics = diagnose(invariant_quantities(draws.params, data.values) | _varying(stats))
        status = judge(
            diagnostics, draws.params.draw_shape, self, is_interrupted,
            f"Raise thin (it was {thin}) or draws; if chains still sit in different modes, raise "
            f"crossing={self.crossing:g}.",
            f"raise thin (it was {thin}) or draws.",
        )  # fmt: skip
        return MethodResult(draws, status, diagnostics, np.empty(0))


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
        mixing: Mixing | None = None,
        independent: Independent | None = None,
    ):
        self.mixing = _mixing(DIRICHLET) if mixing is None else mixing
        self.rng, self.X, self.prior, self.independent = rng, X, compiled_prior(prior), independent
        self.tune, self.thin, self.crossing_rate = tune, thin, crossing_rate
        self.done, self.total = 0, tune + draws
        arrays = (first.weights, first.log_weight(), first.means, first.precision_chol)
        self.params = Parameters(*(np.array(v, order="C") for v in arrays))
        self.params.log_weight[:] += 0.5 * first.n_features * LOG_2PI
        self.labels = np.zeros(len(X), np.int64)
        kept = (np.empty((draws, *v.shape)) for v in (first.weights, first.means, first.precision_chol))
        self.trace = chain.Trace(*kept, np.empty(draws), np.empty(draws, np.int64), *np.empty((2, draws)))
        self.counters = np.zeros((crossing.N_KINDS, 2), np.int64)

    @classmethod
    def of(
        cls, model: Model, data: DataMatrix, rng: np.random.Generator, first: MixtureParams, *plan: Any
    ) -> GibbsChain:
        """A chain for a model, with the plan: draws, tune, thin and the rate of crossing moves."""
        mixing = mixing_of(model, len(data.values))
        return cls(rng, data.values, model.conjugate(), first, *plan, mixing, independent_of(model))

    @classmethod
    def resumed(cls, model: Model, data: DataMatrix, state: ChainState, *plan: Any) -> GibbsChain:
        """A chain that goes on where another one of the same model and data was."""
        generator = np.random.Generator(getattr(np.random, state.generator["bit_generator"])())
        generator.bit_generator.state = state.generator
        one = cls.of(model, data, generator, model.conjugate().sample(np.random.default_rng(0), 1)[0], *plan)
        for name, array in one._present().items():
            array[...] = state.arrays[name]
        return one

    def restore(self, done: int, kept: dict[str, np.ndarray]) -> None:
        """Take draws that were made before for its own."""
        self.done = done
        for name, values in kept.items():
            getattr(self.trace, name)[: self.n_kept] = values

    def state(self) -> ChainState:
        """All that decides about the draws to come."""
        arrays = {name: array.astype(float) for name, array in self._present().items()}
        return ChainState(arrays, dict(self.rng.bit_generator.state))

    def _present(self) -> dict[str, np.ndarray]:
        """Every array that a sweep changes, but for the labels, which it draws first; unknowns of the prior too."""
        prior = {f"prior_{name}": array for name, array in self.prior._asdict().items()}
        return {**self.params._asdict(), **prior, "mixing": self.mixing.state}

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
            self.rng, self.X, self.prior, self.independent, self.mixing, self.params, self.labels, trace, begin, end,
            self.thin, self.crossing_rate, self.counters,
        )  # fmt: skip
        self.done += end - begin


class RecordedChain:
    """A chain that is written down as it goes; its stretches end where a chunk of the draws does."""

    def __init__(self, number: int, chain: GibbsChain, checkpoint: Checkpoint):
        self.number, self.chain, self.checkpoint = number, chain, checkpoint
        self.total = chain.total

    @property
    def done(self) -> int:
        return self.chain.done

    def advance(self, steps: int) -> None:
        """Make draws as `GibbsChain.advance` does, up to the end of the chunk at most."""
        one = self.chain
        begin = one.n_kept - one.n_kept % EVERY  # what is kept before has been written
        position = one.done if one.done < one.tune else one.n_kept
        one.advance(min(steps, EVERY - position % EVERY))
        position = one.done if one.done < one.tune else one.n_kept
        if position % EVERY == 0 or one.done == one.total:
            kept = {name: values[begin : one.n_kept] for name, values in one.trace._asdict().items()}
            self.checkpoint.write(self.number, one.done, begin, kept if one.n_kept > begin else {}, one.state())


def compiled_prior(prior: ConjugateMixture) -> Conjugate:
    """A conjugate prior as plain contiguous arrays; of sticks, the Dirichlet of `core.sticks`."""
    parts, weights = prior.components, prior.weights
    if isinstance(weights, StickBreaking):
        concentration = np.ones(weights.n_components)
        concentration[len(weights.second) :] = weights.second[-1] if len(weights.second) else 1.0
    else:
        concentration = weights.concentration
    arrays = (concentration, parts.mean, parts.mean_precision, parts.dof, parts.scale)
    return Conjugate(*(np.array(v, dtype=float, order="C") for v in arrays))


def mixing_of(model: Model, n_obs: int) -> Mixing:
    """The law of a model's weights, at the expected concentration or the largest number of components."""
    if isinstance(model, DirichletProcessMixture):
        prior = model.concentration
        gamma = [prior.shape, prior.rate] if isinstance(prior, Gamma) else []
        return _mixing(STICKS, model.expected_concentration(), gamma)
    if isinstance(model, MixtureOfFiniteMixtures):
        log_prior = model.components_prior.log_probability(model.max_components)
        tables = telescope_tables(log_prior, float(np.asarray(model.weights.concentration)), n_obs)
        return _mixing(TELESCOPE, model.max_components, (), *tables)
    return _mixing(DIRICHLET)


def independent_of(model: Model) -> Independent | None:
    """What a prior with independent means and covariances has beside the conjugate one that stands in for it."""
    prior = model.prior
    if not isinstance(prior, IndependentNormalInverseWishart):
        return None
    covariance, is_diagonal = np.asarray(prior.mean_covariance), model.covariance.is_diagonal
    precision = 1.0 / covariance if is_diagonal else np.linalg.inv(covariance)
    log_det = float(np.log(precision).sum() if is_diagonal else np.linalg.slogdet(precision)[1])
    if isinstance(prior.scale, HierarchicalScale):
        shape, rate = np.array([prior.scale.shape], float), np.array([prior.scale.rate], float)
    else:
        shape, rate = np.empty(0), np.empty(model.covariance.compact_shape(1, len(covariance)))
    return Independent(np.ascontiguousarray(precision), log_det, shape, rate)


def _mixing(kind: int, state=0.0, gamma=(), by_occupied=(), cumulative=((),)) -> Mixing:
    arrays = (np.array([state]), np.array(gamma), np.array(by_occupied), np.array(cumulative))
    return Mixing(kind, *(array.astype(float) for array in arrays))


def _draws_of(model: Model, data: DataMatrix, chains: Sequence[GibbsChain], length: int) -> Draws:
    """The first `length` kept draws of each chain."""
    traces = [one.trace for one in chains]
    params = stack([MixtureParams.trusted(*trace[:3]) for trace in traces], length)
    numbers = {
        name: np.stack([getattr(trace, name)[:length] for trace in traces])
        for name in ("log_likelihood", "n_occupied", *STATES)
    }
    stats = {
        "log_likelihood": numbers["log_likelihood"] - 0.5 * data.values.size * LOG_2PI,
        "n_occupied": numbers["n_occupied"],
    }
    stats |= _states(model, *(numbers[name] for name in STATES))
    return Draws(params, stats, tuple(one.state() for one in chains))


def _first_draw(
    model: Model, X: np.ndarray, prior: ConjugateMixture, whitening: np.ndarray, rng: np.random.Generator
) -> MixtureParams:
    """Parameters given a random partition: into K parts, or into any number of them where K is unknown."""
    k = model.n_components
    n_parts = k if isinstance(model, GaussianMixture) else int(rng.integers(1, k + 1))
    stats = start(X, model.covariance, whitening, n_parts, "random", rng)
    return prior.update(_padded(stats, k)).sample(rng, 1)[0]


def _padded(stats: SufficientStatistics, n_components: int) -> SufficientStatistics:
    """The same with components that hold nothing."""
    more = n_components - len(stats.counts)
    padded = {
        name: np.concatenate([value, np.zeros((more, *value.shape[1:]))])
        for name, value in vars(stats).items()
        if name in ("counts", "first", "second", "center")
    }
    return replace(stats, **padded)


def _states(model: Model, state: np.ndarray, log_scale: np.ndarray) -> dict[str, np.ndarray]:
    """The traces of what is drawn with the weights and of an unknown scale, under their names."""
    is_hierarchical = isinstance(model.prior.scale, HierarchicalScale)
    scale = {"scale_log_det": log_scale} if is_hierarchical else {}
    if isinstance(model, DirichletProcessMixture):
        return {"concentration": state} | scale
    if isinstance(model, MixtureOfFiniteMixtures):
        return {"n_components": state.astype(int)} | scale
    return scale


def _varying(stats: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What `diagnose` can judge of the sampler's own numbers: not one that hardly ever changes, as a count may."""
    values = {name: value.astype(float) for name, value in stats.items() if name != "log_likelihood"}
    return {name: value for name, value in values.items() if (value != np.median(value)).mean() > RARE}
