"""Covariance structures: shapes, numbers of parameters, and the floor as an exact constrained maximum."""

import csv
import tracemalloc

import numpy as np
import pytest
import scipy.optimize
from testbed.cases import random_spd

from bayesgmm.core import matrices
from bayesgmm.core.matrices import precision_chol_of
from bayesgmm.errors import ArgumentError
from bayesgmm.families.gaussian import STRUCTURES
from bayesgmm.families.named import as_structure

NAMES = pytest.mark.parametrize("name", STRUCTURES)
K, D = 3, 4


def compact_of(structure, seed=0, scales=(1.0, 1.0, 1.0)):
    """A random compact array of covariances."""
    rng = np.random.default_rng(seed)
    if structure.is_diagonal:
        return rng.uniform(0.5, 2.0, structure.compact_shape(K, D))
    return np.stack([s * random_spd(rng, D) for s in scales[: structure.compact_shape(K, D)[0]]])


def dense(structure, factor):
    """(K, D, D) covariances of compact factors."""
    expanded = structure.expand(factor, K, D)
    precision = expanded[:, :, None] ** 2 * np.eye(D) if structure.is_diagonal else expanded @ expanded.swapaxes(1, 2)
    return np.linalg.inv(precision)


def whitening_of(structure, spread):
    return structure.whitening(np.diag(spread) if structure.is_diagonal else spread)


def test_numbers_of_parameters_are_mclusts(reference):
    by_name = {structure.mclust: structure for structure in STRUCTURES.values()}
    seen = set()
    with open(reference / "mclust.csv", newline="") as file:
        for row in csv.DictReader(file):
            k, d = int(row["G"]), int(row["d"])
            if d > 1 and row["model"] in by_name:
                n_covariance = by_name[row["model"]].n_parameters(k, d)
                assert n_covariance + k - 1 + k * d == int(row["df"]), row
                seen.add(row["model"])
    assert seen == set(by_name)


@NAMES
def test_expanding_and_factoring_commute(name):
    structure = STRUCTURES[name]
    compact = compact_of(structure)
    covariances = structure.expand(compact, K, D)
    if structure.is_diagonal:
        covariances = covariances[:, :, None] * np.eye(D)
    assert covariances.shape == (K, D, D)
    assert np.allclose(dense(structure, structure.form.factor(compact)), covariances, rtol=1e-10, atol=1e-12)
    assert structure.n_parameters(K, D) == structure.compact_shape(K, D)[0] * (
        D * (D + 1) // 2 if not structure.is_diagonal else structure.compact_shape(K, D)[1]
    )
    draws = np.stack([compact, 2 * compact])
    assert np.array_equal(structure.expand(draws, K, D)[1], structure.expand(2 * compact, K, D))


@NAMES
def test_pooling_is_the_maximum_likelihood_estimate(name):
    """No other compact array has a higher likelihood: the gradient vanishes there."""
    structure, rng = STRUCTURES[name], np.random.default_rng(1)
    counts, scatter = rng.uniform(20, 40, K), np.stack([30 * random_spd(rng, D) for _ in range(K)])
    moments = np.einsum("kii->ki", scatter) if structure.is_diagonal else scatter
    points = structure.pool_counts(counts) * structure.residuals_per_point(D)
    pooled = structure.pool(moments)
    compact = pooled / points.reshape(-1, *(1,) * (pooled.ndim - 1))
    best = log_likelihood(structure, structure.form.factor(compact), counts, scatter)
    direction = rng.normal(size=compact.shape)
    for step in (0.05, -0.05, 0.01, -0.01):
        if structure.is_diagonal:
            other = compact * np.exp(step * direction)
        else:
            root = np.linalg.cholesky(compact) @ (np.eye(D) + step * direction)
            other = root @ root.swapaxes(1, 2)
        assert log_likelihood(structure, structure.form.factor(other), counts, scatter) < best


def log_likelihood(structure, factor, counts, scatter):
    covariances = dense(structure, factor)
    trace = np.einsum("kij,kji->k", np.linalg.inv(covariances), scatter)
    return -0.5 * (counts * np.linalg.slogdet(covariances)[1] + trace).sum()


@NAMES
def test_a_floor_that_is_not_reached_changes_nothing(name):
    structure = STRUCTURES[name]
    compact = compact_of(structure)
    whitening = whitening_of(structure, random_spd(np.random.default_rng(5), D))
    clipped = dense(structure, structure.form.clipped_factor(compact, whitening, 1e-8))
    assert np.allclose(clipped, dense(structure, structure.form.factor(compact)), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["full", "tied", "diagonal", "shared_diagonal", "spherical", "isotropic"])
