"""Permanents: sums over all orders of the components, without making the orders.

    perm(exp(A)) = sum over permutations s of prod_j exp(A[j, s(j)])

column by column, over how many rows of each kind have been used: 2^K K steps where all rows differ and there are K!
orders, and far fewer where rows are alike, as those of emptied components are.  Minc (1978), Permanents,
doi:10.1017/CBO9781107340688.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numba import types
from scipy.special import gammaln

from bayesgmm.core.kernels.compilation import array_type, compiled, jit
from bayesgmm.core.threads import run_in_threads

PART = 1024  # matrices: some milliseconds, worth handing to a thread
ALIKE = 1e-9  # by which logs of alike rows may differ, so that the logarithm of a sum is off by K times that at most


def log_permanents(logs: np.ndarray) -> np.ndarray:
    """Log permanents of exponentials.

    Parameters
    ----------
    logs : (m, K, K) array
        An entry may be -inf.

    Returns
    -------
    (m,) array
    """
    kinds = row_kinds(logs)
    first = [int(np.flatnonzero(kinds == kind)[0]) for kind in range(kinds.max() + 1)]
    counts = np.bincount(kinds)
    rows, out = np.ascontiguousarray(logs[:, first], float), np.empty(len(logs))
    kernel = _kernel()
    parts = [(begin, min(begin + PART, len(logs))) for begin in range(0, len(logs), PART)]
    run_in_threads(lambda part: kernel(rows[part[0] : part[1]], counts, out[part[0] : part[1]]), parts)
    return out + float(gammaln(counts + 1.0).sum())  # which of the alike rows is which


def n_states(logs: np.ndarray) -> int:
    """How many sums `log_permanents` keeps for each matrix; it makes K of them for each."""
    return math.prod(int(count) + 1 for count in np.bincount(row_kinds(logs)))


def row_kinds(logs: np.ndarray) -> np.ndarray:
    """(K,) numbers from 0 of the kinds of rows, alike in all of the (m, K, K) matrices."""
    k = logs.shape[1]
    kinds, known = np.zeros(k, np.int64), []
    for row in range(k):
        same = [kind for kind, first in enumerate(known) if _is_alike(logs[:, first], logs[:, row])]
        if not same:
            known.append(row)
        kinds[row] = same[0] if same else len(known) - 1
    return kinds


def _is_alike(one: np.ndarray, other: np.ndarray) -> bool:
    if len(one) > 1 and not _is_alike(one[:1], other[:1]):  # which nearly always answers, and at once
        return False
    gap = np.subtract(one, other, where=one != other, out=np.zeros_like(one))  # two that are -inf have no difference
    return bool((np.abs(gap) <= ALIKE).all())


@cache
def _kernel():
    signature = (array_type(float, 3), array_type(int, 1), array_type(float, 1, is_output=True))
    return compiled(fill_log_permanents, *signature)


@jit
def fill_log_permanents(rows: types.Array, counts: types.Array, out: types.Array) -> None:
    """Of matrices that have row i counts[i] times; which of these is which is left out."""
    n_kinds, n_states = rows.shape[1], 1
    stride = np.empty(n_kinds, np.int64)
    for kind in range(n_kinds):
        stride[kind] = n_states
        n_states *= counts[kind] + 1
    total = np.empty(n_states)  # of the columns so far, over all ways to give them as many rows of each kind
    used, has = np.zeros(n_states, np.int64), np.zeros(n_states, np.int64)  # how many rows, and a bit for each kind
    for state in range(n_states):
        for kind in range(n_kinds):
            digit = state // stride[kind] % (counts[kind] + 1)
            used[state] += digit
            has[state] |= (digit > 0) << kind
    total[0] = 0.0
    for m in range(len(out)):
        for state in range(1, n_states):
            column, top = used[state] - 1, -np.inf
            for kind in range(n_kinds):
                if has[state] >> kind & 1:
                    top = max(top, total[state - stride[kind]] + rows[m, kind, column])
            if top == -np.inf:
                total[state] = -np.inf
                continue
            tail = 0.0
            for kind in range(n_kinds):
                if has[state] >> kind & 1:
                    tail += np.exp(total[state - stride[kind]] + rows[m, kind, column] - top)
            total[state] = top + np.log(tail)
        out[m] = total[-1]
