"""Draws of another program as arrays: variables found by name, brought into one shape, checked draw by draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bayesgmm.core.matrices import invert_triangular, precision_chol_of
from bayesgmm.core.params import MixtureParams
from bayesgmm.data import DataMatrix
from bayesgmm.errors import ArgumentError
from bayesgmm.methods.foreign.named_axes import LISTED, Axes, NamedDraws, Names, Variable, refuse

SUM_ERROR = 1e-5  # of weights: float32, and decimal files with six digits, round by less
ASYMMETRY = 1e-5  # of a covariance, relative: the same


def weights_of(draws: NamedDraws, name: Names | None) -> Variable | None:
    """(chain, draw, K) weights of sum one; None where there is one component."""
    if name is None:
        return None
    weights = draws.take(name, "weights")
    values = weights.values
    if values.ndim != 3:
        raise ArgumentError(f"weights have shape {values.shape}: they must be (chain, draw, K).")
    refuse(values < 0, "weights", "is negative", values)
    total = values.sum(-1)
    refuse(np.abs(total - 1.0) > SUM_ERROR, "the sum of the weights", "is not one", total)
    return replace(weights, values=values / total[..., None])


def axes_of(weights: Variable | None, data: DataMatrix, is_named: bool) -> Axes:
    """What is known before the means are read."""
    component = "" if weights is None or weights.dims[0] == LISTED else weights.dims[0]
    return Axes(component, data.feature_names, is_named)


def means_of(draws: NamedDraws, name: Names, axes: Axes) -> tuple[np.ndarray, Axes]:
    """(chain, draw, K, D) means in the order of X's columns, and what they tell of the axes of other variables."""
    means, n_features = draws.take(name, "means"), len(axes.columns)
    if means.values.ndim == 3 and n_features == 1:
        return axes.arranged(means, "c").values[..., None], replace(axes, order=(0,))
    means = axes.arranged(means, "cf")
    shape = means.values.shape
    if len(shape) != 4 or shape[3] != n_features:
        hint = ": name a variable whose last two axes are exchanged" if len(shape) == 4 else ""
        raise ArgumentError(
            f"means have shape {shape} and X has {n_features} columns: they must be (chain, draw, K, "
            f"{n_features}){hint}."
        )
    order = axes.columns_of(means, 1)
    dims = {means.dims[1]} - {"", axes.component}
    return means.values[..., order], replace(axes, order=tuple(order), features=frozenset(dims))


def shares_of(weights: Variable | None, shape: tuple[int, ...]) -> np.ndarray:
    """(chain, draw, K) weights that go with means of `shape`."""
    if weights is None:
        if shape[2] > 1:
            raise ArgumentError(f"weights=None is for one component, and the means are of {shape[2]}.")
        return np.ones((*shape[:2], 1))
    found = weights.values.shape
    if found[2] != shape[2]:
        raise ArgumentError(
            f"weights have shape {found} and the means are of {shape[2]} components: they must be (chain, draw, K)."
        )
    if found[:2] != shape[:2]:
        raise ArgumentError(f"weights have axes (chain, draw) of {found[:2]} and the means {shape[:2]}.")
    return weights.values


@dataclass(frozen=True, eq=False)
class Scatter:
    """Covariances of all draws, and the structure that their shape tells.

    Parameters
    ----------
    structure : str
    factor : (chain, draw, K, D, D) or (chain, draw, K, D) array
        P of each, or its diagonal.
    """

    structure: str
    factor: np.ndarray


def scatter_of(draws: NamedDraws, given: dict[str, Names], shape: tuple[int, ...], axes: Axes) -> Scatter:
    """From one of `READERS`: matrices, or standard deviations with perhaps correlations.

    Parameters
    ----------
    shape : tuple
        Of the means.
    """
    names = [name for name in given if name not in WITH_SD]
    if len(names) != 1 or (len(given) > 1 and (names != ["sd"] or len(given) > 2)):
        raise ArgumentError(
            "give exactly one of covariances=, chol=, precision=, precision_chol= and sd= (and corr= or corr_chol= "
            f"with sd=), not {', '.join(given) or 'none'}."
        )
    argument = " and ".join(sorted(given, key=lambda name: name in WITH_SD))
    found = [draws.take(given[name], name) for name in argument.split(" and ")]
    for variable in found:
        if variable.values.shape[:2] != shape[:2]:
            raise ArgumentError(
                f"{argument} have axes (chain, draw) of {variable.values.shape[:2]} and the means {shape[:2]}."
            )
    return READERS[argument](found, axes, *shape[2:])


def _from_covariances(found: list[Variable], axes: Axes, k: int, d: int) -> Scatter:
    matrices, is_common = _symmetric(found[0], axes, k, d)
    return Scatter("tied" if is_common else "full", _factor_of_covariances(matrices, "covariances"))


