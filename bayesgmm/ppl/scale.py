"""The coordinates of an unknown scale of the covariances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from bayesgmm.core.params import LOG_2PI
from bayesgmm.models import DirichletProcessMixture, GaussianMixture
from bayesgmm.priors.independent import HierarchicalScale


@dataclass(frozen=True, eq=False)
class WishartScale:
    """``scale = C M C^T`` with ``C C^T`` its expectation, and the ratio ``M ~ Wishart(dof, I / dof)``.

    ``M = L L^T / dof`` with L lower triangular, ``L_ii^2 ~ chi2(dof - i + 1)`` for i = 1..D and N(0, 1) below the
    diagonal: so ``L^T A`` is upper triangular where the Bartlett factors A are, and a Bartlett factor itself.  In
    diagonal structures M is a ratio for each column, or one, and ``dof M ~ chi2(dof)``.

    The factors A are of the *expected* scale, not of the present one: the points of a component say more about its
    covariance than the scale does.

    Parameters
    ----------
    dof : float
        Twice the shape of the `HierarchicalScale`.
    size : int
        p, or the number of ratios.
    is_diagonal, is_round : bool
        Of the structure.
    """

    dof: float
    size: int
    is_diagonal: bool
    is_round: bool

    @property
    def square_dof(self) -> np.ndarray:
        """(p,) degrees of freedom of the squared diagonal."""
        return np.full(self.size, self.dof) if self.is_diagonal else self.dof - np.arange(self.size)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the free variables, in their order in the flat vector."""
        shapes = {"scale_square": () if self.is_round else (self.size,)}
        return shapes | {"scale_lower": (self.n_lower,)} if self.n_lower else shapes

    @property
    def n_lower(self) -> int:
        """Entries below the diagonal."""
        return 0 if self.is_diagonal else self.size * (self.size - 1) // 2

    @property
    def n_dim(self) -> int:
        return self.size + self.n_lower

    def log_normaliser(self, dof: np.ndarray) -> float:
        """What the kernels leave out, of Bartlett factors with `dof` (R, C) too."""
        half = 0.5 * self.square_dof
        own = -np.sum(half * np.log(2.0) + gammaln(half)) - 0.5 * self.n_lower * LOG_2PI
        total = dof.sum() if self.is_diagonal else self.size * dof[:, -1].sum()
        return float(own - 0.5 * total * np.log(self.dof))

    def factor(self, flat: np.ndarray) -> np.ndarray:
        """(..., p, p) lower factors ``L / sqrt(dof)`` of M, or (..., C) ratios; `flat` is (..., n_dim)."""
        if self.is_diagonal:
            return np.exp(flat) / self.dof
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
        """Of a draw of M given Bartlett factors (R, D, D), or entries (R, C), with `dof` (R, D) or (R, C).

        Without a generator, of its expectation.
        """
        if self.is_diagonal:
            total = self.dof + dof.sum(0)
            drawn = total if rng is None else rng.chisquare(total)
            return {"scale_square": self.dof * drawn / (self.dof + (bartlett**2).sum(0))}
        total, index = self.dof + dof[:, -1].sum(), np.arange(self.size)
        precision = self.dof * np.eye(self.size) + np.einsum("rij,rlj->il", bartlett, bartlett)
        noise = np.sqrt(total) * np.eye(self.size)
        if rng is not None:
            noise = np.tril(rng.standard_normal((self.size, self.size)), -1)
            noise[index, index] = np.sqrt(rng.chisquare(total - index))
        factor = np.sqrt(self.dof) * np.linalg.cholesky(np.linalg.inv(precision)) @ noise
        values = {"scale_square": np.diag(factor) ** 2, "scale_lower": factor[np.tril_indices(self.size, -1)]}
        return {name: values[name] for name in self.shapes}


def scale_of(model: GaussianMixture | DirichletProcessMixture, n_features: int) -> WishartScale | None:
    """The unknown scale of a resolved model, or None where it is known."""
    scale, structure = model.prior.scale, model.covariance
    if not isinstance(scale, HierarchicalScale):
        return None
    size = 1 if structure.is_round else n_features
    return WishartScale(2.0 * float(scale.shape or 0.0), size, structure.is_diagonal, structure.is_round)
