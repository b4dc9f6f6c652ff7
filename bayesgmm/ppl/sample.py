"""Running the no-U-turn samplers: nutpie's on the flat posterior, PyMC's on the `pm.Model`."""

from __future__ import annotations

import dataclasses
import inspect
import logging
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from bayesgmm.core.kernels.compilation import announced_compilation
from bayesgmm.core.params import MixtureParams
from bayesgmm.core.threads import n_threads
from bayesgmm.flat.bartlett import Bartlett
from bayesgmm.flat.metric import AffineMap, normal_coordinates
from bayesgmm.flat.posterior import FlatPosterior
from bayesgmm.flat.problem import N_DRAWN, N_MAP
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, Model
from bayesgmm.result.method import Progress
from bayesgmm.rows import Rows

POLL_SECONDS = 0.01
N_TRIES = 20  # of a start with a finite log posterior

# ArviZ's names of the statistics that both samplers report, and nutpie's.
STATS = {
    "acceptance_rate": "mean_tree_accept",
    "diverging": "diverging",
    "energy": "energy",
    "energy_error": "energy_error",
    "lp": "logp",
    "n_steps": "n_steps",
    "reached_max_treedepth": "maxdepth_reached",
    "step_size": "step_size",
    "tree_depth": "depth",
}

MakeStart = Callable[[int, np.random.Generator], MixtureParams]  # of a chain


@dataclass(frozen=True)
class Plan:
    """What to run: the options of `NUTS`, and the seed."""

    draws: int
    tune: int
    chains: int
    target_accept: float
    max_treedepth: int
    seed: int

    @property
    def total(self) -> int:
        return self.chains * (self.draws + self.tune)


@dataclass(frozen=True, eq=False)
class Chain:
    """The kept draws of one chain: params and statistics have one leading axis."""

    params: MixtureParams
    stats: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.params.weights)


def run_nutpie(
    model: Model,
    data: Rows,
    make_start: MakeStart | None,
    plan: Plan,
    progress: Progress,
    finished: Mapping[int, Chain] = MappingProxyType({}),
    keep: Callable[[int, Chain], None] = lambda c, chain: None,
) -> tuple[list[Chain], bool]:
    """Sample the flat posterior, chains in parallel; returns the chains and whether it was interrupted.

    Each chain has a sampler, a start and a seed of its own, so its draws do not depend on which others run.  Those
    `finished` before are not run again, and need no start; `keep` gets every other one as soon as it is complete.

    Raises
    ------
    FloatingPointError
        The log posterior has no finite value at the starts.
    RuntimeError
        nutpie gave up.
    """
    chains = dict(finished)
    missing = [c for c in range(plan.chains) if c not in chains]
    if not missing:
        return [chains[c] for c in sorted(chains)], False
    assert make_start is not None
    assert isinstance(model, (GaussianMixture, DirichletProcessMixture))  # NUTS refuses others
    posterior = FlatPosterior.of(model, data)
    begin, counts, divergences = {}, [], Divergences()
    for c in missing:
        rng = np.random.default_rng([plan.seed, c])
        start = _finite_start(posterior, make_start, c, rng)
        begin[c] = partial(_begin_chain, posterior, start, plan, int(rng.integers(2**63)), counts, divergences.of(c))
    n_before = (plan.chains - len(missing)) * (plan.draws + plan.tune)

    def show() -> None:
        done = n_before + sum(n_done() for n_done in counts)
        progress(min(done, plan.total), plan.total, f"draws{divergences.note()}")

    def take(c: int, trace: Any, is_complete: bool) -> None:
        chains[c] = _chain_of(posterior, trace)
        if is_complete:
            keep(c, chains[c])

    is_interrupted = _run_side_by_side(begin, show, take)
    if not is_interrupted:
        progress(plan.total, plan.total, f"draws{divergences.note()}")
    return [chains[c] for c in sorted(chains)], is_interrupted


