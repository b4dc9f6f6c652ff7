"""The fast posterior against SciPy's densities and a numerical Jacobian, and moved with the data."""

import numpy as np
import pytest
from scipy.stats import ortho_group
from testbed import oracle
from testbed.cases import blobs, informative, model_of

import bayesgmm as bg
from bayesgmm.flat import posterior as flat_posterior
from bayesgmm.flat.bartlett import Bartlett
from bayesgmm.flat.posterior import FlatPosterior
from bayesgmm.rows import as_rows

SHAPES = [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2), (1, 3), (2, 3), (3, 3)]
STEP = 2e-4  # of central differences of fourth order: their errors are some 1e-12 of the fifth derivatives' size


def posterior_of(structure, k, d, n=30):
    X = blobs(seed=k + 10 * d, n=n, d=d, k=k)
    constants = informative(structure, k, d)
    data = as_rows(X)
    return FlatPosterior.of(model_of(constants).resolve(data), data), constants, X


def points(posterior, n_points, seed=0):
    return np.random.default_rng(seed).normal(size=(n_points, posterior.coordinates.n_dim), scale=0.7)


def free_parameters(coordinates, x):
    """Weights but the last, means, and every free entry of the covariances: what the prior's density is in."""
    params, structure = coordinates.expand(x), coordinates.structure
    covariances = params.covariances[: len(coordinates.root)]
    if structure.is_diagonal:
        entries = np.diagonal(covariances, axis1=1, axis2=2)[:, : 1 if structure.is_round else None]
    else:
        entries = covariances[:, *np.tril_indices(coordinates.n_features)]
    return np.concatenate([params.weights[:-1], params.means.ravel(), entries.ravel()])


def differences(function, x):
    steps = STEP * np.eye(len(x))
    near = np.array([function(x + e) - function(x - e) for e in steps])
    far = np.array([function(x + 2 * e) - function(x - 2 * e) for e in steps])
    return (8 * near - far) / (12 * STEP)


@pytest.mark.parametrize("structure", oracle.STRUCTURES)
@pytest.mark.parametrize(("k", "d"), SHAPES)
def test_log_density_is_prior_times_likelihood_times_jacobian(structure, k, d):
    posterior, constants, X = posterior_of(structure, k, d)
    coordinates = posterior.coordinates
    for x in points(posterior, 3):
        params = coordinates.expand(x)
        mixture = params.weights, params.means, params.covariances
        expected = oracle.log_prior(*mixture, constants) + oracle.log_likelihood(X, *mixture)
        expected += np.linalg.slogdet(differences(lambda x: free_parameters(coordinates, x), x))[1]
        assert posterior(x)[0] == pytest.approx(expected, rel=1e-8, abs=1e-7)


@pytest.mark.parametrize("structure", oracle.STRUCTURES)
@pytest.mark.parametrize(("k", "d"), SHAPES)
def test_gradient(structure, k, d):
    posterior, _, _ = posterior_of(structure, k, d)
    for x in points(posterior, 2, seed=1):
        gradient = posterior(x)[1]
        assert gradient == pytest.approx(differences(lambda x: posterior(x)[0], x), rel=1e-6, abs=1e-5)


@pytest.mark.parametrize("structure", oracle.STRUCTURES)
def test_flatten_inverts_expand(structure):
    """Through the free variables' values, for many draws at once."""
    posterior, _, _ = posterior_of(structure, 3, 2)
    coordinates, x = posterior.coordinates, points(posterior, 6)
    params = coordinates.expand(x.reshape(2, 3, -1))
    assert params.draw_shape == (2, 3)
    back = [coordinates.flatten(params[index]) for index in np.ndindex(2, 3)]
    assert np.allclose(back, x, rtol=0, atol=1e-12)
    values = coordinates.variables(params[0, 0])
    assert {name: np.shape(value) for name, value in values.items()} == coordinates.shapes


@pytest.mark.parametrize("structure", ["full", "isotropic"])
def test_in_parts_on_any_number_of_threads(structure, monkeypatch):
    """Large data are summed in parts: the same function, and the same bits on one thread and on two."""
    posterior, _, _ = posterior_of(structure, 3, 2, n=6000)
    [x] = points(posterior, 1)
    value, gradient = posterior(x)
    monkeypatch.setattr(flat_posterior, "SERIAL_ROWS", 1000)
    assert not posterior.is_serial
    found = []
    for n_threads in ("1", "2"):
        monkeypatch.setenv("BAYESGMM_NUM_THREADS", n_threads)
        found.append(posterior(x))
    assert found[0][0] == found[1][0] and np.array_equal(found[0][1], found[1][1])
    assert found[0][0] == pytest.approx(value, rel=1e-12)  # a sum of 6,000 terms in another order
    assert np.allclose(found[0][1], gradient, rtol=1e-11, atol=1e-9)


