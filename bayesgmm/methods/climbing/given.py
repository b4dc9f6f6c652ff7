"""Starts that the user gives: a partition of the rows, responsibilities, parameters, or another fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesgmm.core.facts import RowFacts
from bayesgmm.core.forms import Form
from bayesgmm.core.params import ComponentScores, MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.errors import ArgumentError, NotApplicableError, shown
from bayesgmm.result.fit import Fit
from bayesgmm.rows import Rows

SUM_ERROR = 1e-6  # of responsibilities that were written with seven digits


@dataclass(frozen=True, eq=False)
class GivenShares:
    """The components of the rows at a start.

    Parameters
    ----------
    values : (n,) array of int, or (n, K) array
        The component of each row, or its responsibilities.
    n_components : int
    """

    values: np.ndarray
    n_components: int

    def __repr__(self) -> str:
        kind = "labels" if self.values.ndim == 1 else "responsibilities"
        return f"<{kind} of {len(self.values)} rows, K={self.n_components}>"

    def statistics(self, rows: Rows, n_components: int, form: Form) -> SufficientStatistics:
        """Moments of the rows as they are shared among the components, in the form of the structure.

        Raises
        ------
        ArgumentError
            They are of another number of rows or components.
        """
        if (len(self.values), self.n_components) != (len(rows), n_components):
            raise ArgumentError(
                f"init= holds {len(self.values)} rows and {self.n_components} components, and the data have "
                f"{len(rows)} rows and the model {n_components} components."
            )
        d = rows.values.shape[1]
        centre = np.repeat(rows.values.mean(0, dtype=float)[None], n_components, axis=0)
        flat = ComponentScores(np.zeros(n_components), centre, np.zeros((n_components, *form.shape(d))))
        return replace(rows, facts=self._facts(rows.facts.weights), classes=None).sweep(flat)

    def _facts(self, weights: np.ndarray) -> RowFacts:
        no_classes, nothing = np.empty(0, np.int64), np.empty((0, 0))
        if self.values.ndim == 1:
            allowed = np.where(np.eye(self.n_components, dtype=bool), 0.0, -np.inf)
            return RowFacts(weights, self.values, allowed, nothing)
        with np.errstate(divide="ignore"):  # no share is a log share of -inf
            return RowFacts(weights, no_classes, nothing, np.log(self.values))


def as_init(init: Any, kinds: tuple[str, ...]) -> str | MixtureParams | GivenShares:
    """What ``init=`` stands for: a kind of start by its name, parameters, or shares of the rows.

    Raises
    ------
    ArgumentError
        It is none of these, or responsibilities are no probabilities; the message names the row.
    NotApplicableError
        It is a fit that holds draws, or none that is usable.
    """
    if isinstance(init, Fit):
        if init.kind == "draws":
            raise NotApplicableError(
                "init= is a fit that holds draws, and a climb begins at one mixture: give it one of them, such as "
                "init=fit.params[0, -1]."
            )
        return init.params
    if isinstance(init, (MixtureParams, GivenShares)) or (isinstance(init, str) and init in kinds):
        return init
    values = _values(init)
    if values is not None and values.ndim == 1 and len(values):
        return _labels(values)
    if values is not None and values.ndim == 2 and values.size:
        return _responsibilities(values)
    names = ", ".join(repr(name) for name in kinds)
    raise ArgumentError(
        f"init={shown(init)} must be one of {names}, a MixtureParams, a fit, labels (n,) or responsibilities (n, K)."
    )


def _values(init: Any) -> np.ndarray | None:
    """An array, whose masked entries are None; nothing where it is no array of any kind."""
    if init is None or isinstance(init, (str, bytes, dict, set)):
        return None
    if isinstance(init, np.ma.MaskedArray):
        return np.array(init.tolist(), dtype=object)
    try:
        return np.asarray(init)
    except ValueError:  # rows of different lengths
        return None


def _labels(values: np.ndarray) -> GivenShares:
    is_unknown = np.array([value is None or value != value or value == -1 for value in values.tolist()])
    if is_unknown.any():
        row = int(np.flatnonzero(is_unknown)[0])
        raise ArgumentError(
            f"init= has no label in row {row} (counted from 0), for which None, NaN and -1 stand: every row must begin "
            "in one component."
        )
    try:
        names, numbers = np.unique(values, return_inverse=True)
    except TypeError:
        raise ArgumentError("init= holds labels of different kinds, such as numbers and texts: use one kind.") from None
    return GivenShares(np.ascontiguousarray(numbers, np.int64), len(names))


def _responsibilities(values: np.ndarray) -> GivenShares:
    try:
        if np.iscomplexobj(values):
            raise TypeError
        shares = np.array(values, float, order="C")
    except (TypeError, ValueError):
        raise ArgumentError("init= with two axes must hold the responsibility of each component in each row.") from None
    total = shares.sum(1)
    bad = np.flatnonzero(~((shares >= 0.0).all(1) & (np.abs(total - 1.0) < SUM_ERROR)))
    if len(bad):
        row = ", ".join(f"{value:g}" for value in shares[bad[0], :8])
        raise ArgumentError(
            f"init= holds ({row}) in row {bad[0]} (counted from 0): responsibilities must be at least 0 and sum to one."
        )
    return GivenShares(shares / total[:, None], shares.shape[1])
