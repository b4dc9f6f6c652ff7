"""The posterior by Hamiltonian Monte Carlo: the no-U-turn sampler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import softmax

from bayesgmm.core.params import MixtureParams
from bayesgmm.data import DataMatrix
from bayesgmm.errors import ArgumentError
from bayesgmm.methods.initialize import start, whitening_of
from bayesgmm.methods.loop import Stopping, climb
from bayesgmm.methods.vb import VariationalUpdate, prior_of
from bayesgmm.models import DirichletProcessMixture, GaussianMixture
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.result.diagnostics import (
    ESS_LIMIT,
    RHAT_LIMIT,
    SamplerDiagnostics,
    diagnose,
    invariant_quantities,
)
from bayesgmm.result.estimates import Draws, NoEstimate
from bayesgmm.result.fit import MethodResult, Progress
from bayesgmm.result.status import Outcome, Status

NUTS_SAMPLERS = ("nutpie", "pymc")
N_STARTS = 16  # random partitions: a mode that one in four of them leads to is missed once in a hundred runs
START_SWEEPS = 30
START_NATS = 0.1  # of the evidence bound, at which a climb may stop: far below what tells modes apart
MIN_DRAWS = 100  # fewer draws of a chain, left by an interrupt, say nothing about whether it has converged


@dataclass(frozen=True)
class NUTS:
    """Draws from the posterior of a finite or Dirichlet process mixture by the no-U-turn sampler.

    Chains start dispersed: random partitions of the data are each improved to a variational posterior, and a chain
    starts at a draw from one of these, picked with a probability that grows with its evidence.  So chains begin in
    different modes where several matter, and not in those that hold next to nothing.  Their agreement is judged on
    label-invariant quantities.

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
                raise ArgumentError(f"{name}={value!r} must be an integer of at least {lowest}.")
        if isinstance(self.target_accept, bool) or not 0 < self.target_accept < 1:
            raise ArgumentError(f"target_accept={self.target_accept!r} must be between 0 and 1.")
        if self.nuts_sampler not in NUTS_SAMPLERS:
            names = " or ".join(repr(name) for name in NUTS_SAMPLERS)
            raise ArgumentError(f"nuts_sampler={self.nuts_sampler!r} must be {names}.")

    def run(
        self,
        model: GaussianMixture | DirichletProcessMixture,
        data: DataMatrix,
        rng: np.random.Generator,
        progress: Progress,
    ) -> MethodResult:
        """Sample, and judge the draws."""
        from bayesgmm.ppl import sample

        starts = DispersedStarts.find(model, data, rng)
        plan = sample.Plan(
            self.draws, self.tune, self.chains, self.target_accept, self.max_treedepth, int(rng.integers(2**63))
        )
        runner = sample.run_nutpie if self.nuts_sampler == "nutpie" else sample.run_pymc
        try:
            chains, is_interrupted = runner(model, data, starts.draw, plan, progress)
        except (RuntimeError, ValueError, FloatingPointError) as error:
            return _failure(f"{self.nuts_sampler} stopped with an error: {str(error).strip().splitlines()[0]}")
        kept = [chain for chain in chains if len(chain) >= min(self.draws, MIN_DRAWS)]
        if not kept:
            raise KeyboardInterrupt  # before there was anything to keep
        length = min(len(chain) for chain in kept)
        draws = _stack([chain.params[:length] for chain in kept])
        stats = {name: np.stack([chain.stats[name][:length] for chain in kept]) for name in kept[0].stats}
        diagnostics = diagnose(
            invariant_quantities(draws, data.values),
            int(stats["diverging"].sum()), int(stats["reached_max_treedepth"].sum()),
        )  # fmt: skip
        status = _judge(diagnostics, self, draws.draw_shape, is_interrupted)
        return MethodResult(Draws(draws, stats), status, diagnostics, np.empty(0))


