"""MAP: the joint mode in weights, means and covariances."""

import numpy as np
import pytest
from scipy import optimize
from testbed import oracle
from testbed.cases import STRUCTURES, blobs, informative, model_of

import bayesgmm as bg
from bayesgmm.methods.em import whitened_change


def tiny(structure, k=2):
    constants = informative(structure, k, 2)
    constants = oracle.Constants(
        structure,
        constants.concentration + 1.0,
        constants.mean,
        constants.mean_precision,
        constants.dof,
        constants.scale,
    )
    return constants, blobs(seed=4, n=12, k=2, apart=2.0)


def log_posterior(X, params, constants):
    parts = params.weights, params.means, params.covariances
    return oracle.log_likelihood(X, *parts) + oracle.log_prior(*parts, constants)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_is_the_numerical_optimum_of_the_log_posterior(structure):
    constants, X = tiny(structure)
    fit = bg.fit(model_of(constants), X, bg.MAP(tol=None, param_tol=1e-9), rng=0)
    best, k, d = fit.params, 2, 2
    assert np.isclose(fit.history[-1], log_posterior(X, best, constants), rtol=1e-11)
    assert np.diff(fit.history).min() > -1e-10
    is_diagonal = best.is_diagonal
    columns = 1 if structure in ("spherical", "isotropic") else d
    shape = (1 if structure in oracle.SHARED else k, columns) + (() if is_diagonal else (columns,))

    def params_at(free):
        w, means, rest = np.exp([free[0], 0.0]), free[1 : 1 + k * d].reshape(k, d), free[1 + k * d :].reshape(shape)
        if is_diagonal:
            covariances = np.broadcast_to(np.exp(rest), (k, d))[:, :, None] * np.eye(d)
        else:
            covariances = np.broadcast_to(rest @ np.swapaxes(rest, 1, 2), (k, d, d)).copy()
        return bg.MixtureParams(w / w.sum(), means, covariances)

    covariances = best.covariances[: shape[0]]
    rest = np.log(np.diagonal(covariances, axis1=1, axis2=2)[:, :columns])
    rest = rest if is_diagonal else np.linalg.cholesky(covariances)
    at_best = np.concatenate([[np.log(best.weights[0] / best.weights[1])], best.means.ravel(), rest.ravel()])
    away = at_best + 0.02 * np.random.default_rng(5).normal(size=len(at_best))  # within the same basin
    found = optimize.minimize(lambda free: -log_posterior(X, params_at(free), constants), away, method="BFGS")
    assert np.isclose(-found.fun, fit.history[-1], atol=1e-7) and -found.fun <= fit.history[-1] + 1e-8
    assert np.allclose(params_at(found.x).means, best.means, atol=1e-3)  # BFGS with gradients by differences
    assert np.allclose(params_at(found.x).covariances, best.covariances, rtol=1e-2, atol=1e-3)
    assert np.allclose(params_at(found.x).weights, best.weights, atol=1e-3)


def test_one_component_is_the_textbook_mode():
    """Psi_n / (nu_n + D + 2), the joint mode, and not the marginal one."""
    X = blobs(n=20)
    fit = bg.fit(bg.GaussianMixture(1), X, bg.MAP(), rng=0)
    n, d = X.shape
    scatter, xbar = np.cov(X.T, bias=True) * n, X.mean(0)
    psi = np.cov(X.T) + scatter  # the default mean is the column means: no third term
    assert np.allclose(fit.params.means[0], xbar, rtol=1e-12)
    assert np.allclose(fit.params.covariances[0], psi / (d + 2 + n + d + 2), rtol=1e-11)


def test_a_concentration_below_one_is_refused_before_any_fitting():
    calls = []
    with pytest.raises(bg.NotApplicableError, match="no mode"):
        bg.fit(bg.GaussianMixture(2, weights=bg.Dirichlet(0.5)), blobs(), bg.MAP(), progress=lambda *a: calls.append(a))
    assert not calls


def test_vector_concentrations_and_means_of_components_pull_their_own_way():
    X = blobs(n=30, k=2, apart=0.5)
    model = bg.GaussianMixture(
        2,
        "spherical",
        bg.Dirichlet([200.0, 2.0]),
        bg.NormalInverseWishart(mean=[[-50.0, 0.0], [50.0, 0.0]], mean_precision=[1e4, 1e4]),
    )
    fit = bg.fit(model, X, bg.MAP(), rng=0)
    assert fit.params.weights[0] > 0.8
    assert np.allclose(fit.params.means, [[-50, 0], [50, 0]], atol=1.0)


def test_needs_no_floor_where_em_collapses():
    X = np.repeat([[0.0, 0.0], [1.0, 3.0], [4.0, 1.0]], 10, axis=0)
    for structure in STRUCTURES:
        fit = bg.fit(bg.GaussianMixture(5, structure), X, bg.MAP(), rng=0)
        assert fit.status.is_converged and np.diff(fit.history).min() > -1e-9
        assert np.isfinite(fit.params.covariances).all()


def test_a_component_of_no_more_than_one_point_is_named():
    """Where a mode is climbed to from a given start, nothing moves an empty component; the density says "Converged"."""
    X = np.concatenate([np.random.default_rng(0).normal(c, 1.0, (100, 2)) for c in (0.0, 8.0)])
    one = bg.fit(bg.GaussianMixture(1), X, bg.MAP(), rng=0).params
    start = bg.MixtureParams([1.0, 0.0], np.repeat(one.means, 2, 0), np.repeat(one.covariances, 2, 0))
    said = bg.fit(bg.GaussianMixture(2), X, bg.MAP(init=start), rng=0).status.sentence
    assert "Component 1 has no more than one point, so that the prior alone decides about it" in said
    assert "no more than one point" not in bg.fit(bg.GaussianMixture(2), X, bg.MAP(), rng=0).status.sentence


def test_changes_of_variances_are_those_of_their_matrices():
    """What `param_tol` looks at, of diagonal covariances without a matrix of columns by columns."""
    rng = np.random.default_rng(0)
    weights, means, sd = [0.4, 0.6], rng.normal(size=(2, 2, 3)), rng.uniform(0.5, 2.0, (2, 2, 3))
    whitening = rng.uniform(0.1, 10.0, 3)
    old = bg.MixtureParams(weights, means[0], precision_chol=1.0 / sd[0])
    for i in range(2):  # with the same means, a variance changes most
        new = bg.MixtureParams(weights, means[i], precision_chol=1.0 / sd[1])
        full = [bg.MixtureParams(one.weights, one.means, one.covariances) for one in (old, new)]
        found = whitened_change(old, new, whitening)
        assert found > 0 and np.isclose(found, whitened_change(*full, np.diag(whitening)), rtol=1e-12)
