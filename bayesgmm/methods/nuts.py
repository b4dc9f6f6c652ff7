"""The posterior by Hamiltonian Monte Carlo: the no-U-turn sampler."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from bayesgmm.checks import fraction, one_of, store, whole_numbers
from bayesgmm.core.params import MixtureParams
from bayesgmm.families.family import Capability
from bayesgmm.methods.chains.best_mode import against_best_mode
from bayesgmm.methods.chains.enough import longer, rounded_up
from bayesgmm.methods.chains.nuts_starts import PARAMS, DispersedStarts, LastDraws
from bayesgmm.methods.chains.running import (
    even_if_interrupted,
    extended_length,
    failure,
    joined,
    judge,
    kept_lengths,
    stack,
)
from bayesgmm.methods.chains.starts import ChainSearches
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, Model
from bayesgmm.priors.independent import COMPONENTS_PRIORS
from bayesgmm.result.checkpoint import Checkpoint
from bayesgmm.result.diagnostics import SamplerDiagnostics, diagnose, invariant_quantities
from bayesgmm.result.estimates import ChainState, Draws
from bayesgmm.result.fit import Fit
from bayesgmm.result.method import MethodResult, Progress
from bayesgmm.rows import Rows

if TYPE_CHECKING:
    from bayesgmm.ppl.sample import Chain

NUTS_SAMPLERS = ("nutpie", "pymc")
SAMPLER_ERRORS = (RuntimeError, ValueError, FloatingPointError)
STRETCH, MOST_DRAWS = 1000, 4000  # draws of a chain in a run until it is enough
NO_START = "No start could be found: the prior's scale is out of all proportion to the data."
IF_APART = (
    "Where chains sit in different modes (see the trace plots) longer runs do not help: Gibbs() moves between modes, "
    "and stack_chains(fit) weights the chains by how well they predict. Or try another number of components, a more "
    "informative prior, or a longer run."
)


@dataclass(frozen=True)
class NUTS:
    """Draws from the posterior of a finite or Dirichlet process mixture by the no-U-turn sampler.

    Chains start dispersed: a search for each chain, from several starts, shows the modes, and each chain starts at a
    posterior draw around another one of those whose evidence is near the best.  NUTS itself hardly ever crosses from
    one well separated mode to another.  So where several modes matter the chains disagree, in label-invariant
    quantities, and the status says so; `Gibbs` is then the method to use.  Agreement is no proof: a mode that no
    start leads to, or that is left out because its bound is far below the best, stays unseen.

    Parameters
    ----------
    draws : int, optional
        Draws kept of each chain.  Without it 1,000, and where R-hat is not below 1.01, or some label-invariant quantity
        has at most 400 effective draws, 1,000 more from the last draw on, up to 4,000, as long as these promise to be
        enough.  Chains that are far apart, or have divergences, do not go on: longer runs do not help there.
    tune : int
        Draws before those, in which step size and mass matrix are adapted; before each 1,000, where there are more.
    chains : int
        At least 2 let convergence be judged; 4 or more are recommended.
    target_accept : float
        Mean acceptance rate that the step size is adapted to; raise it towards 1 where there are divergences.
    max_treedepth : int
        A trajectory has at most ``2 ** max_treedepth`` steps.
    nuts_sampler : {"nutpie", "pymc"}
        "nutpie" samples the package's own compiled posterior, chains in parallel.  "pymc" runs PyMC's sampler on
        ``pymc_model(model, X)`` itself, one chain after the other: slow, and a check of the former.

    Raises
    ------
    ArgumentError
        An option is out of range.

    References
    ----------
    Hoffman and Gelman (2014), Journal of Machine Learning Research 15, 1593-1623.
    """

    models: ClassVar[tuple[type, ...]] = (GaussianMixture, DirichletProcessMixture)
    priors: ClassVar = COMPONENTS_PRIORS
    needs: ClassVar[tuple[Capability, ...]] = ("conjugate", "coordinates")

    draws: int | None = None
    tune: int = 1000
    chains: int = 4
    target_accept: float = 0.9
    max_treedepth: int = 10
    nuts_sampler: str = "nutpie"

    def __post_init__(self):
        whole_numbers(self, {"draws": 4, "tune": 0, "chains": 1, "max_treedepth": 1}, optional=("draws",))
        store(self, target_accept=fraction(self.target_accept, "target_accept"))
        one_of(self.nuts_sampler, "nuts_sampler", NUTS_SAMPLERS)

    @property
    def has_separate_chains(self) -> bool:
        """Whether each chain can be kept, and run again, by itself."""
        return self.nuts_sampler == "nutpie"

    def run(
        self,
        model: GaussianMixture | DirichletProcessMixture,
        data: Rows,
        rng: np.random.Generator,
        progress: Progress,
        checkpoint: Checkpoint | None = None,
    ) -> MethodResult:
        """Sample, and judge the draws."""
        searches = ChainSearches(model, data, rng.spawn(self.chains), can_move=False)
        seed = int(rng.integers(2**63))
        if self.draws is None:
            return self._until_enough(searches, None, seed, progress, checkpoint)
        starts = None if checkpoint is not None and checkpoint.is_finished else DispersedStarts(searches)
        if starts is not None and searches.starts is None:
            return failure(NO_START)
        try:
            chains, is_interrupted = self._sample(model, data, starts, seed, progress, checkpoint)
        except SAMPLER_ERRORS as error:
            return self._stopped(error)
        draws = self._kept(chains)
        return even_if_interrupted(lambda: self._result(data, draws, is_interrupted, searches))

    def as_fixed(self, fit: Fit) -> NUTS:
        """The same, with the number of draws of a fit."""
        return self if self.draws is not None else replace(self, draws=fit.estimate.draws().draw_shape[1])

    def extend(self, fit: Fit, draws: int | None, data: Rows, progress: Progress) -> MethodResult:
        """Draw further stretches from each chain's last draw, tuned anew: nutpie cannot save its state."""
        old = fit.estimate
        assert isinstance(old, Draws)
        n_chains, n_old = old.params.draw_shape
        searches = ChainSearches(fit.model, data, np.random.default_rng(fit.seed).spawn(n_chains), can_move=False)
        one = replace(self, chains=n_chains, draws=draws)
        if draws is None:
            return one._until_enough(searches, old, fit.seed, progress, None)
        try:
            both, is_interrupted = one._further(searches, old, fit.seed, progress, None)
        except SAMPLER_ERRORS as error:
            return self._stopped(error)
        whole = replace(self, draws=both.params.draw_shape[1])
        result = even_if_interrupted(lambda: whole._result(data, both, is_interrupted, searches))
        n_new = both.params.draw_shape[1] - n_old
        note = f"The last {n_new} draws of each chain were made after tuning anew, since nutpie cannot save its state."
        return replace(result, status=result.status.noting(note))

    def _until_enough(
        self,
        searches: ChainSearches,
        draws: Draws | None,
        seed: int,
        progress: Progress,
        checkpoint: Checkpoint | None,
    ) -> MethodResult:
        """Stretches until it is enough, after those that there are; each is a part of the checkpoint."""
        one, data, is_interrupted = replace(self, draws=STRETCH), searches.data, False
        per_stretch = self.chains * (self.tune + STRETCH)
        for number in range(MOST_DRAWS // STRETCH):
            part = None if checkpoint is None else checkpoint.part(f"stretch-{number}", one)

            def show(done: int, total: int, note: str, begun: int = number * per_stretch) -> None:
                progress(begun + done, MOST_DRAWS // STRETCH * per_stretch, f"{note} at most")

            try:
                if draws is None:
                    starts = None if part is not None and part.is_finished else DispersedStarts(searches)
                    if starts is not None and searches.starts is None:
                        return failure(NO_START)
                    chains, is_interrupted = one._sample(searches.model, data, starts, seed, show, part)
                    draws = one._kept(chains)
                else:
                    draws, is_interrupted = one._further(searches, draws, seed, show, part)
            except SAMPLER_ERRORS as error:
                if draws is None:
                    return self._stopped(error)
                break  # the draws that there are stand for themselves
            if is_interrupted or not _is_worth_more(_diagnosed(data, draws), draws.params.draw_shape[1], number + 1):
                break
        assert draws is not None  # there is a first stretch
        kept = draws
        result = even_if_interrupted(lambda: self._result(data, kept, is_interrupted, searches))
        if kept.params.draw_shape[1] > STRETCH:
            note = f"The chains were tuned anew after each {STRETCH} draws, since nutpie cannot save its state."
            result = replace(result, status=result.status.noting(note))
        return result

    def _further(
        self, searches: ChainSearches, old: Draws, seed: int, progress: Progress, checkpoint: Checkpoint | None
    ) -> tuple[Draws, bool]:
        """The draws and as many more of each chain as `draws` says, and whether an interrupt came first."""
        n_chains, n_old = old.params.draw_shape
        seed = int(np.random.default_rng([seed, n_old]).integers(2**63))
        ends = LastDraws(old.states)
        chains, is_interrupted = self._sample(searches.model, searches.data, ends, seed, progress, checkpoint)
        lengths = [len(chain) for chain in chains] + [0] * (n_chains - len(chains))  # some may not have begun
        return joined(old, _draws_of(chains, extended_length(lengths))), is_interrupted

    def _kept(self, chains: list[Chain]) -> Draws:
        assert self.draws is not None
        kept, length = kept_lengths([len(chain) for chain in chains], self.draws)
        return _draws_of([chains[c] for c in kept], length)

    def _stopped(self, error: Exception) -> MethodResult:
        return failure(f"{self.nuts_sampler} stopped with an error: {str(error).strip().splitlines()[0]}")

    def _sample(
        self,
        model: Model,
        data: Rows,
        starts: DispersedStarts | LastDraws | None,
        seed: int,
        progress: Progress,
        checkpoint: Checkpoint | None,
    ) -> tuple[list[Chain], bool]:
        from bayesgmm.ppl import sample

        draws = self.draws
        assert draws is not None  # of a stretch
        plan = sample.Plan(draws, self.tune, self.chains, self.target_accept, self.max_treedepth, seed)
        if self.nuts_sampler == "pymc":
            assert starts is not None  # it has no checkpoint that could stand for them
            return sample.run_pymc(model, data, starts.draw, plan, progress)
        finished: dict[int, sample.Chain] = {}
        for c in range(self.chains):
            written = None if checkpoint is None else checkpoint.written(c)
            if written is not None:
                params = MixtureParams.trusted(*(written.arrays.pop(name) for name in PARAMS))
                finished[c] = sample.Chain(params, written.arrays)

        def keep(c: int, chain: sample.Chain) -> None:
            if checkpoint is not None:
                arrays = {name: getattr(chain.params, name) for name in PARAMS} | chain.stats
                checkpoint.write(c, self.tune + draws, 0, arrays)

        return sample.run_nutpie(model, data, starts and starts.draw, plan, progress, finished, keep)

    def _result(self, data: Rows, draws: Draws, is_interrupted: bool, searches: ChainSearches) -> MethodResult:
        stats, diagnostics = draws.sample_stats, _diagnosed(data, draws)
        status = judge(
            diagnostics, draws.params.draw_shape, self, is_interrupted, IF_APART,
            _more(diagnostics, draws.params.draw_shape[1]), self._notes(stats),
        )  # fmt: skip
        status = against_best_mode(status, draws.params, searches, "Gibbs() moves between modes: compare its answer.")
        return MethodResult(draws, status, diagnostics, np.empty(0))

    def _notes(self, stats: dict[str, np.ndarray]) -> Iterator[str]:
        """What the sampler itself reports that speaks against the draws."""
        n_divergent, n_deep = stats["diverging"].sum(), stats["reached_max_treedepth"].sum()
        if n_divergent:
            yield (
                f"{n_divergent} of {stats['diverging'].size} transitions diverged, so part of the posterior may be "
                f"missing: raise target_accept (it is {self.target_accept:g})."
            )
        if n_deep:
            yield (
                f"{n_deep} transitions reached max_treedepth={self.max_treedepth}: the draws are right but slow; "
                "raise tune, or max_treedepth."
            )


def _diagnosed(data: Rows, draws: Draws) -> SamplerDiagnostics:
    stats = draws.sample_stats
    n_divergent, n_deep = int(stats["diverging"].sum()), int(stats["reached_max_treedepth"].sum())
    return diagnose(invariant_quantities(draws.params, data.values, facts=data.facts), n_divergent, n_deep)


def _is_worth_more(found: SamplerDiagnostics, n_draws: int, n_stretches: int) -> bool:
    """Whether draws are missing, and those that may still be made promise to be enough."""
    if found.is_enough or found.n_divergent:
        return False
    left = MOST_DRAWS - n_stretches * STRETCH
    return bool(found.times_longer() * n_draws <= n_draws + left)  # not so where it is NaN: chains are far apart


def _more(diagnostics: SamplerDiagnostics, n_draws: int) -> str:
    """How many draws would be enough."""
    times = longer(diagnostics)
    if np.isnan(times):
        return "raise draws."
    further = rounded_up((times - 1.0) * n_draws)
    return (
        f"about {times:g} times as many draws would do, which take {times:g} times as long: draws="
        f"{rounded_up(times * n_draws):.0f}, or fit.extend({further:.0f}) for those that are missing."
    )


def _draws_of(chains: Sequence[Chain], length: int) -> Draws:
    """The first `length` draws of each chain."""
    stats = {name: np.stack([chain.stats[name][:length] for chain in chains]) for name in chains[0].stats}
    params = stack([chain.params for chain in chains], length)
    ends = (params[c, -1] for c in range(len(chains)))
    states = (ChainState({name: getattr(end, name) for name in PARAMS}, {}) for end in ends)  # all that nutpie lets out
    return Draws(params, stats, tuple(states))
