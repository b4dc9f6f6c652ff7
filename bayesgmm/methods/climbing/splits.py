"""Ways to divide the points of a component in two, as statistics from which a climb begins.

No one way suits every cluster.  Two clusters in one component lie along its longest axis; a skewed or bent cluster that
needs two components is often divided across a shorter one, and a heavy-tailed one into its core and its tails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from bayesgmm.core.matrices import is_positive_definite, precision_chol_of
from bayesgmm.core.params import ComponentScores
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.sweep import Assign
from bayesgmm.rows import Rows
from bayesgmm.rows.kmeans import whitened_distances

LLOYD = 5  # iterations of 2-means
INNER, OUTER = 0.5, 2.0  # the covariances of a core and of its tails, as multiples of the component's


@dataclass(frozen=True, eq=False)
class Part:
    """What is to be divided: the points, weighted by their shares in a component.

    Parameters
    ----------
    rows : Rows
        Weighted by their shares in the component.
    mean : (D,) array
    covariance : (D, D) or (D,) array
    whitening : (D, D) or (D,) array
        Of the data, so that units do not matter.
    """

    rows: Rows
    mean: np.ndarray
    covariance: np.ndarray
    whitening: np.ndarray

    def divided(self, scores: ComponentScores) -> SufficientStatistics | None:
        """Every point goes to the higher of two scores."""
        halves = self.rows.sweep(scores, Assign.HARD)
        return halves if halves.counts.min() > 0.0 else None


Split = Callable[[Part], "SufficientStatistics | None"]
"""The two halves of a part; None where there is nothing to divide, as in tied points."""


def by_two_means(part: Part) -> SufficientStatistics | None:
    """2-means from either side of the mean along the longest axis."""
    halves = across(part, 0)
    for _ in range(LLOYD - 1):
        if halves is not None:
            halves = part.divided(whitened_distances(halves.means(), part.whitening))
    return halves


def across(part: Part, axis: int) -> SufficientStatistics | None:
    """The two sides of the mean along an axis, 0 the longest."""
    if axis >= len(part.mean):
        return None
    sides = np.array([[-1.0], [1.0]]) * half_axis(part.covariance, part.whitening, axis)
    return part.divided(whitened_distances(part.mean + sides, part.whitening))


def core_and_tails(part: Part) -> SufficientStatistics | None:
    """The points near the mean and those far from it, in the component's own metric."""
    covariance = part.covariance
    if covariance.ndim == 1:
        factor = 1.0 / np.sqrt(covariance) if covariance.min() > 0.0 else None
    else:
        factor = precision_chol_of(covariance) if is_positive_definite(covariance) else None
    if factor is None:
        return None
    scale = np.array([INNER, OUTER])
    factors = factor / np.sqrt(scale).reshape((2,) + (1,) * factor.ndim)
    log_weight = -0.5 * len(part.mean) * np.log(scale)  # the two densities, of which the higher takes a point
    return part.divided(ComponentScores(log_weight, np.stack([part.mean, part.mean]), factors))


SPLITS: tuple[Split, ...] = (
    by_two_means,
    partial(across, axis=0),
    partial(across, axis=1),
    partial(across, axis=2),
    core_and_tails,
)


def half_axis(covariance: np.ndarray, whitening: np.ndarray, which: int) -> np.ndarray:
    """A half axis of a component in whitened coordinates, 0 the longest, in those of the data."""
    if whitening.ndim == 1:
        j = np.argsort(-covariance * whitening**2, kind="stable")[which]
        axis = np.zeros(len(covariance))
        axis[j] = np.sqrt(covariance[j])
        return axis
    values, vectors = np.linalg.eigh(whitening.T @ covariance @ whitening)
    size = np.sqrt(max(values[-1 - which], 0.0))  # tied points have no scatter, but rounding
    return np.linalg.solve(whitening.T, vectors[:, -1 - which] * size)