def test_float32_data():
    X = blobs(seed=4)
    values = []
    for rows in (X.astype(np.float32), X.astype(np.float32).astype(float)):
        data = as_rows(rows)
        posterior = FlatPosterior.of(bg.GaussianMixture(2).resolve(data), data)
        values.append(posterior(np.zeros(posterior.coordinates.n_dim))[0])
    assert values[0] == pytest.approx(values[1], rel=1e-9)  # moments of float32 rows are taken in float64


def test_singular_data_lean_on_the_prior():
    """A constant column, with a prior scale: the coordinates come from the scale instead."""
    X = blobs(seed=5)
    X[:, 1] = 3.0
    prior = bg.NormalInverseWishart(scale=np.diag([2.0, 0.5]), mean_precision=0.3)
    data = as_rows(X)
    posterior = FlatPosterior.of(bg.GaussianMixture(2, prior=prior).resolve(data), data)
    for x in points(posterior, 2):
        value, gradient = posterior(x)
        assert np.isfinite(value)
        assert gradient == pytest.approx(differences(lambda x: posterior(x)[0], x), rel=1e-6, abs=1e-5)


# --- equivariance -----------------------------------------------------------------------------------------------------

SHEAR = np.array([[1.0, 0.0, 0.0], [-2.0, 1.0, 0.0], [0.4, 0.5, 1.0]])
LOWER = np.diag([1e3, 1e-6, 1e6]) @ SHEAR
MAPS = {
    "full": [1e6 * np.eye(3), 1e-6 * np.eye(3), np.diag([1e-6, 1.0, 1e6]), LOWER],
    "tied": [1e6 * np.eye(3), 1e-6 * np.eye(3), np.diag([1e-6, 1.0, 1e6]), LOWER],
    "shared_diagonal": [1e6 * np.eye(3), np.diag([1e-6, 1.0, 1e6])],
    "diagonal": [1e6 * np.eye(3), 1e-6 * np.eye(3), np.diag([1e-6, 1.0, 1e6])],
    "spherical": [1e6 * np.eye(3), 1e-6 * np.eye(3), 1e-3 * ortho_group(3, seed=1).rvs()],
    "isotropic": [1e6 * np.eye(3), 1e-6 * np.eye(3), 1e-3 * ortho_group(3, seed=1).rvs()],
}


def default_posterior(structure, X):
    data = as_rows(X)
    return FlatPosterior.of(bg.GaussianMixture(3, structure).resolve(data), data)


@pytest.mark.parametrize("structure", oracle.STRUCTURES)
@pytest.mark.parametrize("shift", [0.0, 1e8])
def test_density_moves_with_the_data(structure, shift):
    """Fixed points of the unconstrained space; a rotation turns the standardized means with the data.

    A whitening is unique up to a rotation, and this one's is fixed by the order of the columns; so for full
    covariances a point keeps its density under maps that keep that order (lower triangular ones), and under others
    the posterior as a whole is the same (see test_nuts.py).
    """
    X = blobs(seed=3, n=90, d=3, k=3)
    before = default_posterior(structure, X)
    # A shift of 1e8 spreads leaves 8 of float64's 16 digits of the data, and gradients are sums of 90 of those with
    # weights of up to a hundred.
    tolerance = 1e-9 if shift == 0 else 1e-5
    for A in MAPS[structure]:
        after = default_posterior(structure, X @ A.T + shift * (X @ A.T).std(0))
        is_rotation = structure in ("spherical", "isotropic") and np.abs(A - np.diag(np.diag(A))).max() > 0
        turn = A / np.cbrt(abs(np.linalg.det(A))) if is_rotation else np.eye(3)
        for x in points(before, 20):
            value, gradient = before(x)
            moved_value, moved_gradient = after(turned(x, turn))
            constant = -90 * np.log(abs(np.linalg.det(A)))
            assert moved_value - constant == pytest.approx(value, rel=tolerance)
            back = turned(moved_gradient, turn.T)
            assert np.allclose(back, gradient, rtol=0, atol=tolerance * np.abs(gradient).max())


def turned(x, rotation):
    """The standardized means, the last nine entries, turned."""
    return np.concatenate([x[:-9], (x[-9:].reshape(3, 3) @ rotation.T).ravel()])


def test_coordinates_are_dimensionless():
    """A draw of the prior has the same coordinates in any units."""
    X = blobs(seed=3, n=90, d=3, k=3)
    found = []
    for A in (np.eye(3), LOWER):
        data = as_rows(X @ A.T)
        model = bg.GaussianMixture(2).resolve(data)
        params = model.conjugate().sample(np.random.default_rng(7), 1)[0]
        found.append(Bartlett.of(model, data).flatten(params))
    # Draws of means are P^-T times the same noise, and P^-T moves by A up to rounding times A's condition.
    assert np.allclose(*found, rtol=0, atol=1e-6)
