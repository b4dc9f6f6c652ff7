"""The vectorised exp and log, in units in the last place."""

import numpy as np
import pytest
from numba import njit

from bayesgmm.core.kernels import assignment, simd


@njit
def exp(x, out):
    for i in range(0, len(x), simd.WIDTH):
        simd.store(out, i, assignment.exp(simd.load(x, i)))


@njit
def log(x, out):
    for i in range(0, len(x), simd.WIDTH):
        simd.store(out, i, assignment.log(simd.load(x, i)))


def apply(function, x):
    x = np.asarray(x, float)
    padded, out = np.ones(-(-len(x) // 8) * 8), np.empty(-(-len(x) // 8) * 8)
    padded[: len(x)] = x
    function(padded, out)
    return out[: len(x)]


def ulps(found, exact):
    return np.abs(found - exact).astype(float) / np.spacing(exact.astype(float))


@pytest.fixture(scope="module")
def uniform():
    return np.random.default_rng(0).uniform(size=200_000)


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="needs more digits than float64 has")
@pytest.mark.parametrize("lowest", [-1e-3, -1.0, -40.0, -708.0])
def test_exp_is_right_to_one_ulp(uniform, lowest):
    """One rounding of the sum and half of one of the polynomial, whose value is below 1/2: up to 1.1 in all."""
    x = lowest * uniform
    assert ulps(apply(exp, x), np.exp(x.astype(np.longdouble))).max() <= 1.1


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="needs more digits than float64 has")
@pytest.mark.parametrize(("low", "high"), [(1.0, 1.001), (0.6, 1.6), (1.0, 50.0), (1.0, 1e300)])
def test_log_is_right_to_one_ulp(uniform, low, high):
    x = low * (high / low) ** uniform
    assert ulps(apply(log, x), np.log(x.astype(np.longdouble))).max() <= 1.0


def test_exp_where_it_ends():
    found = apply(exp, [0.0, -0.0, -707.99, -708.01, -745.0, -1e308, -np.inf, np.nan, -5e-324])
    assert found[0] == found[1] == found[8] == 1.0
    assert np.isclose(found[2], np.exp(-707.99), rtol=1e-15)
    assert not found[3:7].any()
    assert np.isnan(found[7])


def test_log_of_powers_of_two_and_of_nan():
    found = apply(log, [1.0, 2.0, 0.5, 2.0**1023, 2.0**-1022, np.nan])
    assert found[0] == 0.0
    assert np.allclose(found[1:5], np.log(2.0) * np.array([1, -1, 1023, -1022]), rtol=1e-15)
    assert np.isnan(found[5])
