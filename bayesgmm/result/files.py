"""A `Fit` as an `xarray.DataTree` and as a netCDF file."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm import convert
from bayesgmm.core import density
from bayesgmm.core.params import MixtureParams
from bayesgmm.data.writing import whole_file
from bayesgmm.errors import NotApplicableError
from bayesgmm.result.alignment import Alignment
from bayesgmm.result.approximation import ApproximateDraws
from bayesgmm.result.estimates import Draws, Estimate, NoEstimate, PointEstimate, VariationalPosterior
from bayesgmm.result.log_prior import log_prior as prior_densities
from bayesgmm.result.own_data import own_data
from bayesgmm.result.stacked import StackedEstimate
from bayesgmm.result.unknowns import unknowns

if TYPE_CHECKING:
    import xarray as xr

    from bayesgmm.result.fit import Fit

FORMAT = "bayesgmm-fit-2"
STATE = "state_"  # begins the names of a chain's state
MEMBER = "member_"  # begins the names of the groups of a stack's members
SEAL = b"\nbayesgmm sha256 "  # begins what stands after the end of the netCDF, where netCDF does not look
PIECE = 2**20  # bytes
FACTS = "known_"  # begins the names of what is known of the rows beside their values
WEIGHTS = "sample_weight"  # the weights' name in files of the version before
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
        values = fit.pointwise.whole().reshape(*draws.draw_shape, -1)
        groups["log_likelihood"] = convert.sample_dataset({"x": values}, ("obs",))
    if log_prior:
        groups["log_prior"] = convert.sample_dataset(prior_densities(fit))
    if posterior_predictive:
        own_data(fit, "are simulated anew")
        values = _replicate(draws, len(fit.points), np.random.default_rng(fit.seed))
        groups["posterior_predictive"] = convert.replicates_dataset(values, fit.feature_names)
    if fit.X is not None:
        seen = fit.points if fit.rows.is_whole else fit.X
        groups["observed_data"] = convert.observed_dataset(seen, fit.feature_names)
    groups["constant_data"] = convert.constants_dataset(_prior_constants(fit))
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(fit.provenance)
    return tree


def to_inferencedata(tree: xr.DataTree) -> Any:
    """The groups of a tree for ArviZ 0.x, or the tree itself for its successor."""
    import arviz

    build = vars(arviz).get("InferenceData")  # asked as an attribute, the successor warns
    if build is None:
        return tree
    groups = {str(name): child.to_dataset() for name, child in tree.children.items()}
    return build(attrs=dict(tree.attrs), **groups)


def save(fit: Fit, path: str | Path, data: bool) -> None:
    """Write the groups without pointwise values, plus the exact state in group ``fit``."""
    import xarray as xr

    tree = xr.DataTree.from_dict(_groups(fit, data))
    tree.attrs.update(fit.provenance)
    with whole_file(path) as new:
        tree.to_netcdf(new, engine="h5netcdf")
        seal = seal_of(new, new.stat().st_size)
        with new.open("ab") as file:
            file.write(seal)


def seal_of(path: Path, n_bytes: int) -> bytes:
    """What stands after the first `n_bytes` of a file: a mark and their hash."""
    digest, left = sha256(), n_bytes
    with path.open("rb") as file:
        while left:
            piece = file.read(min(PIECE, left))
            if not piece:
                break
            digest.update(piece)
            left -= len(piece)
    return SEAL + digest.hexdigest().encode()


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
        if fit.X is not None and fit.sample_weight is not None:  # the tree has every row as often as its weight says
            groups["observed_data"] = convert.observed_dataset(fit.X, fit.feature_names)
    if not data:
        groups.pop("observed_data", None)
    for i, member in enumerate(members_of(fit.estimate)):
        groups |= {f"{MEMBER}{i}/{name}": group for name, group in _groups(member, data=False).items()}
    if data:
        arrays = arrays | {f"{FACTS}{name}": array for name, array in fit.facts._asdict().items() if array.size}
    state = convert.array_group(arrays | {"history": np.asarray(fit.history, float)})
    facts = {
        "model": fit.model,
        "method": fit.method,
        "status": fit.status,
        "diagnostics": fit.diagnostics,
        "estimate": {"kind": kind} | texts,
        "facts": {"seconds": fit.seconds, "seed": fit.seed, "n_obs": fit.n_obs, "feature_names": fit.feature_names},
        "classes": None if fit.classes is None else fit.classes.written(),
        "provenance": fit.provenance,
    }
    state.attrs.update({name: convert.to_json(value) for name, value in facts.items()} | {"format": FORMAT})
    return groups | {"fit": state}


def _state(estimate: Estimate) -> tuple[str, dict[str, np.ndarray], dict]:
    """Kind, exact arrays and plain values of an estimate."""
    if isinstance(estimate, PointEstimate):
        return "point", {"precision_chol": estimate.params.precision_chol}, {"log_likelihood": estimate.log_likelihood}
    if isinstance(estimate, Draws):
        arrays = {"precision_chol": estimate.params.precision_chol}
        for name in estimate.states[0].arrays if estimate.states else ():
            arrays[STATE + name] = np.stack([state.arrays[name] for state in estimate.states])
        generators = tuple(state.generator for state in estimate.states)
        return "draws", arrays, {"generators": generators, "is_identified": estimate.is_identified}
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


def alignment_of(estimate: Estimate) -> Alignment | None:
    """How draws were aligned; None where they were not, or are no draws."""
    return estimate.alignment if isinstance(estimate, (Draws, ApproximateDraws)) else None


def _alignment_arrays(alignment: Alignment) -> dict[str, np.ndarray]:
    return {name: getattr(alignment, name) for name in ALIGNMENT}


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
