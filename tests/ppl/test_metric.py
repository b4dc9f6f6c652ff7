"""Coordinates in which a posterior is nearly standard normal: what they are, and where they are used."""

import numpy as np
import pytest
from testbed import oracle
from testbed.cases import blobs, hard_statistics, informative, model_of
from testbed.kernels import callable_from_python
from testbed.monte_carlo import Z_LIMIT, z_score

import bayesgmm as bg
from bayesgmm.flat import metric, posterior
from bayesgmm.flat.metric import AffineMap, inverse_cholesky, normal_coordinates
from bayesgmm.flat.metric_map import mapped, pulled
from bayesgmm.flat.posterior import FlatPosterior
from bayesgmm.ppl import sample as sampling
from bayesgmm.result.diagnostics import invariant_quantities
from bayesgmm.rows import as_rows


def some_map(n_dim, seed=0):
    rng = np.random.default_rng(seed)
    root = np.tril(rng.normal(size=(n_dim, n_dim)), -1) + np.diag(rng.uniform(0.5, 2.0, n_dim))
    return AffineMap(rng.normal(size=n_dim), rng.uniform(0.5, 2.0, n_dim), root)


def posterior_and_start(X, k, structure="full", model=None):
    data = as_rows(X)
    model = (model or bg.GaussianMixture(k, structure)).resolve(data)
    posterior = FlatPosterior.of(model, data)
    fit = bg.fit(bg.GaussianMixture(k, structure), X, bg.MAP(), rng=0)
    return posterior, fit.params


# --- the map ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_dim", [1, 7, 8, 9, 30])
def test_compiled_map_is_the_matrix_product(n_dim):
    """Rows of whole vectors, of less and of more."""
    coordinates, rng = some_map(n_dim), np.random.default_rng(1)
    matrix = coordinates.scale[:, None] * coordinates.root.T
    z, gradient = rng.normal(size=(2, n_dim))
    for to_flat in (coordinates.to_flat(z), callable_from_python(mapped)(z, coordinates.packed)):
        assert np.allclose(to_flat, coordinates.center + matrix @ z, rtol=0, atol=1e-12)
    for pull in (coordinates.pull(gradient), callable_from_python(pulled)(gradient, coordinates.packed)):
        assert np.allclose(pull, matrix.T @ gradient, rtol=0, atol=1e-12)
    # The inverse of a random triangular matrix can be large: that of these is below 1e8.
    assert np.allclose(coordinates.to_flat(coordinates.from_flat(z)), z, rtol=0, atol=1e-8)


@pytest.mark.parametrize("n_dim", [1, 2, 20])
def test_inverse_cholesky(n_dim):
    rows = np.random.default_rng(n_dim).normal(size=(n_dim + 5, n_dim))
    root = inverse_cholesky(rows.T @ rows)
    assert np.allclose(root, np.linalg.inv(np.linalg.cholesky(rows.T @ rows)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("matrix", [[[0.0]], [[1.0, 2.0], [2.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]], [[np.nan]]])
def test_a_matrix_that_is_not_positive_definite_has_no_cholesky_factor(matrix):
    assert inverse_cholesky(np.array(matrix)) is None


# --- where it is used -------------------------------------------------------------------------------------------------


def overlapping(n):
    """Three correlated clusters, two of which overlap."""
    rng = np.random.default_rng(2)
    shear = np.array([[1.0, 0.0], [0.9, 0.4]])
    centres = np.array([[0.0, 0.0], [2.5, 0.0], [0.0, 4.0]])
    return centres[rng.choice(3, n, p=[0.5, 0.3, 0.2])] + rng.normal(size=(n, 2)) @ shear.T


@pytest.mark.parametrize("structure", oracle.STRUCTURES)
@pytest.mark.few(2)
def test_many_data_have_a_standard_normal_posterior(structure):
    """Zero gradient at the centre, and the identity for minus the Hessian there, by differences of our own."""
    posterior, params = posterior_and_start(overlapping(3000), 3, structure)
    coordinates = normal_coordinates(posterior, posterior.coordinates.flatten(params))
    n_dim = posterior.coordinates.n_dim
    step = 1e-3 * np.eye(n_dim)

    def gradient(z):
        return coordinates.pull(posterior(coordinates.to_flat(z))[1])

    hessian = np.array([gradient(-e) - gradient(e) for e in step]) / 2e-3
    # Forward differences err by STEP times third over second derivatives, the centre by the end of the climb.
    assert np.allclose(hessian, np.eye(n_dim), rtol=0, atol=0.02)
    assert np.abs(gradient(np.zeros(n_dim))).max() < 0.02


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("galaxies", bg.GaussianMixture(6)),  # 82 rows for 17 parameters
        ("iris", bg.GaussianMixture(3)),  # 150 rows for 44
        ("faithful", bg.DirichletProcessMixture(5)),  # sticks of components that are empty
    ],
)
def test_no_map_where_the_posterior_is_far_from_normal(name, model):
    X = bg.load_dataset(name).X
    posterior, _ = posterior_and_start(X, 2, model=model)
    starts = np.random.default_rng(0).normal(size=(3, posterior.coordinates.n_dim))
    assert all(normal_coordinates(posterior, 0.3 * x) is None for x in starts)


