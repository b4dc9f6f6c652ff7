"""From equal starts EM is scikit-learn's, iteration by iteration."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from testbed.cases import blobs

import bayesgmm as bg

TYPES = {"full": "full", "tied": "tied", "diagonal": "diag", "spherical": "spherical"}


def precisions_of(structure, k, d):
    """Equal unit-free precisions in the shape that scikit-learn wants."""
    return {
        "full": np.stack([np.eye(d)] * k),
        "tied": np.eye(d),
        "diagonal": np.ones((k, d)),
        "spherical": np.ones(k),
    }[structure]


def as_full(structure, covariances, k, d):
    if structure == "full":
        return covariances
    if structure == "tied":
        return np.stack([covariances] * k)
    values = covariances if structure == "diagonal" else np.repeat(covariances[:, None], d, axis=1)
    return values[:, :, None] * np.eye(d)


@pytest.mark.parametrize("structure", TYPES)
@pytest.mark.parametrize(("k", "d"), [(3, 2), (4, 5)])
@pytest.mark.parametrize("n_iter", [1, 20])
def test_equals_scikit_learn(structure, k, d, n_iter):
    """`n_iter` M steps on both sides; scikit-learn's `lower_bound_` is of the parameters before the last one."""
    X = blobs(seed=d, n=400, d=d, k=k, apart=2.0)
    weights, means = np.arange(1.0, k + 1) / np.arange(1.0, k + 1).sum(), X[:k]
    theirs = GaussianMixture(
        k,
        covariance_type=TYPES[structure],
        reg_covar=0,
        tol=0,
        max_iter=n_iter,
        weights_init=weights,
        means_init=means,
        precisions_init=precisions_of(structure, k, d),
    )
    with pytest.warns(ConvergenceWarning):
        theirs.fit(X)
    init = bg.MixtureParams(weights, means, np.stack([np.eye(d)] * k))
    method = bg.EM(init=init, tol=None, max_iter=n_iter, accelerate=False)
    with pytest.warns(bg.NotConvergedWarning):
        ours = bg.fit(bg.GaussianMixture(k, structure), X, method, rng=0)
    assert ours.diagnostics.n_iter == theirs.n_iter_ == n_iter
    close = {"rtol": 1e-8, "atol": 1e-8}
    assert np.allclose(ours.params.weights, theirs.weights_, **close)
    assert np.allclose(ours.params.means, theirs.means_, **close)
    assert np.allclose(ours.params.covariances, as_full(structure, theirs.covariances_, k, d), **close)
    assert np.isclose(ours.log_likelihood, theirs.score_samples(X).sum(), rtol=1e-8)
    assert np.isclose(ours.history[-2], theirs.lower_bound_ * len(X), rtol=1e-8)
    assert np.allclose(ours.responsibilities(X), theirs.predict_proba(X), **close)
    assert np.allclose(ours.log_density(X), theirs.score_samples(X), **close)
