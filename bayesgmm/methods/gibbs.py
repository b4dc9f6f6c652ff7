"""The posterior by Gibbs sampling, with moves between modes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from bayesgmm.core.params import LOG_2PI, MixtureParams
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
    run_chains,
    stack,
)
from bayesgmm.methods.gibbs_chain import GibbsChain, RecordedChain
from bayesgmm.methods.loop import is_real
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, MixtureOfFiniteMixtures, Model
from bayesgmm.priors.independent import COMPONENTS_PRIORS, HierarchicalScale
from bayesgmm.result.checkpoint import ODD, Checkpoint
from bayesgmm.result.diagnostics import diagnose, invariant_quantities
from bayesgmm.result.estimates import Draws
from bayesgmm.result.fit import Fit
from bayesgmm.result.method import MethodResult, Progress

MAX_THIN = 100
ROWS_PER_DRAW = 20_000
STATES = ("state", "log_scale")  # of a trace
IF_LOWER = "Fit again with another seed, or raise tune; what these draws say is not the posterior."
RARE = 0.02  # of draws: R-hat and effective sample sizes of rarer events are not to be trusted


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
                raise ArgumentError(f"{name}={shown(value)} must be an integer of at least {lowest}.")
        if not is_real(self.crossing) or not 0 <= self.crossing <= 1:
            raise ArgumentError(f"crossing={shown(self.crossing)} must be a probability, between 0 and 1.")

    def run(
        self,
        model: Model,
        data: DataMatrix,
        rng: np.random.Generator,
        progress: Progress,
        checkpoint: Checkpoint | None = None,
    ) -> MethodResult:
        """Sample, and judge the draws."""
        plan, generators = self._plan(data, self.draws, self.tune), rng.spawn(self.chains)
        searches = ChainSearches(model, data, generators, can_move=True)
        chains: list[GibbsChain] = []
        for c, generator in enumerate(generators):
            written = None if checkpoint is None else checkpoint.written(c)
            if written is None:
                chains.append(GibbsChain.of(model, data, generator, searches.first_draw(c, generator), *plan))
            else:
                try:
                    chains.append(GibbsChain.resumed(model, data, written.state, *plan))
                    chains[c].restore(written.done, written.arrays)
                except ODD as error:
                    raise checkpoint.damaged(c) from error
        chains[0].advance(0)  # compiles, in the main thread, where an interrupt is heard
        going = chains if checkpoint is None else [RecordedChain(c, one, checkpoint) for c, one in enumerate(chains)]
        is_interrupted = run_chains(going, progress)
        kept, length = kept_lengths([chain.n_kept for chain in chains], self.draws)
        draws = _draws_of(model, data, [chains[c] for c in kept], length)
        return even_if_interrupted(lambda: self._result(model, data, draws, is_interrupted, searches))

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
        longer = replace(self, draws=both.params.draw_shape[1])
        generators = np.random.default_rng(fit.seed).spawn(self.chains)  # those of the run that began the chains
        searches = ChainSearches(fit.model, data, generators, can_move=True)
        return even_if_interrupted(lambda: longer._result(fit.model, data, both, is_interrupted, searches))

    def _plan(self, data: DataMatrix, draws: int, tune: int) -> tuple[int, int, int, float]:
        return draws, tune, self._sweeps(data), self.crossing

    def _sweeps(self, data: DataMatrix) -> int:
        """Sweeps per draw."""
        return min(MAX_THIN, max(1, ROWS_PER_DRAW // len(data.values))) if self.thin is None else self.thin

    def _result(
        self, model: Model, data: DataMatrix, draws: Draws, is_interrupted: bool, searches: ChainSearches
    ) -> MethodResult:
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
        status = against_best_mode(
            status, draws.params, searches, "Fit again with another seed, or with a longer tune."
        )
        return MethodResult(draws, status, diagnostics, np.empty(0))


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
