"""The kept draws of Gibbs chains: their traces as the draws of a fit, and what is diagnosed of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bayesgmm.core.params import LOG_2PI, MixtureParams
from bayesgmm.methods.chains.gibbs_chain import GibbsChain
from bayesgmm.models import DirichletProcessMixture, MixtureOfFiniteMixtures, Model
from bayesgmm.priors.independent import HierarchicalScale
from bayesgmm.result.diagnostics import RARE, SamplerDiagnostics, diagnose, invariant_quantities
from bayesgmm.result.estimates import Draws
from bayesgmm.rows import Rows

STATES = ("state", "log_scale")  # of a trace
COUNTS = ("n_occupied", "n_components")


def diagnosed(data: Rows, draws: Draws, thin: int, dropped: int) -> SamplerDiagnostics | None:
    """None where a draw was not finite."""
    stats = draws.sample_stats
    if not np.isfinite(stats["log_likelihood"]).all():
        return None
    quantities = invariant_quantities(draws.params, data.values, stats["log_likelihood"]) | _varying(stats)
    counts = {name: stats[name] for name in COUNTS if name in quantities}
    return replace(diagnose(quantities, 0, 0, counts), thin=thin, dropped=dropped)


def bytes_per_draw(model: Model, data: Rows) -> int:
    """What one kept draw takes in memory."""
    n_features = data.values.shape[1]
    return 8 * model.n_components * (1 + n_features + n_features**model.covariance.form.n_axes)


def trace_of(draws: Draws, params: MixtureParams, c: int, data: Rows) -> dict[str, np.ndarray]:
    """The draws of one chain as its trace has them."""
    stats = {name: values[c] for name, values in draws.sample_stats.items()}
    state = stats.get("concentration", stats.get("n_components"))
    found = {
        "weights": params.weights[c], "means": params.means[c], "factors": params.precision_chol[c],
        "log_likelihood": stats["log_likelihood"] + 0.5 * data.values.size * LOG_2PI,
        "n_occupied": stats["n_occupied"], "state": state, "log_scale": stats.get("scale_log_det"),
    }  # fmt: skip
    return {name: values for name, values in found.items() if values is not None}


def draws_of(model: Model, data: Rows, chains: Sequence[GibbsChain], kept: slice) -> Draws:
    """Those kept draws of each chain."""
    traces = [one.trace for one in chains]
    params = MixtureParams.trusted(*(np.stack([trace[i][kept] for trace in traces]) for i in range(3)))
    numbers = {
        name: np.stack([getattr(trace, name)[kept] for trace in traces])
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
