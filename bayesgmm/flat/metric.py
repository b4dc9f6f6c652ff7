"""Coordinates in which a nearly normal posterior is nearly standard normal: what NUTS moves in where there are such.

nutpie adapts one scale for each coordinate.  With many data a mixture's posterior is close to a normal distribution
whose coordinates are correlated, so that steps must be as short as its narrowest direction and paths as long as its
widest.  The curvature at the mode says what these are.  Any fixed affine map leaves the posterior as it is: the draws
are right whatever the map, and a bad one costs time.  It is used only where draws of the normal distribution show that
the posterior is close to it; where it was not, measured paths were up to ten times longer with the map than without.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesgmm.flat.metric_map import pack_map
from bayesgmm.flat.posterior import FlatPosterior

MAX_DIM = 1000  # the map is 8 MB then; a product with it at every step is still cheap beside a sweep
ROWS_PER_DIM = 4  # an evaluation takes some 2 n p multiply-adds and the map p**2, slower ones
MAX_CLIMB = 400  # evaluations; posteriors that are close to normal need some hundred
CLIMB_NATS = 1e-3  # that a step gains at the end of the climb; the Newton step that follows does the rest
STEP = 1e-5  # of forward differences in coordinates of unit size: far below a posterior deviation, above rounding
N_PAIRS = 16  # of antithetic draws on which the normal distribution is judged

# Mean over coordinates of the squared difference of the gradients of posterior and normal distribution, in units of the
# latter (whose own has mean square 1).  Measured on the classics and on simulated data, 8 columns, 300 to 20,000 rows:
# up to 0.06 the map needs as many evaluations per effective draw as none, or up to seven times fewer; from 0.09 it
# needs fewer on some data and up to ten times more on others.
MAX_DISCREPANCY = 0.06


@dataclass(frozen=True, eq=False)
class AffineMap:
    """``x = center + scale * (root^T z)``.

    Parameters
    ----------
    center, scale : (p,) array
    root : (p, p) array
        Lower triangular.
    """

    center: np.ndarray
    scale: np.ndarray
    root: np.ndarray

    # np.einsum calls no BLAS, whose threads may change the last bits.

    @property
    def packed(self) -> np.ndarray:
        """The map as compiled code takes it."""
        return pack_map(self.center, self.scale, self.root)

    def to_flat(self, z: np.ndarray) -> np.ndarray:
        """The flat vector at z."""
        return self.center + self.scale * np.einsum("j,ji->i", z, self.root)

    def from_flat(self, x: np.ndarray) -> np.ndarray:
        """The z of a flat vector."""
        rest, z = (x - self.center) / self.scale, np.empty(len(x))
        for j in range(len(x) - 1, -1, -1):
            z[j] = rest[j] / self.root[j, j]
            rest[:j] -= z[j] * self.root[j, :j]
        return z

    def pull(self, gradient: np.ndarray) -> np.ndarray:
        """The gradient in z from that in the flat vector."""
        return np.einsum("ji,i->j", self.root, self.scale * gradient)


def normal_coordinates(posterior: FlatPosterior, start: np.ndarray) -> AffineMap | None:
    """The map from standard normal coordinates at the mode above `start`; None where the posterior is not like that."""
    n_dim = posterior.coordinates.n_dim
    if n_dim > MAX_DIM or n_dim * ROWS_PER_DIM > posterior.n_rows:
        return None
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # of a climb without an end; it has no map
        return _normal_coordinates(posterior, climbed(posterior, start))


def _normal_coordinates(posterior: FlatPosterior, mode: np.ndarray) -> AffineMap | None:
    gradient, precision = curvature(posterior, mode)
    diagonal = np.diag(precision)
    if not np.isfinite(precision).all() or (diagonal <= 0.0).any():
        return None
    scale = 1.0 / np.sqrt(diagonal)
    root = inverse_cholesky(precision * scale * scale[:, None])
    if root is None:
        return None
    at_mode = AffineMap(mode, scale, root)
    center = at_mode.to_flat(at_mode.pull(gradient))  # a Newton step
    found = AffineMap(center, scale, root)
    return found if discrepancy(posterior, found) <= MAX_DISCREPANCY else None


def climbed(posterior: FlatPosterior, start: np.ndarray) -> np.ndarray:
    """A point close to the mode above `start`."""
    from scipy.optimize import minimize

    begin = posterior(start)[0]

    def negative(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = posterior(np.array(x))
        is_finite = np.isfinite(value) and np.isfinite(gradient).all()
        return (begin - value, -gradient) if is_finite else (np.inf, np.zeros_like(x))

    options = {"maxfun": MAX_CLIMB, "maxcor": 20, "ftol": CLIMB_NATS / posterior.coordinates.n_dim, "gtol": 0.0}
    return np.array(minimize(negative, start, jac=True, method="L-BFGS-B", options=options).x)


def curvature(posterior: FlatPosterior, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and minus the Hessian at x."""
    gradient, hessian = posterior(x)[1], np.empty((len(x), len(x)))
    for i in range(len(x)):
        near = x.copy()
        near[i] += STEP
        hessian[i] = (gradient - posterior(near)[1]) / (near[i] - x[i])
    return gradient, 0.5 * (hessian + hessian.T)


def inverse_cholesky(matrix: np.ndarray) -> np.ndarray | None:
    """Inverse of the lower Cholesky factor, without BLAS; None where the matrix is not positive definite."""
    n_dim = len(matrix)
    factor, inverse = np.zeros_like(matrix), np.zeros_like(matrix)
    for j in range(n_dim):
        column = matrix[j:, j] - np.einsum("ij,j->i", factor[j:, :j], factor[j, :j])
        if not column[0] > 0.0:
            return None
        factor[j:, j] = column / np.sqrt(column[0])
        inverse[j, j] = 1.0 / factor[j, j]
        inverse[j, :j] = -inverse[j, j] * np.einsum("i,ik->k", factor[j, :j], inverse[:j, :j])
    return inverse


def discrepancy(posterior: FlatPosterior, coordinates: AffineMap) -> float:
    """Fisher divergence of posterior and normal distribution, per coordinate, over draws of the latter."""
    draws = np.random.default_rng(0).standard_normal((N_PAIRS, len(coordinates.center)))
    squares = []
    for z in (*draws, *-draws):
        gradient = coordinates.pull(posterior(coordinates.to_flat(z))[1])
        squares.append(np.mean((gradient + z) ** 2))
    return float(np.mean(squares))
