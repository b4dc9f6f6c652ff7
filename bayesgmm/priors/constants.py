"""Checks of the constants that priors of means and covariances share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.core.forms import Form
from bayesgmm.core.params import as_numbers
from bayesgmm.errors import ArgumentError, shown
from bayesgmm.families.gaussian import CovarianceStructure


def real_numbers(value: ArrayLike, name: str) -> np.ndarray:
    """A new float64 array; an ArgumentError that names the argument where it holds text, dates, True or False."""
    numbers = as_numbers(value, name)
    if np.asarray(value).dtype.kind not in "iufO":  # O: fractions and the like, which have become numbers
        raise ArgumentError(f"{name}={shown(value)} must be a number or an array of numbers.")
    return numbers


@dataclass(frozen=True)
class Constants:
    """What a prior's constants must be like; each method returns its checked argument as numbers.

    Parameters
    ----------
    owner : str
        Name of the prior, for the errors.
    """

    owner: str
    structure: CovarianceStructure
    n_components: int
    n_features: int

    @property
    def form(self) -> Form:
        return self.structure.form

    def numbers(self, value: ArrayLike, name: str) -> np.ndarray:
        numbers = real_numbers(value, f"{self.owner}: {name}")
        if not np.isfinite(numbers).all():
            raise ArgumentError(f"{self.owner}({name}=...) must be finite.")
        return numbers

    def dof(self, value: float) -> float:
        dof, lowest = self.numbers(value, "dof"), self.form.matrix_size(self.n_features) - 1
        if dof.ndim or dof <= lowest:
            raise ArgumentError(
                f"{self.owner}(dof={shown(value)}): with covariance={self.structure.name!r} and {self.n_features} "
                f"columns it must be one number above {lowest}."
            )
        return float(dof)

    def mean(self, value: ArrayLike) -> np.ndarray:
        mean, k, d = self.numbers(value, "mean"), self.n_components, self.n_features
        if mean.shape not in ((d,), (k, d)):
            raise ArgumentError(
                f"{self.owner}(mean=...) has shape {mean.shape}; it must be ({d},), one mean for all components, or "
                f"({k}, {d}), one each."
            )
        return mean

    def mean_precision(self, value: ArrayLike) -> np.ndarray:
        precision, k = self.numbers(value, "mean_precision"), self.n_components
        if precision.shape not in ((), (k,)) or (precision <= 0).any():
            raise ArgumentError(
                f"{self.owner}(mean_precision={shown(precision.tolist())}): it must be one positive number, or one for "
                f"each of the {k} components."
            )
        return precision

    def scale(self, value: ArrayLike) -> np.ndarray:
        scale, k, d = self.numbers(value, "scale"), self.n_components, self.n_features
        compact = self.structure.compact_shape(k, d)
        allowed = [compact[1:], compact] + ([()] if self.form.takes_numbers else [])
        if scale.shape not in allowed:
            shapes = " or ".join(str(shape) if shape else "one number" for shape in allowed)
            raise ArgumentError(
                f"{self.owner}(scale=...) has shape {scale.shape}; with covariance={self.structure.name!r}, {k} "
                f"components and {d} columns it must be {shapes}."
            )
        self._check_positive(scale, "scale")
        return scale

    def matrix(self, value: ArrayLike, name: str, n_columns: int) -> np.ndarray:
        """One (C, C) matrix, or (C,) positive numbers; for columns that are alike, or one, a number will do."""
        values = self.numbers(value, name)
        shape = self.form.shape(n_columns)
        if values.ndim == 0 and (self.form.takes_numbers or n_columns == 1):
            values = np.full(shape, float(values))
        if values.shape != shape:
            raise ArgumentError(
                f"{self.owner}({name}=...) has shape {values.shape}; with covariance={self.structure.name!r} and "
                f"{self.n_features} columns it must be {shape}."
            )
        self._check_positive(values, name)
        return values

    def _check_positive(self, values: np.ndarray, name: str) -> None:
        if fault := self.form.fault(values):
            raise ArgumentError(f"{self.owner}({name}=...) must be {fault}.")
