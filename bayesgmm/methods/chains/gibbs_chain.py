"""One Markov chain of the Gibbs sampler: a model as the compiled sweeps want it, and a chain's whole state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesgmm.core.gibbs import chain, split_merge
from bayesgmm.core.gibbs.independent import Independent
from bayesgmm.core.gibbs.telescoping import telescope_tables
from bayesgmm.core.gibbs.weight_laws import DIRICHLET, STICKS, TELESCOPE, Mixing
from bayesgmm.core.kernels.conjugacy import Conjugate, Parameters
from bayesgmm.core.params import LOG_2PI, MixtureParams
from bayesgmm.models import DirichletProcessMixture, MixtureOfFiniteMixtures, Model
from bayesgmm.priors.concentration import Gamma
from bayesgmm.priors.independent import HierarchicalScale, IndependentNormalInverseWishart
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.priors.sticks import StickBreaking
from bayesgmm.result.checkpoint import EVERY, Checkpoint
from bayesgmm.result.estimates import ChainState
from bayesgmm.result.generators import generator_from
from bayesgmm.rows import Rows


class GibbsChain:
    """One chain: its generator, its present parameters and its trace are all of its state."""

    def __init__(
        self,
        rng: np.random.Generator,
        rows: Rows,
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
        self.rng, self.rows, self.prior, self.independent = rng, rows, compiled_prior(prior), independent
        self.tune, self.thin, self.crossing_rate = tune, thin, crossing_rate
        self.done, self.total = 0, tune + draws
        arrays = (first.weights, first.log_weight(), first.means, first.precision_chol)
        weights, log_weight, means, factors = (np.array(v, order="C") for v in arrays)
        self.params = Parameters(weights, log_weight, means, factors)
        self.params.log_weight[:] += 0.5 * first.n_features * LOG_2PI
        self.labels = np.zeros(len(rows), np.int64)
        shapes = (first.weights.shape, first.means.shape, first.precision_chol.shape, (), (), ())
        weights, means, factors, log_likelihood, state, log_scale = (np.empty((draws, *shape)) for shape in shapes)
        n_occupied = np.empty(draws, np.int64)
        self.trace = chain.Trace(weights, means, factors, log_likelihood, n_occupied, state, log_scale)
        self.counters = np.zeros((split_merge.N_KINDS, 2), np.int64)

    @classmethod
    def of(cls, model: Model, data: Rows, rng: np.random.Generator, first: MixtureParams, *plan: Any) -> GibbsChain:
        """A chain for a model, with the plan: draws, tune, thin and the rate of crossing moves."""
        mixing = mixing_of(model, len(data.values))
        return cls(rng, data, model.conjugate(), first, *plan, mixing=mixing, independent=independent_of(model))

    @classmethod
    def resumed(cls, model: Model, data: Rows, state: ChainState, *plan: Any) -> GibbsChain:
        """A chain that goes on where another one of the same model and data was."""
        generator = generator_from(state.generator)
        one = cls.of(model, data, generator, model.conjugate().sample(np.random.default_rng(0), 1)[0], *plan)
        for name, array in one._present().items():
            array[...] = state.arrays[name]
        return one

    def restore(self, done: int, kept: dict[str, np.ndarray]) -> None:
        """Take draws that were made before for its own."""
        self.done = done
        for name, values in kept.items():
            getattr(self.trace, name)[: self.n_kept] = values

    def halve(self) -> None:
        """Keep every other draw, and from here on only so many: as if `thin` had been twice as large all along."""
        for values in self.trace:
            kept = values[(self.done + 1) % 2 : self.done : 2].copy()  # the last one always, as the next come after it
            values[: len(kept)] = kept
        self.done = (self.done + 1) // 2
        self.thin *= 2

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
            self.rng, self.rows.values, self.rows.facts, self.prior, self.independent, self.mixing, self.params,
            self.labels, trace, begin, end, self.thin, self.crossing_rate, self.counters,
        )  # fmt: skip
        self.done += end - begin


class RecordedChain:
    """A chain that is written down as it goes; its stretches end where a chunk of the draws does."""

    def __init__(self, number: int, chain: GibbsChain, checkpoint: Checkpoint):
        self.number, self.chain, self.checkpoint = number, chain, checkpoint

    @property
    def done(self) -> int:
        return self.chain.done

    @property
    def thin(self) -> int:
        return self.chain.thin

    @property
    def total(self) -> int:
        return self.chain.total

    @total.setter
    def total(self, value: int) -> None:
        self.chain.total = value

    def write_all(self) -> None:
        """Write every draw anew."""
        one = self.chain
        kept = {name: values[: one.n_kept] for name, values in one.trace._asdict().items()}
        self.checkpoint.write(self.number, one.done, 0, kept, one.state())

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


@dataclass(frozen=True, eq=False)
class Level:
    """A run until it is enough on disk: one folder for each number of sweeps per draw, of which the last is kept.

    Parameters
    ----------
    whole : Checkpoint
        Of the run.
    plan : Any
        The method as a fixed run of these draws.
    checkpoint : Checkpoint
        Of the folder.
    """

    whole: Checkpoint
    plan: Any
    checkpoint: Checkpoint

    @classmethod
    def latest(cls, whole: Checkpoint, first: Any) -> Level:
        """The last one that has every chain, or the first one."""
        for thin in sorted((int(name) for name in whole.part_names("thin-")), reverse=True):
            plan = replace(first, thin=thin)
            if thin > first.thin and all(whole.part(f"thin-{thin}", plan).has(c) for c in range(first.chains)):
                return cls.of(whole, plan)
        return cls.of(whole, first)

    @classmethod
    def of(cls, whole: Checkpoint, plan: Any) -> Level:
        """The one with that plan."""
        return cls(whole, plan, whole.use(f"thin-{plan.thin}", plan))

    @property
    def thin(self) -> int:
        return self.plan.thin

    def recorded(self, chains: Sequence[GibbsChain]) -> list[RecordedChain]:
        """The chains, written down here."""
        return [RecordedChain(c, chain, self.checkpoint) for c, chain in enumerate(chains)]

    def thinned(self, chains: Sequence[GibbsChain]) -> Level:
        """The next one, with all that the chains have; this one goes when that is written."""
        plan = replace(self.plan, thin=chains[0].thin)
        after = Level(self.whole, plan, self.whole.part(f"thin-{plan.thin}", plan))
        for one in after.recorded(chains):
            one.write_all()
        self.whole.drop(f"thin-{self.thin}")
        return after


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
    covariance, form = np.asarray(prior.mean_covariance), model.covariance.form
    precision = form.inverse(covariance)
    log_det = float(form.total(form.log_dets(precision)))
    if isinstance(prior.scale, HierarchicalScale):
        shape, rate = np.array([prior.scale.shape], float), np.array([prior.scale.rate], float)
    else:
        shape, rate = np.empty(0), np.empty(model.covariance.compact_shape(1, len(covariance)))
    return Independent(np.ascontiguousarray(precision), log_det, shape, rate)


def _mixing(kind: int, state=0.0, gamma=(), by_occupied=(), cumulative=((),)) -> Mixing:
    arrays = (np.array([state]), np.array(gamma), np.array(by_occupied), np.array(cumulative))
    return Mixing(kind, *(array.astype(float) for array in arrays))
