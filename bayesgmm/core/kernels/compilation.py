"""Compiling kernels: the three decorators, and compiling at the first use, which says so when it takes a while."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numba import from_dtype, njit, types
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature

from bayesgmm.core.kernels.kernel_cache import kernel_cache

OPTIONS = {
    "nogil": True,
    "error_model": "numpy",  # dividing by zero gives infinity or NaN, without a branch
    # Said, since what a function leaves open Numba takes from whichever caller is compiled first, such as PyTensor's
    # graphs: the exponential is wrong, and sums depend on the compiler, where additions may be reordered.
    "fastmath": False,
}
# What compiled code alone calls: a copy of its own on disk would be of no use, nor would entrances for Python and C,
# which take a third of the time to compile.
INNER = {**OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
inner = njit(**INNER)
inline = njit(forceinline=True, **INNER)  # the same, and worth copying into every place that calls it


def jit(function):
    """What Python calls: compiled at its first use, and kept on disk with all that it calls."""
    kernel = njit(no_cfunc_wrapper=True, **OPTIONS)(function)
    kernel._cache = kernel_cache(function)
    return kernel


def c_function(signature, function) -> CFunc:
    """`function` as a C function, compiled here and now or loaded from the disk."""
    ready = CFunc(function, normalize_signature(signature), locals={}, options={})
    ready._cache = kernel_cache(function)
    ready.compile()
    return ready


PATIENCE = 1.0  # seconds; loading a kernel from the disk takes a few hundredths
MESSAGE = "bayesgmm: compiling for this machine; this happens at the first use only and takes some seconds."

_is_said = threading.Event()


@contextmanager
def announced_compilation() -> Iterator[None]:
    """Print one sentence to stderr, once per process, if the body is not done within a second.

    Let the body do nothing but compile: a long computation must not print it.
    """
    timer = threading.Timer(PATIENCE, _say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def compiled(kernel, *argument_types: types.Type):
    """`kernel` for these argument types, loaded from the disk or compiled here and now.

    The result accepts what converts to them (writable arrays where they say read-only) and compiles nothing on
    its own: otherwise each mixture of read-only and writable arguments would be one more kernel.
    """
    with announced_compilation():
        ready = type(kernel)(kernel.py_func, targetoptions=kernel.targetoptions)
        ready._cache = kernel_cache(kernel.py_func)
        ready.compile(argument_types)
    ready.disable_compile()
    return ready


def array_type(dtype, ndim: int, is_output: bool = False) -> types.Array:
    """Numba's type of a C-contiguous array, read-only unless it is an output."""
    return types.Array(from_dtype(np.dtype(dtype)), ndim, "C", readonly=not is_output)


def tuple_type(*members: types.Array) -> types.Tuple:
    """Numba's type of a tuple of arrays, which all must be writable: inside a tuple Numba converts nothing.

    Kernels that Python calls take plain tuples, and name their parts inside: it takes Numba six times as long to tell
    the type of a NamedTuple, which is felt in a sweep over few rows.
    """
    return types.Tuple(tuple(array.copy(readonly=False) for array in members))


def _say() -> None:
    if not _is_said.is_set():
        _is_said.set()
        print(MESSAGE, file=sys.stderr, flush=True)