@dataclass(frozen=True, eq=False)
class DispersedStarts:
    """Variational posteriors from random partitions, and how probable each is as a chain's beginning.

    The probability is in proportion to the square root of the evidence bound: a bound is loosest where components
    overlap, and a mode that is a few nats too low must not be lost.
    """

    posteriors: tuple[ConjugateMixture, ...]
    probability: np.ndarray

    @classmethod
    def find(
        cls, model: GaussianMixture | DirichletProcessMixture, data: DataMatrix, rng: np.random.Generator
    ) -> DispersedStarts:
        """Climb a little way from every random partition."""
        X, prior, whitening = data.values, prior_of(model), whitening_of(model, data)
        readout, stopping = VariationalUpdate(prior, whitening), Stopping(START_SWEEPS, START_NATS / len(X), None)
        climbs = []
        for _ in range(1 if model.n_components == 1 else N_STARTS):
            stats = start(X, model.covariance, whitening, model.n_components, "random", rng)
            climbs.append(climb(X, readout, prior.update(stats), stopping))
            if climbs[-1].is_interrupted:
                raise KeyboardInterrupt
        probability = softmax(0.5 * np.array([found.objective for found in climbs]))
        return cls(tuple(found.state for found in climbs), probability)

    def draw(self, rng: np.random.Generator) -> MixtureParams:
        """One chain's start."""
        posterior = self.posteriors[rng.choice(len(self.probability), p=self.probability)]
        params = posterior.sample(rng, 1)[0]
        weights = np.maximum(params.weights, 1e-12)  # a weight that underflows to 0 has no unconstrained coordinate
        return MixtureParams.trusted(weights / weights.sum(), params.means, params.precision_chol)


def _stack(chains: list[MixtureParams]) -> MixtureParams:
    parts = ([chain.weights for chain in chains], [chain.means for chain in chains])
    return MixtureParams.trusted(*map(np.stack, parts), np.stack([chain.precision_chol for chain in chains]))


def _failure(reason: str) -> MethodResult:
    return MethodResult(NoEstimate(reason), Status(Outcome.FAILED, reason), SamplerDiagnostics((), 0, 0), np.empty(0))


def _judge(diagnostics: SamplerDiagnostics, options: NUTS, shape: tuple[int, int], is_interrupted: bool) -> Status:
    """Converged, or everything that speaks against it and what to do about it."""
    n_chains, n_draws = shape
    notes = []
    if is_interrupted:
        notes.append(
            f"Interrupted: {n_chains} of {options.chains} chains had at least {MIN_DRAWS} draws, and the first "
            f"{n_draws} of each are kept."
        )
    if n_chains == 1:
        notes.append("One chain cannot show that it has found every mode: run at least 4.")
    worst, fewest = diagnostics.worst(), min(diagnostics.quantities, key=lambda q: min(q.ess_bulk, q.ess_tail))
    if not worst.rhat < RHAT_LIMIT:
        notes.append(
            f"The chains disagree: R-hat of {worst.name} is {worst.rhat:.3f} (limit {RHAT_LIMIT}). Run longer; where "
            "chains sit in different modes (see the trace plots), longer runs do not help: Gibbs() "
            "moves between modes, and stack_chains(fit) weights the chains by how well they predict. Or try another "
            "number of components or a more informative prior."
        )
    elif not diagnostics.min_ess > ESS_LIMIT:
        notes.append(
            f"Only {diagnostics.min_ess:.0f} effective draws of {fewest.name} (more than {ESS_LIMIT} are wanted): "
            "raise draws."
        )
    if diagnostics.n_divergent:
        notes.append(
            f"{diagnostics.n_divergent} of {n_chains * n_draws} transitions diverged, so part of the posterior may be "
            f"missing: raise target_accept (it is {options.target_accept:g})."
        )
    if diagnostics.n_max_treedepth:
        notes.append(
            f"{diagnostics.n_max_treedepth} transitions reached max_treedepth={options.max_treedepth}: the draws are "
            "right but slow; raise tune, or max_treedepth."
        )
    if notes:
        return Status(Outcome.NOT_CONVERGED, " ".join(notes))
    return Status(
        Outcome.CONVERGED,
        f"Converged: {n_chains} chains of {n_draws} draws agree (largest R-hat {worst.rhat:.3f}, at least "
        f"{diagnostics.min_ess:.0f} effective draws), without divergences.",
    )
