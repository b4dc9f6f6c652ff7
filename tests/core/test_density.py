"""Densities: against SciPy, by quadrature, and in bounded memory."""

import tracemalloc

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
from testbed import twin
from testbed.cases import random_spd

from bayesgmm.core import density
from bayesgmm.core.params import ComponentScores, MixtureParams


def mixture(k, d, seed=0, draws=()):
    rng = np.random.default_rng([seed, k, d])
    covariances = np.stack([random_spd(rng, d) for _ in range(k * int(np.prod(draws)))])
    return MixtureParams(
        rng.dirichlet(np.ones(k), draws), rng.normal(size=(*draws, k, d)), covariances.reshape(*draws, k, d, d)
    )


def diagonal_of(params):
    """The mixture of the same means, with axes for columns, in both forms."""
    factor = np.einsum("...ii->...i", params.precision_chol).copy()
    full = MixtureParams(params.weights, params.means, precision_chol=factor[..., None] * np.eye(params.n_features))
    return MixtureParams(params.weights, params.means, precision_chol=factor), full


@pytest.mark.parametrize("d", [1, 2, 3, 6])
def test_log_density_is_scipys(d):
    params, X = mixture(3, d), np.random.default_rng(1).normal(size=(300, d)) * 2
    parts = zip(params.weights, params.means, params.covariances, strict=True)
    expected = np.log(sum(w * scipy.stats.multivariate_normal(m, c).pdf(X) for w, m, c in parts))
    assert np.allclose(density.log_density(params, X), expected, rtol=1e-11)


def test_a_density_integrates_to_one_on_the_line():
    params = mixture(3, 1)
    total, error = scipy.integrate.quad(lambda x: np.exp(density.log_density(params, np.array([[x]]))[0]), -40, 40)
    assert abs(total - 1) < 1e-7 and error < 1e-7  # quad's own tolerance is 1.5e-8


def test_a_density_integrates_to_one_in_the_plane():
    """Trapezia converge faster than any power for a smooth density that has vanished at the border."""
    for params in (mixture(2, 2), diagonal_of(mixture(2, 2))[0]):
        grid = np.linspace(-30, 30, 601)
        points = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
        assert np.isclose(np.exp(density.log_density(params, points)).sum() * 0.1**2, 1.0, rtol=1e-10)


@pytest.mark.parametrize("draws", [(7,), (2, 3)])
@pytest.mark.parametrize("is_diagonal", [False, True])
def test_draws_by_points(draws, is_diagonal):
    params = mixture(3, 2, draws=draws)
    if is_diagonal:
        params = diagonal_of(params)[0]
    X = np.random.default_rng(1).normal(size=(700, 2))
    found = density.log_density(params, X)
    assert found.shape == (*draws, 700)
    for index in np.ndindex(draws):
        assert np.array_equal(found[index], density.log_density(params[index], X))


def test_diagonal_and_full_forms_agree():
    diagonal, full = diagonal_of(mixture(4, 5))
    X = np.random.default_rng(1).normal(size=(500, 5))
    assert np.allclose(density.log_density(diagonal, X), density.log_density(full, X), rtol=1e-13)
    assert np.allclose(density.log_joint(diagonal.scores(), X), density.log_joint(full.scores(), X), rtol=1e-13)


@pytest.mark.parametrize("is_diagonal", [False, True])
def test_log_joint_and_responsibilities_are_the_twins(is_diagonal):
    X, scores = twin.problem(600, 5, is_diagonal=is_diagonal)
    expected = twin.log_joint(X, scores)
    assert np.allclose(density.log_joint(scores, X), expected, rtol=1e-12)
    resp = density.responsibilities(scores, X)
    assert np.allclose(resp.sum(1), 1.0, rtol=1e-14)
    assert np.allclose(resp, scipy.special.softmax(expected, axis=1), rtol=1e-11)


def test_float32_points():
    params, X = mixture(3, 2), np.random.default_rng(1).normal(size=(100, 2)).astype(np.float32)
    assert np.array_equal(density.log_density(params, X), density.log_density(params, X.astype(float)))


