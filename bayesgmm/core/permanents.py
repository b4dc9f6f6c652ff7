"""Permanents: sums over all orders of the components, without making the orders.

    perm(exp(A)) = sum over permutations s of prod_j exp(A[j, s(j)])

by a sum over subsets of columns, 2^K K steps where there are K! orders.  Minc (1978), Permanents,
doi:10.1017/CBO9781107340688.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import types

from bayesgmm.core.compilation import array_type, compiled, jit
from bayesgmm.core.threads import run_in_threads

PART = 1024  # matrices: some milliseconds, worth handing to a thread


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
    logs, out = np.ascontiguousarray(logs, float), np.empty(len(logs))
    kernel = _kernel()
    parts = [(begin, min(begin + PART, len(logs))) for begin in range(0, len(logs), PART)]
    run_in_threads(lambda part: kernel(logs[part[0] : part[1]], out[part[0] : part[1]]), parts)
    return out


@cache
def _kernel():
    return compiled(fill_log_permanents, array_type(float, 3), array_type(float, 1, is_output=True))


@jit
def fill_log_permanents(logs: types.Array, out: types.Array) -> None:
    k = logs.shape[1]
    total = np.empty(1 << k)  # of the rows so far, over all ways to put them into the columns of a subset
    size = np.zeros(1 << k, np.int64)
    for subset in range(1, 1 << k):
        size[subset] = size[subset >> 1] + (subset & 1)
    total[0] = 0.0
    for m in range(len(out)):
        for subset in range(1, 1 << k):
            row, top = size[subset] - 1, -np.inf
            for column in range(k):
                if subset >> column & 1:
                    top = max(top, total[subset ^ (1 << column)] + logs[m, row, column])
            if top == -np.inf:
                total[subset] = -np.inf
                continue
            tail = 0.0
            for column in range(k):
                if subset >> column & 1:
                    tail += np.exp(total[subset ^ (1 << column)] + logs[m, row, column] - top)
            total[subset] = top + np.log(tail)
        out[m] = total[-1]
