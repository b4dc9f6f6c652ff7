"""The posterior by Hamiltonian Monte Carlo: the no-U-turn sampler."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from bayesgmm.core.params import MixtureParams
from bayesgmm.data import DataMatrix
from bayesgmm.errors import ArgumentError, shown
from bayesgmm.methods.best_mode import against_best_mode
from bayesgmm.methods.chain_starts import ChainSearches
from bayesgmm.methods.chains import (
    even_if_interrupted,
    extended_length,
    failure,
    joined,
    judge,
    kept_lengths,
    stack,
)
from bayesgmm.methods.enough import longer, rounded_up
from bayesgmm.methods.loop import is_real
from bayesgmm.models import DirichletProcessMixture, GaussianMixture
from bayesgmm.priors.independent import COMPONENTS_PRIORS
from bayesgmm.result.checkpoint import Checkpoint
from bayesgmm.result.diagnostics import SamplerDiagnostics, diagnose, invariant_quantities
from bayesgmm.result.estimates import ChainState, Draws
from bayesgmm.result.fit import Fit
from bayesgmm.result.method import MethodResult, Progress
from bayesgmm.result.status import Status

if TYPE_CHECKING:
    from bayesgmm.ppl.sample import Chain

NUTS_SAMPLERS = ("nutpie", "pymc")
SAMPLER_ERRORS = (RuntimeError, ValueError, FloatingPointError)
PARAMS = ("weights", "means", "precision_chol")
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
    draws : int
        Draws kept of each chain.
    tune : int
        Draws before those, in which step size and mass matrix are adapted.
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

    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    target_accept: float = 0.9
    max_treedepth: int = 10
    nuts_sampler: str = "nutpie"

    def __post_init__(self):
        for name, lowest in (("draws", 4), ("tune", 0), ("chains", 1), ("max_treedepth", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < lowest:
                raise ArgumentError(f"{name}={shown(value)} must be an integer of at least {lowest}.")
        if not is_real(self.target_accept) or not 0 < self.target_accept < 1:
            raise ArgumentError(f"target_accept={shown(self.target_accept)} must be between 0 and 1.")
        if not isinstance(self.nuts_sampler, str) or self.nuts_sampler not in NUTS_SAMPLERS:
            names = " or ".join(repr(name) for name in NUTS_SAMPLERS)
            raise ArgumentError(f"nuts_sampler={shown(self.nuts_sampler)} must be {names}.")

    @property
    def has_separate_chains(self) -> bool:
        """Whether each chain can be kept, and run again, by itself."""
        return self.nuts_sampler == "nutpie"

    def run(
        self,
        model: GaussianMixture | DirichletProcessMixture,
        data: DataMatrix,
        rng: np.random.Generator,
        progress: Progress,
        checkpoint: Checkpoint | None = None,
    ) -> MethodResult:
        """Sample, and judge the draws."""
        searches = ChainSearches(model, data, rng.spawn(self.chains), can_move=False)
        starts = None if checkpoint is not None and checkpoint.is_finished else DispersedStarts(searches)
        if starts is not None and searches.starts is None:
            return failure("No start could be found: the prior's scale is out of all proportion to the data.")
        seed = int(rng.integers(2**63))
        try:
            chains, is_interrupted = self._sample(model, data, starts, seed, progress, checkpoint)
        except SAMPLER_ERRORS as error:
            return failure(f"{self.nuts_sampler} stopped with an error: {str(error).strip().splitlines()[0]}")
        kept, length = kept_lengths([len(chain) for chain in chains], self.draws)
        draws = _draws_of([chains[c] for c in kept], length)
        return even_if_interrupted(lambda: self._result(data, draws, is_interrupted, searches))

    def as_fixed(self, fit: Fit) -> NUTS:
        """The same: its number of draws is fixed."""
        return self

    def extend(self, fit: Fit, draws: int | None, data: DataMatrix, progress: Progress) -> MethodResult:
        """Draw further stretches from each chain's last draw, tuned anew: nutpie cannot save its state."""
        if draws is None:
            raise ArgumentError("NUTS needs to know how many further draws: extend(draws=1000), for example.")
        old = fit.estimate
        assert isinstance(old, Draws)
        n_chains, n_old = old.params.draw_shape
        further = replace(self, draws=draws, chains=n_chains)
        seed = int(np.random.default_rng([fit.seed, n_old]).integers(2**63))
        ends = LastDraws(old.states)
        try:
            chains, is_interrupted = further._sample(fit.model, data, ends, seed, progress, None)
        except SAMPLER_ERRORS as error:
            return failure(f"{self.nuts_sampler} stopped with an error: {str(error).strip().splitlines()[0]}")
        lengths = [len(chain) for chain in chains] + [0] * (n_chains - len(chains))  # some may not have begun
        both = joined(old, _draws_of(chains, extended_length(lengths)))
        whole = replace(self, draws=both.params.draw_shape[1])
        searches = ChainSearches(fit.model, data, np.random.default_rng(fit.seed).spawn(n_chains), can_move=False)
        result = even_if_interrupted(lambda: whole._result(data, both, is_interrupted, searches))
        n_new = both.params.draw_shape[1] - n_old
        note = f"The last {n_new} draws of each chain were made after tuning anew, since nutpie cannot save its state."
        return replace(result, status=Status(result.status.outcome, f"{result.status.sentence} {note}"))

    def _sample(
        self,
        model: GaussianMixture | DirichletProcessMixture,
        data: DataMatrix,
        starts: DispersedStarts | LastDraws | None,
        seed: int,
        progress: Progress,
        checkpoint: Checkpoint | None,
    ) -> tuple[list[Chain], bool]:
        from bayesgmm.ppl import sample

        plan = sample.Plan(self.draws, self.tune, self.chains, self.target_accept, self.max_treedepth, seed)
        if self.nuts_sampler == "pymc":
            return sample.run_pymc(model, data, starts.draw, plan, progress)
        finished: dict[int, sample.Chain] = {}
        for c in range(self.chains if checkpoint is not None else 0):
            written = checkpoint.written(c)
            if written is not None:
                params = MixtureParams.trusted(*(written.arrays.pop(name) for name in PARAMS))
                finished[c] = sample.Chain(params, written.arrays)

        def keep(c: int, chain: sample.Chain) -> None:
            if checkpoint is not None:
                arrays = {name: getattr(chain.params, name) for name in PARAMS} | chain.stats
                checkpoint.write(c, self.tune + self.draws, 0, arrays)

        return sample.run_nutpie(model, data, starts and starts.draw, plan, progress, finished, keep)

    def _result(self, data: DataMatrix, draws: Draws, is_interrupted: bool, searches: ChainSearches) -> MethodResult:
        stats = draws.sample_stats
        diagnostics = diagnose(
            invariant_quantities(draws.params, data.values),
            int(stats["diverging"].sum()), int(stats["reached_max_treedepth"].sum()),
        )  # fmt: skip
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


