"""`SharedDiagonal` (mclust's EEI) in every engine, and against the structures that it meets at K = 1 and at D = 1.

The oracle, the flat density, calibration and equivariance have it in their tables of structures.
"""

import warnings

import numpy as np
import pytest
from testbed.cases import blobs

import bayesgmm as bg

X = blobs(n=90, d=3, seed=4)
LINE = blobs(n=60, d=1, k=2, seed=5)
QUICK = {
    "EM": bg.EM(n_init=3),
    "MAP": bg.MAP(n_init=3),
    "VB": bg.VB(n_init=3),
    "OnlineEM": bg.OnlineEM(passes=20),
    "StochasticVB": bg.StochasticVB(passes=20),
    "Gibbs": bg.Gibbs(draws=60, tune=40, chains=2),
    "NUTS": bg.NUTS(draws=60, tune=100, chains=2),
    "ADVI": bg.ADVI(n_iter=300, draws=100, n_init=2),
    "Pathfinder": bg.Pathfinder(paths=2, draws=100),
}
every_engine = pytest.mark.parametrize("name", QUICK)


def run(model, data, method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bg.NotConvergedWarning)  # the runs are short
        warnings.simplefilter("ignore", bg.TruncationWarning)
        return bg.fit(model, data, method, rng=0, throw=False)


def densities(fit, data):
    draws = fit.estimate.draws()
    return np.concatenate([np.ravel(draws.weights), np.ravel(draws.covariances), fit.log_density(data)])


@pytest.mark.slow
@every_engine
def test_every_engine_takes_it(name, tmp_path):
    fit = run(bg.GaussianMixture(2, bg.SharedDiagonal()), X, QUICK[name])
    covariances = fit.estimate.draws().covariances
    assert np.array_equal(covariances[..., 0, :, :], covariances[..., 1, :, :])
    assert not (covariances * (1 - np.eye(3))).any()
    assert fit.n_parameters == 1 + 2 * 3 + 3
    assert np.array_equal(densities(run(fit.model, X, QUICK[name]), X), densities(fit, X))
    fit.save(tmp_path / "fit.nc")
    again = bg.load(tmp_path / "fit.nc")
    assert isinstance(again.model.covariance, bg.SharedDiagonal)
    assert np.array_equal(densities(again, X), densities(fit, X))
    if fit.kind != "point":
        assert fit.to_datatree()["posterior"]["covariances"].shape[-3:] == (2, 3, 3)


@every_engine
def test_one_component_is_a_diagonal_one(name):
    ours, theirs = (run(bg.GaussianMixture(1, kind), X, QUICK[name]) for kind in ("shared_diagonal", "diagonal"))
    assert np.allclose(densities(ours, X), densities(theirs, X), rtol=1e-9, atol=1e-12)


@every_engine
def test_one_column_is_an_isotropic_one(name):
    ours, theirs = (run(bg.GaussianMixture(2, kind), LINE, QUICK[name]) for kind in ("shared_diagonal", "isotropic"))
    assert np.allclose(densities(ours, LINE), densities(theirs, LINE), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("prior", [bg.NormalInverseWishart(), bg.IndependentNormalInverseWishart()], ids=["NIW", "IND"])
def test_the_prior_is_that_of_the_columns(prior):
    ours, theirs = (bg.GaussianMixture(3, kind, prior=prior) for kind in ("shared_diagonal", "diagonal"))
    data = bg.fit(bg.GaussianMixture(1), X, bg.EM(n_init=1), rng=0).X
    found, expected = (bg.sample_prior(model, data, 5, rng=0).model.prior for model in (ours, theirs))
    for name, value in expected.constants().items():
        assert np.array_equal(found.constants()[name], value), name
    assert found.dof == 3 and np.allclose(found.scale, X.var(0, ddof=1) / 3 ** (2 / 3))


@pytest.mark.slow
def test_other_models_and_verbs_take_it():
    scale = bg.IndependentNormalInverseWishart(scale=bg.HierarchicalScale())
    process = run(bg.DirichletProcessMixture(4, "shared_diagonal"), X, QUICK["VB"])
    unknown = run(bg.MixtureOfFiniteMixtures(4, "shared_diagonal", prior=scale), X, QUICK["Gibbs"])
    assert np.isfinite(process.log_density(X)).all() and np.isfinite(unknown.log_density(X)).all()
    fit = run(bg.GaussianMixture(2, "shared_diagonal"), X, QUICK["EM"])
    assert np.isfinite(bg.intervals(fit).table["se"]).all()
    draws = run(bg.GaussianMixture(2, "shared_diagonal", prior=scale), X, QUICK["NUTS"])
    assert draws.to_datatree()["posterior"]["scale"].shape[-1] == 3
    assert np.isfinite(bg.pymc_model(draws).compile_logp()(bg.pymc_model(draws).initial_point()))
    with pytest.raises(bg.ArgumentError, match="one for all components"):
        bg.fit(fit.model, X, bg.EM(init=run(bg.GaussianMixture(2, "diagonal"), X, QUICK["EM"]).params))
