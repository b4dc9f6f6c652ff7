"""Draws of another program as arrays: variables found by name, brought into one shape, checked draw by draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.core.params import MixtureParams, invert_triangular, precision_chol_of
from bayesgmm.errors import ArgumentError, shown

SUM_ERROR = 1e-5  # of weights: float32, and decimal files with six digits, round by less
ASYMMETRY = 1e-5  # of a covariance, relative: the same
Names = str | Sequence[str]


@dataclass(frozen=True, eq=False)
class NamedDraws:
    """The variables of one group, each with axes (chain, draw, ...).

    Parameters
    ----------
    arrays : dict of str to array
    """

    arrays: dict[str, np.ndarray]

    @classmethod
    def of(cls, dt: Any, group: str) -> NamedDraws:
        """From a DataTree, an InferenceData, a Dataset or a dict of arrays."""
        found = group_of(dt, group)
        if found is None and hasattr(dt, "data_vars") and dt.data_vars:
            found = dt
        if found is None and isinstance(dt, Mapping) and not hasattr(dt, "children"):
            return cls({str(name): np.asarray(values) for name, values in dt.items()})
        if found is None:
            raise ArgumentError(
                f"dt={shown(dt)} has no group {group!r}: pass a DataTree or InferenceData, its posterior, or a dict of "
                "arrays with axes (chain, draw, ...)."
            )
        arrays = {}
        for name, values in found.data_vars.items():
            if {"chain", "draw"} <= set(values.dims):
                arrays[str(name)] = np.asarray(values.transpose("chain", "draw", ...).values)
        return cls(arrays)

    def take(self, names: Names, argument: str) -> np.ndarray:
        """(chain, draw, ...) float64 values of one variable, or of one for each component, put on a new axis."""
        if not isinstance(names, str):
            parts = [self.take(name, argument) for name in names]
            if not parts or len({part.shape for part in parts}) > 1:
                raise ArgumentError(f"{argument}={shown(names)} must name variables of one shape, one per component.")
            return np.stack(parts, axis=2)
        if names not in self.arrays:
            there = ", ".join(self.arrays) or "none with axes (chain, draw)"
            raise ArgumentError(f"{argument}={names!r} is no variable of these draws, which have: {there}.")
        values = np.asarray(self.arrays[names])
        if values.ndim < 2 or values.dtype.kind not in "iuf":
            raise ArgumentError(
                f"{argument}={names!r} has shape {values.shape} and dtype {values.dtype}: it must hold numbers with "
                "axes (chain, draw, ...)."
            )
        values = values.astype(float)
        _refuse(~np.isfinite(values), f"{argument} ({names!r})", "is not finite")
        return values


def group_of(dt: Any, group: str) -> Any:
    """A group as a Dataset; None where there is none."""
    if hasattr(dt, "children"):
        return dt.children[group].to_dataset() if group in dt.children else None
    found = getattr(dt, group, None)
    return found if hasattr(found, "data_vars") else None


def weights_of(draws: NamedDraws, name: Names | None, n_components: int) -> np.ndarray:
    """(chain, draw, K) weights of sum one."""
    if name is None:
        if n_components > 1:
            raise ArgumentError(f"weights=None is for one component, and the means are of {n_components}.")
        return np.ones((*next(iter(draws.arrays.values())).shape[:2], 1))
    weights = draws.take(name, "weights")
    if weights.ndim != 3 or weights.shape[2] != n_components:
        raise ArgumentError(
            f"weights have shape {weights.shape} and the means are of {n_components} components: they must be (chain, "
            "draw, K)."
        )
    _refuse(weights < 0, "weights", "is negative", weights)
    total = weights.sum(-1)
    _refuse(np.abs(total - 1.0) > SUM_ERROR, "the sum of the weights", "is not one", total)
    return weights / total[..., None]


def means_of(draws: NamedDraws, name: Names, n_features: int) -> np.ndarray:
    """(chain, draw, K, D) means; of one column also (chain, draw, K)."""
    means = draws.take(name, "means")
    if means.ndim == 3 and n_features == 1:
        means = means[..., None]
    if means.ndim != 4 or means.shape[3] != n_features:
        hint = ": name a variable whose last two axes are exchanged" if means.ndim == 4 else ""
        raise ArgumentError(
            f"means have shape {means.shape} and X has {n_features} columns: they must be (chain, draw, K, "
            f"{n_features}){hint}."
        )
    return means


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


def scatter_of(draws: NamedDraws, given: dict[str, Names], shape: tuple[int, int, int, int]) -> Scatter:
    """From one of `READERS`, and for ``sd`` perhaps with correlations.

    Parameters
    ----------
    shape : tuple
        Of the means.
    """
    names = [name for name in given if name != "corr"]
    if len(names) != 1 or ("corr" in given and names != ["sd"]):
        raise ArgumentError(
            f"give exactly one of covariances=, chol=, precision_chol= and sd= (and corr= with sd=), not "
            f"{', '.join(given) or 'none'}."
        )
    argument = "sd and corr" if "corr" in given else names[0]
    arrays = [draws.take(given[name], name) for name in given]
    for array in arrays:
        if array.shape[:2] != shape[:2]:
            raise ArgumentError(f"{argument} have axes (chain, draw) of {array.shape[:2]} and the means {shape[:2]}.")
    return READERS[argument](arrays, argument, *shape[2:])


def _from_covariances(arrays: list[np.ndarray], argument: str, k: int, d: int) -> Scatter:
    matrices, is_shared = _matrices(arrays[0], argument, k, d)
    return Scatter("tied" if is_shared else "full", _factor_of_covariances(matrices, argument))


def _from_cholesky(arrays: list[np.ndarray], argument: str, k: int, d: int) -> Scatter:
    """Lower triangles, square or packed row by row as PyMC's LKJCholeskyCov."""
    values, size = arrays[0], d * (d + 1) // 2
    if values.shape[2:] in ((k, size), (size,)) and values.shape[2:] != (d, d) and d > 1:
        square = np.zeros((*values.shape[:-1], d, d))
        square[(..., *np.tril_indices(d))] = values
        values = square
    matrices, is_shared = _matrices(values, argument, k, d)
    upper = np.abs(np.triu(matrices, 1)).max() if d > 1 else 0.0
    if upper > 0:
        raise ArgumentError(f"{argument} is not lower triangular: C with Sigma = C C^T is wanted.")
    diagonal = np.diagonal(matrices, axis1=-2, axis2=-1)
    _refuse(diagonal <= 0, f"the diagonal of {argument}", "is not positive", diagonal)
    return Scatter("tied" if is_shared else "full", np.swapaxes(invert_triangular(matrices, is_lower=True), -1, -2))


