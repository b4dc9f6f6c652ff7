"""Variables of another program's draws with the names of their axes: which is of components, which of features."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.errors import ArgumentError, shown

Names = str | Sequence[str]
LISTED = "one variable for each component"  # the name of the axis that a list of names makes
NO_NAME = re.compile(r"(^|_)dim_?(\d+$|_)|^\d+$")  # what libraries call an axis that nobody has named


@dataclass(frozen=True, eq=False)
class Variable:
    """A variable with axes (chain, draw, ...).

    Parameters
    ----------
    argument : str
        What the caller of `from_datatree` names it for.
    values : array
        float64.
    dims : tuple of str
        Names of the axes after (chain, draw); "" where there is none.
    labels : tuple of tuple of str
        The coordinates along each, () where there are none.
    """

    argument: str
    values: np.ndarray
    dims: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class NamedDraws:
    """The variables of one group: arrays with axes (chain, draw, ...), and the names of their axes.

    Parameters
    ----------
    arrays : dict of str to array
    dims : dict of str to tuple of str
        Of the axes after (chain, draw); a plain array has no entry.
    labels : dict of str to tuple of tuple of str
        The coordinates along these axes.
    """

    arrays: dict[str, np.ndarray]
    dims: dict[str, tuple[str, ...]]
    labels: dict[str, tuple[tuple[str, ...], ...]]

    @classmethod
    def of(cls, dt: Any, group: str) -> NamedDraws:
        """From a DataTree, an InferenceData, a Dataset or a dict of arrays."""
        found = group_of(dt, group)
        if found is None and hasattr(dt, "data_vars") and dt.data_vars:
            found = dt
        if found is not None:
            variables = {
                str(name): values for name, values in found.data_vars.items() if {"chain", "draw"} <= set(values.dims)
            }
        elif isinstance(dt, Mapping) and not hasattr(dt, "children"):
            variables = {str(name): values for name, values in dt.items()}
        else:
            raise ArgumentError(
                f"dt={shown(dt)} has no group {group!r}: pass a DataTree or InferenceData, its posterior, or a dict of "
                "arrays with axes (chain, draw, ...)."
            )
        labelled = {
            name: values.transpose("chain", "draw", ...)
            for name, values in variables.items()
            if {"chain", "draw"} <= set(getattr(values, "dims", ()))
        }
        arrays = {name: np.asarray(labelled.get(name, values)) for name, values in variables.items()}
        dims = {name: tuple(map(str, values.dims[2:])) for name, values in labelled.items()}
        return cls(arrays, dims, {name: _coordinates(values) for name, values in labelled.items()})

    def take(self, names: Names, argument: str) -> Variable:
        """One variable, or one for each component, put on a new axis."""
        if not isinstance(names, str):
            parts = [self.take(name, argument) for name in names]
            if not parts or len({part.values.shape for part in parts}) > 1:
                raise ArgumentError(f"{argument}={shown(names)} must name variables of one shape, one per component.")
            if len({part.labels for part in parts}) > 1:
                raise ArgumentError(f"{argument}={shown(names)}: the variables have coordinates in different orders.")
            stacked = np.stack([part.values for part in parts], axis=2)
            return Variable(argument, stacked, (LISTED, *parts[0].dims), ((), *parts[0].labels))
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
        refuse(~np.isfinite(values), f"{argument} ({names!r})", "is not finite")
        n_axes = values.ndim - 2
        dims = tuple("" if NO_NAME.search(d) else d for d in self.dims.get(names, ("",) * n_axes))
        return Variable(argument, values, dims, self.labels.get(names, ((),) * n_axes))


def _coordinates(values: Any) -> tuple[tuple[str, ...], ...]:
    """Along each axis after (chain, draw), () where there are none."""
    return tuple(tuple(map(str, values.coords[d].values)) if d in values.coords else () for d in values.dims[2:])


def group_of(dt: Any, group: str) -> Any:
    """A group as a Dataset; None where there is none."""
    if hasattr(dt, "children"):
        return dt.children[group].to_dataset() if group in dt.children else None
    found = getattr(dt, group, None)
    return found if hasattr(found, "data_vars") else None


@dataclass(frozen=True, eq=False)
class Axes:
    """How axes are told apart: by the dimension of the weights, and by the columns of X.

    Parameters
    ----------
    component : str
        The weights' dimension, "" where it has no name.
    columns : tuple of str
        Of X.
    is_named : bool
        Whether X has columns with names of its own.
    features : frozenset of str
        Dimensions of features, as the means have shown.
    order : tuple of int
        Where each column of X stands along an axis of features that has no labels.
    """

    component: str
    columns: tuple[str, ...]
    is_named: bool
    features: frozenset[str] = frozenset()
    order: tuple[int, ...] = ()

    def arranged(self, variable: Variable, wanted: str) -> Variable:
        """The same with its axes in the order of `wanted`, letters c (component) and f (feature), one for each axis.

        Raises
        ------
        ArgumentError
            Names say that an axis is another than its place does and there is no other place for it, or nothing tells
            two axes of one length apart that have names.
        """
        roles = [self.role(variable, axis) for axis in range(len(variable.dims))]
        if len(roles) != len(wanted):
            return variable  # whoever reads it says which shapes there are
        if roles.count("c") > wanted.count("c") or roles.count("f") > wanted.count("f"):
            raise ArgumentError(
                f"the axes of {variable.argument} after (chain, draw) are {_listed(variable.dims)}, where "
                f"{_words(wanted)} are wanted: these names do not fit the axis {self.component or 'of the weights'!r} "
                f"of the weights and the columns {', '.join(self.columns)} of X."
            )
        left = list(wanted)
        for role in filter(None, roles):
            left.remove(role)
        self._check_ambiguous(variable, [axis for axis, role in enumerate(roles) if not role], set(left))
        roles = [role or left.pop(0) for role in roles]
        order = sorted(range(len(roles)), key=lambda axis: (wanted.index(roles[axis]), axis))
        moved = variable.values.transpose(0, 1, *(2 + a for a in order))
        dims, labels = tuple(variable.dims[a] for a in order), tuple(variable.labels[a] for a in order)
        return Variable(variable.argument, moved, dims, labels)

    def role(self, variable: Variable, axis: int) -> str:
        """What its names say that an axis is: "c", "f", or "" where they say nothing."""
        dim = variable.dims[axis]
        if dim == LISTED or (dim and dim == self.component):
            return "c"
        return "f" if dim in self.features or self._is_columns(variable.labels[axis]) else ""

    def _is_columns(self, labels: tuple[str, ...]) -> bool:
        return len(labels) > 0 and sorted(labels) == sorted(self.columns) and not is_count(labels)

    def _check_ambiguous(self, variable: Variable, unknown: list[int], roles: set[str]) -> None:
        """Axes of one length with names that say nothing here: their places may be a matter of chance."""
        sizes = {variable.values.shape[2 + axis] for axis in unknown}
        if len(roles) == 2 and len(sizes) == 1 and sizes != {1} and any(variable.dims[axis] for axis in unknown):
            raise ArgumentError(
                f"the axes of {variable.argument} after (chain, draw) are {_listed(variable.dims)}, of one length, and "
                f"that of the weights is {_listed((self.component,))}: which is that of the components cannot be told. "
                "Give it the same name in both, or give the axis of the features the columns of X as coordinates."
            )

    def columns_of(self, variable: Variable, axis: int) -> list[int]:
        """The places of the columns of X along an axis of features.

        Raises
        ------
        ArgumentError
            The coordinates are names, and not those of the columns; or they count, and the columns count otherwise.
        """
        labels = variable.labels[axis]
        if is_count(labels):
            if self.is_named and sorted(labels) == sorted(self.columns) and labels != self.columns:
                raise ArgumentError(
                    f"{variable.argument} has the coordinates {', '.join(labels)} along {variable.dims[axis]!r}, and X "
                    f"has the columns {', '.join(self.columns)}: whether the coordinates are names or count the "
                    "columns cannot be told. Drop them if their order is that of the columns, or rename the columns."
                )
            labels = ()
        if self._is_columns(labels):
            if len(set(labels)) < len(labels):
                raise ArgumentError(f"{variable.argument}: the coordinates {', '.join(labels)} are not all different.")
            return [labels.index(column) for column in self.columns]
        if labels and self.is_named:
            raise ArgumentError(
                f"{variable.argument} has the coordinates {', '.join(labels)} along {variable.dims[axis]!r}, and X has "
                f"the columns {', '.join(self.columns)}: rename one of them, or drop the coordinates if their order is "
                "that of the columns."
            )
        return list(self.order) or list(range(len(self.columns)))


def is_count(labels: tuple[str, ...]) -> bool:
    """Whether coordinates only count from 0 or 1, as libraries make them where nobody has given any."""
    return any(labels == tuple(map(str, range(first, first + len(labels)))) for first in (0, 1))


def _listed(dims: tuple[str, ...]) -> str:
    return f"({', '.join(dim or '(no name)' for dim in dims)})"


def _words(wanted: str) -> str:
    return f"({', '.join({'c': 'component', 'f': 'feature'}[letter] for letter in wanted)})"


def refuse(wrong: np.ndarray, what: str, why: str, values: np.ndarray | None = None) -> None:
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