def test_responsibilities_of_an_impossible_row_are_zero():
    X, scores = twin.problem(3, 1)
    X[1] = 1e200
    assert np.array_equal(density.responsibilities(scores, X).sum(1) > 0.5, [True, False, True])


def test_a_weight_of_zero_contributes_nothing():
    params, X = mixture(3, 2), np.random.default_rng(1).normal(size=(100, 2))
    weights = np.array([0.0, 0.4, 0.6])
    with_zero = MixtureParams(weights, params.means, precision_chol=params.precision_chol)
    without = MixtureParams(weights[1:], params.means[1:], precision_chol=params.precision_chol[1:])
    assert np.array_equal(density.log_density(with_zero, X), density.log_density(without, X))
    assert not density.responsibilities(with_zero.scores(), X)[:, 0].any()


def test_the_order_of_components_does_not_matter():
    params, X = mixture(4, 3), np.random.default_rng(1).normal(size=(100, 3))
    permuted = params.permuted(np.array([2, 3, 0, 1]))
    assert np.allclose(density.log_density(permuted, X), density.log_density(params, X), rtol=1e-13)


def test_threads_do_not_change_a_bit(monkeypatch):
    params, X = mixture(8, 4), np.random.default_rng(1).normal(size=(40_000, 4))
    results = []
    for n_threads in ("1", "2", "5"):
        monkeypatch.setenv("BAYESGMM_NUM_THREADS", n_threads)
        results.append((density.log_density(params, X), density.log_joint(params.scores(), X)))
    for other in results[1:]:
        assert all(np.array_equal(one, two) for one, two in zip(results[0], other, strict=True))


def test_blocks_are_the_whole_in_bounded_memory(monkeypatch):
    params, X = mixture(2, 2, draws=(50,)), np.random.default_rng(1).normal(size=(100_000, 2))
    whole = density.log_density(params, X)
    monkeypatch.setattr(density, "BLOCK_BYTES", 8 * 50 * 10_000)
    for rows, block in density.log_density_blocks(params, X):
        assert block.shape == (50, rows.stop - rows.start) and block.nbytes <= density.BLOCK_BYTES
        assert np.array_equal(block, whole[:, rows])
    assert rows.stop == len(X)
    tracemalloc.start()
    for _, block in density.log_density_blocks(params, X):
        del block
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * density.BLOCK_BYTES < whole.nbytes  # one block, one being made, and small change


@pytest.mark.parametrize("is_diagonal", [False, True])
def test_samples_have_the_mixtures_moments(is_diagonal):
    """Errors of a mean are standard normal in units of its standard error: 5 of them for a handful of numbers."""
    params = mixture(3, 2)
    if is_diagonal:
        params = diagonal_of(params)[0]
    n = 40_000
    points, labels = density.sample(params, n, np.random.default_rng(3))
    for k in range(3):
        mine = points[labels == k]
        spread = np.sqrt(params.weights[k] * (1 - params.weights[k]) / n)
        assert abs(len(mine) / n - params.weights[k]) < 5 * spread
        white = (mine - params.means[k]) @ twin.full_factors(params.precision_chol[k : k + 1])[0]
        assert np.abs(white.mean(0)).max() < 5 / np.sqrt(len(mine))
        assert np.abs(white.T @ white / len(mine) - np.eye(2)).max() < 5 * np.sqrt(2 / len(mine))


def test_one_sample_of_each_draw():
    params = mixture(3, 2, draws=(5000,))
    points, labels = density.sample(params, 5000, np.random.default_rng(3))
    rows = np.arange(5000)
    factors = params.precision_chol[rows, labels]
    white = np.einsum("ni,nij->nj", points - params.means[rows, labels], factors)
    assert np.abs(white.mean(0)).max() < 5 / np.sqrt(5000)
    expected = params.weights.mean(0)
    assert np.abs(np.bincount(labels, minlength=3) / 5000 - expected).max() < 5 * 0.5 / np.sqrt(5000)


def test_scores_need_not_be_a_density():
    """log_joint takes unnormalised scores as they are."""
    scores = ComponentScores(np.array([3.0]), np.zeros((1, 1)), np.full((1, 1, 1), 2.0))
    assert np.array_equal(density.log_joint(scores, np.array([[1.0]])), [[3.0 - 2.0]])