def _from_precision(arrays: list[np.ndarray], argument: str, k: int, d: int) -> Scatter:
    matrices, is_shared = _matrices(arrays[0], argument, k, d)
    if d > 1 and np.abs(np.tril(matrices, -1)).max() > 0:
        raise ArgumentError(f"{argument} is not upper triangular: P with inv(Sigma) = P P^T is wanted.")
    diagonal = np.diagonal(matrices, axis1=-2, axis2=-1)
    _refuse(diagonal <= 0, f"the diagonal of {argument}", "is not positive", diagonal)
    return Scatter("tied" if is_shared else "full", matrices)


def _from_deviations(arrays: list[np.ndarray], argument: str, k: int, d: int) -> Scatter:
    """(K, D), one per component, or one in all."""
    sd, event = arrays[0], arrays[0].shape[2:]
    _refuse(sd <= 0, argument, "is not positive", sd)
    if event == (k, d):
        structure = "diagonal" if d > 1 else "full"
    elif event == (k,):
        sd, structure = sd[..., None], "spherical" if d > 1 else "full"
    elif event == ():
        sd, structure = sd[..., None, None], "isotropic" if d > 1 else "tied"
    else:
        raise ArgumentError(_wanted(argument, event, f"({k}, {d}), ({k},) or ()"))
    factor = np.array(np.broadcast_to(1.0 / sd, (*sd.shape[:2], k, d)))
    return Scatter(structure, factor if d > 1 else factor[..., None])


