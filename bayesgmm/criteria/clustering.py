"""How well the components recover labels that are known, by hard and by soft assignments."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.core import density
from bayesgmm.criteria.score import Score
from bayesgmm.errors import ArgumentError
from bayesgmm.result.fit import Fit

BY_VALUES = "points are assigned by their values alone, without the labels or offsets that the fit knows"
ARI_DRAWS = 200  # its posterior mean to a fourteenth of its posterior standard deviation


def ari(fit: Fit, X: np.ndarray, labels: np.ndarray) -> Score:
    """Adjusted Rand index of the labels and the most probable components.

    For draws it is the mean over at most 200 evenly spaced draws, each with its own allocation of the points:
    the index does not depend on the order of the components, so nothing needs to be aligned.

    Hubert and Arabie (1985), Journal of Classification 2, 193-218, doi:10.1007/BF01908075.
    """
    notes = (BY_VALUES,) if fit.is_restricted else ()
    if fit.kind != "draws":
        return Score("ari", rand_index(labels, fit.predict(X)), 0.0, notes=notes)
    draws = fit.params.spaced(ARI_DRAWS)
    joints = (density.log_joint(draws[s].scores(), X) for s in range(len(draws.weights)))
    values = np.array([rand_index(labels, joint.argmax(1)) for joint in joints])
    return Score("ari", float(values.mean()), float(values.std()), notes=notes)


def groups_of(labels: ArrayLike, fit: Fit) -> np.ndarray:
    """As `known_groups`, of the rows of a fit's data; where rows have weights, as often as these say."""
    assert fit.X is not None
    return fit.per_point(known_groups(labels, len(fit.X)))


def known_groups(labels: ArrayLike, n_obs: int) -> np.ndarray:
    """Given labels of any kind as (n,) integers from 0 on.

    Raises
    ------
    ArgumentError
        There is not one label for each point.
    """
    groups = np.asarray(labels)
    if groups.shape != (n_obs,):
        raise ArgumentError(f"labels have shape {groups.shape} and there are {n_obs} points: give one label per point.")
    if any(label is None or label != label for label in groups.tolist()):
        raise ArgumentError("labels have missing values: leave labels out, or fit the labelled points alone.")
    return np.unique(groups.astype(str), return_inverse=True)[1]


def rand_index(labels: np.ndarray, partition: np.ndarray) -> float:
    """Adjusted Rand index of two partitions."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(labels, partition))


def mutual_information(labels: np.ndarray, partition: np.ndarray) -> float:
    """Mutual information of two partitions, divided by the mean of their entropies."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(labels, partition))


def soft_rand_index(labels: np.ndarray, shares: np.ndarray) -> float:
    """Adjusted Rand index with each count of pairs replaced by its expectation under (n, K) responsibilities.

    Campello (2007), Pattern Recognition Letters 28, 833-841, doi:10.1016/j.patrec.2006.11.010, with the product as
    conjunction.
    """
    n, squares = len(labels), (shares**2).sum(1)
    table = _soft_table(labels, shares)
    # Each is twice a number of pairs: the square counts the points with themselves.
    together = (table**2).sum() - squares.sum()
    of_labels = (table.sum(1) ** 2).sum() - n
    of_shares = (table.sum(0) ** 2).sum() - squares.sum()
    by_chance, most = of_labels * of_shares / (n * (n - 1)), 0.5 * (of_labels + of_shares)
    return float((together - by_chance) / (most - by_chance)) if most > by_chance else 1.0


def soft_mutual_information(labels: np.ndarray, shares: np.ndarray) -> float:
    """Mutual information of a random point's label and component, divided by the mean of their entropies.

    The component is drawn from the point's (n, K) responsibilities.
    """
    from scipy.stats import entropy  # half a second of importing

    table = _soft_table(labels, shares)
    of_labels, of_shares = entropy(table.sum(1)), entropy(table.sum(0))
    shared = of_labels + of_shares - entropy(table.ravel())
    return float(max(shared, 0.0) / (0.5 * (of_labels + of_shares))) if of_labels + of_shares > 0 else 1.0


def _soft_table(labels: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(groups, K) total responsibilities of the points of each group."""
    return np.eye(labels.max() + 1)[labels].T @ shares
