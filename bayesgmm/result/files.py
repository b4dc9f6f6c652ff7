"""A `Fit` as an `xarray.DataTree` and as a netCDF file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm import convert
from bayesgmm.core import density
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import DataError, NotApplicableError
from bayesgmm.priors.conjugate import ConjugateComponents
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.result.alignment import Alignment
from bayesgmm.result.approximation import ApproximateDraws
from bayesgmm.result.estimates import ChainState, Draws, Estimate, NoEstimate, PointEstimate, VariationalPosterior
from bayesgmm.result.log_prior import log_prior as prior_densities
from bayesgmm.result.stacked import StackedEstimate
from bayesgmm.result.unknowns import unknowns

if TYPE_CHECKING:
    import xarray as xr

    from bayesgmm.result.fit import Fit

FORMAT = "bayesgmm-fit-2"
STATE = "state_"  # begins the names of a chain's state
MEMBER = "member_"  # begins the names of the groups of a stack's members
ALIGNMENT = ("order", "draws", "components", "is_occupied")


def to_datatree(fit: Fit, log_likelihood: bool, posterior_predictive: bool, log_prior: bool = False) -> xr.DataTree:
    """The DataTree of ``Fit.to_datatree``."""
    import xarray as xr

    draws = fit.estimate.draws()
    groups = {"posterior": convert.posterior_dataset(draws, fit.feature_names, unknowns(fit))}
    if isinstance(fit.estimate, Draws) and fit.estimate.sample_stats:
        groups["sample_stats"] = convert.sample_dataset(fit.estimate.sample_stats)
    if (alignment := alignment_of(fit.estimate)) is not None:
        groups["alignment"] = convert.alignment_dataset(alignment.method, _alignment_arrays(alignment))
    if log_likelihood:
        if fit.X is None:
            raise NotApplicableError(
                "this fit is without its data; pass log_likelihood=False, or refit it on the data."
            )
        values = fit.log_density_draws(fit.X).reshape(*draws.draw_shape, -1)
        groups["log_likelihood"] = convert.sample_dataset({"x": values}, ("obs",))
    if log_prior:
        groups["log_prior"] = convert.sample_dataset(prior_densities(fit))
    if posterior_predictive:
        values = _replicate(draws, fit.n_obs, np.random.default_rng(fit.seed))
        groups["posterior_predictive"] = convert.replicates_dataset(values, fit.feature_names)
    if fit.X is not None:
        groups["observed_data"] = convert.observed_dataset(fit.X, fit.feature_names)
    groups["constant_data"] = convert.constants_dataset(_prior_constants(fit))
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(fit.provenance)
    return tree


def to_inferencedata(tree: xr.DataTree) -> Any:
    """The groups of a tree for ArviZ 0.x, or the tree itself for its successor."""
    import arviz

    build = getattr(arviz, "InferenceData", None)
    if build is None:
        return tree
    groups = {str(name): child.to_dataset() for name, child in tree.children.items()}
    return build(attrs=dict(tree.attrs), **groups)


def save(fit: Fit, path: str | Path, data: bool) -> None:
    """Write the groups without pointwise values, plus the exact state in group ``fit``."""
    import xarray as xr

    path = Path(path)
    if not path.parent.is_dir():
        raise DataError(f"There is no folder {str(path.parent)!r}: make it before saving there.")
    tree = xr.DataTree.from_dict(_groups(fit, data))
    tree.attrs.update(fit.provenance)
    tree.to_netcdf(path, engine="h5netcdf")


def _groups(fit: Fit, data: bool) -> dict[str, xr.Dataset]:
    """What is written of a fit, by the name of its group."""
    kind, arrays, texts = _state(fit.estimate)
    if kind in ("none", "stacked"):
        groups = {"constant_data": convert.constants_dataset(_prior_constants(fit))}
        if fit.X is not None:
            groups["observed_data"] = convert.observed_dataset(fit.X, fit.feature_names)
    else:
        tree = to_datatree(fit, log_likelihood=False, posterior_predictive=False)
        groups = {name: child.to_dataset() for name, child in tree.children.items()}
    if not data:
        groups.pop("observed_data", None)
    for i, member in enumerate(members_of(fit.estimate)):
        groups |= {f"{MEMBER}{i}/{name}": group for name, group in _groups(member, data=False).items()}
    state = convert.array_group(arrays | {"history": np.asarray(fit.history, float)})
    facts = {
        "model": fit.model,
        "method": fit.method,
        "status": fit.status,
        "diagnostics": fit.diagnostics,
        "estimate": {"kind": kind} | texts,
        "facts": {"seconds": fit.seconds, "seed": fit.seed, "n_obs": fit.n_obs, "feature_names": fit.feature_names},
        "provenance": fit.provenance,
    }
    state.attrs.update({name: convert.to_json(value) for name, value in facts.items()} | {"format": FORMAT})
    return groups | {"fit": state}


def load(path: str | Path, types: dict[str, type], build: type[Fit]) -> Fit:
    """Read what `save` wrote; `types` are the classes that may appear in it."""
    import xarray as xr

    path = Path(path)
    if not path.exists():
        raise DataError(f"There is no file {str(path)!r}: check the path.")
    foreign = f"{str(path)!r} was not written by Fit.save of this version of bayesgmm ({FORMAT})."
    try:
        opened = xr.open_datatree(path, engine="h5netcdf")
    except OSError as error:  # h5py says at length that it is no HDF5 file
        raise DataError(foreign) from error
    with opened as tree:
        if "fit" not in tree.children or tree["fit"].attrs.get("format") != FORMAT:
            raise DataError(foreign)
        observed = tree["observed_data"].data_vars["x"].values if "observed_data" in tree.children else None
        if observed is not None and observed.ndim == 1:  # of one column
            observed = observed[:, None]
        return _read(tree, types, build, observed)


def _read(tree: xr.DataTree, types: dict[str, type], build: type[Fit], observed: np.ndarray | None) -> Fit:
    """The fit of one group, with its members', which were made on the same data."""
    attrs = tree["fit"].attrs
    arrays = {str(name): value.values for name, value in tree["fit"].data_vars.items()}
    draws = _stored_draws(tree, arrays)
    alignment = _stored_alignment(tree)
    parts = {
        name: convert.from_json(attrs[name], types)
        for name in ("model", "method", "status", "diagnostics", "estimate", "facts", "provenance")
    }
    facts, model = parts["facts"], parts["model"]
    n_members = sum(name.startswith(MEMBER) for name in tree.children)
    members = tuple(_read(tree.children[f"{MEMBER}{i}"], types, build, observed) for i in range(n_members))
    if members:
        estimate = StackedEstimate(parts["estimate"]["names"], members, arrays["weights"])
    else:
        estimate = _estimate(parts["estimate"], arrays, draws, model, alignment)
    return build(
        model, parts["method"], estimate, parts["status"], parts["diagnostics"], arrays["history"], facts["seconds"],
        facts["seed"], observed, facts["n_obs"], facts["feature_names"], parts["provenance"],
    )  # fmt: skip