def _from_correlations(arrays: list[np.ndarray], argument: str, k: int, d: int) -> Scatter:
    sd, corr = arrays
    correlations, is_shared = _matrices(corr, "corr", k, d)
    allowed = [(k, d), (d,)] if is_shared else [(k, d)]
    if sd.shape[2:] not in allowed:
        raise ArgumentError(_wanted("sd", sd.shape[2:], " or ".join(map(str, allowed))))
    _refuse(sd <= 0, "sd", "is not positive", sd)
    is_tied = is_shared and sd.ndim == 3
    sd = np.broadcast_to(sd[:, :, None] if sd.ndim == 3 else sd, (*sd.shape[:2], k, d))
    covariances = correlations * sd[..., None] * sd[..., None, :]
    return Scatter("tied" if is_tied else "full", _factor_of_covariances(covariances, argument))


READERS: dict[str, Callable[[list[np.ndarray], str, int, int], Scatter]] = {
    "covariances": _from_covariances, "chol": _from_cholesky, "precision_chol": _from_precision,
    "sd": _from_deviations, "sd and corr": _from_correlations,
}  # fmt: skip


def _matrices(values: np.ndarray, argument: str, k: int, d: int) -> tuple[np.ndarray, bool]:
    """(chain, draw, K, D, D) matrices, and whether one was given for all components."""
    event = values.shape[2:]
    if d == 1 and event in ((k,), ()):
        values = values[..., None, None]
        event = values.shape[2:]
    if event == (d, d):
        return np.array(np.broadcast_to(values[:, :, None], (*values.shape[:2], k, d, d))), True
    if event != (k, d, d):
        raise ArgumentError(_wanted(argument, event, f"({k}, {d}, {d}), or ({d}, {d}) for all components"))
    return values, False


def _factor_of_covariances(matrices: np.ndarray, argument: str) -> np.ndarray:
    size = np.abs(matrices).max((-2, -1), keepdims=True)
    transposed = np.swapaxes(matrices, -1, -2)
    skew = np.abs(matrices - transposed) > ASYMMETRY * size
    _refuse(skew, argument, "is not symmetric", matrices)
    deviations = np.sqrt(np.maximum(np.diagonal(matrices, axis1=-2, axis2=-1), 0.0))
    _refuse(deviations <= 0, f"a variance of {argument}", "is not positive", deviations**2)
    symmetric = 0.5 * (matrices + transposed)
    correlations = symmetric / deviations[..., None] / deviations[..., None, :]
    lowest = np.linalg.eigvalsh(correlations)[..., 0]
    few_eps = 4 * matrices.shape[-1] * np.finfo(float).eps
    _refuse(lowest <= few_eps, f"the smallest eigenvalue of the correlations in {argument}", "is not positive", lowest)
    return precision_chol_of(symmetric)


def _refuse(wrong: np.ndarray, what: str, why: str, values: np.ndarray | None = None) -> None:
    """Raise an ArgumentError that names the first wrong draw."""
    if not wrong.any():
        return
    chain, draw, *rest = np.argwhere(wrong)[0]
    n_draws = int(wrong.any(axis=tuple(range(2, wrong.ndim))).sum()) if wrong.ndim > 2 else int(wrong.sum())
    where = f", component {rest[0]}" if rest else ""
    value = "" if values is None else f" ({values[(chain, draw, *rest)]:.6g})"
    raise ArgumentError(
        f"{what} {why}{value} at draw {draw} of chain {chain}{where} (counted from 0), one of {n_draws} such draws."
    )


def _wanted(argument: str, event: tuple[int, ...], allowed: str) -> str:
    return f"{argument} has shape {event} within a draw; with these means and columns it must be {allowed}."


def as_params(weights: np.ndarray, means: np.ndarray, factor: np.ndarray) -> MixtureParams:
    """All draws, in memory order for the kernels."""
    return MixtureParams.trusted(*(np.ascontiguousarray(array) for array in (weights, means, factor)))
