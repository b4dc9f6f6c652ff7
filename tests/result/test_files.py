"""Saved and loaded, a fit answers everything as before, bit by bit; what is no such file says so."""

import dataclasses
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from testbed.cases import blobs
from testbed.fits import KINDS, Hopeless, made

import bayesgmm as bg
from bayesgmm import fitting

NEW = blobs(seed=2, n=60)[:10] + 0.3


def saved(fit, tmp_path, **options):
    path = tmp_path / "fit.nc"
    fit.save(path, **options)
    return bg.load(path)


def assert_same_answers(one, two):
    assert two.kind == one.kind
    for name in ("weights", "means", "precision_chol"):
        assert np.array_equal(getattr(two.params, name), getattr(one.params, name))
    assert np.array_equal(two.log_density(NEW), one.log_density(NEW))
    assert np.array_equal(two.log_density_draws(NEW), one.log_density_draws(NEW))
    assert np.array_equal(two.sample(5, 0), one.sample(5, 0))
    if one.kind == "draws":
        with pytest.raises(bg.NotApplicableError, match="not aligned"):
            two.predict(NEW)
        for name, values in one.estimate.sample_stats.items():
            found = two.estimate.sample_stats[name]
            assert np.array_equal(found, values) and found.dtype == values.dtype
    else:
        assert np.array_equal(two.responsibilities(NEW), one.responsibilities(NEW))
        assert two.history[-1] == (one.log_likelihood if one.kind == "point" else one.elbo)
    assert np.array_equal(two.history, one.history)
    pd.testing.assert_frame_equal(two.summary(), one.summary(), check_exact=True)
    assert two.method == one.method and two.status == one.status and two.diagnostics == one.diagnostics
    assert two.provenance == one.provenance and two.feature_names == one.feature_names
    assert (two.seconds, two.seed, two.n_obs) == (one.seconds, one.seed, one.n_obs)
    for name in ("mean", "mean_precision", "dof", "scale"):
        assert np.array_equal(getattr(two.model.prior, name), getattr(one.model.prior, name))
    assert np.array_equal(two.model.weights.concentration, one.model.weights.concentration)
    assert two.model.covariance == one.model.covariance and two.n_parameters == one.n_parameters


