"""The credible ball: how far the posterior reaches around a partition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesgmm.checks import real_number
from bayesgmm.partitions.allocations import Allocations
from bayesgmm.partitions.search import by_size

ROUNDING = 1e-9  # relative; distances that differ by less are the same


@dataclass(frozen=True, eq=False)
class CredibleBall:
    """The smallest ball around the point partition that holds a posterior probability of at least `level`.

    Every bound is an array (m, n) of the partitions that tie for it, most often one; their clusters are numbered
    from the largest on.

    Parameters
    ----------
    level : float
    radius : float
        In the units of the loss.
    probability : float
        What the ball holds, at least `level`.
    horizontal : (m, n) int array
        The draws of the ball that are farthest from the point partition.
    upper : (m, n) int array
        Of the draws of the ball with the fewest clusters, the farthest ones.
    lower : (m, n) int array
        Of the draws of the ball with the most clusters, the farthest ones.

    References
    ----------
    Wade and Ghahramani (2018), Bayesian Analysis 13, 559-626, doi:10.1214/17-BA1073, section 4.
    """

    level: float
    radius: float
    probability: float
    horizontal: np.ndarray
    upper: np.ndarray
    lower: np.ndarray

    def __repr__(self) -> str:
        counts = [int(bound[0].max()) + 1 for bound in (self.upper, self.lower)]
        return (
            f"<{self.level:.0%} credible ball: radius {self.radius:.3g}, bounds of {counts[0]} to {counts[1]} clusters>"
        )


def credible_ball(draws: Allocations, distance: np.ndarray, level: float) -> CredibleBall:
    """The ball of draws whose (S,) distances from its centre are given.

    Raises
    ------
    ArgumentError
        `level` is not in (0, 1].
    """
    level = real_number(level, "level", above=0, most=1)
    order = np.argsort(distance, kind="stable")
    reached = np.cumsum(draws.weights[order])
    radius = distance[order[min(np.searchsorted(reached, level - ROUNDING), len(order) - 1)]]
    inside = np.flatnonzero(distance <= radius * (1.0 + ROUNDING))
    counts = draws.n_clusters[inside]
    bounds = (inside, inside[counts == counts.min()], inside[counts == counts.max()])
    return CredibleBall(
        float(level), float(radius), float(draws.weights[inside].sum()),
        *(_farthest(draws.partitions, distance, rows) for rows in bounds),
    )  # fmt: skip


def _farthest(partitions: np.ndarray, distance: np.ndarray, rows: np.ndarray) -> np.ndarray:
    farthest = rows[distance[rows] >= distance[rows].max() * (1.0 - ROUNDING)]
    return np.array([by_size(partition) for partition in partitions[farthest]])
