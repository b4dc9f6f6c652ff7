"""Equivalence class representatives: as many points as possible keep the label that a pivot gives them.

References
----------
Papastamoulis and Iliopoulos (2010), Journal of Computational and Graphical Statistics 19, 313-331,
doi:10.1198/jcgs.2010.09008.  Papastamoulis (2016), Journal of Statistical Software 69(1), doi:10.18637/jss.v069.c01.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.labels.matching import log_mean, match, match_until_settled, one_hot
from bayesgmm.labels.relabel_input import Material


def ecr(material: Material) -> np.ndarray:
    """Orders in which most points agree with the pivot; with responsibilities, the expected number of them."""
    memberships, pivot = material.memberships, material.pivot_partition()
    if pivot.any(0).all():
        return match(memberships, pivot)[0]
    return match_until_settled(memberships, pivot, lambda mean: _completed(pivot, mean), material.max_iter)


def ecr_iterative(material: Material) -> np.ndarray:
    """The same, where the pivot becomes each point's most frequent label in the orders found, until none changes.

    Version 1 takes the frequencies of the allocations; version 2, where there are responsibilities too, their means.
    """
    memberships = material.memberships

    def most_frequent(mean: np.ndarray) -> np.ndarray:
        pivot = one_hot(mean.argmax(1), memberships.n_components)
        return pivot if pivot.any(0).all() else _completed(pivot, mean)

    return match_until_settled(
        memberships, material.pivot_partition(), most_frequent, material.max_iter, material.responsibilities
    )


def _completed(pivot: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """A pivot in which some labels have no point, and what decides between these: the gain of Stephens' method.

    It is made so small that it never outweighs one point.
    """
    return pivot + log_mean(mean) / (1000.0 * len(pivot))
