"""`Mixture`: the distribution of a point with named columns, and of some columns alone or given the others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import ArrayLike

from bayesgmm.checks import as_generator, fraction, instance, real_number, whole_number
from bayesgmm.core.forms import form_of
from bayesgmm.core.params import MixtureParams, as_numbers
from bayesgmm.core.student import StudentMixture
from bayesgmm.data import as_matrix, in_order
from bayesgmm.errors import ArgumentError, NotApplicableError, shown
from bayesgmm.result.regions import plot_density

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Mixture:
    """The distribution of a point: a mixture of Gaussian or Student-t components.

    Parameters
    ----------
    components : MixtureParams or StudentMixture
    feature_names : sequence of str, optional
        ``x0``, ``x1``, ... where they are not given.

    Raises
    ------
    ArgumentError
        The parameters are those of many mixtures, or the names are not those of their columns.
    """

    def __init__(self, components: MixtureParams | StudentMixture, feature_names: Sequence[str] | None = None):
        if not isinstance(components, StudentMixture):
            instance(components, "components", MixtureParams)
            if components.draw_shape:
                raise ArgumentError("components must be those of one mixture, and these are many draws of it.")
        d = components.n_features
        given = range(d) if feature_names is None else feature_names
        if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
            raise ArgumentError(f"feature_names={shown(given)} must be a list of names, one for each column.")
        names = tuple(f"x{j}" if feature_names is None else str(j) for j in given)
        if len(names) != d or len(set(names)) < d:
            raise ArgumentError(f"feature_names={shown(names)} must be {d} different names, one for each column.")
        self._components, self._names = components, names

    @property
    def components(self) -> MixtureParams | StudentMixture:
        return self._components

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self._names

    def __repr__(self) -> str:
        kind = "Student-t" if isinstance(self.components, StudentMixture) else "Gaussian"
        return f"<Mixture of {self.components.n_components} {kind} components of {', '.join(self.feature_names)}>"

    def log_density(self, X: ArrayLike) -> np.ndarray:
        """(n,) log densities of points, in nats."""
        given = as_matrix(X)
        return self.components.log_density(in_order(given, self.feature_names, "X", "this mixture has"))

    def sample(self, n: int, rng: np.random.Generator | int | None = None) -> np.ndarray:
        """(n, d) points."""
        return self.components.sample(whole_number(n, "n", 0), as_generator(rng))

    def mean(self) -> np.ndarray:
        """(d,) the mean; NaN where a Student-t component has one degree of freedom or fewer, and so has none."""
        mean = self.components.weights @ self.components.means
        if isinstance(self.components, StudentMixture) and (self.components.dof <= 1.0).any():
            return np.full(len(mean), np.nan)
        return mean

    def covariance(self) -> np.ndarray:
        """(d, d) the covariance: that within components and that of their means.

        Infinite or NaN where a Student-t component has two degrees of freedom or fewer.
        """
        weights, means = self.components.weights, self.components.means
        offsets = means - weights @ means
        with np.errstate(invalid="ignore"):  # infinities of either sign
            within = (weights[:, None, None] * self.components.covariances).sum(0)
        return within + (weights[:, None] * offsets).T @ offsets

    def marginal(self, columns: Any) -> Mixture:
        """The distribution of some columns, by name or counted from 0, in the order in which they are named.

        Raises
        ------
        ArgumentError
            A column is not there, or is named twice.
        """
        if isinstance(columns, (str, bytes)) or not isinstance(columns, Iterable):
            return self.marginal([columns])
        order = [self._place(one) for one in columns]
        if len(set(order)) < len(order):
            names = [self.feature_names[j] for j in order]
            raise ArgumentError(f"columns={shown(names)} must name each column once.")
        return Mixture(self.components.marginal(order), [self.feature_names[j] for j in order])

    def conditional(self, given: Mapping[Any, float]) -> Mixture:
        """The distribution of the other columns where some have given values.

        Raises
        ------
        ArgumentError
            A column is not there, none is left, a value is not finite, or lies out of reach of every component.
        """
        if not isinstance(given, Mapping):
            raise ArgumentError(
                f"given={shown(given)} must map columns to values, such as {{{self._names[0]!r}: 1.5}}."
            )
        values = {self._place(column): value for column, value in given.items()}
        if len(values) < len(given):
            raise ArgumentError(f"given={shown(given)} must name each column once.")
        for column, value in given.items():
            real_number(value, f"given[{column!r}]", above=-math.inf, below=math.inf)
        rest = [name for j, name in enumerate(self.feature_names) if j not in values]
        return Mixture(self.components.conditional(values), rest)

    def cdf(self, x: ArrayLike) -> np.ndarray:
        """P(X <= x) of the only column, at any number of points."""
        self._ask_for_one()
        location, scale = self._standard()
        z = (as_numbers(x, "x")[..., None] - location) / scale
        return self._unit_cdf(z) @ self.components.weights

    def quantile(self, p: ArrayLike) -> np.ndarray:
        """Where the distribution function of the only column is p, for numbers p between 0 and 1."""
        self._ask_for_one()
        levels = np.array([fraction(one, "p") for one in np.ravel(p).tolist()])
        return np.array([self._root(level) for level in levels]).reshape(np.shape(p))

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """The only column's central interval of this probability."""
        tail = 0.5 * (1.0 - fraction(level, "level"))
        lower, upper = self.quantile([tail, 1.0 - tail])
        return float(lower), float(upper)

    def plot(self, ax: Axes | None = None) -> Axes:
        """The density of one column, or the highest-density regions of two.

        Raises
        ------
        ArgumentError
            There are more columns.
        """
        return plot_density(self, None, ax)

    def _root(self, level: float) -> float:
        from scipy.optimize import brentq  # slow to import

        location, scale = self._standard()
        taking_part = self.components.weights > 0
        ends = (location + scale * self._unit_quantile(level))[taking_part]  # the root lies between those of components

        def excess(x: float) -> float:
            return float(self.cdf(x)) - level

        low, high = float(ends.min()), float(ends.max())
        if excess(low) >= 0.0 or excess(high) <= 0.0:  # by rounding, where they are one
            return low if excess(low) >= 0.0 else high
        return float(brentq(excess, low, high, xtol=1e-13 * float(scale[taking_part].min())))

    def _standard(self) -> tuple[np.ndarray, np.ndarray]:
        factor = self.components.precision_chol
        return self.components.means[:, 0], 1.0 / form_of(factor.ndim - 1).diagonal(factor)[:, 0]

    def _unit_cdf(self, z: np.ndarray) -> np.ndarray:
        if isinstance(self.components, StudentMixture):
            return scipy.special.stdtr(self.components.dof.reshape(-1), z)
        return scipy.special.ndtr(z)

    def _unit_quantile(self, level: float) -> np.ndarray:
        if isinstance(self.components, StudentMixture):
            return scipy.special.stdtrit(self.components.dof.reshape(-1), level)
        return scipy.special.ndtri(np.full(self.components.n_components, level))

    def _ask_for_one(self) -> None:
        if len(self.feature_names) > 1:
            raise NotApplicableError(
                f"this is of one column, and there are {len(self.feature_names)} ({', '.join(self.feature_names)}): "
                "take .marginal(column), or .conditional(given=...) the others, first."
            )

    def _place(self, column: str | int) -> int:
        """Where a column stands: by its name, also where names are numbers, or else counted from 0."""
        is_number = isinstance(column, (int, np.integer)) and not isinstance(column, bool)
        if is_number and str(column) in self.feature_names:
            return self.feature_names.index(str(column))
        if isinstance(column, str):
            if column not in self.feature_names:
                names = ", ".join(map(repr, self.feature_names))
                raise ArgumentError(f"there is no column {column!r}: the columns are {names}.")
            return self.feature_names.index(column)
        place = whole_number(column, "column", 0, also="a name")
        if place >= len(self.feature_names):
            names = ", ".join(map(repr, self.feature_names))
            raise ArgumentError(f"there is no column {place}: the columns, counted from 0, are {names}.")
        return place
