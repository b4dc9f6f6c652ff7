"""The Wishart matrices of a conjugate law: one p x p matrix for each covariance, or a 1 x 1 for each variance."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from bayesgmm.core.forms import DIAGONAL, TRIANGULAR, Form


class Wisharts(Protocol):
    """What depends on how many there are: R of order D, or R x C of order one.

    Scales and factors are in the compact shape, (R, D, D) or (R, C); `dof` is (R,).
    """

    def each(self, dof: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """The degrees of freedom of every matrix."""
        ...

    def log_dets(self, scale: np.ndarray) -> np.ndarray:
        """Log determinant of every scale."""
        ...

    def log_dets_of_factor(self, factor: np.ndarray) -> np.ndarray:
        """Log determinant of every precision."""
        ...

    def by_component(self, values: np.ndarray, n_components: int, n_features: int) -> np.ndarray:
        """(K,) totals over the columns of a value for every matrix."""
        ...

    def trace(self, scale: np.ndarray, factor: np.ndarray) -> float:
        """Sum over the matrices of ``trace(scale P P^T)``."""
        ...

    def trace_pairs(self, scale: np.ndarray, factor: np.ndarray) -> np.ndarray:
        """(m, R, R) traces of every row of scales with every row of (m, ...) factors."""
        ...

    def bartlett_dof(self, dof: np.ndarray, n_columns: int) -> np.ndarray:
        """(R, C) degrees of freedom of the squared diagonals of Bartlett factors."""
        ...

    def bartlett(self, rng: np.random.Generator, square_dof: np.ndarray, n_draws: int) -> np.ndarray:
        """(n_draws, ...) Bartlett factors, as compact arrays."""
        ...


class WholeMatrices:
    """A Wishart matrix of order D for each row."""

    def each(self, dof: np.ndarray, scale: np.ndarray) -> np.ndarray:
        return dof

    def log_dets(self, scale: np.ndarray) -> np.ndarray:
        return np.linalg.slogdet(scale)[1]

    def log_dets_of_factor(self, factor: np.ndarray) -> np.ndarray:
        return 2.0 * np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)

    def by_component(self, values: np.ndarray, n_components: int, n_features: int) -> np.ndarray:
        return np.array(np.broadcast_to(values, (n_components,)))

    def trace(self, scale: np.ndarray, factor: np.ndarray) -> float:
        return float(np.einsum("kij,kil,klj->", factor, scale, factor))

    def trace_pairs(self, scale: np.ndarray, factor: np.ndarray) -> np.ndarray:
        return np.einsum("jab,mkab->mjk", scale, TRIANGULAR.precision(factor))

    def bartlett_dof(self, dof: np.ndarray, n_columns: int) -> np.ndarray:
        return dof[:, None] - n_columns + np.arange(1, n_columns + 1)

    def bartlett(self, rng: np.random.Generator, square_dof: np.ndarray, n_draws: int) -> np.ndarray:
        rows, p = square_dof.shape
        upper, index = np.triu(rng.standard_normal((n_draws, rows, p, p)), 1), np.arange(p)
        upper[..., index, index] = np.sqrt(rng.chisquare(square_dof, (n_draws, rows, p)))
        return upper


class Entries:
    """A Wishart number, which is a gamma variable, for each entry."""

    def each(self, dof: np.ndarray, scale: np.ndarray) -> np.ndarray:
        return np.broadcast_to(dof.reshape(-1, 1), scale.shape)

    def log_dets(self, scale: np.ndarray) -> np.ndarray:
        return np.log(scale)

    def log_dets_of_factor(self, factor: np.ndarray) -> np.ndarray:
        return 2.0 * np.log(factor)

    def by_component(self, values: np.ndarray, n_components: int, n_features: int) -> np.ndarray:
        return np.array(np.broadcast_to(values, (n_components, n_features)), order="C").sum(1)

    def trace(self, scale: np.ndarray, factor: np.ndarray) -> float:
        return float((scale * factor**2).sum())

    def trace_pairs(self, scale: np.ndarray, factor: np.ndarray) -> np.ndarray:
        return np.einsum("jc,mkc->mjk", scale, factor**2)

    def bartlett_dof(self, dof: np.ndarray, n_columns: int) -> np.ndarray:
        return np.array(np.broadcast_to(dof[:, None], (len(dof), n_columns)))

    def bartlett(self, rng: np.random.Generator, square_dof: np.ndarray, n_draws: int) -> np.ndarray:
        return np.sqrt(rng.chisquare(square_dof, (n_draws, *square_dof.shape)))


WISHARTS: dict[Form, Wisharts] = {TRIANGULAR: WholeMatrices(), DIAGONAL: Entries()}
