"""`to_datatree`: groups, dims and names of the notation, and ArviZ works on it."""

import arviz_stats
import numpy as np
import pandas as pd
import pytest
from testbed.cases import blobs
from testbed.fits import CHAINS, KINDS, N_DRAWS, made

import bayesgmm as bg

SHAPES = {"point": (1, 1), "variational": (1, 1000), "draws": (CHAINS, N_DRAWS)}


@pytest.mark.parametrize("structure", ["full", "isotropic"])
@pytest.mark.parametrize("kind", KINDS)
def test_groups_dims_and_values(kind, structure):
    fit = made(kind, structure)
    tree, shape = fit.to_datatree(posterior_predictive=kind != "variational"), SHAPES[kind]
    groups = {"posterior", "log_likelihood", "observed_data", "constant_data"}
    groups |= {"sample_stats"} if kind == "draws" else set()
    groups |= {"posterior_predictive"} if kind != "variational" else set()
    assert set(tree.children) == groups
    posterior, draws = tree["posterior"].to_dataset(), fit.estimate.draws()
    dims = ("chain", "draw", "component", "feature", "feature_bis")
    for i, name in enumerate(("weights", "means", "covariances")):
        assert posterior[name].dims == dims[: 3 + i] and posterior[name].shape[:2] == shape
        assert np.array_equal(posterior[name].values, getattr(draws, name))
    assert list(posterior.feature.values) == list(posterior.feature_bis.values) == ["x0", "x1"]
    likelihood = tree["log_likelihood"]["x"]
    assert likelihood.dims == ("chain", "draw", "obs") and likelihood.shape == (*shape, 60)
    assert np.array_equal(likelihood.values.reshape(-1, 60), fit.log_density_draws(fit.X))
    assert np.array_equal(tree["observed_data"]["x"].values, fit.X)
    assert tree["observed_data"]["x"].dims == ("obs", "feature")
    assert np.array_equal(tree["constant_data"]["prior_scale"].values, fit.model.prior.scale)
    assert np.array_equal(tree["constant_data"]["prior_concentration"].values, np.ones(3))
    assert tree.attrs["data_sha256"] == fit.provenance["data_sha256"]
    if kind == "draws":
        assert {"diverging", "tree_depth", "energy"} == set(tree["sample_stats"].data_vars)
        assert tree["sample_stats"]["diverging"].dims == ("chain", "draw")
    if kind != "variational":
        replicates = tree["posterior_predictive"]["x"]
        assert replicates.dims == ("chain", "draw", "obs", "feature") and replicates.shape == (*shape, 60, 2)


def test_feature_names_are_coordinates():
    fit = made("point", X=pd.DataFrame(blobs(seed=2, n=60), columns=["length", "width"]))
    tree = fit.to_datatree()
    assert (
        float(tree["posterior"]["means"].sel(chain=0, draw=0, component=1, feature="width")) == fit.params.means[1, 1]
    )
    assert list(tree["observed_data"]["x"].feature.values) == ["length", "width"]


def test_posterior_predictive_data_sets_look_like_the_data():
    fit = made("draws")
    replicates = fit.to_datatree(posterior_predictive=True)["posterior_predictive"]["x"].values
    pooled = replicates.reshape(-1, 2)
    draws = fit.params.reshaped(CHAINS * N_DRAWS)
    expected = np.einsum("sk,skd->d", draws.weights, draws.means) / len(draws.weights)
    error = pooled.std(0) / np.sqrt(len(pooled))
    assert (np.abs(pooled.mean(0) - expected) < 5 * error).all()  # five standard errors


@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto")  # 80 draws are few
@pytest.mark.parametrize("kind", ["draws", "variational"])
def test_arviz_computes_loo_from_it(kind):
    fit = made(kind)
    loo = arviz_stats.loo(fit.to_datatree(), pointwise=True)
    per_draw = fit.log_density_draws(fit.X)
    assert loo.n_data_points == 60 and loo.n_samples == len(per_draw)
    elpd, in_sample = float(loo.elpd), fit.log_density(fit.X).sum()
    # Leaving out costs, and no more than the harmonic mean (plain importance sampling) could.
    assert elpd < in_sample
    assert elpd > -np.log(np.exp(-per_draw).mean(0)).sum() - 5.0


def test_arviz_summarises_it():
    table = arviz_stats.summary(made("draws").to_datatree(), var_names=["weights"], round_to="none")
    assert len(table) == 3


def test_one_column_in_arviz():
    """The data, replicates and log likelihoods of one column have one shape, and a prior to scale."""
    fit = made("draws", X=blobs(seed=4, n=60, d=1))
    tree = fit.to_datatree(posterior_predictive=True, log_prior=True)
    assert tree["observed_data"]["x"].dims == ("obs",)
    assert tree["posterior_predictive"]["x"].dims == tree["log_likelihood"]["x"].dims == ("chain", "draw", "obs")
    pit = arviz_stats.loo_pit(tree)
    pit = pit["x"].values if hasattr(pit, "data_vars") else np.asarray(pit)
    assert pit.shape == (60,) and ((pit >= 0) & (pit <= 1)).all()
    found = arviz_stats.psense(tree, group="prior", var_names=["weights"])
    assert np.isfinite(found["weights"].values).all()
    tree["posterior"] = tree["posterior"].to_dataset().rename(component="cluster")
    assert len(arviz_stats.psense_summary(tree, var_names=["weights"])) == fit.params.n_components


def test_log_prior_is_that_of_the_conjugate_law():
    for structure in ("full", "isotropic"):
        fit = made("draws", structure)
        group = fit.to_datatree(log_likelihood=False, log_prior=True)["log_prior"].to_dataset()
        total = sum(group[name].values for name in ("weights", "covariances", "means"))
        law = fit.model.conjugate()
        expected = [law.log_density(draw) for draw in fit.params.reshaped(CHAINS * N_DRAWS)]
        np.testing.assert_allclose(total.ravel(), expected, rtol=1e-10)


def test_inference_data_for_older_arviz():
    arviz = pytest.importorskip("arviz")
    found = made("draws").to_inferencedata(posterior_predictive=True)
    if "InferenceData" in vars(arviz):
        assert isinstance(found, arviz.InferenceData)
        assert {"posterior", "log_likelihood", "posterior_predictive", "observed_data"} <= set(found.groups())
        assert len(arviz.summary(found, var_names=["weights"])) == 3
    else:
        assert set(found.children) >= {"posterior", "log_likelihood", "posterior_predictive", "observed_data"}


def test_one_column_comes_back_from_a_file(tmp_path):
    fit = made("point", X=blobs(seed=4, n=60, d=1))
    fit.save(tmp_path / "fit.nc")
    back = bg.load(tmp_path / "fit.nc")
    assert np.array_equal(back.X, fit.X) and back.refit(fit.X).kind == "point"