def _state(estimate: Estimate) -> tuple[str, dict[str, np.ndarray], dict]:
    """Kind, exact arrays and plain values of an estimate."""
    if isinstance(estimate, PointEstimate):
        return "point", {"precision_chol": estimate.params.precision_chol}, {"log_likelihood": estimate.log_likelihood}
    if isinstance(estimate, Draws):
        arrays = {"precision_chol": estimate.params.precision_chol}
        for name in estimate.states[0].arrays if estimate.states else ():
            arrays[STATE + name] = np.stack([state.arrays[name] for state in estimate.states])
        return "draws", arrays, {"generators": tuple(state.generator for state in estimate.states)}
    if isinstance(estimate, VariationalPosterior):
        components = estimate.posterior.components
        arrays = {
            "mean": components.mean,
            "mean_precision": components.mean_precision,
            "dof": components.dof,
            "scale": components.scale,
        }
        return "variational", arrays, {"seed": estimate.seed, "weights": estimate.posterior.weights}
    if isinstance(estimate, ApproximateDraws):
        center, arrays = estimate.center, {"precision_chol": estimate.sampled.precision_chol}
        arrays |= {"center_weights": center.weights, "center_means": center.means, "center_chol": center.precision_chol}
        arrays |= {} if estimate.log_ratio is None else {"log_ratio": estimate.log_ratio}
        return "approximation", arrays, {"is_aligned": estimate.is_aligned}
    if isinstance(estimate, StackedEstimate):
        return "stacked", {"weights": estimate.weights}, {"names": estimate.names}
    assert isinstance(estimate, NoEstimate)
    return "none", {}, {"reason": estimate.reason}