def _from_precisions(found: list[Variable], axes: Axes, k: int, d: int) -> Scatter:
    """P P^T = T with P upper triangular: the Cholesky factor of T with rows and columns in reverse, reversed again."""
    matrices, is_common = _symmetric(found[0], axes, k, d)
    symmetric = _checked_definite(matrices, "precision")[..., ::-1, ::-1]
    return Scatter("tied" if is_common else "full", np.linalg.cholesky(symmetric)[..., ::-1, ::-1])


def _from_cholesky(found: list[Variable], axes: Axes, k: int, d: int) -> Scatter:
    """Lower triangles, square or packed row by row as PyMC's LKJCholeskyCov."""
    lower, is_common, order = _triangles(_unpacked(found[0], axes, k, d), axes, k, d, is_lower=True)
    return Scatter("tied" if is_common else "full", _reordered(_inverse_transposed(lower), order))


def _from_precision_chol(found: list[Variable], axes: Axes, k: int, d: int) -> Scatter:
    upper, is_common, order = _triangles(found[0], axes, k, d, is_lower=False)
    return Scatter("tied" if is_common else "full", _reordered(upper, order))


def _from_deviations(found: list[Variable], axes: Axes, k: int, d: int) -> Scatter:
    """(K, D), one per component, one per column, or one in all."""
    is_by_column = len(found[0].dims) == 1 and axes.role(found[0], 0) == "f"
    sd = _deviations(found[0], axes, (k, d), *[(d,)] * is_by_column)
    event = sd.shape[2:]
    if event == (k, d) and not is_by_column:
        structure = "diagonal" if d > 1 else "full"
    elif event == (k,) and not is_by_column:
        sd, structure = sd[..., None], "spherical" if d > 1 else "full"
    elif event == ():
        sd, structure = sd[..., None, None], "isotropic" if d > 1 else "tied"
    elif event == (d,) and is_by_column:
        sd, structure = sd[..., None, :], "shared_diagonal" if d > 1 else "tied"
    else:
        raise ArgumentError(_wanted("sd", event, f"({k}, {d}), ({k},), ({d},) of columns or ()"))
    factor = np.array(np.broadcast_to(1.0 / sd, (*sd.shape[:2], k, d)))
    return Scatter(structure, factor if d > 1 else factor[..., None])


def _deviations(sd: Variable, axes: Axes, *by_column: tuple[int, ...]) -> np.ndarray:
    """Positive numbers; in the shapes `by_column` the last axis is put in the order of X's columns."""
    if len(sd.dims) == 2:
        sd = axes.arranged(sd, "cf")
    values = sd.values
    refuse(values <= 0, "sd", "is not positive", values)
    return values[..., axes.columns_of(sd, len(sd.dims) - 1)] if values.shape[2:] in by_column else values


def _from_correlations(found: list[Variable], axes: Axes, k: int, d: int) -> Scatter:
    correlations, is_common = _symmetric(found[1], axes, k, d)
    return _with_deviations(found[0], correlations, is_common, axes)


def _from_correlation_factors(found: list[Variable], axes: Axes, k: int, d: int) -> Scatter:
    """Stan's ``cholesky_factor_corr``."""
    lower, is_common, order = _triangles(found[1], axes, k, d, is_lower=True)
    correlations = lower @ np.swapaxes(lower, -1, -2)
    return _with_deviations(found[0], correlations[..., order, :][..., order], is_common, axes)


def _with_deviations(sd: Variable, correlations: np.ndarray, is_common: bool, axes: Axes) -> Scatter:
    k, d = correlations.shape[2:4]
    diagonal = np.diagonal(correlations, axis1=-2, axis2=-1)
    refuse(np.abs(diagonal - 1.0) > ASYMMETRY, "the diagonal of the correlations", "is not one", diagonal)
    is_by_component = len(sd.dims) == 1 and axes.role(sd, 0) == "c"
    allowed = [(k, d), (d,)] if is_common and not is_by_component else [(k, d)]
    values = _deviations(sd, axes, *allowed)
    if values.shape[2:] not in allowed:
        raise ArgumentError(_wanted("sd", values.shape[2:], " or ".join(map(str, allowed))))
    is_tied = is_common and values.ndim == 3
    full = np.broadcast_to(values[:, :, None] if values.ndim == 3 else values, (*values.shape[:2], k, d))
    covariances = correlations * full[..., None] * full[..., None, :]
    return Scatter("tied" if is_tied else "full", _factor_of_covariances(covariances, "sd and correlations"))


WITH_SD = ("corr", "corr_chol")
READERS: dict[str, Callable[[list[Variable], Axes, int, int], Scatter]] = {
    "covariances": _from_covariances, "chol": _from_cholesky, "precision": _from_precisions,
    "precision_chol": _from_precision_chol, "sd": _from_deviations, "sd and corr": _from_correlations,
    "sd and corr_chol": _from_correlation_factors,
}  # fmt: skip


def _symmetric(variable: Variable, axes: Axes, k: int, d: int) -> tuple[np.ndarray, bool]:
    """(chain, draw, K, D, D) matrices with rows and columns as X has them, and whether one was given for all."""
    matrices, is_common, variable = _matrices(variable, axes, k, d)
    if d == 1:
        return matrices, is_common
    rows, columns = (axes.columns_of(variable, axis) for axis in (-2, -1))
    return matrices[..., rows, :][..., columns], is_common


