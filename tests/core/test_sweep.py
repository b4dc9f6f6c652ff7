"""The compiled sweep against its slow NumPy twin, and the laws that it keeps."""

import tracemalloc

import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from testbed import twin

from bayesgmm.core import density
from bayesgmm.core.facts import NO_FACTS, of_weights
from bayesgmm.core.kernels.blocks import BLOCK
from bayesgmm.core.kernels.wide import TILE
from bayesgmm.core.params import ComponentScores
from bayesgmm.core.sweep import Assign, group_bounds, sweep

EXACT = 1e-13  # sums of about a thousand terms, each right to some eps
FORMS = pytest.mark.parametrize("is_diagonal", [False, True], ids=["triangular", "diagonal"])
SIZES = (1, 7, 8, 9, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5)


@FORMS
@pytest.mark.parametrize("assign", [Assign.SOFT, Assign.HARD])
@pytest.mark.parametrize("d", range(1, 21))
def test_equals_the_twin(d, assign, is_diagonal):
    """Every number of columns takes another path through the tiles; below, at and above a vector and a block."""
    for n in SIZES:
        X, scores = twin.problem(n, d, is_diagonal=is_diagonal)
        w = np.random.default_rng(n).uniform(0.0, 2.0, n)
        for weights in (None, w):
            expected = twin.sweep(X, scores, assign is Assign.HARD, weights)
            twin.assert_close(
                sweep(X, scores, assign, NO_FACTS if weights is None else of_weights(weights)), expected, EXACT
            )


@FORMS
@pytest.mark.parametrize("k", [1, 2, 9])
def test_any_number_of_components(k, is_diagonal):
    X, scores = twin.problem(300, 3, k, is_diagonal)
    for assign in (Assign.SOFT, Assign.HARD):
        twin.assert_close(sweep(X, scores, assign), twin.sweep(X, scores, assign is Assign.HARD), EXACT)


@FORMS
def test_float32_is_read_as_it_is_and_summed_in_float64(is_diagonal):
    X, scores = twin.problem(600, 5, is_diagonal=is_diagonal)
    X = X.astype(np.float32)
    twin.assert_close(sweep(X, scores), twin.sweep(X, scores), EXACT)
    twin.assert_same_bits(sweep(X, scores), sweep(X.astype(float), scores))


def test_layout_and_write_protection_do_not_matter():
    X, scores = twin.problem(300, 4)
    expected = sweep(X, scores)
    twin.assert_same_bits(sweep(np.asfortranarray(X), scores), expected)
    twin.assert_same_bits(sweep(np.repeat(X, 2, axis=0)[::2], scores), expected)
    X.flags.writeable = False
    for array in (scores.means, scores.log_weight, scores.precision_chol):
        array.flags.writeable = False
    twin.assert_same_bits(sweep(X, scores), expected)


@FORMS
@pytest.mark.parametrize("assign", [Assign.SOFT, Assign.HARD])
def test_one_thread_and_many_give_the_same_bits(monkeypatch, assign, is_diagonal):
    X, scores = twin.problem(40_000, 4, 8, is_diagonal)
    results = []
    for n_threads in ("1", "2", "3", "7"):
        monkeypatch.setenv("BAYESGMM_NUM_THREADS", n_threads)
        results.append(sweep(X, scores, assign))
    for other in results[1:]:
        twin.assert_same_bits(results[0], other)


def test_groups_are_cut_at_blocks_and_cover_every_row_once():
    for n in (0, 1, BLOCK, BLOCK + 1, 64 * BLOCK, 64 * BLOCK + 1, 1_000_003):
        bounds = group_bounds(n)
        assert bounds[0] == 0 and bounds[-1] == n
        assert (np.diff(bounds) > 0).all() or n == 0
        assert (bounds[:-1] % BLOCK == 0).all() and len(bounds) <= 65


@FORMS
@pytest.mark.parametrize("assign", [Assign.SOFT, Assign.HARD])
def test_a_weight_of_two_is_a_repeated_row(assign, is_diagonal):
    X, scores = twin.problem(500, 3, is_diagonal=is_diagonal)
    w = np.random.default_rng(0).integers(0, 4, len(X)).astype(float)
    repeated = sweep(np.repeat(X, w.astype(int), axis=0), scores, assign)
    twin.assert_close(sweep(X, scores, assign, of_weights(w)), repeated, EXACT)


@FORMS
def test_statistics_of_partitions_add(is_diagonal):
    """1e-12 is what DESIGN promises of partitions that are not cut at groups."""
    X, scores = twin.problem(2000, 3, is_diagonal=is_diagonal)
    for cut in (1, 255, 256, 1234):
        twin.assert_close(sweep(X[:cut], scores) + sweep(X[cut:], scores), sweep(X, scores), 1e-12)


@FORMS
def test_the_order_of_components_does_not_matter(is_diagonal):
    X, scores = twin.problem(700, 3, 4, is_diagonal)
    order = np.array([2, 0, 3, 1])
    permuted = ComponentScores(scores.log_weight[order], scores.means[order], scores.precision_chol[order])
    one, two = sweep(X, scores), sweep(X, permuted)
    assert np.isclose(one.log_likelihood, two.log_likelihood, rtol=EXACT)
    # Sums over components are in another order, so a responsibility may differ in its last bit.
    for name in ("counts", "first", "second"):
        expected = getattr(one, name)[order]
        assert np.allclose(getattr(two, name), expected, rtol=0, atol=EXACT * len(X))


