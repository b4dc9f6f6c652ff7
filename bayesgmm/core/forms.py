"""The two forms of arrays in which matrices are kept: whole, or as their diagonals.

A matrix stands for a covariance (a *spread*), for a precision, or for a precision factor P, upper triangular with
``inv(Sigma) = P P^T``.  What is done to it is written once, on the primitives of its form.  Leading axes are a stack.
Where a law gives every covariance a Wishart matrix, the diagonal form has a 1 x 1 matrix for each of its entries.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from bayesgmm.core.diagonal import Diagonal
from bayesgmm.core.triangular import Triangular


class Form(Protocol):
    """What can be done to matrices; n is the number of columns."""

    n_axes: int
    takes_numbers: bool  # whether one number stands for a matrix that has it on its diagonal

    def shape(self, n: int) -> tuple[int, ...]:
        """Shape of one matrix."""
        ...

    def n_entries(self, n: int) -> int:
        """Free entries of one symmetric matrix."""
        ...

    def matrix_size(self, n: int) -> int:
        """p: the order of the matrices that a law of covariances is about."""
        ...

    def identity(self, n: int) -> np.ndarray:
        """One matrix of ones on the diagonal."""
        ...

    def of_diagonal(self, diagonal: np.ndarray) -> np.ndarray:
        """Matrices with these diagonals (..., n)."""
        ...

    def of_whole(self, matrix: np.ndarray) -> np.ndarray:
        """(..., n, n) matrices in this form."""
        ...

    def diagonal(self, matrix: np.ndarray) -> np.ndarray:
        """(..., n) diagonals."""
        ...

    def whole(self, matrix: np.ndarray) -> np.ndarray:
        """(..., n, n) matrices, with their zeros."""
        ...

    def factor(self, spread: np.ndarray) -> np.ndarray:
        """Precision factors of covariances: P = C^-T where Sigma = C C^T, or 1 / standard deviation."""
        ...

    def has_no_upper(self, matrix: np.ndarray) -> bool:
        """Whether nothing stands above the diagonals."""
        ...

    def is_factor(self, matrix: np.ndarray) -> bool:
        """Whether nothing stands below the diagonals."""
        ...

    def fault(self, spread: np.ndarray) -> str:
        """What covariances must be, where some of them are not."""
        ...

    def spread(self, factor: np.ndarray) -> np.ndarray:
        """Covariances of precision factors."""
        ...

    def precision(self, factor: np.ndarray) -> np.ndarray:
        """``P P^T`` of each factor."""
        ...

    def inverse(self, matrix: np.ndarray) -> np.ndarray:
        """Inverse of a symmetric matrix."""
        ...

    def whitened_factor(self, factor: np.ndarray, whitening: np.ndarray) -> np.ndarray:
        """``W^-1 P``: precision factors in whitened coordinates."""
        ...

    def log_dets(self, matrix: np.ndarray) -> np.ndarray:
        """Log determinants of symmetric matrices, or the logarithms of all entries."""
        ...

    def traces(self, matrix: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Traces of products of symmetric matrices, or the products of all entries."""
        ...

    def mean_variance(self, spread: np.ndarray) -> np.ndarray:
        """Means of the variances of each spread, or all entries."""
        ...

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sum over the columns of one value per Wishart matrix."""
        ...

    def trace_of_ratio(self, spread: np.ndarray, unit: np.ndarray) -> np.ndarray:
        """``trace(S U^-1)`` of each spread, with one unit for all."""
        ...

    def outer(self, rows: np.ndarray) -> np.ndarray:
        """``v v^T`` of each row v (..., n)."""
        ...

    def add_outer(self, matrices: np.ndarray, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """``M_k + weight_k v_k v_k^T`` of (K, ...) matrices and rows; may overwrite the matrices."""
        ...

    def colored(self, noise: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """``C z`` of each row z (..., n), with one spread ``C C^T`` for all."""
        ...

    def recentred(self, second: np.ndarray, counts: np.ndarray, first: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """Second moments about points that lie by `shift` (K, D) before the present ones."""
        ...

    def scatter(self, second: np.ndarray, counts: np.ndarray, first: np.ndarray) -> np.ndarray:
        """Second moments about the means; counts are positive."""
        ...

    def times(self, rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """``v^T M`` of each row v (..., n), with one matrix."""
        ...

    def whitened(self, spread: np.ndarray, whitening: np.ndarray) -> np.ndarray:
        """``W^T S W``: covariances in whitened coordinates."""
        ...

    def whiten(self, factor: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """``P^T v``, each row v (..., n) with a factor of its own."""
        ...

    def unwhiten(self, factor: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """``P^-T z``, each row z (..., n) with a factor of its own."""
        ...

    def restricted(self, factor: np.ndarray, columns: list[int]) -> np.ndarray:
        """Precision factors of the covariances of some columns, in their order."""
        ...

    def trailing(self, matrix: np.ndarray, first: int) -> np.ndarray:
        """The part of each matrix that belongs to the columns from `first` on."""
        ...

    def clipped_factor(self, spread: np.ndarray, whitening: np.ndarray, floor: float) -> np.ndarray:
        """Precision factors of covariances, their whitened eigenvalues clipped to at least `floor`.

        Applied to the unconstrained maximum it is the exact maximum under the constraint, because the
        Gaussian likelihood is, for fixed eigenvectors, unimodal in each eigenvalue.
        """
        ...

    def narrowest(self, factors: np.ndarray, whitening: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Smallest variance of each component relative to the data's, and the combination of columns that has it.

        `factors` are (K, D, D) or (K, D).  Returns (K,) ratios and (K, D) unit vectors a: in component k, ``a^T x``
        has that ratio of the data's own variance of ``a^T x``, and no other combination has a smaller one.
        """
        ...


TRIANGULAR: Form = Triangular()
DIAGONAL: Form = Diagonal()


def form_of(n_axes: int) -> Form:
    """The form of matrices with so many axes beside those of the stack."""
    return DIAGONAL if n_axes == DIAGONAL.n_axes else TRIANGULAR
