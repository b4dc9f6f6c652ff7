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

from bayesgmm.core.forms import DIAGONAL, TRIANGULAR, Form
from bayesgmm.core.kernels.compilation import c_function, inner
from bayesgmm.flat.diagonal import evaluate as diagonal
from bayesgmm.flat.metric_map import mapped, pulled
from bayesgmm.flat.problem import HEADER, N_DRAWN, N_MAP
from bayesgmm.flat.triangular import evaluate as triangular

DOUBLES = types.CPointer(types.double)
LOG_DENSITY = types.int64(types.uint64, DOUBLES, DOUBLES, DOUBLES, types.voidptr)
EXPAND = types.int64(types.uint64, types.uint64, DOUBLES, DOUBLES, types.voidptr)

OK, NOT_FINITE = 0, 4  # a positive code is a divergence, a negative one ends the sampler


@cache
def log_density_callback(form: Form) -> CFunc:
    """``(n_dim, z, gradient, value, problem) -> code``."""
    return c_function(LOG_DENSITY, LOG_DENSITIES[form])


@cache
def expand_callback() -> CFunc:
    """``(n_dim, n_expanded, z, expanded, problem) -> code``: writes the flat vector, and counts it."""
    return c_function(EXPAND, _expand)


def _log_density_triangular(n_dim, z, gradient, value, problem):
    whole = _whole(problem)
    end = int(whole[0])
    value[0], slope = triangular(_flat(carray(z, (n_dim,)), whole), whole[:end])
    return _write(value[0], _back(slope, whole), gradient)


def _log_density_diagonal(n_dim, z, gradient, value, problem):
    whole = _whole(problem)
    end = int(whole[0])
    value[0], slope = diagonal(_flat(carray(z, (n_dim,)), whole), whole[:end])
    return _write(value[0], _back(slope, whole), gradient)


LOG_DENSITIES = {TRIANGULAR: _log_density_triangular, DIAGONAL: _log_density_diagonal}


def _expand(n_dim, n_expanded, z, expanded, problem):
    whole = _whole(problem)
    x = _flat(carray(z, (n_dim,)), whole)
    for i in range(n_dim):
        expanded[i] = x[i]
    # Two chains may count at once and lose one: it is for showing progress only.
    whole[N_DRAWN] += 1.0
    return OK


@inner
def _whole(problem):
    """The problem with the map behind it."""
    header = carray(problem, (HEADER,), np.float64)
    return carray(problem, (int(header[0]) + int(header[N_MAP]),), np.float64)


@inner
def _flat(z, whole):
    """The flat vector: z itself, where there is no map."""
    return mapped(z, whole[int(whole[0]) :]) if whole[N_MAP] > 0.0 else z


@inner
def _back(slope, whole):
    """The gradient in z."""
    return pulled(slope, whole[int(whole[0]) :]) if whole[N_MAP] > 0.0 else slope


@inner
def _write(value, slope, gradient):
    is_finite = np.isfinite(value)
    for i in range(len(slope)):
        gradient[i] = slope[i]
        is_finite &= np.isfinite(slope[i])
    return OK if is_finite else NOT_FINITE
