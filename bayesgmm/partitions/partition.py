"""`partition`: one partition that stands for a posterior of partitions, and how far from sure it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.checks import as_seed, one_of, whole_number
from bayesgmm.errors import ArgumentError
from bayesgmm.partitions.allocations import Allocations, from_array, from_fit
from bayesgmm.partitions.ball import CredibleBall, credible_ball
from bayesgmm.partitions.contingency import Terms, canonical, distances, pointwise_losses
from bayesgmm.partitions.search import search
from bayesgmm.result.fit import Fit

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Loss:
    """A loss between partitions, as people and as kernels know it."""

    name: str
    unit: str
    terms: Callable[[int], Terms]


LOSSES = {
    "vi": Loss("variation of information", " nats", Terms.information),
    "binder": Loss("Binder's loss", "", Terms.binder),
}


@dataclass(frozen=True, eq=False)
class Partition:
    """A point partition and the posterior around it.

    Attributes
    ----------
    labels : (n,) int array
        The cluster of each point, numbered from the largest on.
    loss : str
        "vi" or "binder".
    expected_loss : float
        Posterior mean of the loss between `labels` and the partition.  In nats for "vi"; a share of the n^2 ordered
        pairs of points for "binder".
    similarity : (n, n) array
        Posterior probabilities that two points are in one cluster.
    uncertainty : (n,) array
        Each point's own part of the expected loss, whose mean over the points is the expected loss: 0 for a point
        whose companions are sure.
    baselines : dict of str to float
        Expected losses of the best draw and of the best cuts of the dendrograms of 1 - similarity with average and
        complete linkage.  None is below `expected_loss`.
    allocations : Allocations
        The different partitions among the draws, with their probabilities.
    distance : (S,) array
        The loss between `labels` and each of these.
    """

    labels: np.ndarray
    loss: str
    expected_loss: float
    similarity: np.ndarray
    uncertainty: np.ndarray
    baselines: dict[str, float]
    allocations: Allocations
    distance: np.ndarray

    def __repr__(self) -> str:
        loss = LOSSES[self.loss]
        count = f"{self.n_clusters} cluster{'s' if self.n_clusters > 1 else ''}"
        return (
            f"<Partition of {len(self.labels)} points into {count}: expected {loss.name} "
            f"{self.expected_loss:.4g}{loss.unit}>"
        )

    @property
    def n_clusters(self) -> int:
        """Number of clusters of the point partition."""
        return int(self.labels.max()) + 1

    def credible_ball(self, level: float = 0.95) -> CredibleBall:
        """The smallest ball around `labels` with a posterior probability of at least `level`, and its bounds.

        Raises
        ------
        ArgumentError
            `level` is not in (0, 1].
        """
        return credible_ball(self.allocations, self.distance, level)

    def summary(self) -> pd.DataFrame:
        """One row per cluster: its size, the mean similarity of its points, and their mean and largest uncertainty.

        The similarity of a cluster of one point, which has no pair, is NaN.
        """
        import pandas as pd

        rows = []
        for k in range(self.n_clusters):
            members = np.flatnonzero(self.labels == k)
            m = len(members)
            within = self.similarity[np.ix_(members, members)].sum() - m
            doubt = self.uncertainty[members]
            rows.append((m, within / (m * (m - 1)) if m > 1 else np.nan, doubt.mean(), doubt.max()))
        columns = ["size", "mean_similarity", "mean_uncertainty", "max_uncertainty"]
        return pd.DataFrame(rows, columns=columns, index=pd.RangeIndex(self.n_clusters, name="cluster"))


def partition(
    draws: Fit | ArrayLike,
    loss: str = "vi",
    X: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    max_clusters: int | None = None,
    n_runs: int = 8,
    max_draws: int = 2000,
    rng: np.random.Generator | int | None = None,
) -> Partition:
    """The partition of the points with the least posterior expected loss, and the uncertainty around it.

    Nothing depends on how components are numbered, so draws need not be aligned.

    Parameters
    ----------
    draws : Fit or int array (draws, n) or (chain, draw, n)
        A fit by Gibbs, NUTS or a variational method, or the allocations that any program has drawn: a row of cluster
        labels per draw, whose values mean nothing beyond being equal or not.  Of a fit, allocations are drawn from
        the responsibilities of its draws, and the similarity matrix averages over them exactly.
    loss : {"vi", "binder"}
        Variation of information, or Binder's loss with equal costs.  Binder's makes more small clusters of doubtful
        points; the variation of information is the usual choice.
    X : (n, d) array or frame, optional
        The points to partition; a fit's own where not given.
    weights : array of the shape of the draws, optional
        Of draws that are not equally probable; they need not sum to one.  Not for a fit.
    max_clusters : int, optional
        The largest number of clusters of the point partition; without it there is no limit.
    n_runs : int
        Random starts of the search, beside the best draw and the best hierarchical clusterings.
    max_draws : int
        Of a fit with more draws as many evenly spaced ones are used.
    rng : Generator or int, optional
        The fit's seed, or 0, where not given: the same call gives the same partition.

    Returns
    -------
    Partition

    Raises
    ------
    DataError
        The allocations are not integers of two or three axes, or X does not match the fit.
    ArgumentError
        An argument is out of range, or there are too many points (11,585) or clusters for the memory.
    NotApplicableError
        The fit is a point and has no posterior of partitions, or has no usable result or data.

    Notes
    -----
    The search is that of SALSO: points allocated one by one in random orders, scans until no point wants to move,
    clusters dissolved and built anew, with the exact expected loss throughout.  It costs a step per draw, point and
    cluster in each scan.

    References
    ----------
    Wade and Ghahramani (2018), Bayesian Analysis 13, 559-626, doi:10.1214/17-BA1073; Dahl, Johnson and Mueller
    (2022), Journal of Computational and Graphical Statistics 31, 1189-1201, doi:10.1080/10618600.2022.2069779.
    """
    one_of(loss, "loss", LOSSES)
    max_clusters = None if max_clusters is None else whole_number(max_clusters, "max_clusters", also="None")
    n_runs, max_draws = whole_number(n_runs, "n_runs", 0), whole_number(max_draws, "max_draws")
    if isinstance(draws, Fit):
        if weights is not None:
            raise ArgumentError("weights go with an array of allocations: the draws of a fit are equally probable.")
        seed = draws.seed if rng is None else as_seed(rng)
        allocations, similarity = from_fit(draws, X, max_draws, seed)
    else:
        if X is not None:
            raise ArgumentError("X goes with a fit: an array of allocations already says which points are together.")
        seed = 0 if rng is None else as_seed(rng)
        allocations = from_array(draws, weights)
        similarity = allocations.similarity()
    terms = LOSSES[loss].terms(allocations.partitions.shape[1])
    found = search(terms, allocations, similarity, max_clusters, n_runs, seed)
    center = canonical(found.labels[None])
    return Partition(
        found.labels, loss, found.expected_loss, similarity,
        pointwise_losses(terms, center[0], allocations.partitions, allocations.weights), found.baselines,
        allocations, distances(terms, center, allocations.partitions)[0],
    )  # fmt: skip