@pytest.mark.parametrize("d", [1, 2, 5, 8])
def test_diagonal_and_triangular_forms_agree(d):
    X, diagonal = twin.problem(600, d, is_diagonal=True)
    triangular = ComponentScores(diagonal.log_weight, diagonal.means, twin.full_factors(diagonal.precision_chol))
    one, two = sweep(X, diagonal), sweep(X, triangular)
    assert np.isclose(one.log_likelihood, two.log_likelihood, rtol=EXACT)
    assert np.allclose(one.counts, two.counts, rtol=EXACT)
    assert np.allclose(one.first, two.first, rtol=0, atol=EXACT * len(X))
    assert np.allclose(one.second, np.einsum("kii->ki", two.second), rtol=EXACT)
    assert np.array_equal(two.second, np.swapaxes(two.second, 1, 2))


@FORMS
def test_an_offset_of_1e8_costs_no_digits(is_diagonal):
    """X - offset is exact in float64 when X is a multiple of 2**-20 (1e8 < 2**27), and so are the differences."""
    X, scores = twin.problem(900, 3, is_diagonal=is_diagonal)
    offset = 1e8
    X, means = np.round(X * 2**20) / 2**20, np.round(scores.means * 2**20) / 2**20
    near = sweep(X, ComponentScores(scores.log_weight, means, scores.precision_chol))
    far = sweep(X + offset, ComponentScores(scores.log_weight, means + offset, scores.precision_chol))
    for name in ("log_likelihood", "counts", "first", "second"):
        assert np.array_equal(getattr(near, name), getattr(far, name)), name


@FORMS
def test_a_component_of_weight_zero_gets_nothing(is_diagonal):
    X, scores = twin.problem(300, 3, 4, is_diagonal)
    without = ComponentScores(scores.log_weight[1:], scores.means[1:], scores.precision_chol[1:])
    scores.log_weight[0] = -np.inf
    for assign in (Assign.SOFT, Assign.HARD):
        stats, expected = sweep(X, scores, assign), sweep(X, without, assign)
        assert stats.log_likelihood == expected.log_likelihood
        assert stats.counts[0] == 0 and not stats.first[0].any() and not stats.second[0].any()
        assert np.array_equal(stats.second[1:], expected.second)


def test_a_row_that_is_impossible_everywhere_belongs_to_no_component():
    X, scores = twin.problem(20, 2)
    X[3] = 1e200  # its squared distance is beyond float64
    stats, others = sweep(X, scores), sweep(np.delete(X, 3, axis=0), scores)
    assert stats.log_likelihood == -np.inf
    assert np.allclose(stats.counts, others.counts, rtol=EXACT) and np.allclose(stats.second, others.second)
    weights = np.ones(len(X))
    weights[3] = 0.0
    assert np.isclose(sweep(X, scores, facts=of_weights(weights)).log_likelihood, others.log_likelihood, rtol=EXACT)


@pytest.mark.parametrize("row", [0, 5, 9])
def test_nan_stays_nan(row):
    X, scores = twin.problem(10, 2)
    X[row, 1] = np.nan
    stats = sweep(X, scores)
    assert np.isnan(stats.log_likelihood) and np.isnan(stats.counts).all() and np.isnan(stats.second).any()


def test_scores_far_apart_do_not_overflow():
    """exp of differences beyond 700 in both directions, with a sum that a naive softmax would lose."""
    X = np.array([[0.0], [60.0], [-60.0], [1e5]])
    scores = ComponentScores(np.array([0.0, -800.0, 900.0]), np.array([[0.0], [50.0], [1e5]]), np.ones((3, 1, 1)))
    twin.assert_close(sweep(X, scores), twin.sweep(X, scores), EXACT)


def wide_problem(n, d, k=2):
    rng = np.random.default_rng(d)
    X = rng.normal(size=(n, d))
    return X, ComponentScores(rng.normal(size=k), 0.01 * rng.normal(size=(k, d)), rng.uniform(0.9, 1.1, (k, d)))


@pytest.mark.parametrize("d", [TILE - 1, TILE, TILE + 1, 2 * TILE + 3])
def test_very_many_columns_of_a_diagonal_form_are_read_a_stretch_at_a_time(d):
    X, scores = wide_problem(300, d)
    offsets = X[:, None] - scores.means
    joint = scores.log_weight - 0.5 * ((offsets * scores.precision_chol) ** 2).sum(-1)
    assert np.allclose(density.log_joint(scores, X), joint, rtol=EXACT)
    assert np.allclose(density.log_sums(scores, X), logsumexp(joint, axis=1), rtol=EXACT)
    for assign, shares in ((Assign.SOFT, softmax(joint, axis=1)), (Assign.HARD, np.eye(2)[joint.argmax(1)])):
        stats = sweep(X, scores, assign)
        # A squared length of some thousand is known to some 1e-12, and so is its exponential.
        assert np.allclose(stats.counts, shares.sum(0), rtol=1e-10)
        assert np.allclose(stats.first, np.einsum("nk,nkd->kd", shares, offsets), rtol=0, atol=1e-8)
        assert np.allclose(stats.second, np.einsum("nk,nkd->kd", shares, offsets**2), rtol=1e-8, atol=1e-8)


def test_very_many_columns_need_little_memory():
    """All columns of a block would take 2 KiB each, 40 MiB."""
    X, scores = wide_problem(20, 20_000)
    tracemalloc.start()
    try:
        sweep(X, scores)
        density.log_joint(scores, X)
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()
