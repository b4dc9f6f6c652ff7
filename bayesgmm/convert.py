"""Fits as data: `xarray.DataTree` groups, and Python objects as JSON (no pickle)."""

from __future__ import annotations

import dataclasses
import json
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import ArgumentError, DataError

if TYPE_CHECKING:
    import xarray as xr

DIMS = {
    "weights": ("component",),
    "means": ("component", "feature"),
    "covariances": ("component", "feature", "feature_bis"),
}


def posterior_dataset(
    draws: MixtureParams, feature_names: tuple[str, ...], unknowns: dict[str, np.ndarray] | None = None
) -> xr.Dataset:
    """Weights, means and covariances with dims (chain, draw, component, feature, feature_bis).

    `unknowns` are what the prior leaves unknown besides: numbers, or arrays with axes (feature, feature_bis).
    """
    import xarray as xr

    variables: Any = {name: (("chain", "draw", *dims), getattr(draws, name)) for name, dims in DIMS.items()}
    for name, values in (unknowns or {}).items():
        variables[name] = (("chain", "draw", "feature", "feature_bis")[: values.ndim], values)
    chains, n_draws = draws.draw_shape
    coords = {
        "chain": np.arange(chains),
        "draw": np.arange(n_draws),
        "component": np.arange(draws.n_components),
        "feature": list(feature_names),
        "feature_bis": list(feature_names),
    }
    return xr.Dataset(variables, coords)


def sample_dataset(arrays: dict[str, np.ndarray], dims: tuple[str, ...] = ()) -> xr.Dataset:
    """Arrays with dims (chain, draw, *dims) as one data set."""
    import xarray as xr

    dataset = xr.Dataset({name: (("chain", "draw", *dims), values) for name, values in arrays.items()})
    return dataset.assign_coords({name: np.arange(size) for name, size in dataset.sizes.items() if name != "feature"})


def alignment_dataset(method: str, arrays: dict[str, np.ndarray]) -> xr.Dataset:
    """Arrays with dims (chain, draw) or (chain, draw, component), and the name of the method that aligned them."""
    import xarray as xr

    dims = ("chain", "draw", "component")
    dataset = xr.Dataset(
        {name: (dims[: values.ndim], values) for name, values in arrays.items()}, attrs={"method": method}
    )
    return dataset.assign_coords({name: np.arange(size) for name, size in dataset.sizes.items()})


def observed_dataset(X: np.ndarray, feature_names: tuple[str, ...]) -> xr.Dataset:
    """The data as variable x with dims (obs, feature); of one column (obs,), which ArviZ asks for there."""
    import xarray as xr

    if X.shape[1] == 1:
        return xr.Dataset({"x": (("obs",), X[:, 0])}, {"obs": np.arange(len(X))})
    return xr.Dataset({"x": (("obs", "feature"), X)}, {"obs": np.arange(len(X)), "feature": list(feature_names)})


def replicates_dataset(values: np.ndarray, feature_names: tuple[str, ...]) -> xr.Dataset:
    """(chain, draw, n, d) data sets as variable x, with the dims of the data."""
    if values.shape[-1] == 1:
        return sample_dataset({"x": values[..., 0]}, ("obs",))
    return sample_dataset({"x": values}, ("obs", "feature")).assign_coords(feature=list(feature_names))


def constants_dataset(constants: dict[str, Any]) -> xr.Dataset:
    """Prior constants, each with dims of its own."""
    import xarray as xr

    arrays = {name: np.asarray(value, float) for name, value in constants.items()}
    return xr.Dataset(
        {name: (tuple(f"{name}_{i}" for i in range(value.ndim)), value) for name, value in arrays.items()}
    )


def array_group(arrays: dict[str, np.ndarray]) -> xr.Dataset:
    """Plain arrays for a file: exact values, dims that mean nothing."""
    return constants_dataset(arrays)


def to_json(value: Any) -> str:
    """A dataclass, array, enum or plain value as JSON text."""
    return json.dumps(_encode(value))


def from_json(text: str, types: dict[str, type]) -> Any:
    """The inverse of `to_json`; `types` are the classes that may appear, by name."""
    return _decode(json.loads(text), types)


def _encode(value: Any) -> Any:
    if isinstance(value, Enum):
        return {"enum": type(value).__name__, "value": value.value}
    if isinstance(value, MixtureParams):
        fields = {"weights": value.weights, "means": value.means, "precision_chol": value.precision_chol}
        return {"type": "MixtureParams", "fields": {name: _encode(array) for name, array in fields.items()}}
    if dataclasses.is_dataclass(value):
        fields = {f.name: _encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, "fields": fields}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": str(value.dtype)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (tuple, list)):
        return {"tuple": [_encode(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": {str(key): _encode(item) for key, item in value.items()}}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ArgumentError(
        f"{value!r} cannot be written to a file: it is neither a number, a string nor a bayesgmm object."
    )


def _decode(value: Any, types: dict[str, type]) -> Any:
    if not isinstance(value, dict):
        return value
    if "enum" in value:
        return _known(value["enum"], types)(value["value"])
    if "array" in value:
        return _array(value["array"], np.dtype(value["dtype"]))
    if "tuple" in value:
        return tuple(_decode(item, types) for item in value["tuple"])
    if "dict" in value:
        return {key: _decode(item, types) for key, item in value["dict"].items()}
    kind, fields = value["type"], {name: _decode(item, types) for name, item in value["fields"].items()}
    if kind == "MixtureParams":
        return MixtureParams.trusted(**fields)
    return _known(kind, types)(**fields)


def _array(values: list, dtype: np.dtype) -> np.ndarray:
    if dtype.kind not in "biufU":
        raise DataError(f"the file holds an array of {dtype}, which bayesgmm does not write.")
    return np.array(values, dtype)


def _known(name: str, types: dict[str, type]) -> type:
    if name not in types:
        raise DataError(f"the file holds a {name}, which this version of bayesgmm does not know.")
    return types[name]