class Divergences:
    """How many transitions of each chain have diverged so far, where nutpie says so while it runs."""

    def __init__(self):
        import nutpie

        self.is_known = "progress_callback" in inspect.signature(nutpie.sample).parameters
        self.counts: dict[int, int] = {}

    def of(self, c: int) -> dict[str, Any]:
        """Arguments with which nutpie tells of one chain."""

        def hear(chains: list[Any]) -> None:
            self.counts[c] = sum(chain.divergences for chain in chains)

        return {"progress_callback": hear} if self.is_known else {}

    def note(self) -> str:
        total = sum(self.counts.values())
        return f", {total} divergent" if total else ""


def _chain_of(posterior: FlatPosterior, trace: Any) -> Chain:
    flat = np.asarray(trace.posterior["flat"].values)[0]
    length = int(np.isfinite(flat[:, 0]).sum())  # an interrupted chain is padded with NaN
    stats = {name: np.asarray(trace.sample_stats[theirs].values)[0, :length] for name, theirs in STATS.items()}
    coordinates = posterior.coordinates
    return Chain(coordinates.expand(flat[:length]), stats | coordinates.states(flat[:length]))


def _begin_chain(
    posterior: FlatPosterior,
    start: np.ndarray,
    plan: Plan,
    seed: int,
    counts: list[Callable[[], int]],
    listener: dict[str, Any],
):
    """A sampler of one chain that runs in the background; `counts` gets what tells how many draws it has made."""
    import nutpie

    coordinates = normal_coordinates(posterior, start)
    compiled, n_done = (_as_c_functions if posterior.is_serial else _as_python)(posterior, coordinates, start)
    counts.append(n_done)
    return nutpie.sample(
        compiled, draws=plan.draws, tune=plan.tune, chains=1, cores=1, seed=seed, target_accept=plan.target_accept,
        maxdepth=plan.max_treedepth, save_warmup=False, progress_bar=False, blocking=False, **listener,
    )  # fmt: skip


def _run_side_by_side(
    begin: Mapping[int, Callable[[], Any]], show: Callable[[], None], take: Callable[[int, Any, bool], None]
) -> bool:
    """Run background samplers, as many at a time as there are threads, `take` what each leaves and whether that is all.

    Returns whether an interrupt came first.
    """
    running: dict[int, Any] = {}
    waiting = sorted(begin, reverse=True)
    try:
        while waiting or running:
            while waiting and len(running) < n_threads():
                c = waiting.pop()
                running[c] = begin[c]()
            time.sleep(POLL_SECONDS)
            show()
            for c in [c for c, sampler in running.items() if _is_finished(sampler)]:
                trace = running[c].wait()
                del running[c]  # it can no longer be aborted
                take(c, trace, True)
    except KeyboardInterrupt:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ArviZ's, about a chain without any draw yet
            for c, sampler in running.items():
                take(c, sampler.abort(), False)
        return True
    except BaseException:
        for sampler in running.values():
            sampler.cancel()
        raise
    return False


def _finite_start(posterior: FlatPosterior, make_start: MakeStart, c: int, rng: np.random.Generator) -> np.ndarray:
    # Found out here, because nutpie 0.16 can crash the process where a start fails; a zero gradient is one that does.
    for _ in range(N_TRIES):
        # Where the scale is what the covariances make one expect, its gradient vanishes, and nutpie cannot begin there.
        x = posterior.coordinates.flatten(make_start(c, rng), rng)
        value, gradient = posterior(x)
        if np.isfinite(value) and np.isfinite(gradient).all() and gradient.all():
            return x
    raise FloatingPointError(
        f"the log posterior is not finite at any of {N_TRIES} starts: the prior's scale or mean_precision is out of "
        "all proportion to the data"
    )


def _is_finished(sampler) -> bool:
    try:
        return sampler.is_finished
    except TimeoutError:  # how nutpie 0.16 says no
        return False


