"""The coordinates of an unknown scale of the covariances: of a matrix, or of numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from bayesgmm.core.forms import DIAGONAL, TRIANGULAR, Form
from bayesgmm.core.params import LOG_2PI
from bayesgmm.models import DirichletProcessMixture, GaussianMixture
from bayesgmm.priors.independent import HierarchicalScale


@dataclass(frozen=True, eq=False)
class WishartScale:
    """``scale = C M C^T`` with ``C C^T`` its expectation, and the ratio ``M ~ Wishart(dof, I / dof)``.

    ``M = L L^T / dof`` with L lower triangular, ``L_ii^2 ~ chi2(dof - i + 1)`` for i = 1..D and N(0, 1) below the
    diagonal: so ``L^T A`` is upper triangular where the Bartlett factors A are, and a Bartlett factor itself.

    The factors A are of the *expected* scale, not of the present one: the points of a component say more about its
    covariance than the scale does.

    Parameters
    ----------
    dof : float
        Twice the shape of the `HierarchicalScale`.
    shape : (int, int)
        (p, p), that of the scale.
    """

    dof: float
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return self.shape[0]

    @property
    def square_dof(self) -> np.ndarray:
        """(p,) degrees of freedom of the squared diagonal."""
        return self.dof - np.arange(self.size)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the free variables, in their order in the flat vector."""
        shapes: dict[str, tuple[int, ...]] = {"scale_square": (self.size,)}
        return shapes | {"scale_lower": (self.n_lower,)} if self.n_lower else shapes

    @property
    def n_lower(self) -> int:
        """Entries below the diagonal."""
        return self.size * (self.size - 1) // 2

    @property
    def n_dim(self) -> int:
        return self.size + self.n_lower

    def log_normaliser(self, dof: np.ndarray) -> float:
        """What the kernels leave out, of Bartlett factors with `dof` (R, D) too."""
        half = 0.5 * self.square_dof
        own = -np.sum(half * np.log(2.0) + gammaln(half)) - 0.5 * self.n_lower * LOG_2PI
        return float(own - 0.5 * (self.size * dof[:, -1].sum()) * np.log(self.dof))

    def factor(self, flat: np.ndarray) -> np.ndarray:
        """(..., p, p) lower factors ``L / sqrt(dof)`` of M; `flat` is (..., n_dim)."""
        factor = np.zeros((*flat.shape[:-1], self.size, self.size))
        index = np.arange(self.size)
        factor[..., index, index] = np.exp(0.5 * flat[..., : self.size])
        factor[..., *np.tril_indices(self.size, -1)] = flat[..., self.size :]
        return factor / np.sqrt(self.dof)

    def log_det(self, flat: np.ndarray) -> np.ndarray:
        """(...) log determinants of M."""
        return flat[..., : self.size].sum(-1) - self.size * np.log(self.dof)

    def variables(
        self, bartlett: np.ndarray, dof: np.ndarray, rng: np.random.Generator | None
    ) -> dict[str, np.ndarray]:
        """Of a draw of M given Bartlett factors (R, D, D) with `dof` (R, D).

        Without a generator, of its expectation.
        """
        total, index = self.dof + dof[:, -1].sum(), np.arange(self.size)
        precision = self.dof * np.eye(self.size) + np.einsum("rij,rlj->il", bartlett, bartlett)
        noise = np.sqrt(total) * np.eye(self.size)
        if rng is not None:
            noise = np.tril(rng.standard_normal((self.size, self.size)), -1)
            noise[index, index] = np.sqrt(rng.chisquare(total - index))
        factor = np.sqrt(self.dof) * np.linalg.cholesky(np.linalg.inv(precision)) @ noise
        values = {"scale_square": np.diag(factor) ** 2, "scale_lower": factor[np.tril_indices(self.size, -1)]}
        return {name: values[name] for name in self.shapes}


@dataclass(frozen=True, eq=False)
class DiagonalScale:
    """As `WishartScale` where M is a ratio for each column, or one: ``dof M ~ chi2(dof)``.

    Parameters
    ----------
    dof : float
    shape : (int,) or ()
        The number of columns, or nothing where they have one scale.
    """

    dof: float
    shape: tuple[int, ...]
    n_lower = 0

    @property
    def size(self) -> int:
        return self.shape[0] if self.shape else 1

    @property
    def square_dof(self) -> np.ndarray:
        return np.full(self.size, self.dof)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"scale_square": self.shape}

    @property
    def n_dim(self) -> int:
        return self.size

    def log_normaliser(self, dof: np.ndarray) -> float:
        """What the kernels leave out, of Bartlett entries with `dof` (R, C) too."""
        half = 0.5 * self.square_dof
        own = -np.sum(half * np.log(2.0) + gammaln(half))
        return float(own - 0.5 * dof.sum() * np.log(self.dof))

    def factor(self, flat: np.ndarray) -> np.ndarray:
        """(..., C) ratios; `flat` is (..., C)."""
        return np.exp(flat) / self.dof

    def log_det(self, flat: np.ndarray) -> np.ndarray:
        return flat.sum(-1) - self.size * np.log(self.dof)

    def variables(
        self, bartlett: np.ndarray, dof: np.ndarray, rng: np.random.Generator | None
    ) -> dict[str, np.ndarray]:
        """Of a draw of M given Bartlett entries (R, C); without a generator, of its expectation."""
        total = self.dof + dof.sum(0)
        drawn = total if rng is None else rng.chisquare(total)
        return {"scale_square": self.dof * drawn / (self.dof + (bartlett**2).sum(0))}


SCALES: dict[Form, Callable[[float, tuple[int, ...]], WishartScale | DiagonalScale]] = {
    TRIANGULAR: WishartScale,
    DIAGONAL: DiagonalScale,
}


def scale_of(model: GaussianMixture | DirichletProcessMixture, n_features: int) -> WishartScale | DiagonalScale | None:
    """The unknown scale of a resolved model, or None where it is known."""
    scale, columns = model.prior.scale, model.covariance.columns
    if not isinstance(scale, HierarchicalScale):
        return None
    return SCALES[columns.form](2.0 * float(scale.shape or 0.0), columns.scale_shape(n_features))
