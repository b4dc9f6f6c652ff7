"""The parameters that intervals are about, and the scales on which an estimate of each is nearly normal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from bayesgmm.core.forms import DIAGONAL
from bayesgmm.core.params import MixtureParams

Scale = tuple[Callable, Callable, Callable]  # a transform, its derivative, its inverse

_IDENTITY: Scale = (lambda v: v, np.ones_like, lambda v: v)
_LOG: Scale = (np.log, lambda v: 1.0 / v, np.exp)
SCALES: dict[str, Scale] = {
    "weight": (scipy.special.logit, lambda v: 1.0 / (v * (1.0 - v)), scipy.special.expit),
    "mean": _IDENTITY,
    "sd": _LOG,
    "correlation": (np.arctanh, lambda v: 1.0 / (1.0 - v**2), np.tanh),
    "variance": _LOG,
    "covariance": _IDENTITY,
}
OF_DIAGONAL = ("weight", "mean", "sd", "variance")


@dataclass(frozen=True)
class Quantity:
    """One parameter of one component: its family, such as "mean", and the columns of the data that it is about."""

    component: int
    family: str
    columns: tuple[str, ...]

    def name(self, component: int | None = None) -> str:
        """As in ``fit.summary``; with another number of the component where it is given."""
        return f"{self.family}[{', '.join([str(self.component if component is None else component), *self.columns])}]"


@dataclass(frozen=True)
class Row:
    """A quantity with its estimate, standard error and interval."""

    quantity: Quantity
    estimate: float
    se: float
    lower: float
    upper: float


def families_of(params: MixtureParams) -> tuple[str, ...]:
    """The families of parameters that a mixture has."""
    return OF_DIAGONAL if params.form is DIAGONAL or params.n_features == 1 else tuple(SCALES)


def quantities_of(params: MixtureParams, names: tuple[str, ...]) -> list[Quantity]:
    """The quantities in the order of `values_of`."""
    singles, pairs = [(name,) for name in names], [(b, a) for i, a in enumerate(names) for b in names[:i]]
    columns = {"weight": [()], "correlation": pairs, "covariance": pairs}
    return [
        Quantity(k, family, column)
        for family in families_of(params)
        for k in range(params.n_components)
        for column in columns.get(family, singles)
    ]


def values_of(params: MixtureParams, families: tuple[str, ...]) -> np.ndarray:
    """(..., Q) values of the quantities of mixtures (...,)."""
    covariances = params.covariances
    variances = np.diagonal(covariances, axis1=-2, axis2=-1)
    sd = np.sqrt(variances)
    i, j = np.tril_indices(params.n_features, -1)
    below = covariances[..., i, j]
    values = {
        "weight": params.weights, "mean": params.means, "sd": sd, "correlation": below / (sd[..., i] * sd[..., j]),
        "variance": variances, "covariance": below,
    }  # fmt: skip
    return np.concatenate([values[family].reshape(*params.draw_shape, -1) for family in families], axis=-1)


def wald(quantities: list[Quantity], estimates: np.ndarray, errors: np.ndarray, level: float) -> tuple[Row, ...]:
    """Normal intervals on each family's own scale, carried back, so that they stay where the parameter can be."""
    z = scipy.special.ndtri(0.5 * (1.0 + level))
    rows = []
    for quantity, estimate, se in zip(quantities, estimates.tolist(), errors.tolist(), strict=True):
        if se == 0:  # the weight of a single component
            rows.append(Row(quantity, estimate, 0.0, estimate, estimate))
            continue
        to, slope, back = SCALES[quantity.family]
        middle, half = to(estimate), z * se * slope(estimate)
        rows.append(Row(quantity, estimate, se, float(back(middle - half)), float(back(middle + half))))
    return tuple(rows)


def percentile(quantities: list[Quantity], estimates: np.ndarray, draws: np.ndarray, level: float) -> tuple[Row, ...]:
    """Equal-tailed quantiles of (draws, Q) values around given estimates, and their standard deviation."""
    tail = 0.5 * (1.0 - level)
    errors, (lower, upper) = draws.std(0, ddof=1), np.quantile(draws, (tail, 1.0 - tail), axis=0)
    columns = (estimates, errors, lower, upper)
    return tuple(
        Row(quantity, *(float(v) for v in numbers)) for quantity, *numbers in zip(quantities, *columns, strict=True)
    )
