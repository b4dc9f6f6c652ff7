"""`merge_components`: clusters made of several components, merged where these overlap most."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

from bayesgmm.checks import fraction, instance, whole_number
from bayesgmm.errors import ArgumentError, NotApplicableError
from bayesgmm.partitions.partition import partition
from bayesgmm.result.fit import Fit
from bayesgmm.result.own_data import points_to_show

if TYPE_CHECKING:
    import pandas as pd

# Clusters of gamma, exponential and log-normal shape, which fits split in two, overlap by 0.38 to 0.56, and two equal
# round components by 0.51, 0.36 and 0.24 where they are 2, 2.5 and 3 standard deviations apart.
ONE_CLUSTER = 1.0 / 3.0
LEAST = 1e-9  # points: a component that holds fewer is empty


@dataclass(frozen=True, eq=False)
class Merging:
    """Components that were merged pair by pair, from all of them to a single cluster.

    Attributes
    ----------
    shares : (n, K) array
        Responsibilities of the components for each point.
    weights : (n,) array
        How often each point counts.
    pairs : tuple of (int, int)
        What each step merged: the clusters that hold these components, the lower number first.
    entropies : (K,) array
        Entropy of the clusters' shares in nats, summed over the points: of K clusters, K - 1, ..., 1.
    overlaps : (K - 1,) array
        What each step took from the entropy, as a fraction of what it would take if the two clusters were alike: 1 for
        two that cover each other, and 0 for two apart.  That of two equal round components is one half at a distance of
        two standard deviations, where two modes become one, and one quarter at three.
    threshold : float
        The least overlap of clusters that are one.
    clusters : tuple of tuples of int
        The components of each cluster, when pairs are merged, those that overlap most first, as long as the overlap is
        at least the threshold.  The order of `pairs` is another one: a pair of large clusters takes more from the
        entropy than a pair of small ones that overlap more.
    """

    shares: np.ndarray
    weights: np.ndarray
    pairs: tuple[tuple[int, int], ...]
    entropies: np.ndarray
    overlaps: np.ndarray
    threshold: float
    clusters: tuple[tuple[int, ...], ...]

    def __repr__(self) -> str:
        named = "; ".join("+".join(map(str, part)) for part in self.clusters)
        parts, clusters = _counted(self.n_components, "component"), _counted(self.n_clusters, "cluster")
        return f"<Merging of {parts} into {clusters}: {named}>"

    @property
    def n_components(self) -> int:
        return self.shares.shape[1]

    @property
    def n_clusters(self) -> int:
        """The number of `clusters`."""
        return len(self.clusters)

    @property
    def elbow(self) -> int | None:
        """Clusters where the entropy bends most, by two straight lines; None with fewer than three components.

        Where all components are well apart the bend is one of rounding, and says nothing: see `overlaps`.

        References
        ----------
        Baudry et al. (2010), section 4.2.
        """
        k = self.n_components
        if k < 3:
            return None
        sizes, entropies = np.arange(1, k + 1), self.entropies[::-1]
        errors = {
            c: _misfit(sizes[:c], entropies[:c]) + _misfit(sizes[c - 1 :], entropies[c - 1 :]) for c in range(2, k)
        }
        return min(errors, key=errors.__getitem__)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each number of clusters: its entropy, and what was merged to get there, with its overlap."""
        import pandas as pd

        rows = [{"n_clusters": self.n_components, "entropy": self.entropies[0], "merged": "", "overlap": np.nan}]
        for step, (one, other) in enumerate(self.pairs):
            before = self.groups(self.n_components - step)
            names = ["+".join(map(str, next(part for part in before if k in part))) for k in (one, other)]
            rows.append({
                "n_clusters": self.n_components - step - 1, "entropy": self.entropies[step + 1],
                "merged": " and ".join(names), "overlap": self.overlaps[step],
            })  # fmt: skip
        return pd.DataFrame(rows)

    def groups(self, n_clusters: int | None = None) -> tuple[tuple[int, ...], ...]:
        """The components of each cluster, counted from 0; clusters are in the order of their first components.

        Those of `clusters`, or of the given number of clusters in the order of `pairs`.
        """
        if n_clusters is None:
            return self.clusters
        count = self._checked(n_clusters)
        parts = {k: [k] for k in range(self.n_components)}
        for one, other in self.pairs[: self.n_components - count]:
            parts[one] = sorted(parts[one] + parts.pop(other))
        return tuple(tuple(part) for part in parts.values())

    def responsibilities(self, n_clusters: int | None = None) -> np.ndarray:
        """(n, clusters) probabilities of the clusters for each point."""
        return np.column_stack([self.shares[:, list(part)].sum(1) for part in self.groups(n_clusters)])

    def labels(self, n_clusters: int | None = None) -> np.ndarray:
        """(n,) the most probable cluster of each point."""
        return self.responsibilities(n_clusters).argmax(1)

    def _checked(self, n_clusters: int) -> int:
        count = whole_number(n_clusters, "n_clusters", also="None")
        if count > self.n_components:
            raise ArgumentError(f"n_clusters={count} is more than the {self.n_components} components that there are.")
        return count


