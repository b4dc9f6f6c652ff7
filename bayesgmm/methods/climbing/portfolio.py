"""The portfolio: starts of different kinds, in turn, since no kind is good on all data.

Every kind is equivariant within the structure's own group.  K-means in coordinates whitened by the spread of *all*
data loses clusters among the noise of many columns (there the distances between clusters are no longer than those
within), so most kinds go on from there: with a first partition the scatter *within* is known, and a mixture with one
covariance for all is climbed to, which is k-means in a metric that is learnt at the same time.  It begins from more
parts than are wanted, which leaves few bad optima; the parts are then joined by the classification likelihood, so that
a cluster which is no ellipse in the learnt metric comes out whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.sweep import Assign
from bayesgmm.families.family import Frame
from bayesgmm.families.gaussian import CovarianceStructure, shared
from bayesgmm.methods.climbing.agglomeration import agglomerate
from bayesgmm.rows import Rows
from bayesgmm.rows.kmeans import kmeans, whitened_distances

SHARED_SWEEPS = 60  # at most, of the climb with one covariance
SHARED_TOL = 1e-5  # of the gain of the mean log likelihood in one of them; a start need not be better
RIDGE = 1e-4  # of the data's own spread, added to the scatter within: parts of equal points have none
POINTS_PER_PART = 4  # fewer make parts of noise
ROWS_PER_PART, ROWS_PER_COLUMN, FEWEST_ROWS = 50, 50, 4000  # what a start looks at, where the data have more


@dataclass(frozen=True, eq=False)
class Ground:
    """What every start needs: data, structure, units of the data's spread, number of components."""

    rows: Rows
    structure: CovarianceStructure
    whitening: np.ndarray
    n_components: int

    def enough(self, n_parts: int, rng: np.random.Generator) -> Rows:
        """All rows, or as many random ones as `n_parts` parts need."""
        n, d = self.rows.values.shape
        enough = max(FEWEST_ROWS, ROWS_PER_PART * n_parts, ROWS_PER_COLUMN * d)
        return self.rows if n <= enough else self.rows.subset(np.sort(rng.choice(n, enough, replace=False)))


Kind = Callable[[Ground, np.random.Generator], SufficientStatistics]


@dataclass(frozen=True)
class Parts:
    """K-means into `fineness` times K parts, perhaps climbed with one covariance for all, joined until K are left.

    Parameters
    ----------
    fineness : int
    is_climbed : bool
    has_own_covariances : bool
        The criterion by which parts are joined.
    """

    fineness: int
    is_climbed: bool
    has_own_covariances: bool = True

    def __call__(self, ground: Ground, rng: np.random.Generator) -> SufficientStatistics:
        k, n = ground.n_components, len(ground.rows)
        n_parts = min(max(k, min(self.fineness * k, n // POINTS_PER_PART)), n)
        rows = ground.enough(n_parts, rng)
        centers = kmeans(rows, ground.whitening, n_parts, rng)
        stats = rows.sweep(whitened_distances(centers, ground.whitening), Assign.HARD)
        if self.is_climbed:
            stats = _climbed(rows, ground, stats)
        stats = stats.scaled(len(rows) / rows.n_obs)  # what makes a part too small is its number of rows
        if n_parts > k:
            form = ground.structure if self.has_own_covariances else shared(ground.structure)
            stats = agglomerate(stats, _metric_within(ground, stats), k, form)
        return stats.padded(k).scaled(ground.rows.n_obs / len(rows))


def _climbed(rows: Rows, ground: Ground, stats: SufficientStatistics) -> SufficientStatistics:
    """After EM with one covariance for all components."""
    form, previous = shared(ground.structure), -np.inf
    for _ in range(SHARED_SWEEPS):
        stats = rows.sweep(form.maximise(stats, None, Frame(ground.whitening, RIDGE)).scores())
        if stats.log_likelihood - previous <= SHARED_TOL * stats.n_obs:
            break
        previous = stats.log_likelihood
    return stats


def _metric_within(ground: Ground, stats: SufficientStatistics) -> np.ndarray:
    """Precision factor of the pooled scatter within the parts."""
    return shared(ground.structure).maximise(stats, None, Frame(ground.whitening, RIDGE)).precision_chol[0]


def in_turn(kinds: tuple[Kind, ...], ground: Ground, rng: np.random.Generator) -> Iterator[SufficientStatistics]:
    """Starts without end, of one kind after the other."""
    while True:
        for kind in kinds:
            yield kind(ground, rng)
