"""Compiled functions that only compiled code calls, made callable from a test."""

from numba import njit

from bayesgmm.core.kernels.compilation import OPTIONS


def callable_from_python(kernel):
    """The same function with an entrance for Python, which those inside kernels do without."""
    return njit(**OPTIONS)(kernel.py_func)
