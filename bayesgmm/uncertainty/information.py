"""Observed information of a point fit, and by the delta method the covariance of anything computed from it."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import NotApplicableError
from bayesgmm.result.fit import Fit
from bayesgmm.result.status import Outcome
from bayesgmm.uncertainty.coordinates import Coordinates
from bayesgmm.uncertainty.objective import Objective
from bayesgmm.uncertainty.quantities import values_of

STEP = 1e-4  # central differences of the exact gradient: an error of its square, 1e-8, and rounding far below that
SLOPE_LIMIT = 1e-2  # nats that one Newton step would gain; the estimate is then a seventh of a standard error away
SINGULAR = 1e-7  # smallest eigenvalue of the information scaled to a unit diagonal; differences are exact to 1e-8
BOOTSTRAP = "a bootstrap does not need it: method='ordinary'."


def observed_information(fit: Fit) -> tuple[Coordinates, np.ndarray]:
    """Coordinates around a point fit, and minus the Hessian of its objective in them.

    Fisher's identity gives the gradient from one sweep; the Hessian is its central difference.

    Raises
    ------
    NotApplicableError
        The fit is not at a smooth interior maximum; the sentence says why.
    """
    if fit.status.outcome is Outcome.COLLAPSED:
        raise NotApplicableError(
            f"at a suspicious optimum the likelihood has no curvature to take an error from: {fit.status.sentence}"
        )
    if not fit.status.is_converged:
        raise NotApplicableError(f"the fit is not at an optimum, where alone its curvature is an error: {fit.status}")
    if fit.params.weights.min() <= 0:
        k = int(fit.params.weights.argmin())
        raise NotApplicableError(f"component {k} has weight 0, which is on the edge of what a weight can be.")
    _check_coordinates(fit)
    objective, rows = Objective.of(fit), fit.rows
    coordinates = Coordinates(objective.structure, fit.params)

    def gradient(x: np.ndarray) -> np.ndarray:
        params = coordinates.at(x)
        return coordinates.gradient(x, params, rows.sweep(params.scores()), objective.excess)

    steps = STEP * np.eye(coordinates.size)
    slopes = np.array([(gradient(-step) - gradient(step)) / (2.0 * STEP) for step in steps])
    information = 0.5 * (slopes + slopes.T)
    _check(information, gradient(np.zeros(coordinates.size)))
    return coordinates, information


def _check_coordinates(fit: Fit) -> None:
    if fit.model.covariance.coordinates is None:
        raise NotApplicableError(
            f"covariance={fit.model.covariance.name!r} has no coordinates in which a curvature is taken; {BOOTSTRAP}"
        )


def delta_method(coordinates: Coordinates, information: np.ndarray, families: tuple[str, ...]) -> np.ndarray:
    """(Q,) standard errors of the quantities of the mixture at the centre."""
    center = coordinates.center
    # About means of zero, so that data far from the origin lose no digits in the differences.
    local = Coordinates(
        coordinates.structure,
        MixtureParams.trusted(center.weights, np.zeros_like(center.means), center.precision_chol),
    )
    steps = STEP * np.eye(coordinates.size)
    change = values_of(local.at(steps), families) - values_of(local.at(-steps), families)
    jacobian = change / (2.0 * STEP)
    scale = 1.0 / np.sqrt(np.diag(information))
    root = np.linalg.cholesky(information * scale * scale[:, None])
    return np.linalg.norm(np.linalg.solve(root, jacobian * scale[:, None]), axis=0)


def _check(information: np.ndarray, slope: np.ndarray) -> None:
    diagonal = np.diag(information)
    if not np.isfinite(information).all() or (diagonal <= 0).any():
        raise NotApplicableError(f"the objective is not curved downwards at this fit in every direction; {BOOTSTRAP}")
    scale = 1.0 / np.sqrt(diagonal)
    values = np.linalg.eigvalsh(information * scale * scale[:, None])
    if values[0] < SINGULAR:
        raise NotApplicableError(
            "the observed information is singular: in some direction the data say nothing, as with more components "
            f"than they have; use fewer components or a prior; {BOOTSTRAP}"
        )
    gain = 0.5 * float(slope @ np.linalg.solve(information, slope))
    if gain > SLOPE_LIMIT:
        raise NotApplicableError(
            f"the fit is some {gain:.2g} nats below its optimum, where alone the curvature is an error: fit with a "
            "smaller tol."
        )
