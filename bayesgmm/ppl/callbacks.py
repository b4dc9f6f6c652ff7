"""The flat posterior as C functions, which a sampler calls from any number of threads without Python's lock.

nutpie's documented entrance for foreign posteriors, `from_pyfunc`, takes the lock for every evaluation; for
evaluations of some ten microseconds that costs more than the evaluations themselves.  So where an evaluation is
one compiled call it goes in as nutpie's own compiled models do: addresses of C functions and of their data.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import carray, types
from numba.core.ccallback import CFunc

from bayesgmm.core.compilation import c_function
from bayesgmm.ppl.flat_diagonal import diagonal
from bayesgmm.ppl.flat_problem import HEADER
from bayesgmm.ppl.flat_triangular import triangular

DOUBLES = types.CPointer(types.double)
LOG_DENSITY = types.int64(types.uint64, DOUBLES, DOUBLES, DOUBLES, types.voidptr)
EXPAND = types.int64(types.uint64, types.uint64, DOUBLES, DOUBLES, types.voidptr)

OK, NOT_FINITE = 0, 4  # a positive code is a divergence, a negative one ends the sampler


@cache
def log_density_callback(is_diagonal: bool) -> CFunc:
    """``(n_dim, x, gradient, value, problem) -> code``."""
    return c_function(LOG_DENSITY, _log_density_diagonal if is_diagonal else _log_density_triangular)


@cache
def expand_callback() -> CFunc:
    """``(n_dim, n_expanded, x, expanded, problem) -> code``: keeps the vector as it is, and counts it."""
    return c_function(EXPAND, _copy)


def _log_density_triangular(n_dim, x, gradient, value, problem):
    size = int(carray(problem, (1,), np.float64)[0])
    found, slope = triangular(carray(x, (n_dim,)), carray(problem, (size,), np.float64))
    value[0] = found
    is_finite = np.isfinite(found)
    for i in range(n_dim):
        gradient[i] = slope[i]
        is_finite &= np.isfinite(slope[i])
    return OK if is_finite else NOT_FINITE


def _log_density_diagonal(n_dim, x, gradient, value, problem):
    size = int(carray(problem, (1,), np.float64)[0])
    found, slope = diagonal(carray(x, (n_dim,)), carray(problem, (size,), np.float64))
    value[0] = found
    is_finite = np.isfinite(found)
    for i in range(n_dim):
        gradient[i] = slope[i]
        is_finite &= np.isfinite(slope[i])
    return OK if is_finite else NOT_FINITE


def _copy(n_dim, n_expanded, x, expanded, problem):
    for i in range(n_dim):
        expanded[i] = x[i]
    # Two chains may count at once and lose one: it is for showing progress only.
    carray(problem, (HEADER,), np.float64)[HEADER - 1] += 1.0
    return OK
