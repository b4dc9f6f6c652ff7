"""The two forms of arrays in which matrices are kept: whole, or as their diagonals.

A matrix stands for a covariance (a *spread*), for a precision, or for a precision factor P, upper triangular with
``inv(Sigma) = P P^T``.  What is done to it is written once, on the primitives of its form.  Leading axes are a stack.
Where a law gives every covariance a Wishart matrix, the diagonal form has a 1 x 1 matrix for each of its entries.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from bayesgmm.core.matrices import invert_triangular, precision_chol_of, stacks


class Form(Protocol):
    """What can be done to matrices; n is the number of columns."""

    n_axes: int

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

    def diagonal(self, matrix: np.ndarray) -> np.ndarray:
        """(..., n) diagonals."""
        ...

    def whole(self, matrix: np.ndarray) -> np.ndarray:
        """(..., n, n) matrices, with their zeros."""
        ...

    def corner(self, matrix: np.ndarray, rows: int, columns: int) -> np.ndarray:
        """The first `rows` matrices of a stack, of a diagonal form the first `columns` entries of each."""
        ...

    def factor(self, spread: np.ndarray) -> np.ndarray:
        """Precision factors of covariances: P = C^-T where Sigma = C C^T, or 1 / standard deviation."""
        ...

    def is_factor(self, matrix: np.ndarray) -> bool:
        """Whether nothing stands below the diagonals."""
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

    def inverse_factor(self, factor: np.ndarray) -> np.ndarray:
        """Inverse of a factor."""
        ...

    def log_dets(self, matrix: np.ndarray) -> np.ndarray:
        """Log determinants of symmetric matrices, or the logarithms of all entries."""
        ...

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sum over the columns of one value per Wishart matrix."""
        ...

    def outer(self, rows: np.ndarray) -> np.ndarray:
        """``v v^T`` of each row v (..., n)."""
        ...

    def add_outer(self, matrices: np.ndarray, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """``M_k + weight_k v_k v_k^T`` of (K, ...) matrices and rows; may overwrite the matrices."""
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

    def whiten(self, factor: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """``P^T v``, each row v (..., n) with a factor of its own."""
        ...

    def unwhiten(self, factor: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """``P^-T z``, each row z (..., n) with a factor of its own."""
        ...


class Triangular:
    """Matrices are whole, (..., n, n), and factors upper triangular."""

    n_axes = 2

    def shape(self, n: int) -> tuple[int, ...]:
        return (n, n)

    def n_entries(self, n: int) -> int:
        return n * (n + 1) // 2

    def matrix_size(self, n: int) -> int:
        return n

    def identity(self, n: int) -> np.ndarray:
        return np.eye(n)

    def of_diagonal(self, diagonal: np.ndarray) -> np.ndarray:
        return diagonal[..., None] * np.eye(diagonal.shape[-1])

    def diagonal(self, matrix: np.ndarray) -> np.ndarray:
        return np.diagonal(matrix, axis1=-2, axis2=-1)

    def whole(self, matrix: np.ndarray) -> np.ndarray:
        return matrix

    def corner(self, matrix: np.ndarray, rows: int, columns: int) -> np.ndarray:
        return matrix[..., :rows, :, :]

    def factor(self, spread: np.ndarray) -> np.ndarray:
        return precision_chol_of(spread)

    def is_factor(self, matrix: np.ndarray) -> bool:
        return not np.tril(matrix, -1).any()

    def spread(self, factor: np.ndarray) -> np.ndarray:
        inverse = invert_triangular(factor)
        return np.swapaxes(inverse, -1, -2) @ inverse

    def precision(self, factor: np.ndarray) -> np.ndarray:
        return factor @ np.swapaxes(factor, -1, -2)

    def inverse(self, matrix: np.ndarray) -> np.ndarray:
        return np.linalg.inv(matrix)

    def inverse_factor(self, factor: np.ndarray) -> np.ndarray:
        return invert_triangular(factor)

    def log_dets(self, matrix: np.ndarray) -> np.ndarray:
        return np.linalg.slogdet(matrix)[1]

    def total(self, values: np.ndarray) -> np.ndarray:
        return values

    def outer(self, rows: np.ndarray) -> np.ndarray:
        return rows[..., :, None] * rows[..., None, :]

    def add_outer(self, matrices: np.ndarray, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        for some in stacks(matrices):  # the products of all may take as much room as the matrices
            matrices[some] += weights[some, None, None] * rows[some, :, None] * rows[some, None, :]
        return matrices

    def recentred(self, second: np.ndarray, counts: np.ndarray, first: np.ndarray, shift: np.ndarray) -> np.ndarray:
        cross = shift[:, :, None] * first[:, None, :]
        outer = counts[:, None, None] * shift[:, :, None] * shift[:, None, :]
        return second + cross + np.swapaxes(cross, 1, 2) + outer

    def scatter(self, second: np.ndarray, counts: np.ndarray, first: np.ndarray) -> np.ndarray:
        scatter = first[:, :, None] * (first / counts[:, None])[:, None, :]
        return np.subtract(second, scatter, out=scatter)  # in place: these arrays may be the largest there are

    def times(self, rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        return rows @ matrix

    def whiten(self, factor: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.einsum("...ij,...i->...j", factor, rows)

    def unwhiten(self, factor: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.linalg.solve(np.swapaxes(factor, -1, -2), rows[..., None])[..., 0]


class Diagonal:
    """Of every matrix the diagonal alone, (..., n), so a sweep costs K D a point and not K D^2."""

    n_axes = 1

    def shape(self, n: int) -> tuple[int, ...]:
        return (n,)

    def n_entries(self, n: int) -> int:
        return n

    def matrix_size(self, n: int) -> int:
        return 1

    def identity(self, n: int) -> np.ndarray:
        return np.ones(n)

    def of_diagonal(self, diagonal: np.ndarray) -> np.ndarray:
        return diagonal

    def diagonal(self, matrix: np.ndarray) -> np.ndarray:
        return matrix

    def whole(self, matrix: np.ndarray) -> np.ndarray:
        return matrix[..., None] * np.eye(matrix.shape[-1])

    def corner(self, matrix: np.ndarray, rows: int, columns: int) -> np.ndarray:
        return matrix[..., :rows, :columns]

    def factor(self, spread: np.ndarray) -> np.ndarray:
        return 1.0 / np.sqrt(spread)

    def is_factor(self, matrix: np.ndarray) -> bool:
        return True

    def spread(self, factor: np.ndarray) -> np.ndarray:
        return factor**-2.0

    def precision(self, factor: np.ndarray) -> np.ndarray:
        return factor**2

    def inverse(self, matrix: np.ndarray) -> np.ndarray:
        return 1.0 / matrix

    def inverse_factor(self, factor: np.ndarray) -> np.ndarray:
        return 1.0 / factor

    def log_dets(self, matrix: np.ndarray) -> np.ndarray:
        return np.log(matrix)

    def total(self, values: np.ndarray) -> np.ndarray:
        return values.sum(-1)

    def outer(self, rows: np.ndarray) -> np.ndarray:
        return rows**2

    def add_outer(self, matrices: np.ndarray, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return matrices + weights[:, None] * rows**2

    def recentred(self, second: np.ndarray, counts: np.ndarray, first: np.ndarray, shift: np.ndarray) -> np.ndarray:
        return second + shift * (first + (first + counts[:, None] * shift))

    def scatter(self, second: np.ndarray, counts: np.ndarray, first: np.ndarray) -> np.ndarray:
        return np.maximum(second - first**2 / counts[:, None], 0.0)

    def times(self, rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        return rows * matrix

    def whiten(self, factor: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return factor * rows

    def unwhiten(self, factor: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return rows / factor


TRIANGULAR, DIAGONAL = Triangular(), Diagonal()


def form_of(n_axes: int) -> Form:
    """The form of matrices with so many axes beside those of the stack."""
    return DIAGONAL if n_axes == DIAGONAL.n_axes else TRIANGULAR