def test_no_map_where_there_is_no_mode(monkeypatch):
    """A saddle, a slope, a flat place, NaN: whatever the climb ends at."""
    X = overlapping(400)
    posterior, params = posterior_and_start(X, 3)
    start = posterior.coordinates.flatten(params)
    n_dim = len(start)

    def found(function):
        monkeypatch.setattr(FlatPosterior, "__call__", lambda self, x: function(x))
        return normal_coordinates(posterior, start)

    for curve in (np.r_[-1.0, np.ones(n_dim - 1)], np.zeros(n_dim), np.full(n_dim, np.nan)):
        assert found(lambda x, c=curve: (-0.5 * c @ x**2, -c * x)) is None
    assert found(lambda x: (x.sum(), np.ones(n_dim))) is None
    assert found(lambda x: (-0.5 * x @ x, np.full(n_dim, np.nan))) is None
    assert found(lambda x: (-0.5 * x @ x, -x)) is not None  # and here there is one


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")  # 200 draws
def test_fewer_steps_with_the_map(monkeypatch):
    """Correlated coordinates cost steps: counted, for one seed."""
    X, steps = overlapping(1500), []
    for limit in (metric.MAX_DISCREPANCY, -1.0):
        monkeypatch.setattr(metric, "MAX_DISCREPANCY", limit)
        fit = bg.fit(bg.GaussianMixture(3), X, bg.NUTS(draws=200, tune=200, chains=2), rng=0)
        steps.append(fit.estimate.sample_stats["n_steps"].mean())
    assert steps[0] < 0.7 * steps[1]  # 7.0 and 16.5


# --- the posterior stays what it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_serial", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("structure", ["full", "diagonal"])
def test_any_map_leaves_the_posterior_as_it_is(structure, is_serial, monkeypatch):
    """A map that has nothing to do with the data, where the conjugate posterior is exact; as C functions, in parts."""
    monkeypatch.setattr(sampling, "normal_coordinates", lambda posterior, start: some_map(len(start), seed=3))
    monkeypatch.setattr(posterior, "SERIAL_ROWS", 1000 if is_serial else 1)
    X, constants = blobs(n=40, k=2), informative(structure, 1, 2)
    ours = bg.fit(model_of(constants), X, bg.NUTS(draws=1000), rng=4).params
    prior = model_of(constants).resolve(as_rows(X)).conjugate()
    stats = hard_statistics(X, np.zeros(len(X), int), 1, prior.components.structure.is_diagonal)
    exact = prior.update(stats).sample(np.random.default_rng(5), 20_000).reshaped(4, 5000)
    for one, other in ((ours.means, exact.means), (ours.covariances, exact.covariances)):
        for power in (1, 2):
            columns = (np.moveaxis(part.reshape(*part.shape[:2], -1) ** power, -1, 0) for part in (one, other))
            assert all(abs(z_score(a, b)) < Z_LIMIT for a, b in zip(*columns, strict=True))


@pytest.mark.slow
def test_agrees_with_gibbs_where_the_map_is_used():
    X = overlapping(1500)
    ours = bg.fit(bg.GaussianMixture(3), X, bg.NUTS(draws=1500, tune=500), rng=1)
    theirs = bg.fit(bg.GaussianMixture(3), X, bg.Gibbs(thin=5), rng=1)
    pairs = invariant_quantities(ours.params, X), invariant_quantities(theirs.params, X)
    for name, values in pairs[0].items():
        assert abs(z_score(values, pairs[1][name])) < Z_LIMIT, name
