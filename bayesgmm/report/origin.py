"""Where the numbers come from: data, call, versions, options and prior constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm.report.content import Cell, Table
from bayesgmm.report.numbers import whole
from bayesgmm.result.provenance import PACKAGES

if TYPE_CHECKING:
    from bayesgmm.result.fit import Fit

MAX_COLUMNS = 6  # of a covariance that is written out in full


def origin_table(fits: Mapping[str, Fit], facts: Mapping[str, str]) -> Table:
    """The data, the call and the software."""
    fit = next(iter(fits.values()))
    origin = fit.provenance
    pairs = {
        **facts,
        "points and columns": f"{whole(fit.n_obs)} × {len(fit.feature_names)}: {', '.join(fit.feature_names)}",
        "SHA-256 of the data": origin["data_sha256"],
        "Python": f"{origin['python']} on {origin['platform']}",
        "versions": ", ".join(f"{name} {origin[f'version_{name}']}" for name in PACKAGES),
    }
    return Table(
        "Data and software", ("", ""), tuple((Cell(name), Cell(text)) for name, text in pairs.items()), is_text=True
    )


def methods_table(fits: Mapping[str, Fit]) -> Table:
    """Every method with its options."""
    methods = {type(fit.method).__name__: fit.method for fit in fits.values()}
    rows = tuple((Cell(name), Cell(_options(method))) for name, method in methods.items())
    return Table("Method options", ("method", "options"), rows, is_text=True)


def priors_table(fits: Mapping[str, Fit]) -> Table:
    """The prior constants that were resolved from the data, once per model."""
    rows = {}
    for fit in fits.values():
        model, prior = fit.model, fit.model.prior.constants()
        cells = (
            f"{model.n_components}, {model.covariance.name}", _weight_constants(model.weight_constants()),
            _constant(prior["mean"]), _among(prior, "mean_precision", "mean_covariance"), _constant(prior["dof"]),
            _among(prior, "scale", "scale_shape", "scale_rate"),
        )  # fmt: skip
        rows.setdefault(cells, tuple(Cell(text) for text in cells))
    columns = ("K, covariance", "concentration", "mean", "mean precision", "dof", "scale")
    return Table("Prior constants (maximum likelihood does not use them)", columns, tuple(rows.values()), is_text=True)


def seeds_table(fits: Mapping[str, Fit]) -> Table:
    """The seed that makes each fit again, and when it was made."""
    rows = tuple((Cell(name), Cell(str(fit.seed)), Cell(fit.provenance["created"])) for name, fit in fits.items())
    return Table("Seeds", ("fit", "seed", "made at"), rows, is_text=True)


def _options(method: Any) -> str:
    return ", ".join(f"{field.name}={getattr(method, field.name)!r}" for field in fields(method))


def _weight_constants(constants: Mapping[str, np.ndarray]) -> str:
    if list(constants) == ["concentration"]:
        return _constant(constants["concentration"])
    return "; ".join(f"{name} {_constant(value)}" for name, value in constants.items())


def _among(constants: Mapping[str, np.ndarray], usual: str, *others: str) -> str:
    if usual in constants:
        return _constant(constants[usual])
    return "; ".join(f"{name.replace('_', ' ')} {_constant(constants[name])}" for name in others if name in constants)


def _constant(value: Any) -> str:
    array = np.asarray(value, float)
    if array.ndim >= 2 and array.shape[-1] > MAX_COLUMNS:
        diagonal = np.diagonal(array, axis1=-2, axis2=-1)
        return f"diagonal {_constant(diagonal)}; in full in the fit's file, group constant_data"
    if array.ndim and (array == array.flat[0]).all() and array.ndim == 1 and array.size > 1:
        return f"{array.flat[0]:.5g} ({array.size} times)"
    text = np.array2string(array, separator=", ", formatter={"float_kind": lambda x: f"{x:.5g}"}, threshold=1000)
    return text.replace("\n", "").replace("-", "\N{MINUS SIGN}")
