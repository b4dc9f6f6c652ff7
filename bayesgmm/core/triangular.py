"""Matrices that are kept whole; what each primitive is, `Form` says."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.matrices import by_stacks, invert_triangular, is_positive_definite, precision_chol_of, stacks


class Triangular:
    """Matrices are whole, (..., n, n), and factors upper triangular."""

    n_axes = 2
    takes_numbers = False

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

    def of_whole(self, matrix: np.ndarray) -> np.ndarray:
        return matrix

    def diagonal(self, matrix: np.ndarray) -> np.ndarray:
        return np.diagonal(matrix, axis1=-2, axis2=-1)

    def whole(self, matrix: np.ndarray) -> np.ndarray:
        return matrix

    def factor(self, spread: np.ndarray) -> np.ndarray:
        return precision_chol_of(spread)

    def has_no_upper(self, matrix: np.ndarray) -> bool:
        return not np.triu(matrix, 1).any()

    def is_factor(self, matrix: np.ndarray) -> bool:
        return not np.tril(matrix, -1).any()

    def fault(self, spread: np.ndarray) -> str:
        for matrix in spread.reshape(-1, *spread.shape[-2:]):
            if np.abs(matrix - matrix.T).max() > 1e-8 * np.abs(matrix).max() or not is_positive_definite(matrix):
                return "symmetric and positive definite"
        return ""

    def spread(self, factor: np.ndarray) -> np.ndarray:
        inverse = invert_triangular(factor)
        return np.swapaxes(inverse, -1, -2) @ inverse

    def precision(self, factor: np.ndarray) -> np.ndarray:
        return factor @ np.swapaxes(factor, -1, -2)

    def inverse(self, matrix: np.ndarray) -> np.ndarray:
        return np.linalg.inv(matrix)

    def whitened_factor(self, factor: np.ndarray, whitening: np.ndarray) -> np.ndarray:
        return np.triu(invert_triangular(whitening) @ factor)

    def log_dets(self, matrix: np.ndarray) -> np.ndarray:
        return np.linalg.slogdet(matrix)[1]

    def traces(self, matrix: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.einsum("...ab,...ba->...", matrix, other)

    def mean_variance(self, spread: np.ndarray) -> np.ndarray:
        return np.trace(spread, axis1=-2, axis2=-1) / spread.shape[-1]

    def total(self, values: np.ndarray) -> np.ndarray:
        return values

    def trace_of_ratio(self, spread: np.ndarray, unit: np.ndarray) -> np.ndarray:
        return np.trace(spread @ np.linalg.inv(unit), axis1=-2, axis2=-1)

    def outer(self, rows: np.ndarray) -> np.ndarray:
        return rows[..., :, None] * rows[..., None, :]

    def add_outer(self, matrices: np.ndarray, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        for some in stacks(matrices):  # the products of all may take as much room as the matrices
            matrices[some] += weights[some, None, None] * rows[some, :, None] * rows[some, None, :]
        return matrices

    def colored(self, noise: np.ndarray, spread: np.ndarray) -> np.ndarray:
        return noise @ np.linalg.cholesky(spread).T

    def recentred(self, second: np.ndarray, counts: np.ndarray, first: np.ndarray, shift: np.ndarray) -> np.ndarray:
        cross = shift[:, :, None] * first[:, None, :]
        outer = counts[:, None, None] * shift[:, :, None] * shift[:, None, :]
        return second + cross + np.swapaxes(cross, 1, 2) + outer

    def scatter(self, second: np.ndarray, counts: np.ndarray, first: np.ndarray) -> np.ndarray:
        scatter = first[:, :, None] * (first / counts[:, None])[:, None, :]
        return np.subtract(second, scatter, out=scatter)  # in place: these arrays may be the largest there are

    def times(self, rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        return rows @ matrix

    def whitened(self, spread: np.ndarray, whitening: np.ndarray) -> np.ndarray:
        return whitening.T @ spread @ whitening

    def whiten(self, factor: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.einsum("...ij,...i->...j", factor, rows)

    def unwhiten(self, factor: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.linalg.solve(np.swapaxes(factor, -1, -2), rows[..., None])[..., 0]

    def restricted(self, factor: np.ndarray, columns: list[int]) -> np.ndarray:
        # By QR of the rows of a root: products of matrices would square their condition number.
        root = np.linalg.qr(invert_triangular(factor)[..., columns], mode="r")
        signs = np.where(np.diagonal(root, axis1=-2, axis2=-1) < 0.0, -1.0, 1.0)
        return invert_triangular(signs[..., :, None] * root)

    def trailing(self, matrix: np.ndarray, first: int) -> np.ndarray:
        return matrix[..., first:, first:]

    def clipped_factor(self, spread: np.ndarray, whitening: np.ndarray, floor: float) -> np.ndarray:
        return by_stacks(lambda stack: _clipped(stack, whitening, floor), spread)

    def narrowest(self, factors: np.ndarray, whitening: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        deviations, combinations = np.empty(len(factors)), np.empty(factors.shape[:2])
        for stack in stacks(factors):
            half = invert_triangular(factors[stack]) @ whitening  # white covariance = half^T half
            _, singular, vectors = np.linalg.svd(half)
            deviations[stack], combinations[stack] = singular[:, -1], vectors[:, -1, :]
        combinations = combinations @ whitening.T
        return deviations**2, combinations / np.linalg.norm(combinations, axis=1, keepdims=True)


def _clipped(spread: np.ndarray, whitening: np.ndarray, floor: float) -> np.ndarray:
    white = whitening.T @ spread @ whitening
    try:  # a Cholesky factor costs a tenth of the eigenvalues, and clipping is rare
        np.linalg.cholesky(white - floor * np.eye(len(whitening)))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(white)
        white = (vectors * np.maximum(values, floor)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    # Factored in whitened coordinates: in the data's own, nearly dependent columns and a component at the
    # floor can make a covariance that has no Cholesky factor in float64.
    return whitening @ precision_chol_of(white)