def test_clipping_is_the_constrained_maximum(name):
    """Against a numerical search in the eigenvalues above the floor and in rotations, or in the variances."""
    structure, rng = STRUCTURES[name], np.random.default_rng(3)
    spread, floor = random_spd(rng, D), 0.2
    whitening = whitening_of(structure, spread)
    compact = compact_of(structure, seed=4)
    compact = compact * (0.15 * np.diag(spread).mean() / compact.mean())  # part of the eigenvalues are below
    found = dense(structure, structure.form.clipped_factor(compact, whitening, floor))
    scatter, counts = dense(structure, structure.form.factor(compact)), np.ones(K)
    roots = np.linalg.inv(np.diag(whitening) if structure.is_diagonal else whitening)
    white = roots.T  # covariances are white @ W @ white.T with W's eigenvalues at least the floor

    def covariances_at(x):
        if structure.is_diagonal:
            values = np.exp(x).reshape(structure.compact_shape(K, D))
            return structure.expand(values, K, D)[:, :, None] * np.eye(D)
        parts = x.reshape(structure.compact_shape(K, D)[0], D, D)
        inside = floor * np.eye(D) + parts @ parts.swapaxes(1, 2)
        return np.broadcast_to(white @ inside @ white.T, (K, D, D))

    def loss(x):
        covariances = covariances_at(x)
        trace = np.einsum("kij,kji->k", np.linalg.inv(covariances), scatter)
        return 0.5 * (counts * np.linalg.slogdet(covariances)[1] + trace).sum()

    shape = structure.compact_shape(K, D)
    if structure.is_diagonal:
        lowest = np.broadcast_to(np.log(floor * whitening[: shape[1]] ** -2.0), shape).ravel()
        search = scipy.optimize.minimize(
            loss, np.maximum(np.zeros(lowest.shape), lowest), bounds=[(low, 9) for low in lowest]
        )
    else:
        search = scipy.optimize.minimize(loss, np.tile(np.eye(D).ravel(), shape[0]), options={"gtol": 1e-9})
    own = 0.5 * (np.linalg.slogdet(found)[1] + np.einsum("kij,kji->k", np.linalg.inv(found), scatter)).sum()
    assert own == pytest.approx(search.fun, abs=1e-6)  # the search stops this far from its maximum
    assert np.allclose(found, covariances_at(search.x), rtol=0, atol=2e-3)  # flat: errors are the root of the value's
    inverse = np.diag(whitening) if structure.is_diagonal else whitening
    lowest = np.linalg.eigvalsh(inverse.T @ found @ inverse).min()
    assert lowest == pytest.approx(floor, rel=1e-9)
    assert np.abs(found - scatter).max() > 0.01  # the floor mattered


def test_narrowest_finds_the_planted_direction():
    spread = random_spd(np.random.default_rng(6), D)
    direction = np.array([1.0, -2.0, 0.5, 1.0])
    direction /= np.linalg.norm(direction)
    whitening = STRUCTURES["full"].whitening(spread)
    # Relative to the data's, the variance of direction^T x is 1e-4, and that of what is uncorrelated with it is 1.
    image = spread @ direction
    thin = spread - (1 - 1e-4) * np.outer(image, image) / (direction @ image)
    variances, directions = STRUCTURES["full"].form.narrowest(precision_chol_of(np.stack([spread, thin])), whitening)
    assert variances == pytest.approx([1.0, 1e-4], rel=1e-6)
    assert abs(directions[1] @ direction) == pytest.approx(1.0, rel=1e-9)
    variances, directions = STRUCTURES["diagonal"].form.narrowest(np.array([[1.0, 10.0, 2.0, 1.0]]), np.ones(4))
    assert variances == pytest.approx([0.01]) and np.array_equal(directions, np.eye(4)[[1]])


def test_short_names():
    for name, structure in STRUCTURES.items():
        assert as_structure(name) is structure and as_structure(structure) is structure
    for wrong in ("diag", "", None, 3):
        with pytest.raises(ArgumentError, match="full"):
            as_structure(wrong)


@pytest.mark.parametrize("name", ["diagonal", "shared_diagonal", "spherical", "isotropic"])
def test_diagonal_structures_need_no_matrix_of_all_columns(name):
    """The identity of 20,000 columns would take 3 GiB."""
    k, d, rng = 5, 20_000, np.random.default_rng(0)
    form, factors = as_structure(name), rng.uniform(1.0, 2.0, (k, d))
    whitening = form.whitening(rng.uniform(1.0, 2.0, d))
    tracemalloc.start()
    try:
        ratios, directions = form.form.narrowest(factors, whitening)
        assert tracemalloc.get_traced_memory()[1] < 8 * factors.nbytes
    finally:
        tracemalloc.stop()
    assert directions.shape == (k, d) and (directions.sum(1) == 1).all()
    variances = (directions * (whitening / factors) ** 2).sum(1)
    assert np.array_equal(ratios, variances) and np.array_equal(ratios, ((whitening / factors) ** 2).min(1))


def test_matrices_factored_a_few_at_a_time_are_the_same(monkeypatch):
    structure, compact = as_structure("full"), compact_of(as_structure("full"))
    form = structure.form
    compact[1] *= 1e-4
    whitening = structure.whitening(compact.mean(0))
    whole = (
        form.factor(compact),
        form.clipped_factor(compact, whitening, 1e-9),
        *form.narrowest(compact, whitening),
    )
    clipped = form.clipped_factor(compact, whitening, 0.01)
    monkeypatch.setattr(matrices, "STACK_BYTES", 1)
    parts = (
        form.factor(compact),
        form.clipped_factor(compact, whitening, 1e-9),
        *form.narrowest(compact, whitening),
    )
    assert all(np.array_equal(one, other) for one, other in zip(whole, parts, strict=True))
    # Where one is clipped, its whole stack goes through eigenvalues and back: the same but for rounding.
    assert np.allclose(form.clipped_factor(compact, whitening, 0.01), clipped, rtol=1e-12)
