"""Matrices of which only the diagonals are kept; what each primitive is, `Form` says."""

from __future__ import annotations

import numpy as np


class Diagonal:
    """Of every matrix the diagonal alone, (..., n), so a sweep costs K D a point and not K D^2."""

    n_axes = 1
    takes_numbers = True

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

    def of_whole(self, matrix: np.ndarray) -> np.ndarray:
        return np.diagonal(matrix, axis1=-2, axis2=-1)

    def diagonal(self, matrix: np.ndarray) -> np.ndarray:
        return matrix

    def whole(self, matrix: np.ndarray) -> np.ndarray:
        return matrix[..., None] * np.eye(matrix.shape[-1])

    def factor(self, spread: np.ndarray) -> np.ndarray:
        return 1.0 / np.sqrt(spread)

    def has_no_upper(self, matrix: np.ndarray) -> bool:
        return True

    def is_factor(self, matrix: np.ndarray) -> bool:
        return True

    def fault(self, spread: np.ndarray) -> str:
        return "positive" if (spread <= 0).any() else ""

    def spread(self, factor: np.ndarray) -> np.ndarray:
        return factor**-2.0

    def precision(self, factor: np.ndarray) -> np.ndarray:
        return factor**2

    def inverse(self, matrix: np.ndarray) -> np.ndarray:
        return 1.0 / matrix

    def whitened_factor(self, factor: np.ndarray, whitening: np.ndarray) -> np.ndarray:
        return factor / whitening[: factor.shape[-1]]

    def log_dets(self, matrix: np.ndarray) -> np.ndarray:
        return np.log(matrix)

    def traces(self, matrix: np.ndarray, other: np.ndarray) -> np.ndarray:
        return matrix * other

    def mean_variance(self, spread: np.ndarray) -> np.ndarray:
        return spread

    def total(self, values: np.ndarray) -> np.ndarray:
        return values.sum(-1)

    def trace_of_ratio(self, spread: np.ndarray, unit: np.ndarray) -> np.ndarray:
        return (spread / unit).sum(-1)

    def outer(self, rows: np.ndarray) -> np.ndarray:
        return rows**2

    def add_outer(self, matrices: np.ndarray, weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return matrices + weights[:, None] * rows**2

    def colored(self, noise: np.ndarray, spread: np.ndarray) -> np.ndarray:
        return noise * np.sqrt(spread)

    def recentred(self, second: np.ndarray, counts: np.ndarray, first: np.ndarray, shift: np.ndarray) -> np.ndarray:
        return second + shift * (first + (first + counts[:, None] * shift))

    def scatter(self, second: np.ndarray, counts: np.ndarray, first: np.ndarray) -> np.ndarray:
        return np.maximum(second - first**2 / counts[:, None], 0.0)

    def times(self, rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        return rows * matrix

    def whitened(self, spread: np.ndarray, whitening: np.ndarray) -> np.ndarray:
        return spread * whitening**2

    def whiten(self, factor: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return factor * rows

    def unwhiten(self, factor: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return rows / factor

    def restricted(self, factor: np.ndarray, columns: list[int]) -> np.ndarray:
        return factor[..., columns]

    def trailing(self, matrix: np.ndarray, first: int) -> np.ndarray:
        return matrix[..., first:]

    def clipped_factor(self, spread: np.ndarray, whitening: np.ndarray, floor: float) -> np.ndarray:
        lowest = floor * whitening**-2
        return self.factor(np.maximum(spread, lowest[: spread.shape[-1]]))

    def narrowest(self, factors: np.ndarray, whitening: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        variances = (whitening / factors) ** 2
        components, axis = np.arange(len(variances)), variances.argmin(1)
        directions = np.zeros(variances.shape)
        directions[components, axis] = 1.0
        return variances[components, axis], directions
