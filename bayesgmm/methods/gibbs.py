"""The posterior by Gibbs sampling, with moves between modes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from bayesgmm.checks import probability, real_number, store, whole_numbers
from bayesgmm.errors import ArgumentError
from bayesgmm.families.family import Capability
from bayesgmm.methods.chains.best_mode import against_best_mode
from bayesgmm.methods.chains.enough import (
    LEAST_SWEEPS,
    End,
    Growing,
    Rounds,
    advice_at_end,
    advice_when_fixed,
    default_budget,
    least_sweeps,
    room_of,
    run_until_enough,
    when_apart,
)
from bayesgmm.methods.chains.gibbs_chain import GibbsChain, Level, RecordedChain
from bayesgmm.methods.chains.gibbs_draws import bytes_per_draw, diagnosed, draws_of, trace_of
from bayesgmm.methods.chains.running import (
    MIN_DRAWS,
    Ending,
    even_if_interrupted,
    extended_length,
    failure,
    joined,
    judge,
    kept_lengths,
    run_chains,
)
from bayesgmm.methods.chains.starts import ChainSearches
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, MixtureOfFiniteMixtures, Model
from bayesgmm.priors.independent import COMPONENTS_PRIORS
from bayesgmm.result.checkpoint import EVERY, ODD, Checkpoint
from bayesgmm.result.diagnostics import SamplerDiagnostics
from bayesgmm.result.estimates import Draws
from bayesgmm.result.fit import Fit
from bayesgmm.result.method import MethodResult, Progress
from bayesgmm.rows import Rows

MAX_THIN = 100
ROWS_PER_DRAW = 20_000
IF_LOWER = "Fit again with another seed, or with a longer tune."
NOT_FINITE = "A draw was not finite: the prior's scale is too small for the units of these data."


@dataclass(frozen=True)
class Gibbs:
    """Draws from the posterior by blocked Gibbs sampling with moves between modes: any of the models.

    A sweep draws all labels given the parameters, tries now and then to merge, split, exchange or divide anew whole
    components (with the parameters integrated out), and draws all parameters given the labels.  Every chain starts
    from a posterior draw around one of the good modes: searches find these from several starts, one search for each
    chain.  Chains that stand clearly below the best mode that is known have not converged, and the status says so.
    The draws are mixtures: densities never condition on labels.  The same seed gives the same draws with any number
    of threads.

    Under a Dirichlet process the concentration is drawn given the sticks, and neighbouring sticks swap their labels
    with the sticks integrated out; ``sample_stats`` has its draws as ``concentration``.  Under a prior on the number
    of components K that is drawn given the partition (the telescoping sampler), empty components from their prior;
    ``sample_stats`` has K as ``n_components``.

    Under an `IndependentNormalInverseWishart` the parameters cannot be integrated out: the moves are made under a
    conjugate prior that stands in for it, and accepted a second time together with parameters for the new components.
    An unknown scale is drawn with them; ``sample_stats`` has the log of its determinant as ``scale_log_det``.

    Parameters
    ----------
    draws : int, optional
        Draws kept of each chain.  Without it the chains go on until it is enough: R-hat is below 1.01, there are more
        than 400 effective draws of every label-invariant quantity, and the probabilities of counts such as the number
        of occupied components are known to 0.025.  Every other draw is dropped when there are 2,000 of a chain (fewer
        where they would take more than a GiB), and as many sweeps again are made for each that follows.  The first
        fifth of a run is dropped.
    tune : int
        Draws before those, which are dropped; without `draws`, sweeps that are dropped at least.
    chains : int
        At least 2 let convergence be judged; 4 or more are recommended.  They run in threads.
    thin : int, optional
        Sweeps per draw; without `draws`, of the first ones.  By default 1 without `draws`, and else as many as visit
        about 20,000 rows, at most 100.
    crossing : float
        Probability that a sweep tries a move between modes; such a move costs a few sweeps.  Without them a chain
        stays for ever in one of several well separated modes.
    max_sweeps : int, optional
        Without `draws`, sweeps of each chain after which the run ends even where it is not enough; the status then
        says how many would be.  By default what takes about a minute on two cores.
    max_seconds : float, optional
        Without `draws`, seconds after which the run ends.  Then the draws depend on the machine.

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
    needs: ClassVar[tuple[Capability, ...]] = ("conjugate",)
    has_separate_chains: ClassVar = True

    needs_whole_weights: ClassVar[bool] = True

    draws: int | None = None
    tune: int = 500
    chains: int = 4
    thin: int | None = None
    crossing: float = 0.1
    max_sweeps: int | None = None
    max_seconds: float | None = None

    def __post_init__(self):
        least = {"draws": 4, "tune": 0, "chains": 1, "thin": 1, "max_sweeps": 4}
        whole_numbers(self, least, optional=("draws", "thin", "max_sweeps"))
        store(self, crossing=probability(self.crossing, "crossing"))
        if self.max_seconds is not None:
            store(self, max_seconds=real_number(self.max_seconds, "max_seconds", above=0, also="None"))
        for name in ("max_sweeps", "max_seconds") if self.draws is not None else ():
            if getattr(self, name) is not None:
                raise ArgumentError(
                    f"{name}={getattr(self, name)} limits a run until it is enough, and draws={self.draws} asks for a "
                    "fixed one: leave one of them out."
                )
        needed = max(2 * self.tune, 10 * (self.thin or 1))
        if self.max_sweeps is not None and self.max_sweeps < needed:
            raise ArgumentError(
                f"max_sweeps={self.max_sweeps} leaves too little after tune={self.tune}: at least {needed} are needed."
            )

    def run(
        self,
        model: Model,
        data: Rows,
        rng: np.random.Generator,
        progress: Progress,
        checkpoint: Checkpoint | None = None,
    ) -> MethodResult:
        """Sample, and judge the draws; a row of weight w is w points, with a label each."""
        data = data.copies()
        generators = rng.spawn(self.chains)
        searches = ChainSearches(model, data, generators, can_move=True)
        if self.draws is None:
            return self._run_until_enough(searches, generators, progress, checkpoint)
        chains = self._chains(searches, generators, self._plan(data, self.draws, self.tune), checkpoint)
        going = chains if checkpoint is None else [RecordedChain(c, one, checkpoint) for c, one in enumerate(chains)]
        is_interrupted = run_chains(going, progress) is Ending.INTERRUPTED
        kept, length = kept_lengths([chain.n_kept for chain in chains], self.draws)
        draws = draws_of(model, data, [chains[c] for c in kept], slice(length))
        return even_if_interrupted(lambda: self._fixed_result(searches, draws, is_interrupted))

    def extend(self, fit: Fit, draws: int | None, data: Rows, progress: Progress) -> MethodResult:
        """Go on with every chain: the draws are those that one longer run would have made."""
        old, data = fit.estimate, data.copies()
        assert isinstance(old, Draws) and isinstance(fit.diagnostics, SamplerDiagnostics)
        generators = np.random.default_rng(fit.seed).spawn(self.chains)  # those of the run that began the chains
        searches = ChainSearches(fit.model, data, generators, can_move=True)
        if draws is None:
            return replace(self, draws=None)._extend_until_enough(fit, old, searches, progress)
        fixed = self.as_fixed(fit)
        chains = [GibbsChain.resumed(fit.model, data, state, *fixed._plan(data, draws, 0)) for state in old.states]
        chains[0].advance(0)
        is_interrupted = run_chains(chains, progress) is Ending.INTERRUPTED
        length = extended_length([chain.n_kept for chain in chains])
        both = joined(old, draws_of(fit.model, data, chains, slice(length)))
        longer = replace(fixed, draws=both.params.draw_shape[1])
        return even_if_interrupted(lambda: longer._fixed_result(searches, both, is_interrupted))

    def as_fixed(self, fit: Fit) -> Gibbs:
        """The same, with the number of draws, and all that decides about them, of a fit."""
        if self.draws is not None:
            return self
        n_draws, found = fit.estimate.draws().draw_shape[1], fit.diagnostics
        assert isinstance(found, SamplerDiagnostics)
        plan = {"draws": n_draws, "tune": found.dropped // found.thin, "thin": found.thin}
        return replace(self, **plan, max_sweeps=None, max_seconds=None)

    def _chains(
        self,
        searches: ChainSearches,
        generators: Sequence[np.random.Generator],
        plan: tuple[int, int, int, float],
        checkpoint: Checkpoint | None,
    ) -> list[GibbsChain]:
        """Chains at their starts, or where the checkpoint has them."""
        model, data = searches.model, searches.data
        chains: list[GibbsChain] = []
        for c, generator in enumerate(generators):
            written = None if checkpoint is None else checkpoint.written(c)
            if checkpoint is None or written is None:
                chains.append(GibbsChain.of(model, data, generator, searches.first_draw(c, generator), *plan))
                continue
            if written.state is None:
                raise checkpoint.damaged(c)
            try:
                chains.append(GibbsChain.resumed(model, data, written.state, *plan))
                chains[c].restore(written.done, written.arrays)
            except ODD as error:
                raise checkpoint.damaged(c) from error
        chains[0].advance(0)  # compiles, in the main thread, where an interrupt is heard
        return chains

    def _run_until_enough(
        self,
        searches: ChainSearches,
        generators: Sequence[np.random.Generator],
        progress: Progress,
        checkpoint: Checkpoint | None,
    ) -> MethodResult:
        model, data = searches.model, searches.data
        room = room_of(self.chains, bytes_per_draw(model, data))
        first = 1 if self.thin is None else self.thin
        level = None if checkpoint is None else Level.latest(checkpoint, replace(self._recording(room), thin=first))
        thin = first if level is None else level.thin
        plan = (room, 0, thin, self.crossing)
        chains = self._chains(searches, generators, plan, None if level is None else level.checkpoint)
        most = self._budget(model, data)
        least = max(2 * self.tune, least_sweeps(len(data.values)))
        rounds = Rounds(room, min(least, most), most, self.tune)
        return self._grow(searches, chains, rounds, 0, level, False, progress)

    def _extend_until_enough(self, fit: Fit, old: Draws, searches: ChainSearches, progress: Progress) -> MethodResult:
        found, model, data, before = fit.diagnostics, searches.model, searches.data, old.as_drawn()
        assert isinstance(found, SamplerDiagnostics)
        n_draws, (thin, dropped) = before.draw_shape[1], _history(fit, data)
        room = max(room_of(len(old.states), bytes_per_draw(model, data)), 2 * EVERY * (n_draws // (2 * EVERY) + 1))
        chains = [GibbsChain.resumed(model, data, s, room, 0, thin, self.crossing) for s in old.states]
        for c, chain in enumerate(chains):
            chain.restore(n_draws, trace_of(old, before, c, data))
        chains[0].advance(0)
        sweeps = dropped + n_draws * thin
        rounds = Rounds(room, 0, sweeps + self._budget(model, data), self.tune)
        return self._grow(searches, chains, rounds, dropped, None, True, progress)

    def _grow(
        self,
        searches: ChainSearches,
        chains: list[GibbsChain],
        rounds: Rounds,
        before: int,
        level: Level | None,
        is_extension: bool,
        progress: Progress,
    ) -> MethodResult:
        """Run the chains until it is enough, and judge what is kept."""
        model, data, level_now = searches.model, searches.data, level

        def window(recorded: int, before: int) -> tuple[slice, int, int]:
            thin = chains[0].thin
            first = rounds.n_dropped(recorded, thin, before)
            return slice(first, recorded), thin, before + first * thin

        def is_enough(recorded: int, before: int) -> bool:
            kept, thin, dropped = window(recorded, before)
            found = diagnosed(data, draws_of(model, data, chains, kept), thin, dropped)
            return found is None or found.is_enough

        def thinned() -> Sequence[Growing]:
            nonlocal level_now
            for chain in chains:
                chain.halve()
            if level_now is None:
                return chains
            level_now = level_now.thinned(chains)
            return level_now.recorded(chains)

        end, before = run_until_enough(
            chains if level is None else level.recorded(chains), rounds, before, is_extension, is_enough, thinned,
            progress, self.max_seconds,
        )  # fmt: skip
        fewest = MIN_DRAWS if end in (End.INTERRUPTED, End.TIME) else 4
        going = [c for c in chains if c.done - rounds.n_dropped(c.done, c.thin, before) >= fewest]
        if not going and end is End.TIME:
            return failure(f"max_seconds={self.max_seconds:g} were over before there were draws to keep: raise it.")
        if not going:
            raise KeyboardInterrupt
        recorded = min(chain.done for chain in going)
        kept, thin, dropped = window(recorded, before)
        draws = draws_of(model, data, going, kept)

        def result() -> MethodResult:
            found = diagnosed(data, draws, thin, dropped)
            if found is None:
                return failure(NOT_FINITE)
            few = advice_at_end(found, end, before + recorded * thin, self.max_seconds)
            return self._judged(searches, draws, found, end is End.INTERRUPTED, few)

        return even_if_interrupted(result)

    def _budget(self, model: Model, data: Rows) -> int:
        """Sweeps of each chain after which a run until it is enough ends."""
        default = default_budget(self.chains, data.values.shape, model.n_components)
        if self.max_sweeps is not None:
            return self.max_sweeps
        return max(default, 4 * self.tune, 2 * LEAST_SWEEPS * (self.thin or 1))

    def _recording(self, room: int) -> Gibbs:
        """The fixed run as which a checkpoint keeps a part of a run until it is enough."""
        return replace(self, draws=room, tune=0, max_sweeps=None, max_seconds=None)

    def _plan(self, data: Rows, draws: int, tune: int) -> tuple[int, int, int, float]:
        return draws, tune, self._sweeps(data), self.crossing

    def _sweeps(self, data: Rows) -> int:
        """Sweeps per draw of a fixed run."""
        return min(MAX_THIN, max(1, ROWS_PER_DRAW // len(data.values))) if self.thin is None else self.thin

    def _fixed_result(self, searches: ChainSearches, draws: Draws, is_interrupted: bool) -> MethodResult:
        thin = self._sweeps(searches.data)
        found = diagnosed(searches.data, draws, thin, self.tune * thin)
        if found is None:
            return failure(NOT_FINITE)
        advice = advice_when_fixed(found, draws.params.draw_shape[1], thin)
        return self._judged(searches, draws, found, is_interrupted, advice)

    def _judged(
        self, searches: ChainSearches, draws: Draws, found: SamplerDiagnostics, is_interrupted: bool, advice: str
    ) -> MethodResult:
        apart = when_apart(found, advice, self.crossing)
        status = judge(found, draws.params.draw_shape, self, is_interrupted, apart, advice)
        status = against_best_mode(status, draws.params, searches, IF_LOWER)
        return MethodResult(draws, status, found, np.empty(0))


def _history(fit: Fit, data: Rows) -> tuple[int, int]:
    """Sweeps per draw of a fit, and those before its draws; a fixed run's options know them, of older files too."""
    method, found = fit.method, fit.diagnostics
    assert isinstance(method, Gibbs) and isinstance(found, SamplerDiagnostics)
    if method.draws is None:
        return found.thin, found.dropped
    thin = method._sweeps(data)
    return thin, method.tune * thin
