"""`MixtureParams`: its forms agree, and each kind of bad input has its sentence."""

import pickle

import numpy as np
import pytest
from testbed.cases import random_spd

from bayesgmm.core.matrices import invert_triangular, precision_chol_of
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import ArgumentError

HALF, ZEROS, EYES = [0.5, 0.5], np.zeros((2, 3)), np.stack([np.eye(3)] * 2)


def changed(array, index, value):
    array = np.array(array, float)
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((HALF, ZEROS), "exactly one of"),
        (([0.5, 0.6], ZEROS, EYES), "sum to 1.1"),
        (([1.5, -0.5], ZEROS, EYES), r"weights\[1\] is -0.5"),
        (([np.nan, 1.0], ZEROS, EYES), r"weights\[0\] is nan"),
        (([0.5, 0.25, 0.25], ZEROS, EYES), r"weights have shape \(3,\) and means \(2, 3\)"),
        ((1.0, ZEROS, EYES), "weights have shape"),
        ((HALF, changed(ZEROS, (1, 1), np.inf), EYES), "means hold NaN or infinity"),
        ((HALF, ZEROS, EYES[:, :2, :2]), r"they must be \(2, 3, 3\)"),
        ((HALF, ZEROS, changed(EYES, (1, 0, 2), 0.3)), r"covariances\[1\] is not symmetric"),
        ((HALF, ZEROS, changed(EYES, (0, 1, 1), np.nan)), r"covariances\[0\] holds NaN"),
        ((HALF, ZEROS, changed(EYES, (1, 2, 2), -2.0)), r"covariances\[1\] is not positive definite.* -2"),
        ((HALF, ZEROS, changed(EYES, (1, 2, 2), 0.0)), r"covariances\[1\] is not positive definite"),
    ],
)
def test_bad_covariances_form(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        MixtureParams(*arguments)


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (np.ones((2, 2)), r"shape \(2, 2\)"),
        (np.ones((2, 3, 3)), "upper triangular"),
        (changed(EYES, (1, 1, 1), -1.0), "positive diagonal"),
        (changed(np.ones((2, 3)), (0, 0), 0.0), "positive diagonal"),
        (changed(np.ones((2, 3)), (0, 0), np.inf), "finite"),
    ],
)
def test_bad_factors(factor, message):
    with pytest.raises(ArgumentError, match=message):
        MixtureParams(HALF, ZEROS, precision_chol=factor)
    with pytest.raises(ArgumentError, match="exactly one of"):
        MixtureParams(HALF, ZEROS, EYES, precision_chol=EYES)


@pytest.mark.parametrize("d", range(1, 10))
def test_triangular_inverses(d):
    matrices = np.triu(np.random.default_rng(d).normal(size=(4, d, d)) * 0.3) + np.eye(d)
    assert np.allclose(invert_triangular(matrices) @ matrices, np.eye(d), atol=1e-12)
    lower = np.swapaxes(matrices, 1, 2)
    assert np.allclose(invert_triangular(lower, is_lower=True) @ lower, np.eye(d), atol=1e-12)


def test_factors_and_covariances_are_inverse():
    covariances = np.stack([random_spd(np.random.default_rng(i), 4) for i in range(3)])
    factor = precision_chol_of(covariances)
    assert not np.tril(factor, -1).any() and (np.einsum("kii->ki", factor) > 0).all()
    assert np.allclose(factor @ np.swapaxes(factor, 1, 2) @ covariances, np.eye(4), atol=1e-10)
    params = MixtureParams(np.full(3, 1 / 3), np.zeros((3, 4)), covariances)
    assert np.allclose(params.covariances, covariances, rtol=1e-11)
    assert np.allclose(params.scores().log_weight, np.log(1 / 3) - 0.5 * np.linalg.slogdet(2 * np.pi * covariances)[1])


def test_params_are_values():
    params = MixtureParams(HALF, ZEROS, EYES)
    with pytest.raises(AttributeError, match="immutable"):
        params.weights = np.ones(2)
    copy = pickle.loads(pickle.dumps(params))
    assert np.array_equal(copy.precision_chol, params.precision_chol)
    given = np.array(HALF)
    kept = MixtureParams(given, ZEROS, EYES)
    given[0] = 9.0
    assert kept.weights[0] == 0.5
