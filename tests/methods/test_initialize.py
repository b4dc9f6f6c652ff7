"""Starts: where they come from, and that units do not matter to them."""

import numpy as np
import pytest
from testbed.cases import STRUCTURES, blobs

import bayesgmm as bg
from bayesgmm.core.facts import of_weights
from bayesgmm.families.gaussian import STRUCTURES as OBJECTS
from bayesgmm.methods.climbing.initialize import CENTERS, start
from bayesgmm.rows import as_rows

INITS = ("kmeans", "kmeans++", "random")


def whitening_of(form, X):
    spread = np.cov(X.T)
    return form.whitening(np.diag(spread) if form.is_diagonal else spread)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("init", INITS)
def test_a_start_is_a_partition_by_whitened_distance(structure, init):
    X, form = blobs(n=60), OBJECTS[structure]
    whitening = whitening_of(form, X)
    centers = CENTERS[init](as_rows(X), whitening, 3, np.random.default_rng(1))
    matrix = np.diag(whitening) if form.is_diagonal else whitening
    labels = (((X[:, None] - centers) @ matrix) ** 2).sum(-1).argmin(1)
    stats = start(as_rows(X), form, whitening, 3, init, np.random.default_rng(1))
    assert np.array_equal(stats.counts, np.bincount(labels, minlength=3))
    assert np.allclose(stats.means(), [X[labels == k].mean(0) for k in range(3)])


@pytest.mark.parametrize("init", INITS[1:])
def test_seeds_are_different_points_of_the_data(init):
    X = np.repeat(blobs(n=6), 20, axis=0)
    for seed in range(10):
        centers = CENTERS[init](as_rows(X), np.eye(2), 5, np.random.default_rng(seed))
        assert len(np.unique(centers, axis=0)) == 5
        assert all((X == center).all(1).any() for center in centers)


@pytest.mark.parametrize("init", INITS)
def test_fewer_different_points_than_components(init):
    X = np.repeat([[0.0, 1.0], [2.0, 0.0]], 5, axis=0)
    assert CENTERS[init](as_rows(X), np.eye(2), 4, np.random.default_rng(0)).shape == (4, 2)


def test_seeds_are_drawn_in_proportion_to_weights():
    """The first one to the weight alone, the next one to the weight times the squared distance."""
    X = np.array([[0.0], [10.0], [11.0], [30.0]])
    weights = np.array([1e-9, 1.0, 1e-9, 1.0])
    rows = as_rows(X, of_weights(weights))
    for seed in range(20):
        centers = CENTERS["kmeans++"](rows, np.ones((1, 1)), 2, np.random.default_rng(seed))
        assert sorted(centers[:, 0]) == [10.0, 30.0]


def test_kmeans_never_ends_above_its_seeds():
    X = blobs(n=200, k=5)

    def inertia(centers):
        return ((X[:, None] - centers) ** 2).sum(-1).min(1).sum()

    for seed in range(5):
        seeds = CENTERS["kmeans++"](as_rows(X), np.eye(2), 5, np.random.default_rng(seed))
        assert inertia(CENTERS["kmeans"](as_rows(X), np.eye(2), 5, np.random.default_rng(seed))) <= inertia(seeds)


def test_kmeans_finds_clusters_that_are_far_apart():
    rng = np.random.default_rng(2)
    truth = np.arange(4) % 4 * 100.0
    X = (truth[rng.integers(4, size=200)] + rng.normal(size=200))[:, None]
    found = CENTERS["kmeans"](as_rows(X), np.ones((1, 1)), 4, np.random.default_rng(0))
    assert np.allclose(np.sort(found[:, 0]), truth, atol=0.5)


@pytest.mark.parametrize("structure", ["tied", "shared_diagonal", "spherical", "isotropic", "diagonal"])
def test_a_given_start_must_have_the_models_structure(structure):
    X = blobs()
    wrong = [np.eye(2), [[2.0, 0.0], [0.0, 3.0]], np.eye(2)]
    if structure == "diagonal":
        wrong = [[[2.0, 1.0], [1.0, 2.0]]] * 3
    init = bg.MixtureParams(np.full(3, 1 / 3), X[:3], wrong)
    with pytest.raises(bg.ArgumentError, match=f"covariance='{structure}' "):
        bg.fit(bg.GaussianMixture(3, structure), X, bg.EM(init=init))


def one_by_one(X, n_components, rng):
    """The seeds of ``init="random"`` by their definition."""
    order, chosen = rng.permutation(len(X)), []
    for row in order:
        if len(chosen) < n_components and not any((X[row] == X[other]).all() for other in chosen):
            chosen.append(row)
    return X[chosen + list(order[: n_components - len(chosen)])]


@pytest.mark.parametrize("k", [2, 3, 8])
def test_random_seeds_among_many_equal_rows_are_those_of_the_definition(k):
    """More rows than are compared at a time; with eight components there are fewer different rows than seeds."""
    X = np.repeat([[0.0, 1.0], [2.0, 3.0], [5.0, 4.0]], 3000, axis=0)
    X[-1] = [7.0, 7.0]
    found = CENTERS["random"](as_rows(X), np.eye(2), k, np.random.default_rng(1))
    assert np.array_equal(found, one_by_one(X, k, np.random.default_rng(1)))


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("method", [bg.EM, bg.MAP, bg.VB])
@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")  # EM flags the empty component
def test_given_parameters_may_have_an_empty_component(method, structure):
    """The package's own output is such a start: EM and MAP leave a component empty, and its weight at zero."""
    X = blobs()
    two = bg.fit(bg.GaussianMixture(2, structure), X, bg.EM(), rng=0)
    covariances = np.concatenate([two.params.covariances, two.params.covariances[:1]])
    init = bg.MixtureParams([*two.params.weights, 0.0], [*two.params.means, X[0]], covariances)
    fit = bg.fit(bg.GaussianMixture(3, structure), X, method(init=init, **({"moves": 0} if method is bg.VB else {})))
    if method is bg.MAP:
        assert fit.status.is_converged and fit.params.weights[2] == 0.0
        again = bg.fit(bg.GaussianMixture(3, structure), X, bg.MAP(init=fit.params))
        assert again.status.is_converged and np.isclose(again.history[-1], fit.history[-1], rtol=1e-9)
    if method is bg.EM:
        assert np.isclose(fit.log_likelihood, two.log_likelihood, rtol=1e-7) and fit.diagnostics.flags[0].n_points == 0


def test_a_concentration_above_one_fills_an_empty_component():
    X = blobs()
    model = bg.GaussianMixture(3, weights=bg.Dirichlet(2.0))
    init = bg.MixtureParams([0.5, 0.5, 0.0], X[:3], [np.cov(X.T)] * 3)
    fit = bg.fit(model, X, bg.MAP(init=init))
    assert fit.status.is_converged and (fit.params.weights > 0).all() and np.isfinite(fit.history[1:]).all()