def _as_c_functions(posterior: FlatPosterior, coordinates: AffineMap | None, start: np.ndarray):
    """nutpie's form of a compiled PyMC model, with our functions: no evaluation takes Python's lock."""
    from nutpie.compile_pymc import CompiledPyMCModel

    from bayesgmm.flat.callbacks import expand_callback, log_density_callback

    n_dim, problem, first_point = posterior.coordinates.n_dim, posterior.problem.copy(), start
    if coordinates is not None:
        packed, first_point = coordinates.packed, coordinates.from_flat(start)
        problem = np.concatenate([problem, packed])
        problem[N_MAP] = len(packed)
    with announced_compilation():
        log_density = log_density_callback(posterior.coordinates.structure.form)
        expand = expand_callback()
    values = {
        "dims": {}, "_n_dim": n_dim, "_coords": {}, "_shapes": {"flat": (n_dim,)},
        "compiled_logp_func": log_density, "compiled_expand_func": expand,
        "initial_point_func": lambda seed: first_point, "shared_data": {}, "user_data": problem, "n_expanded": n_dim,
        "shape_info": (["flat"], [slice(0, n_dim)], [(n_dim,)]),
    }  # fmt: skip
    for field in dataclasses.fields(CompiledPyMCModel):  # which others there are differs between versions
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            values.setdefault(field.name, None)
    return CompiledPyMCModel(**values), lambda: int(problem[N_DRAWN])


def _as_python(posterior: FlatPosterior, coordinates: AffineMap | None, start: np.ndarray):
    """nutpie's form of a Python function, for data so large that an evaluation hands its parts to threads."""
    from nutpie.compiled_pyfunc import from_pyfunc

    n_dim, done = posterior.coordinates.n_dim, [0]
    first_point = start if coordinates is None else coordinates.from_flat(start)

    def evaluate(z: np.ndarray) -> tuple[float, np.ndarray]:
        if coordinates is None:
            return posterior(z)
        value, gradient = posterior(coordinates.to_flat(z))
        return value, coordinates.pull(gradient)

    def expand(z: np.ndarray) -> dict[str, np.ndarray]:
        done[0] += 1
        return {"flat": z if coordinates is None else coordinates.to_flat(z)}

    compiled = from_pyfunc(
        n_dim, lambda: evaluate, lambda seed1, seed2, chain: expand, [np.dtype("float64")], [(n_dim,)], ["flat"],
        make_initial_point_fn=lambda seed: first_point,
    )  # fmt: skip
    return compiled, lambda: done[0]


def run_pymc(
    model: Model,
    data: Rows,
    make_start: MakeStart,
    plan: Plan,
    progress: Progress,
) -> tuple[list[Chain], bool]:
    """Sample the `pm.Model` by PyMC's own sampler, one chain after the other."""
    import pymc as pm

    from bayesgmm.ppl.build import build

    assert isinstance(model, (GaussianMixture, DirichletProcessMixture))  # NUTS refuses others
    coordinates = Bartlett.of(model, data)
    generators = [np.random.default_rng([plan.seed, c]) for c in range(plan.chains)]
    starts = [coordinates.natural(make_start(c, rng), rng) for c, rng in enumerate(generators)]
    seed = int(np.random.default_rng([plan.seed, plan.chains]).integers(2**32))
    done = [0]

    def count(trace, draw) -> None:
        done[0] += 1
        progress(min(done[0], plan.total), plan.total, "draws")

    with _quiet("pymc"):
        trace = pm.sample(
            plan.draws, tune=plan.tune, chains=plan.chains, cores=1, random_seed=seed,
            initvals=starts, init="adapt_diag", target_accept=plan.target_accept, max_treedepth=plan.max_treedepth,
            compute_convergence_checks=False, progressbar=False, callback=count, model=build(coordinates, data),
        )  # fmt: skip
    progress(plan.total, plan.total, "draws")
    posterior = {name: np.asarray(trace.posterior[name].values) for name in ("weights", "means", "precision_chol")}
    factor = np.ascontiguousarray(coordinates.structure.form.of_whole(posterior["precision_chol"]))
    params = MixtureParams.trusted(posterior["weights"], posterior["means"], factor)
    stats = {name: np.asarray(trace.sample_stats[name].values) for name in STATS}
    for name in {"concentration", "scale_log_det"} & set(trace.posterior):
        stats[name] = np.asarray(trace.posterior[name].values)
    chains = [Chain(params[c], {name: value[c] for name, value in stats.items()}) for c in range(len(factor))]
    return chains, done[0] < plan.total


@contextmanager
def _quiet(name: str):
    """Keep a library's notes about what it does off the screen; its errors stay."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
