"""The default constants of Fraley and Raftery (2007), where they come from and that they stay."""

import numpy as np
import pytest
from testbed import oracle
from testbed.cases import STRUCTURES, blobs, informative, model_of

import bayesgmm as bg
from bayesgmm.rows import as_rows


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize(("k", "d"), [(1, 2), (3, 2), (4, 1), (2, 5)])
def test_defaults(structure, k, d):
    X = blobs(1, n=40, d=d) * np.linspace(0.1, 100, d) + 1000
    expected, model = oracle.default_constants(structure, X, k), bg.GaussianMixture(k, structure).resolve(as_rows(X))
    assert np.allclose(model.prior.mean, expected.mean[0], rtol=1e-12)
    assert model.prior.mean_precision == 0.01 and model.prior.dof == expected.dof
    assert np.allclose(model.prior.scale, expected.scale, rtol=1e-10)  # NumPy's cov of data far from zero
    assert np.array_equal(model.weights.concentration, np.ones(k))


@pytest.mark.parametrize("structure", STRUCTURES)
def test_given_constants_are_kept(structure):
    expected = informative(structure, 3, 2)
    model = model_of(expected).resolve(as_rows(blobs()))
    for name in ("mean", "mean_precision", "dof", "scale"):
        assert np.array_equal(getattr(model.prior, name), getattr(expected, name))
    assert np.array_equal(model.weights.concentration, expected.concentration)


def test_only_what_is_missing_comes_from_the_data():
    X = blobs()
    prior = bg.NormalInverseWishart(mean=[5.0, 6.0], dof=7)
    resolved = bg.GaussianMixture(2, prior=prior).resolve(as_rows(X)).prior
    assert np.array_equal(resolved.mean, [5.0, 6.0]) and resolved.dof == 7
    assert np.allclose(resolved.scale, np.cov(X.T) / 2, rtol=1e-12)
    resolved = bg.GaussianMixture(2, prior=bg.NormalInverseWishart(scale=np.eye(2))).resolve(as_rows(X)).prior
    assert np.allclose(resolved.mean, X.mean(0), rtol=1e-12) and np.array_equal(resolved.scale, np.eye(2))


@pytest.mark.parametrize(
    ("structure", "scale"),
    [
        ("full", np.eye(2)),
        ("full", np.stack([np.eye(2), 2 * np.eye(2), 3 * np.eye(2)])),
        ("tied", np.eye(2)),
        ("tied", np.eye(2)[None]),
        ("diagonal", 1.5),
        ("diagonal", [1.0, 2.0]),
        ("diagonal", np.arange(1.0, 7.0).reshape(3, 2)),
        ("spherical", 1.5),
        ("spherical", [[1.0], [2.0], [3.0]]),
        ("isotropic", 1.5),
    ],
)
@pytest.mark.parametrize("method", [bg.MAP(n_init=1), bg.VB(n_init=1)], ids=["MAP", "VB"])
@pytest.mark.few(8)
def test_scales_in_every_shape_that_has_a_meaning(structure, scale, method):
    """On the data of the model, and on data without a spread of their own, where the scale stands in for it."""
    model = bg.GaussianMixture(3, structure, prior=bg.NormalInverseWishart(scale=scale))
    for X in (blobs(), np.tile([3.0, 4.0], (9, 1))):
        fit = bg.fit(model, X, method, rng=0)
        assert fit.status.is_converged and np.isfinite(fit.log_density(X)).all()


def test_a_model_knows_nothing_of_data_until_it_is_fitted():
    model = bg.GaussianMixture(2)
    fit = bg.fit(model, blobs(), bg.VB(n_init=1), rng=0)
    assert model.prior.scale is None and fit.model.prior.scale is not None
