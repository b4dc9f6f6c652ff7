"""`permutations`: relabelling of plain arrays, whichever program drew them."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.checks import one_of, whole_number
from bayesgmm.data import as_matrix
from bayesgmm.errors import ArgumentError
from bayesgmm.labels.memberships import from_allocations, from_responsibilities
from bayesgmm.labels.methods import METHODS, Relabelling
from bayesgmm.labels.relabel_input import Material

SUM_ERROR = 1e-3  # far above the rounding of single precision, far below a forgotten component


def permutations(
    responsibilities: ArrayLike | None = None,
    method: str = "ecr",
    *,
    allocations: ArrayLike | None = None,
    parameters: ArrayLike | None = None,
    X: ArrayLike | None = None,
    pivot: int | ArrayLike | None = None,
    n_components: int | None = None,
    max_iter: int = 100,
) -> np.ndarray:
    """The order of each draw's components in which they mean the same in every draw.

    Parameters
    ----------
    responsibilities : (draws, n, K) array, optional
        Probabilities of the components for each point, under each draw's parameters; rows sum to one.  Chains stand
        one after the other.
    method : {"ecr", "ecr-iterative", "stephens", "pra", "data-based"}
        "ecr": as many points as possible keep the label that they have in a pivot (Papastamoulis and Iliopoulos 2010).
        "ecr-iterative": the pivot is the most frequent label of each point, until it settles: version 1 from
        allocations, version 2 where there are responsibilities too.  "stephens": the least Kullback-Leibler divergence
        of the responsibilities from their mean (Stephens 2000).  "pra": the parameters are as near as possible to those
        of a pivot draw (Marin, Mengersen and Robert 2005), in units of their spread within components.  "data-based":
        each point is near the centre of its component (Rodriguez and Walker 2014).
    allocations : (draws, n) array of int, optional
        The drawn labels, from 0.  "ecr", "ecr-iterative" and "data-based" take the responsibilities instead where there
        are none, and then count expected points.
    parameters : (draws, K, p) array, optional
        p parameters of each component, for "pra".
    X : (n, d) array or frame, optional
        The data, for "data-based".
    pivot : int or (n,) array of int, optional
        A draw, or a label for each point; by default the draw whose co-clustering is nearest to that of all draws.
    n_components : int, optional
        K, where only allocations are given and the largest label may never have been drawn.
    max_iter : int
        Passes over the draws, of the methods that repeat them.

    Returns
    -------
    (draws, K) array of int
        ``order[t, k]`` is the component of draw t that is component k of all: ``weights[t, order[t]]`` are aligned.

    Raises
    ------
    ArgumentError
        The method is unknown or lacks what it needs, or an array is not what is said above.

    Warns
    -----
    NotConvergedWarning
        Labels still change after `max_iter` passes.
    """
    chosen = method_named(method)
    arrays: dict[str, Any] = {
        "responsibilities": _responsibilities(responsibilities),
        "allocations": _allocations(allocations),
        "parameters": _parameters(parameters),
        "X": None if X is None else as_matrix(X).values,
        "pivot": pivot,
    }
    _check_needs(method, chosen, arrays)
    k = _n_components(arrays, n_components)
    _check_lengths(arrays)
    n_draws = next(
        len(a) for name in ("responsibilities", "allocations", "parameters") if (a := arrays[name]) is not None
    )
    z, r = arrays["allocations"], arrays["responsibilities"]
    n_points = next((a.shape[1] for a in (r, z) if a is not None), None)
    return chosen.orders(
        Material(
            None if r is None else from_responsibilities(r),
            None if z is None else from_allocations(z, k),
            arrays["parameters"],
            arrays["X"],
            checked_pivot(pivot, n_draws, n_points, k),
            whole_number(max_iter, "max_iter"),
        )
    )


def method_named(method: str) -> Relabelling:
    """The row of the table; an ArgumentError that lists the names otherwise."""
    return METHODS[one_of(method, "method", METHODS)]


def checked_pivot(pivot: Any, n_draws: int, n_points: int | None, k: int) -> int | np.ndarray | None:
    """A draw, labels (n,) or None."""
    if pivot is None:
        return None
    if isinstance(pivot, Integral) and not isinstance(pivot, bool):
        if not 0 <= int(pivot) < n_draws:
            raise ArgumentError(f"pivot={pivot} must be one of the draws 0, ..., {n_draws - 1}.")
        return int(pivot)
    labels = _integers(pivot, "pivot")
    if n_points is None:
        raise ArgumentError(
            "pivot must be the number of a draw where neither allocations nor responsibilities are given."
        )
    if labels.shape != (n_points,) or labels.min() < 0 or labels.max() >= k:
        raise ArgumentError(
            f"pivot must be the number of a draw or hold a label below {k} for each of {n_points} points; it has shape "
            f"{labels.shape} and labels from {labels.min()} to {labels.max()}."
        )
    return labels


def _check_needs(method: str, chosen: Relabelling, arrays: dict[str, Any]) -> None:
    for group in chosen.needs:
        if all(arrays[name] is None for name in group):
            raise ArgumentError(f"method={method!r} needs {' or '.join(f'{name}=' for name in group)}.")


def _responsibilities(value: ArrayLike | None) -> np.ndarray | None:
    if value is None:
        return None
    array = _numbers(value, "responsibilities", "(draws, n, K)")
    rows = array.sum(2)
    if array.min() < -SUM_ERROR or np.abs(rows - 1.0).max() > SUM_ERROR:
        t, i = np.unravel_index(np.abs(rows - 1.0).argmax(), rows.shape)
        raise ArgumentError(
            f"responsibilities must be at least 0 and sum to 1 over the last axis, the components; those of draw {t}, "
            f"point {i} sum to {rows[t, i]:.6g} and the least is {array.min():.3g}."
        )
    return array


def _parameters(value: ArrayLike | None) -> np.ndarray | None:
    return None if value is None else _numbers(value, "parameters", "(draws, K, p)").astype(float)


def _numbers(value: ArrayLike, name: str, axes: str) -> np.ndarray:
    """A floating array with three axes, in the precision it came in."""
    try:
        array = np.asarray(value)
        array = array if array.dtype in (np.float32, np.float64) else array.astype(float)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} must be a rectangular array of numbers {axes}.") from None
    if array.ndim != 3 or 0 in array.shape:
        raise ArgumentError(f"{name} has shape {array.shape}; it must be {axes}, none of them 0.")
    if not np.isfinite(array).all():
        raise ArgumentError(
            f"{name} must be finite; draw {np.argwhere(~np.isfinite(array))[0][0]} holds NaN or infinity."
        )
    return array


def _allocations(value: ArrayLike | None) -> np.ndarray | None:
    if value is None:
        return None
    labels = _integers(value, "allocations")
    if labels.ndim != 2 or 0 in labels.shape:
        raise ArgumentError(f"allocations have shape {labels.shape}; they must be (draws, n), none of them 0.")
    if labels.min() < 0:
        raise ArgumentError(f"allocations hold the label {labels.min()}; labels count from 0.")
    return labels


def _integers(value: ArrayLike, name: str) -> np.ndarray:
    try:
        array = np.asarray(value)
        labels = array.astype(np.int64)
        is_whole = array.dtype.kind in "iuf" and array.size > 0 and bool((labels == array).all())
    except (TypeError, ValueError):
        is_whole = False
    if not is_whole:
        raise ArgumentError(f"{name} must hold whole numbers, the labels of the points.")
    return labels


def _n_components(arrays: dict[str, Any], given: int | None) -> int:
    """K of whatever array has it; every other array must have the same."""
    counts = {name: arrays[name].shape[axis] for name, axis in (("responsibilities", 2), ("parameters", 1))
              if arrays[name] is not None}  # fmt: skip
    if given is not None:
        counts["n_components="] = whole_number(given, "n_components")
    largest = -1 if arrays["allocations"] is None else int(arrays["allocations"].max())
    if not counts:
        return largest + 1
    if len(set(counts.values())) > 1:
        raise ArgumentError(
            f"the number of components differs: {', '.join(f'{n} has {c}' for n, c in counts.items())}."
        )
    k = next(iter(counts.values()))
    if largest >= k:
        raise ArgumentError(f"allocations hold the label {largest}, and with {k} components the largest is {k - 1}.")
    return k


def _check_lengths(arrays: dict[str, Any]) -> None:
    shaped = {
        name: arrays[name] for name in ("responsibilities", "allocations", "parameters") if arrays[name] is not None
    }
    draws = {name: len(array) for name, array in shaped.items()}
    points = {name: array.shape[1] for name, array in shaped.items() if name != "parameters"}
    if arrays["X"] is not None:
        points["X"] = len(arrays["X"])
    for counts, what in ((draws, "draws"), (points, "points")):
        if len(set(counts.values())) > 1:
            said = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise ArgumentError(f"the arrays must have the same number of {what}; they have: {said}.")
