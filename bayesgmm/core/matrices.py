"""Algebra of stacks of triangular and positive definite matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

STACK_BYTES = 8 * 2**20  # of matrices that are factored at once


def precision_chol_of(covariances: np.ndarray) -> np.ndarray:
    """P = C^-T (upper triangular) of each (..., D, D) covariance ``C C^T``."""
    return by_stacks(_precision_chol_of, covariances)


def _precision_chol_of(covariances: np.ndarray) -> np.ndarray:
    return np.swapaxes(invert_triangular(np.linalg.cholesky(covariances), is_lower=True), -1, -2)


def by_stacks(function: Callable[[np.ndarray], np.ndarray], matrices: np.ndarray) -> np.ndarray:
    """``function(matrices)``, made of results for parts of (..., D, D) matrices, so that it needs little room."""
    if matrices.ndim < 3 or matrices.nbytes <= STACK_BYTES:
        return function(matrices)
    out = np.empty(matrices.shape)
    for stack in stacks(matrices):
        out[stack] = function(matrices[stack])
    return out


def stacks(matrices: np.ndarray) -> Iterator[slice]:
    """Cut the first axis of (K, ...) matrices into parts of moderate size, at least one matrix each."""
    step = max(1, STACK_BYTES // max(1, matrices[0].nbytes))
    yield from (slice(start, start + step) for start in range(0, len(matrices), step))


def is_positive_definite(matrix: np.ndarray) -> bool:
    """Whether a finite symmetric (D, D) matrix is positive definite, whatever the units of its columns."""
    # A singular matrix that was computed leaves an eigenvalue of a few eps of either sign.
    return is_regular(matrix, 4 * len(matrix) * np.finfo(float).eps)


def is_regular(matrix: np.ndarray, least: float) -> bool:
    """Whether the smallest eigenvalue of its correlations is above `least`."""
    deviations = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    if not (deviations > 0).all():
        return False
    correlation = matrix / deviations / deviations[:, None]
    return bool(np.linalg.eigvalsh(correlation)[0] > least)


def invert_triangular(matrices: np.ndarray, is_lower: bool = False) -> np.ndarray:
    """Inverse of each (..., D, D) triangular matrix, by halves and on the whole stack at once."""
    if is_lower:
        return np.swapaxes(invert_triangular(np.swapaxes(matrices, -1, -2)), -1, -2)
    if matrices.shape[-1] == 1:
        return 1.0 / matrices
    half = matrices.shape[-1] // 2
    inverse = np.zeros(matrices.shape)
    if matrices.shape[-1] == 2:  # spelt out, as calls are what small matrices cost
        inverse[..., 0, 0], inverse[..., 1, 1] = 1.0 / matrices[..., 0, 0], 1.0 / matrices[..., 1, 1]
        inverse[..., 0, 1] = -inverse[..., 0, 0] * matrices[..., 0, 1] * inverse[..., 1, 1]
        return inverse
    top = inverse[..., :half, :half] = invert_triangular(matrices[..., :half, :half])
    bottom = inverse[..., half:, half:] = invert_triangular(matrices[..., half:, half:])
    inverse[..., :half, half:] = -top @ matrices[..., :half, half:] @ bottom
    return inverse