@pytest.mark.parametrize("structure", ["full", "isotropic"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.few(2)
def test_a_loaded_fit_is_the_saved_one(kind, structure, tmp_path):
    fit = made(kind, structure)
    again = saved(fit, tmp_path)
    assert_same_answers(fit, again)
    assert np.array_equal(again.X, fit.X) and again.X.dtype == fit.X.dtype
    assert_same_answers(again, saved(again, tmp_path))
    if kind != "draws":
        assert np.array_equal(again.refit(fit.X).params.means, fit.refit(fit.X).params.means)


@pytest.mark.parametrize("kind", KINDS)
def test_without_data_everything_is_answered_that_needs_none(kind, tmp_path):
    fit = made(kind)
    again = saved(fit, tmp_path, data=False)
    assert again.X is None and again.n_obs == 60
    assert_same_answers(fit, again)
    assert "observed_data" not in again.to_datatree(log_likelihood=False).children
    with pytest.raises(bg.NotApplicableError, match="without its data; pass log_likelihood=False"):
        again.to_datatree()
    with xr.open_datatree(tmp_path / "fit.nc", engine="h5netcdf") as tree:
        sizes = {size for group in tree.subtree for size in group.sizes.values()}
    assert fit.n_obs not in sizes  # nothing in the file has an entry for each row


def test_names_come_back(tmp_path):
    frame = pd.DataFrame(blobs(seed=2, n=60), columns=["Länge", "width (mm)"])
    fit = made("point", X=frame)
    assert saved(fit, tmp_path).feature_names == ("Länge", "width (mm)")


def test_single_precision_comes_back(tmp_path):
    fit = made("point", X=blobs(seed=2, n=60).astype(np.float32))
    again = saved(fit, tmp_path)
    assert again.X.dtype == np.float32 and np.array_equal(again.log_density(NEW), fit.log_density(NEW))


def test_methods_with_given_parameters_and_every_option(tmp_path):
    init = made("point").params
    for method in (bg.EM(init=init, tol=None, max_iter=3, floor=1e-5), bg.VB(init=init, param_tol=1e-3)):
        with pytest.warns(bg.NotConvergedWarning) if method.tol is None else nullcontext():
            fit = bg.fit(bg.GaussianMixture(3), blobs(), method, rng=0)
        again = saved(fit, tmp_path)
        for field in dataclasses.fields(method):
            if field.name != "init":
                assert getattr(again.method, field.name) == getattr(method, field.name)
        assert np.array_equal(again.method.init.means, init.means)
        assert np.array_equal(again.method.init.precision_chol, init.precision_chol)


def test_a_fit_without_a_result_can_be_kept(tmp_path, monkeypatch):
    with pytest.warns(bg.NotConvergedWarning):
        fit = bg.fit(bg.GaussianMixture(2), blobs(), Hopeless(), throw=False)
    monkeypatch.setitem(fitting.TYPES, "Hopeless", Hopeless)
    again = saved(fit, tmp_path)
    assert again.status == fit.status and np.array_equal(again.X, fit.X) and len(again.history) == 0
    with pytest.raises(bg.NotApplicableError, match="Every chain diverged"):
        again.log_density(NEW)


def test_flags_and_informative_priors_come_back(tmp_path):
    X = np.repeat([[0.0, 0.0], [1.0, 3.0], [4.0, 1.0]], 10, axis=0)
    with pytest.warns(bg.NotConvergedWarning):
        fit = bg.fit(bg.GaussianMixture(3), X, bg.EM(n_init=2), rng=0)
    assert saved(fit, tmp_path).diagnostics.flags == fit.diagnostics.flags != ()
    prior = bg.NormalInverseWishart(mean=np.zeros((2, 2)), mean_precision=[1.0, 2.0], scale=np.stack([np.eye(2)] * 2))
    model = bg.GaussianMixture(2, weights=bg.Dirichlet([1.0, 5.0]), prior=prior)
    fit = bg.fit(model, blobs(), bg.VB(n_init=1), rng=0)
    assert_same_answers(fit, saved(fit, tmp_path))


def test_what_is_no_saved_fit_says_so(tmp_path):
    with pytest.raises(bg.DataError, match="There is no file .*nowhere.nc': check the path"):
        bg.load(tmp_path / "nowhere.nc")
    (tmp_path / "text.nc").write_text("not netCDF")
    (tmp_path / "empty.nc").write_text("")
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    for name in ("text.nc", "empty.nc", "other.nc", "."):
        with pytest.raises(bg.DataError, match="was not written by Fit.save|is a folder"):
            bg.load(tmp_path / name)
    fit = made("point")
    fit.save(tmp_path / "fit.nc")
    with pytest.raises(bg.DataError, match="There is no folder .*make it before"):
        fit.save(tmp_path / "nowhere" / "fit.nc")


def test_a_file_of_another_version_is_refused(tmp_path, monkeypatch):
    from bayesgmm.result import files

    fit = made("point")
    monkeypatch.setattr(files, "FORMAT", "bayesgmm-fit-0")
    fit.save(tmp_path / "old.nc")
    monkeypatch.undo()
    with pytest.raises(bg.DataError, match="of this version"):
        bg.load(tmp_path / "old.nc")


def test_a_file_holds_no_pickle_and_only_known_types(tmp_path, monkeypatch):
    fit = made("point")
    fit.save(tmp_path / "fit.nc")
    types = {name: kind for name, kind in fitting.TYPES.items() if name != "EM"}
    monkeypatch.setattr(fitting, "TYPES", types)
    with pytest.raises(bg.DataError, match="the file holds a EM, which this version"):
        bg.load(tmp_path / "fit.nc")


def test_data_that_were_changed_after_the_fit(tmp_path):
    X = np.array(bg.load_dataset("faithful").X)
    fit = bg.fit(bg.GaussianMixture(1), X, bg.EM(), rng=0)
    X[3, 1] += 1.0
    with pytest.raises(bg.DataError, match="X was changed after this fit"):
        fit.save(tmp_path / "fit.nc")
    with pytest.raises(bg.DataError, match="X was changed after this fit"):
        bg.compare({"em": fit}, folds=0)