def _triangles(variable: Variable, axes: Axes, k: int, d: int, is_lower: bool) -> tuple[np.ndarray, bool, list[int]]:
    """(chain, draw, K, D, D) triangles in the order in which they were made, and where the columns of X stand there."""
    matrices, is_common, variable = _matrices(variable, axes, k, d)
    side, meaning = ("lower", "C with Sigma = C C^T") if is_lower else ("upper", "P with inv(Sigma) = P P^T")
    other = np.triu(matrices, 1) if is_lower else np.tril(matrices, -1)
    if np.abs(other).max() > 0:
        raise ArgumentError(
            f"{variable.argument} is not {side} triangular: {meaning} is wanted, with its axes in the order in which "
            "it was made; give covariances= where they stand in another."
        )
    diagonal = np.diagonal(matrices, axis1=-2, axis2=-1)
    refuse(diagonal <= 0, f"the diagonal of {variable.argument}", "is not positive", diagonal)
    is_square = variable.values.shape[-2:] == (d, d) and d > 1
    return matrices, is_common, axes.columns_of(variable, -2) if is_square else list(axes.order)


def _unpacked(variable: Variable, axes: Axes, k: int, d: int) -> Variable:
    size = d * (d + 1) // 2
    if d > 1 and len(variable.dims) == 2 and variable.dims[1] == axes.component != "":
        variable = replace(
            variable, values=np.swapaxes(variable.values, 2, 3), dims=variable.dims[::-1], labels=variable.labels[::-1]
        )
    values = variable.values
    if values.shape[2:] not in ((k, size), (size,)) or values.shape[2:] == (d, d) or d == 1:
        return variable
    square = np.zeros((*values.shape[:-1], d, d))
    square[(..., *np.tril_indices(d))] = values
    return replace(variable, values=square, dims=(*variable.dims[:-1], "", ""), labels=(*variable.labels[:-1], (), ()))


def _inverse_transposed(lower: np.ndarray) -> np.ndarray:
    return np.swapaxes(invert_triangular(lower, is_lower=True), -1, -2)


def _reordered(factor: np.ndarray, order: list[int]) -> np.ndarray:
    """Precision factors of the same covariances with rows and columns in another order."""
    if order == list(range(len(order))):
        return factor
    inverse = invert_triangular(factor)
    covariances = np.swapaxes(inverse, -1, -2) @ inverse
    return precision_chol_of(covariances[..., order, :][..., order])


def _matrices(variable: Variable, axes: Axes, k: int, d: int) -> tuple[np.ndarray, bool, Variable]:
    """(chain, draw, K, D, D) matrices, whether one was given for all components, and the variable in that order."""
    wanted = {3: "cff", 2: "ff", 1: "c"}.get(len(variable.dims), "")
    variable = axes.arranged(variable, wanted)
    values, event = variable.values, variable.values.shape[2:]
    if d == 1 and event in ((k,), ()):
        values = values[..., None, None]
        event = values.shape[2:]
    if event == (d, d):
        return np.array(np.broadcast_to(values[:, :, None], (*values.shape[:2], k, d, d))), True, variable
    if event != (k, d, d):
        raise ArgumentError(_wanted(variable.argument, event, f"({k}, {d}, {d}), or ({d}, {d}) for all components"))
    return values, False, variable


def _factor_of_covariances(matrices: np.ndarray, argument: str) -> np.ndarray:
    return precision_chol_of(_checked_definite(matrices, argument))


def _checked_definite(matrices: np.ndarray, argument: str) -> np.ndarray:
    """The symmetric parts."""
    size = np.abs(matrices).max((-2, -1), keepdims=True)
    transposed = np.swapaxes(matrices, -1, -2)
    skew = np.abs(matrices - transposed) > ASYMMETRY * size
    refuse(skew, argument, "is not symmetric", matrices)
    deviations = np.sqrt(np.maximum(np.diagonal(matrices, axis1=-2, axis2=-1), 0.0))
    entry = "a diagonal entry" if argument == "precision" else "a variance"
    refuse(deviations <= 0, f"{entry} of {argument}", "is not positive", deviations**2)
    symmetric = 0.5 * (matrices + transposed)
    correlations = symmetric / deviations[..., None] / deviations[..., None, :]
    lowest = np.linalg.eigvalsh(correlations)[..., 0]
    few_eps = 4 * matrices.shape[-1] * np.finfo(float).eps
    refuse(lowest <= few_eps, f"the smallest eigenvalue of the correlations in {argument}", "is not positive", lowest)
    return symmetric


def _wanted(argument: str, event: tuple[int, ...], allowed: str) -> str:
    return f"{argument} has shape {event} within a draw; with these means and columns it must be {allowed}."


def as_params(weights: np.ndarray, means: np.ndarray, factor: np.ndarray) -> MixtureParams:
    """All draws, in memory order for the kernels."""
    return MixtureParams.trusted(*(np.ascontiguousarray(array) for array in (weights, means, factor)))