class DispersedStarts:
    """Starts around the different modes that may matter, the best first; where chains outnumber modes they take turns.

    Modes more than 6 nats below the best evidence are left out, since a chain that starts in one of them and
    cannot leave it says nothing about the posterior.  On galaxies, iris, diabetes and faithful the bound was 0.1 to 4
    nats below an importance sampling estimate of the mode's evidence, and loosest for the poor modes.
    """

    def __init__(self, searches: ChainSearches):
        self.searches = searches

    def draw(self, chain: int, rng: np.random.Generator) -> MixtureParams:
        """The start of a chain."""
        return _inside(self.searches.first_draw(chain, rng))


@dataclass(frozen=True, eq=False)
class LastDraws:
    """Starts where the chains of an earlier run ended."""

    states: tuple[ChainState, ...]

    def draw(self, chain: int, rng: np.random.Generator) -> MixtureParams:
        """The start of a chain."""
        return _inside(MixtureParams.trusted(*(self.states[chain].arrays[name] for name in PARAMS)))


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


def _inside(params: MixtureParams) -> MixtureParams:
    weights = np.maximum(params.weights, 1e-12)  # a weight that underflows to 0 has no unconstrained coordinate
    return MixtureParams.trusted(weights / weights.sum(), params.means, params.precision_chol)


def _draws_of(chains: Sequence[Chain], length: int) -> Draws:
    """The first `length` draws of each chain."""
    stats = {name: np.stack([chain.stats[name][:length] for chain in chains]) for name in chains[0].stats}
    params = stack([chain.params for chain in chains], length)
    ends = (params[c, -1] for c in range(len(chains)))
    states = (ChainState({name: getattr(end, name) for name in PARAMS}, {}) for end in ends)  # all that nutpie lets out
    return Draws(params, stats, tuple(states))
