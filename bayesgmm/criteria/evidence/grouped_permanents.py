"""Permanents of many components, of which few can be taken for one another.

An order that gives a row of one group to a column of another is worth so little that all of them together can be left
out; the permanent is then the product of those of the groups.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from bayesgmm.criteria.evidence.permanents import log_permanents, n_states
from bayesgmm.errors import NotApplicableError

MAX_STATES = 2**12  # of one group: twelve components that all differ
ERROR = 1e-6  # relative, of all orders that are left out together
PART = 512  # matrices at a time, so that K^2 numbers for each are no memory to speak of
TOO_MANY = (  # without numbers, so that a table says it once for all fits
    "the sum over the orders of the components would take too long, since more than twelve of them, all different, can "
    "be taken for one another"
)
NEVER = -1e30  # in the place of -inf, which no assignment can be made of


def log_grouped_permanents(logs: np.ndarray) -> np.ndarray:
    """Log permanents of exponentials, to a relative error of at most 1e-6.

    Parameters
    ----------
    logs : (m, K, K) array
        An entry may be -inf.

    Returns
    -------
    (m,) array

    Raises
    ------
    NotApplicableError
        A group is so large that its sum would take too long.
    """
    logs = np.asarray(logs, float)
    if n_states(logs) <= MAX_STATES:
        return log_permanents(logs)
    return np.concatenate([_of_part(logs[begin : begin + PART]) for begin in range(0, len(logs), PART)])


def _of_part(logs: np.ndarray) -> np.ndarray:
    best = _best_first(np.maximum(logs, NEVER))
    is_possible = (np.diagonal(best, axis1=1, axis2=2) > NEVER).all(1)
    if not is_possible.all():
        out = np.full(len(logs), -np.inf)
        if is_possible.any():
            out[is_possible] = _of_part(logs[is_possible])
        return out
    groups = grouped(best)
    total = np.zeros(len(logs))
    patterns, of_matrix = np.unique(groups, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows = np.flatnonzero(of_matrix.ravel() == number)
        for group in np.unique(pattern):
            members = np.flatnonzero(pattern == group)
            block = best[rows][:, members][:, :, members]
            if n_states(block) > MAX_STATES:
                raise NotApplicableError(TOO_MANY)
            total[rows] += block[:, 0, 0] if len(members) == 1 else log_permanents(block)
    return total


def grouped(logs: np.ndarray) -> np.ndarray:
    """(m, K) the number of each component's group, of matrices whose best order is that of their diagonal.

    An entry matters where the best cycle that it closes is worth more than `ERROR` over the number of orders, to the
    diagonal's.  Best paths are those of Floyd and Warshall, of sums in the place of lengths.
    """
    k = logs.shape[1]
    worth = logs - np.diagonal(logs, axis1=1, axis2=2)[:, :, None]
    path = worth.copy()
    for middle in range(k):
        np.maximum(path, path[:, :, middle, None] + path[:, None, middle], out=path)
    limit = np.log(ERROR) - gammaln(k + 1.0)
    matters = worth + np.swapaxes(path, 1, 2) >= limit
    matters |= np.eye(k, dtype=bool)
    # The cycle of an entry that matters is made of such entries, so what one reaches also reaches it.
    number = np.broadcast_to(np.arange(k), matters.shape[:2])
    for _ in range(k):
        least = np.where(matters, number[:, None, :], k).min(2)
        if (least == number).all():
            break
        number = least
    return number


def _best_first(logs: np.ndarray) -> np.ndarray:
    """The matrices with their columns in the order of the best assignment."""
    from scipy.optimize import linear_sum_assignment

    orders = np.array([linear_sum_assignment(one, maximize=True)[1] for one in logs])
    return np.take_along_axis(logs, orders[:, None, :], 2)