def members_of(estimate: Estimate) -> tuple[Fit, ...]:
    """The fits that a stack is made of; none of any other."""
    return estimate.members if isinstance(estimate, StackedEstimate) else ()


def _stored_draws(tree: xr.DataTree, arrays: dict[str, np.ndarray]) -> tuple[MixtureParams, dict] | None:
    if "precision_chol" not in arrays:
        return None
    posterior = tree["posterior"].data_vars
    params = MixtureParams.trusted(posterior["weights"].values, posterior["means"].values, arrays["precision_chol"])
    stats = tree["sample_stats"].data_vars.items() if "sample_stats" in tree.children else ()
    return params, {str(name): value.values for name, value in stats}


def alignment_of(estimate: Estimate) -> Alignment | None:
    """How draws were aligned; None where they were not, or are no draws."""
    return estimate.alignment if isinstance(estimate, (Draws, ApproximateDraws)) else None


def _alignment_arrays(alignment: Alignment) -> dict[str, np.ndarray]:
    return {name: getattr(alignment, name) for name in ALIGNMENT}


def _stored_alignment(tree: xr.DataTree) -> Alignment | None:
    if "alignment" not in tree.children:
        return None
    group = tree["alignment"]
    return Alignment(group.attrs["method"], *(group.data_vars[name].values for name in ALIGNMENT))


def _estimate(facts: dict, arrays: dict[str, np.ndarray], draws, model, alignment: Alignment | None) -> Estimate:
    if facts["kind"] == "point":
        params = MixtureParams.trusted(draws[0].weights[0, 0], draws[0].means[0, 0], draws[0].precision_chol)
        return PointEstimate(params, facts["log_likelihood"])
    if facts["kind"] == "draws":
        names = [name for name in arrays if name.startswith(STATE)]
        states = tuple(
            ChainState({name.removeprefix(STATE): arrays[name][c] for name in names}, generator)
            for c, generator in enumerate(facts.get("generators", ()))
        )
        params, stats = draws
        return Draws(params, stats, states, alignment)
    if facts["kind"] == "approximation":
        center = MixtureParams.trusted(*(arrays[f"center_{name}"] for name in ("weights", "means", "chol")))
        return ApproximateDraws(center, draws[0], facts["is_aligned"], alignment, arrays.get("log_ratio"))
    if facts["kind"] == "variational":
        hyper = (arrays[name] for name in ("mean", "mean_precision", "dof", "scale"))
        components = ConjugateComponents(model.covariance, *hyper)
        return VariationalPosterior(ConjugateMixture(facts["weights"], components), facts["seed"])
    return NoEstimate(facts["reason"])


def _prior_constants(fit: Fit) -> dict[str, np.ndarray]:
    constants = fit.model.prior.constants() | fit.model.weight_constants()
    return {f"prior_{name}": value for name, value in constants.items()}


def _replicate(draws: MixtureParams, n: int, rng: np.random.Generator) -> np.ndarray:
    """(chain, draw, n, d): one simulated data set per draw."""
    shape = draws.draw_shape
    flat = draws.reshaped(int(np.prod(shape)))
    out = np.empty((len(flat.weights), n, draws.n_features))
    for s in range(len(out)):
        out[s] = density.sample(flat[s], n, rng)[0]
    return out.reshape(*shape, n, draws.n_features)
