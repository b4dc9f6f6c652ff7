"""What a mixture is, as arrays: `MixtureParams` (a density) and `ComponentScores` (not one)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.checks import as_generator, whole_number
from bayesgmm.core import algebra, density
from bayesgmm.core.columns import as_columns, as_given
from bayesgmm.core.forms import DIAGONAL, Form, form_of
from bayesgmm.core.matrices import is_positive_definite, precision_chol_of
from bayesgmm.errors import ArgumentError, shown

LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, eq=False)
class ComponentScores:
    """Unnormalised component scores, the input of the sweep; they need not be a density.

    ``score_k(x) = log_weight_k - 1/2 ||P_k^T (x - mean_k)||^2``

    Parameters
    ----------
    log_weight : (K,) array
        Everything that does not depend on x: log weight, log det P and the constant.
    means : (K, D) array
    precision_chol : (K, D, D) array, or (K, D) array
        P_k upper triangular, or only its diagonal where the structure is diagonal.
    """

    log_weight: np.ndarray
    means: np.ndarray
    precision_chol: np.ndarray


class MixtureParams:
    """Weights, means and covariances of a Gaussian mixture, or of many (leading axes are draws).

    Parameters
    ----------
    weights : (..., K) array
        Non-negative, each row sums to one.
    means : (..., K, D) array
    covariances : (..., K, D, D) array, optional
        Symmetric positive definite.  Give this or `precision_chol`.
    precision_chol : (..., K, D, D) or (..., K, D) array, optional
        P upper triangular with ``inv(Sigma) = P P^T`` (``P = C^-T`` where ``Sigma = C C^T``); with the
        shape of `means`, only the diagonals of P.

    Raises
    ------
    ArgumentError
        A weight is negative or the weights do not sum to one, shapes do not fit together, or a
        covariance is not positive definite; the message says which.
    """

    __slots__ = ("weights", "means", "precision_chol")

    weights: np.ndarray
    means: np.ndarray
    precision_chol: np.ndarray

    def __init__(
        self,
        weights: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike | None = None,
        *,
        precision_chol: ArrayLike | None = None,
    ):
        if (covariances is None) == (precision_chol is None):
            raise ArgumentError("give exactly one of covariances= and precision_chol= to MixtureParams.")
        weights, means = as_numbers(weights, "weights"), as_numbers(means, "means")
        _check_weights_and_means(weights, means)
        if covariances is not None:
            factor = precision_chol_of(_check_covariances(as_numbers(covariances, "covariances"), means))
        else:
            factor = _check_precision_chol(as_numbers(precision_chol, "precision_chol"), means)
        _assign(self, weights, means, factor)

    @classmethod
    def trusted(cls, weights: np.ndarray, means: np.ndarray, precision_chol: np.ndarray) -> MixtureParams:
        """Build from arrays that the package made itself, unchecked."""
        params = cls.__new__(cls)
        _assign(params, weights, means, precision_chol)
        return params

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"MixtureParams is immutable; build a new one instead of setting {name}.")

    def __reduce__(self):
        return MixtureParams.trusted, (self.weights, self.means, self.precision_chol)

    def __repr__(self) -> str:
        draws = f", draws={self.draw_shape}" if self.draw_shape else ""
        return f"MixtureParams(n_components={self.n_components}, n_features={self.n_features}{draws})"

    def __getitem__(self, index) -> MixtureParams:
        """Select along the leading (draw) axes."""
        return MixtureParams.trusted(self.weights[index], self.means[index], self.precision_chol[index])

    @property
    def n_components(self) -> int:
        return self.means.shape[-2]

    @property
    def n_features(self) -> int:
        return self.means.shape[-1]

    @property
    def draw_shape(self) -> tuple[int, ...]:
        return self.weights.shape[:-1]

    @property
    def form(self) -> Form:
        """Whether factors are whole triangles or diagonals."""
        return form_of(self.precision_chol.ndim - self.weights.ndim)

    @property
    def is_diagonal(self) -> bool:
        """Whether `precision_chol` holds diagonals only."""
        return self.form is DIAGONAL

    @property
    def covariances(self) -> np.ndarray:
        """(..., K, D, D) covariances."""
        return self.form.whole(self.spread)

    @property
    def spread(self) -> np.ndarray:
        """(..., K, D, D) covariances or, where the form is diagonal, (..., K, D) variances."""
        return self.form.spread(self.precision_chol)

    def scores(self) -> ComponentScores:
        """The normalised scores ``log weight_k + log N(x; mean_k, Sigma_k)`` of one mixture."""
        return ComponentScores(self.log_weight(), self.means, self.precision_chol)

    def log_weight(self) -> np.ndarray:
        """(..., K) the part of each log joint density that does not depend on x."""
        diagonal = self.form.diagonal(self.precision_chol)
        with np.errstate(divide="ignore"):  # a weight of zero is a log weight of -inf, and that is right
            log_weights = np.log(self.weights)
        return log_weights + np.log(diagonal).sum(-1) - 0.5 * self.n_features * LOG_2PI

    def log_density(self, X: ArrayLike) -> np.ndarray:
        """(..., n) log densities of points (n, D), in nats."""
        return density.log_density(self, _as_points(X, self.n_features))

    def sample(self, n: int, rng: np.random.Generator | int | None = None) -> np.ndarray:
        """(n, D) points of one mixture."""
        if self.draw_shape:
            raise ArgumentError("sample is of one mixture, and these are many: take one of them by its index.")
        return density.sample(self, whole_number(n, "n", 0), as_generator(rng))[0]

    def marginal(self, columns: Sequence[int]) -> MixtureParams:
        """The mixtures of some columns, counted from 0, in the order in which they are named.

        Raises
        ------
        ArgumentError
            A column is not there, or is named twice.
        """
        order = as_columns(columns, self.n_features)
        return MixtureParams.trusted(self.weights, *algebra.marginal(self.means, self.precision_chol, order))

    def conditional(self, given: Mapping[int, float]) -> MixtureParams:
        """The mixtures of the other columns where some, counted from 0, have given values.

        Raises
        ------
        ArgumentError
            A column is not there, none is left, a value is not finite, or lies out of reach of every component.
        """
        columns, values = as_given(given, self.n_features)
        found = algebra.conditional(self.means, self.precision_chol, columns, values)
        with np.errstate(divide="ignore"):
            weights = algebra.shares(np.log(self.weights) + found.log_scale - 0.5 * found.distance)
        return MixtureParams.trusted(weights, found.means, found.factor)

    def spaced(self, max_draws: int) -> MixtureParams:
        """At most so many draws, evenly spaced, with one leading axis: chains end to end."""
        draws = self.reshaped(-1)
        return draws[np.unique(np.linspace(0, len(draws.weights) - 1, max_draws).astype(int))]

    def reshaped(self, *draw_shape: int) -> MixtureParams:
        """The same mixtures with other leading axes."""
        return MixtureParams.trusted(
            self.weights.reshape(*draw_shape, *self.weights.shape[-1:]),
            self.means.reshape(*draw_shape, *self.means.shape[-2:]),
            self.precision_chol.reshape(*draw_shape, *self.precision_chol.shape[len(self.draw_shape) :]),
        )

    def pooled(self) -> MixtureParams:
        """All draws as one mixture, each with the same share: the components of all of them."""
        n_draws = int(np.prod(self.draw_shape))
        return MixtureParams.trusted(
            self.weights.reshape(-1) / n_draws,
            self.means.reshape(-1, self.n_features),
            self.precision_chol.reshape(-1, *self.form.shape(self.n_features)),
        )

    def permuted(self, order: np.ndarray) -> MixtureParams:
        """The same mixtures with their components in `order`: one (K,) of all, or one (..., K) of each."""
        index = np.broadcast_to(order, self.weights.shape)
        mean_index, factor = index[..., None], self.precision_chol
        return MixtureParams.trusted(
            np.take_along_axis(self.weights, index, -1),
            np.take_along_axis(self.means, mean_index, -2),
            np.take_along_axis(factor, index.reshape(index.shape + (1,) * self.form.n_axes), -1 - self.form.n_axes),
        )


def as_numbers(value: ArrayLike | None, name: str) -> np.ndarray:
    """A new float64 array; an ArgumentError that names the argument where it does not hold numbers."""
    try:
        return np.array(value, float)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name}={shown(value)} must be a number or a rectangular array of numbers.") from None


def _as_points(X: ArrayLike, n_features: int) -> np.ndarray:
    points = as_numbers(X, "X")
    if points.ndim != 2 or points.shape[1] != n_features:
        raise ArgumentError(f"X has shape {points.shape}; with these means it must be (n, {n_features}).")
    return points


def _assign(params: MixtureParams, weights: np.ndarray, means: np.ndarray, factor: np.ndarray) -> None:
    for name, value in (("weights", weights), ("means", means), ("precision_chol", factor)):
        object.__setattr__(params, name, value)


def _check_weights_and_means(weights: np.ndarray, means: np.ndarray) -> None:
    if weights.ndim < 1 or means.ndim != weights.ndim + 1 or means.shape[:-1] != weights.shape:
        raise ArgumentError(
            f"weights have shape {weights.shape} and means {means.shape}: they must be (..., K) and (..., K, D)."
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        worst = np.unravel_index(np.argmin(np.where(np.isfinite(weights), weights, -np.inf)), weights.shape)
        raise ArgumentError(f"weights[{_index(worst)}] is {weights[worst]:g}: weights must be finite and at least 0.")
    total = weights.sum(-1)
    if not np.allclose(total, 1.0, rtol=0, atol=1e-8):  # far above rounding, far below a typing error
        worst = np.argmax(np.abs(np.atleast_1d(total) - 1.0))
        raise ArgumentError(f"weights sum to {np.ravel(total)[worst]:.10g}; they must sum to 1.")
    if not np.isfinite(means).all():
        raise ArgumentError("means hold NaN or infinity.")


def _check_covariances(covariances: np.ndarray, means: np.ndarray) -> np.ndarray:
    shape = means.shape + (means.shape[-1],)
    if covariances.shape != shape:
        raise ArgumentError(f"covariances have shape {covariances.shape}; with these means they must be {shape}.")
    for index in np.ndindex(shape[:-2]):
        matrix, name = covariances[index], f"covariances[{_index(index)}]"
        if not np.isfinite(matrix).all():
            raise ArgumentError(f"{name} holds NaN or infinity.")
        if np.abs(matrix - matrix.T).max() > 1e-8 * np.abs(matrix).max():  # rounding, and no typing error
            raise ArgumentError(f"{name} is not symmetric.")
        if not is_positive_definite(matrix):
            lowest = np.linalg.eigvalsh(matrix)[0]
            raise ArgumentError(f"{name} is not positive definite: its smallest eigenvalue is {lowest:.3g}.")
    return covariances


def _check_precision_chol(factor: np.ndarray, means: np.ndarray) -> np.ndarray:
    if factor.shape not in (means.shape, means.shape + (means.shape[-1],)):
        raise ArgumentError(
            f"precision_chol has shape {factor.shape}; with these means it must be {means.shape} "
            f"(diagonals) or {means.shape + (means.shape[-1],)}."
        )
    form = form_of(factor.ndim - means.ndim + 1)
    if not form.is_factor(factor):
        raise ArgumentError("precision_chol must be upper triangular (P = C^-T where Sigma = C C^T).")
    if not np.isfinite(factor).all() or (form.diagonal(factor) <= 0).any():
        raise ArgumentError("precision_chol must be finite with a positive diagonal.")
    return factor


def _index(index: tuple) -> str:
    return ", ".join(str(int(i)) for i in index)
