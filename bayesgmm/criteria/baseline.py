"""K-means, the baseline that every mixture should be seen beside."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.core.density import log_joint
from bayesgmm.criteria.score import Score
from bayesgmm.rows import Rows
from bayesgmm.rows.kmeans import kmeans, whitened_distances

NO_INERTIA = "the inertia is that of k-means; a mixture measures each component by its own covariance"
N_STARTS = 20
MOST_AS_MATRIX = 100  # columns


@dataclass(frozen=True, eq=False)
class KMeansBaseline:
    """The best k-means partition of several starts, every column divided by its standard deviation.

    Parameters
    ----------
    centers : (K, D) array
        In the data's own units.
    partition : (n,) int array
    inertia : float
        Sum of squared distances to the nearest centre, in standard deviations.
    seconds : float
    """

    centers: np.ndarray
    partition: np.ndarray
    inertia: float
    seconds: float


def kmeans_baseline(X: np.ndarray, n_components: int, rng: np.random.Generator) -> KMeansBaseline:
    """Lloyd's algorithm from 20 k-means++ starts; a constant column counts for nothing."""
    begin = time.perf_counter()
    deviations = X.std(0, ddof=1, dtype=float) if len(X) > 1 else np.zeros(X.shape[1])
    whitening = np.divide(1.0, deviations, out=np.zeros(X.shape[1]), where=deviations > 0)
    if len(whitening) <= MOST_AS_MATRIX:  # so the sweep of full covariances serves, which ordinary use has compiled
        whitening = np.diag(whitening)
    best = (np.inf, X[:n_components], np.zeros(len(X), int))
    for _ in range(N_STARTS):
        centers = kmeans(Rows(X, ()), whitening, n_components, rng)
        squared = -2.0 * log_joint(whitened_distances(centers, whitening), X)
        best = min(best, (float(squared.min(1).sum()), centers, squared.argmin(1)), key=lambda start: start[0])
    inertia, centers, partition = best
    return KMeansBaseline(centers, partition, inertia, time.perf_counter() - begin)


def baseline_scores(baseline: KMeansBaseline, columns: tuple[str, ...]) -> dict[str, Score]:
    """What k-means has to show in each of the columns; the index of given labels is `clustering`'s to add."""
    scores = {
        kind: Score.missing(kind, f"k-means has no density, which {kind} needs")
        for kind in columns
        if kind != "inertia"
    }
    return scores | {"inertia": Score("inertia", baseline.inertia, 0.0)}


def no_inertia(fit: Any, asked: Any) -> Score:
    """What stands in the column of the inertia for a mixture."""
    return Score.missing("inertia", NO_INERTIA)
