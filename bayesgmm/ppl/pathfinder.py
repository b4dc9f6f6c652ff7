"""One path of Pathfinder: normal approximations along an optimiser's way to a mode, and the best of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize

from bayesgmm.flat.posterior import FlatPosterior
from bayesgmm.ppl.variational import Gaussian, log_densities

HISTORY = 6  # pairs of steps and changes of the gradient that an approximation is made of, as in the paper
ELBO_DRAWS = 10  # by which the approximations of one path are compared
MAX_CURVATURE = 1e12  # a pair whose change of the gradient is longer, for its product, says nothing


def best_on_path(
    posterior: FlatPosterior, start: np.ndarray, max_iter: int, rng: np.random.Generator
) -> tuple[Gaussian, float, int]:
    """The approximation with the best ELBO on the way from `start`, that ELBO, and the number of steps.

    Raises
    ------
    FloatingPointError
        No point of the path has an approximation.
    """
    points = [np.array(start)]

    def negative(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = posterior(np.ascontiguousarray(x))
        return (-value, -gradient) if np.isfinite(value) else (np.inf, np.zeros_like(x))

    minimize(
        negative, start, jac=True, method="L-BFGS-B", callback=lambda x: points.append(np.array(x)),
        options={"maxiter": max_iter, "maxcor": HISTORY, "ftol": 1e-10},
    )  # fmt: skip
    gradients = [posterior(x)[1] for x in points]
    best, best_elbo = None, -np.inf
    for q in approximations(points, gradients):
        x = q.draw(rng, ELBO_DRAWS)
        elbo = float(np.mean(log_densities(posterior, x) - q.log_density(x)))
        if elbo > best_elbo:
            best, best_elbo = q, elbo
    if best is None:
        raise FloatingPointError("no point of the path has a normal approximation")
    return best, best_elbo, len(points) - 1


def approximations(points: list[np.ndarray], gradients: list[np.ndarray]) -> Iterator[Gaussian]:
    """The normal approximation at every point but the first, from the gradients of the log density on the way there.

    Zhang, Carpenter, Gelman and Vehtari (2022), Journal of Machine Learning Research 23(306), 1-49.
    """
    variance = np.ones(len(points[0]))
    pairs: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=HISTORY)
    for x0, x1, g0, g1 in zip(points[:-1], points[1:], gradients[:-1], gradients[1:], strict=True):
        step, change = x1 - x0, g0 - g1
        product = step @ change
        if product > 0 and change @ change < MAX_CURVATURE * product:
            pairs.append((step, change))
            variance = updated_variance(variance, step, change)
        if not pairs:
            continue
        cov = inverse_hessian(variance, np.array([s for s, _ in pairs]).T, np.array([z for _, z in pairs]).T)
        try:
            chol = np.linalg.cholesky(cov)
        except np.linalg.LinAlgError:
            continue
        mean = x1 + cov @ g1
        if np.isfinite(mean).all():
            yield Gaussian(mean, chol)


def updated_variance(variance: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The diagonal of the inverse Hessian after one more pair (Gilbert and Lemarechal 1989, formula 4.9)."""
    a, b, c = change @ (variance * change), step @ change, step @ (step / variance)
    return 1.0 / (a / (b * variance) + change**2 / b - a * step**2 / (b * c * variance**2))


def inverse_hessian(variance: np.ndarray, steps: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """(n_dim, n_dim) L-BFGS estimate from a diagonal and (n_dim, J) pairs (Byrd, Nocedal and Schnabel 1994)."""
    products = steps.T @ changes
    inverse = np.linalg.inv(np.triu(products))
    scaled = variance[:, None] * changes
    middle = inverse.T @ (np.diag(np.diag(products)) + changes.T @ scaled) @ inverse
    cross = scaled @ inverse @ steps.T
    return np.diag(variance) + steps @ middle @ steps.T - cross - cross.T
