"""A `Fit` from the netCDF file that ``Fit.save`` wrote: whole, of known classes and of shapes that belong together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm import convert
from bayesgmm.core.facts import NO_FACTS, RowFacts
from bayesgmm.core.params import MixtureParams
from bayesgmm.data.paths import check_is_file, checked_path
from bayesgmm.errors import DataError
from bayesgmm.priors.conjugate import ConjugateComponents
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.result.alignment import Alignment
from bayesgmm.result.approximation import ApproximateDraws
from bayesgmm.result.estimates import ChainState, Draws, Estimate, NoEstimate, PointEstimate, VariationalPosterior
from bayesgmm.result.files import ALIGNMENT, FACTS, FORMAT, MEMBER, SEAL, STATE, WEIGHTS, seal_of
from bayesgmm.result.stacked import StackedEstimate
from bayesgmm.result.status import Status
from bayesgmm.rows import Classes, checked_weights

if TYPE_CHECKING:
    import xarray as xr

    from bayesgmm.result.fit import Fit


def load(path: str | Path, types: dict[str, type], build: type[Fit]) -> Fit:
    """Read what `save` wrote; `types` are the classes that may appear in it.

    A file that is not as it was written can make the libraries that read it fail in any way, and its numbers may still
    be numbers: so the seal at its end is checked before anything else looks at it.
    """
    import xarray as xr

    path = checked_path(path)
    if not path.exists():
        raise DataError(f"There is no file {str(path)!r}: check the path.")
    check_is_file(path)
    foreign = f"{str(path)!r} was not written by Fit.save of this version of bayesgmm ({FORMAT})."
    damaged = f"{str(path)!r} is damaged: it is not as Fit.save wrote it. Save the fit again, or fit it anew."
    _check_seal(path, foreign, damaged)
    try:
        opened = xr.open_datatree(path, engine="h5netcdf")
    except Exception as error:  # h5py and xarray say at length, and in many ways, that it is no such file
        raise DataError(foreign) from error
    with opened as tree:
        try:
            is_ours = "fit" in tree.children and tree["fit"].attrs.get("format") == FORMAT
        except Exception as error:
            raise DataError(damaged) from error
        if not is_ours:
            raise DataError(foreign)
        try:
            _check_sizes(tree, path.stat().st_size)
            observed = tree["observed_data"].data_vars["x"].values if "observed_data" in tree.children else None
            if observed is not None and observed.ndim == 1:  # of one column
                observed = observed[:, None]
            fit = _read(tree, types, build, observed)
            _check(fit)
        except DataError:
            raise
        except Exception as error:  # whatever a foreign hand has changed
            raise DataError(f"{damaged} ({type(error).__name__}: {str(error)[:200]})") from error
    return fit


def _check_seal(path: Path, foreign: str, damaged: str) -> None:
    """Raise a DataError where the end of the file is no seal, or that of something else."""
    length = len(SEAL) + 64
    try:
        n_bytes = max(0, path.stat().st_size - length)
        with path.open("rb") as file:
            file.seek(n_bytes)
            end = file.read()
        if not end.startswith(SEAL):
            raise DataError(foreign)
        if end != seal_of(path, n_bytes):
            raise DataError(damaged)
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read ({error.strerror or error}).") from error


def _check_sizes(tree: xr.DataTree, file_size: int) -> None:
    """Nothing is compressed, so an array that is larger than the file was never written."""
    for group in tree.subtree:
        for name, variable in group.variables.items():
            if variable.nbytes > file_size:
                raise ValueError(f"{name} would be larger than the file")


def _check(fit: Fit) -> None:
    """Raise a ValueError where arrays do not belong together."""
    n_components, n_features = fit.model.n_components, len(fit.feature_names)
    if not isinstance(fit.status, Status) or fit.history.ndim != 1:
        raise ValueError("no status or no history")
    if fit.X is not None and fit.X.shape != (len(fit.X), n_features) or _n_obs(fit) != fit.n_obs:
        raise ValueError("the data have another shape")
    if fit.X is not None and not _is_of_rows(fit.facts, len(fit.X), n_components):
        raise ValueError("what is known of the rows has another shape")
    if fit.classes is not None and len(fit.classes.owner) != n_components:
        raise ValueError("the classes have other components than the model")
    if fit.kind == "none" or isinstance(fit.estimate, StackedEstimate):
        return
    for params in (fit.estimate.params, fit.estimate.draws()):
        shapes = [params.weights.shape[-1:], params.means.shape[-2:], params.precision_chol.shape]
        square = (n_components, *params.form.shape(n_features))
        if shapes[:2] != [(n_components,), square[:2]] or shapes[2] != (*params.draw_shape, *square):
            raise ValueError("weights, means and covariances have other shapes than the model")
        if params.means.shape[:-2] != params.draw_shape or not np.allclose(params.weights.sum(-1), 1.0, atol=1e-6):
            raise ValueError("weights that do not sum to one")


def _is_of_rows(facts: RowFacts, n_rows: int, n_components: int) -> bool:
    """Whether the arrays have one entry a row, and name classes that there are."""
    weights, classes, allowed, offsets = facts
    are_known = classes.size == 0 or (-1 <= classes.min() and classes.max() < len(allowed))
    is_allowed = allowed.shape in ((0, 0), (len(allowed), n_components))
    is_offset = offsets.shape in ((0, 0), (n_rows, n_components))
    return len(weights) in (0, n_rows) and len(classes) in (0, n_rows) and are_known and is_allowed and is_offset


def _n_obs(fit: Fit) -> float:
    """The number of points that the arrays say."""
    if fit.X is None:
        return fit.n_obs
    if fit.sample_weight is None:
        return len(fit.X)
    return checked_weights(fit.sample_weight, len(fit.X)).sum()


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
        NO_FACTS if observed is None else _stored_facts(arrays), _stored_classes(attrs, types),
    )  # fmt: skip


def _stored_facts(arrays: dict[str, np.ndarray]) -> RowFacts:
    stored = [arrays.get(f"{FACTS}{name}") for name in RowFacts._fields]
    found = RowFacts(*(empty if array is None else array for array, empty in zip(stored, NO_FACTS, strict=True)))
    found = found._replace(classes=found.classes.astype(np.int64))  # a file has floats alone
    return found._replace(weights=arrays[WEIGHTS]) if WEIGHTS in arrays else found


def _stored_classes(attrs: dict, types: dict[str, type]) -> Classes | None:
    found = convert.from_json(attrs["classes"], types) if "classes" in attrs else None
    return None if found is None else Classes(tuple(found[0]), tuple(int(c) for c in found[1]))


def _stored_draws(tree: xr.DataTree, arrays: dict[str, np.ndarray]) -> tuple[MixtureParams, dict] | None:
    if "precision_chol" not in arrays:
        return None
    posterior = tree["posterior"].data_vars
    params = MixtureParams.trusted(posterior["weights"].values, posterior["means"].values, arrays["precision_chol"])
    stats = tree["sample_stats"].data_vars.items() if "sample_stats" in tree.children else ()
    return params, {str(name): value.values for name, value in stats}


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
        return Draws(params, stats, states, alignment, facts.get("is_identified", False))
    if facts["kind"] == "approximation":
        center = MixtureParams.trusted(*(arrays[f"center_{name}"] for name in ("weights", "means", "chol")))
        return ApproximateDraws(center, draws[0], facts["is_aligned"], alignment, arrays.get("log_ratio"))
    if facts["kind"] == "variational":
        hyper = (arrays[name] for name in ("mean", "mean_precision", "dof", "scale"))
        components = ConjugateComponents(model.covariance, *hyper)
        return VariationalPosterior(ConjugateMixture(facts["weights"], components), facts["seed"])
    return NoEstimate(facts["reason"])
