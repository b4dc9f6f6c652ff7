"""Two-dimensional views of data and components: the plane itself, pairs of columns, or two principal axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesgmm.core.params import MixtureParams

MAX_PAIRS = 4  # columns of a pair plot; with more of them each panel is too small to read
MASS = 0.9  # of a component inside its ellipse
RADIUS = float(np.sqrt(-2.0 * np.log(1.0 - MASS)))  # of a bivariate normal, in standard deviations


@dataclass(frozen=True, eq=False)
class View:
    """An affine picture ``(x - offset) @ matrix`` of the data.

    Parameters
    ----------
    matrix : (d, 2) array
    offset : (d,) array
    labels : pair of str
        Of the axes.
    row, column : int
        Where the panel stands in the grid.
    """

    matrix: np.ndarray
    offset: np.ndarray
    labels: tuple[str, str]
    row: int = 0
    column: int = 0

    def points(self, X: np.ndarray) -> np.ndarray:
        """(n, 2) picture of the points."""
        return (X - self.offset) @ self.matrix

    def outlines(self, params: MixtureParams, n_corners: int = 73) -> np.ndarray:
        """(..., K, n_corners, 2) ellipses that hold `MASS` of each component's marginal in the view."""
        angle = np.linspace(0, 2 * np.pi, n_corners)
        circle = RADIUS * np.column_stack([np.cos(angle), np.sin(angle)])
        covariances = self.matrix.T @ params.covariances @ self.matrix
        return self.points(params.means)[..., None, :] + circle @ np.swapaxes(np.linalg.cholesky(covariances), -1, -2)


def views_of(X: np.ndarray, names: tuple[str, ...]) -> list[View]:
    """The views that show d >= 2 columns: the plane, every pair of up to four columns, or principal axes."""
    d = X.shape[1]
    if d > MAX_PAIRS:
        return [_principal(X)]
    units, origin = np.eye(d), np.zeros(d)
    return [
        View(units[:, [j, i]], origin, (names[j], names[i]), row=i - 1, column=j)
        for i in range(1, d)
        for j in range(i)
    ]  # fmt: skip


def _principal(X: np.ndarray) -> View:
    center, spread = X.mean(0, dtype=float), X.std(0, dtype=float)
    _, sizes, axes = np.linalg.svd((X - center) / spread, full_matrices=False)
    share = sizes**2 / (sizes**2).sum()
    labels = tuple(f"principal axis {i + 1} ({share[i]:.0%} of the variance)" for i in range(2))
    return View(axes[:2].T / spread[:, None], center, labels)