def merge_components(fit: Fit, X: ArrayLike | None = None, threshold: float = ONE_CLUSTER) -> Merging:
    """Merge components into clusters, each time the two that lower the entropy of the points' shares most.

    So a skewed cluster that takes two Gaussian components is one cluster again; the density stays what it is.

    For draws whose labels switch, the clusters of `partition` take the place of components, and the share of a point in
    one of them is the share of its similarity that lies in it.

    Parameters
    ----------
    fit : Fit
    X : (n, d) array or frame, optional
        The fit's own data where it is not given.
    threshold : float
        Between 0 and 1; `Merging.n_clusters` merges what overlaps at least so much.  At one third, clusters of
        exponential or log-normal shape are one again, and two round ones three standard deviations apart are two.

    Returns
    -------
    Merging
        All numbers of clusters from K to 1, and the choice among them.

    Raises
    ------
    NotApplicableError
        The fit has no usable result, or is without its data and X is not given.
    ArgumentError
        `threshold` is not between 0 and 1.

    References
    ----------
    Baudry, Raftery, Celeux, Lo and Gottardo (2010), Journal of Computational and Graphical Statistics 19, 332-353,
    doi:10.1198/jcgs.2010.08111.  Hennig (2010), Advances in Data Analysis and Classification 4, 3-34,
    doi:10.1007/s11634-010-0058-3, on modes and thresholds.
    """
    instance(fit, "fit", Fit)
    threshold = fraction(threshold, "threshold")
    own = fit.sample_weight if X is None else None
    values = fit.X if own is not None and fit.X is not None else points_to_show(fit, X, "merge its components")
    weights = np.ones(len(values)) if own is None else np.asarray(own, float)
    return _merged(_shares(fit, values, weights), weights, threshold)


def _shares(fit: Fit, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    try:
        return fit.responsibilities(values)
    except NotApplicableError:
        if fit.kind != "draws":
            raise
    found = partition(fit, X=values)
    together = np.column_stack(
        [found.similarity[:, found.labels == c] @ weights[found.labels == c] for c in np.unique(found.labels)]
    )
    return together / together.sum(1, keepdims=True)


def _merged(shares: np.ndarray, weights: np.ndarray, threshold: float) -> Merging:
    entropies, pairs, overlaps = [float(weights @ entr(shares).sum(1))], [], []
    for one, other, left in _steps(shares, weights, _gain):
        overlaps.append(_overlap(left[one], left[other], weights))
        pairs.append((one, other))
        entropies.append(entropies[-1] - _gain(left[one], left[other], weights))
    clusters: dict[int, tuple[int, ...]] = {k: (k,) for k in range(shares.shape[1])}
    for one, other, left in _steps(shares, weights, _overlap):
        if _overlap(left[one], left[other], weights) < threshold:
            break
        clusters[one] = tuple(sorted(clusters[one] + clusters.pop(other)))
    known = np.maximum(entropies, 0.0)  # the last one is zero, but for rounding
    return Merging(shares, weights, tuple(pairs), known, np.array(overlaps), threshold, tuple(clusters.values()))


def _steps(
    shares: np.ndarray, weights: np.ndarray, height: Callable[[np.ndarray, np.ndarray, np.ndarray], float]
) -> Iterator[tuple[int, int, dict[int, np.ndarray]]]:
    """The pair to merge at each step, that of the greatest height, with the clusters' shares before it is merged."""
    left = {k: shares[:, k] for k in range(shares.shape[1])}
    heights = {(one, other): height(left[one], left[other], weights) for one, other in combinations(left, 2)}
    while heights:
        one, other = max(heights, key=heights.__getitem__)
        yield one, other, left
        left = {**left, one: left[one] + left[other]}
        del left[other]
        heights = {pair: value for pair, value in heights.items() if not {one, other} & set(pair)}
        heights |= {(min(one, k), max(one, k)): height(left[one], left[k], weights) for k in left if k != one}


def _overlap(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> float:
    """What merging two takes from the entropy, of what it would take from two alike; one that is empty is like any."""
    sizes = weights @ one, weights @ other
    return _gain(one, other, weights) / _most(*sizes) if min(sizes) > LEAST else 1.0


def _gain(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> float:
    """What merging two takes from the entropy."""
    return float(weights @ (entr(one) + entr(other) - entr(one + other)))


def _most(one: Any, other: Any) -> float:
    """The same if every point were shared between the two in the proportion of their sizes."""
    total = one + other
    return float(total * (entr(one / total) + entr(other / total)))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _misfit(x: np.ndarray, y: np.ndarray) -> float:
    """Sum of squares about a straight line."""
    if len(x) < 3:
        return 0.0
    return float(np.sum((y - np.polyval(np.polyfit(x, y, 1), x)) ** 2))
