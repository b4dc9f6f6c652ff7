"""Matching draws to a reference: one pass over the draws, then a readout of the next reference.

Every method is an assignment problem per draw.  With memberships P_t (n, K) and a reference W (n, K), the gain of
calling component l by the name k is ``(P_t^T W)[l, k]``, and the best order of the components maximises the sum of
the gains.  What differs is W.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from bayesgmm.errors import NotConvergedWarning
from bayesgmm.labels.memberships import Memberships


def best_orders(gains: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """(draws, K) orders that maximise the sum over k of ``gains[t, order[t, k], k]``.

    Components of different `groups` (K,) do not change places.
    """
    from scipy.optimize import linear_sum_assignment  # slow to import

    if groups is not None:
        gains = np.where(groups[:, None] == groups, gains, -np.inf)
    orders = np.empty(gains.shape[:2], np.int64)
    for t, gain in enumerate(gains):
        orders[t] = linear_sum_assignment(gain.T, maximize=True)[1]
    return orders


def match(
    memberships: Memberships,
    reference: np.ndarray,
    averaged: Memberships | None = None,
    before: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The best order of every draw (draws, K), and the sum (n, K) of the memberships in these orders.

    The sum is of `averaged`, which are the memberships themselves by default.  With the result of the pass `before`,
    only the draws whose order has changed since are added anew, which late passes have few of.
    """
    source = memberships if averaged is None else averaged
    orders = np.empty((memberships.n_draws, memberships.n_components), np.int64)
    total = np.zeros((memberships.n_points, memberships.n_components)) if before is None else before[1].copy()
    for rows in memberships.slices():
        block = memberships.at(rows)
        orders[rows] = found = best_orders(block.transpose(0, 2, 1) @ reference, memberships.groups)
        is_added = np.ones(len(found), bool) if before is None else (found != before[0][rows]).any(1)
        if is_added.any():
            added = (block if source is memberships else source.at(rows))[is_added]
            total += _aligned_sum(added, found[is_added])
            if before is not None:
                total -= _aligned_sum(added, before[0][rows][is_added])
    return orders, total


def match_until_settled(
    memberships: Memberships,
    start: np.ndarray,
    readout: Callable[[np.ndarray], np.ndarray],
    max_iter: int,
    averaged: Memberships | None = None,
) -> np.ndarray:
    """Match to `start`, then to what `readout` makes of the mean, until no order changes.

    Warns
    -----
    NotConvergedWarning
        Orders still change after `max_iter` passes.
    """
    last, n_changed = match(memberships, start, averaged), 0
    for _ in range(max_iter):
        found = match(memberships, readout(last[1] / memberships.n_draws), averaged, last)
        n_changed = int((found[0] != last[0]).any(1).sum())
        last = found
        if not n_changed:
            return last[0]
    warnings.warn(
        f"after {max_iter} passes the labels of {n_changed} of {memberships.n_draws} draws still change: raise "
        "max_iter.",
        NotConvergedWarning,
        stacklevel=2,
    )
    return last[0]


def log_mean(mean: np.ndarray) -> np.ndarray:
    """log Q of a mean Q, where a Q of zero is a cost that no order with P above zero will take."""
    return np.log(np.maximum(mean, np.finfo(float).tiny))


def one_hot(labels: np.ndarray, n_components: int) -> np.ndarray:
    """(n, K) ones and zeros of labels (n,)."""
    return np.eye(n_components)[labels]


def _aligned_sum(block: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Sum over draws of ``block[t][:, orders[t]]``; draws in one order are added first, as there are few orders."""
    different, which = np.unique(orders, axis=0, return_inverse=True)
    if len(different) == 1:
        return block.sum(0)[:, different[0]]
    total = np.zeros(block.shape[1:])
    for i, order in enumerate(different):
        total += block[which.ravel() == i].sum(0)[:, order]
    return total
