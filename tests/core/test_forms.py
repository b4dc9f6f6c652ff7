"""The diagonal form does with diagonals what the triangular one does with whole matrices, primitive by primitive."""

import numpy as np
import pytest
from testbed.cases import random_spd

from bayesgmm.core.forms import DIAGONAL, TRIANGULAR, form_of
from bayesgmm.core.params import MixtureParams
from bayesgmm.core.statistics import SufficientStatistics

K, D = 3, 4
RNG = np.random.default_rng(0)
SPREAD, OTHER = RNG.uniform(0.5, 2.0, (K, D)), RNG.uniform(0.5, 2.0, (K, D))
UNIT, WEIGHTS = RNG.uniform(0.5, 2.0, D), RNG.uniform(0.5, 2.0, K)
ROWS, SHIFT = RNG.normal(size=(K, D)), RNG.normal(size=(K, D))


def whole(diagonal):
    return TRIANGULAR.of_diagonal(diagonal)


def diagonals(matrix):
    return np.diagonal(matrix, axis1=-2, axis2=-1)


@pytest.mark.parametrize("name", ["factor", "spread", "precision", "inverse"])
def test_functions_of_one_matrix(name):
    found = getattr(DIAGONAL, name)(SPREAD)
    assert np.allclose(whole(found), getattr(TRIANGULAR, name)(whole(SPREAD)), rtol=1e-13)


def test_a_factor_is_a_root_of_the_precision():
    spread = np.stack([random_spd(RNG, D) for _ in range(K)])
    factor = TRIANGULAR.factor(spread)
    assert TRIANGULAR.is_factor(factor) and not TRIANGULAR.is_factor(spread)
    assert np.allclose(TRIANGULAR.precision(factor), np.linalg.inv(spread))
    assert np.allclose(TRIANGULAR.spread(factor), spread)
    assert np.allclose(TRIANGULAR.unwhiten(factor, TRIANGULAR.whiten(factor, ROWS)), ROWS)
    assert np.allclose(
        (TRIANGULAR.whiten(factor, ROWS) ** 2).sum(-1), np.einsum("ki,kij,kj->k", ROWS, np.linalg.inv(spread), ROWS)
    )


@pytest.mark.parametrize("name", ["whiten", "unwhiten"])
def test_rows_with_a_factor_each(name):
    found = getattr(DIAGONAL, name)(SPREAD, ROWS)
    assert np.allclose(found, getattr(TRIANGULAR, name)(whole(SPREAD), ROWS))


@pytest.mark.parametrize("name", ["times", "colored"])
def test_rows_with_one_matrix(name):
    assert np.allclose(getattr(DIAGONAL, name)(ROWS, UNIT), getattr(TRIANGULAR, name)(ROWS, whole(UNIT)))


@pytest.mark.parametrize("name", ["whitened", "trace_of_ratio", "whitened_factor"])
def test_matrices_and_a_unit(name):
    found, expected = getattr(DIAGONAL, name)(SPREAD, UNIT), getattr(TRIANGULAR, name)(whole(SPREAD), whole(UNIT))
    assert np.allclose(found, diagonals(expected) if expected.ndim == 3 else expected)


def test_traces_and_determinants():
    assert np.allclose(DIAGONAL.total(DIAGONAL.log_dets(SPREAD)), TRIANGULAR.total(TRIANGULAR.log_dets(whole(SPREAD))))
    traces = TRIANGULAR.traces(whole(SPREAD), whole(OTHER))
    assert np.allclose(DIAGONAL.total(DIAGONAL.traces(SPREAD, OTHER)), TRIANGULAR.total(traces))
    assert np.isclose(DIAGONAL.mean_variance(SPREAD).mean(), TRIANGULAR.mean_variance(whole(SPREAD)).mean())


def test_outer_products_and_moments():
    outer = TRIANGULAR.outer(ROWS)
    assert np.allclose(outer, [np.outer(row, row) for row in ROWS]) and np.allclose(
        DIAGONAL.outer(ROWS), diagonals(outer)
    )
    added = TRIANGULAR.add_outer(whole(SPREAD), WEIGHTS, ROWS)
    assert np.allclose(added, whole(SPREAD) + WEIGHTS[:, None, None] * outer)
    assert np.allclose(DIAGONAL.add_outer(SPREAD, WEIGHTS, ROWS), diagonals(added))
    moved = TRIANGULAR.recentred(outer, WEIGHTS, SHIFT, ROWS)
    assert np.allclose(DIAGONAL.recentred(diagonals(outer), WEIGHTS, SHIFT, ROWS), diagonals(moved))
    scatter = TRIANGULAR.scatter(10.0 * outer, WEIGHTS, ROWS)
    assert np.allclose(DIAGONAL.scatter(10.0 * diagonals(outer), WEIGHTS, ROWS), np.maximum(diagonals(scatter), 0.0))


def test_the_floor_and_the_narrowest_direction():
    clipped = TRIANGULAR.clipped_factor(whole(SPREAD), whole(UNIT), 1.5)
    assert np.allclose(whole(DIAGONAL.clipped_factor(SPREAD, UNIT, 1.5)) ** 2, TRIANGULAR.precision(clipped))
    ratios, directions = DIAGONAL.narrowest(SPREAD, UNIT)
    expected = TRIANGULAR.narrowest(whole(SPREAD), whole(UNIT))
    assert np.allclose(ratios, expected[0]) and np.allclose(np.abs(directions), np.abs(expected[1]))


def test_shapes_and_what_is_wrong():
    for form, entries, size in ((TRIANGULAR, D * (D + 1) // 2, D), (DIAGONAL, D, 1)):
        assert form.identity(D).shape == form.shape(D) and form_of(form.n_axes) is form
        assert (form.n_entries(D), form.matrix_size(D)) == (entries, size)
        spread = form.of_diagonal(SPREAD)
        assert form.has_no_upper(spread) and form.is_factor(spread) and not form.fault(spread) and form.fault(-spread)
        assert np.array_equal(form.diagonal(spread), SPREAD) and np.array_equal(form.whole(spread), whole(SPREAD))
        assert np.array_equal(form.of_whole(whole(SPREAD)), spread)


def test_parameters_and_statistics_tell_theirs():
    for form in (TRIANGULAR, DIAGONAL):
        arrays = np.full(K, 1.0 / K), ROWS, form.of_diagonal(SPREAD)
        assert MixtureParams.trusted(*arrays).form is form
        assert MixtureParams.trusted(*(np.stack([array, array]) for array in arrays)).form is form
        assert SufficientStatistics(0.0, *arrays, ROWS, 1.0).form is form
