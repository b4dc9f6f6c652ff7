"""What a fit answers, for a point, draws and a variational posterior, and what it honestly refuses."""

import dataclasses
import hashlib
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import logsumexp
from testbed import oracle
from testbed.cases import STRUCTURES, blobs
from testbed.fits import CHAINS, KINDS, N_DRAWS, Hopeless, made

import bayesgmm as bg
from bayesgmm.result import pointwise as pointwise_module

NEW = blobs(seed=2, n=60)[:25] * 1.1 + 0.2  # near the data of the fits
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module", params=[(kind, structure) for kind in KINDS for structure in STRUCTURES], ids=str)
def fit(request):
    return made(*request.param)


@pytest.mark.few(9)
def test_log_density_of_draws_is_scipys(fit):
    found, draws = fit.log_density_draws(NEW), fit.estimate.draws()
    n_draws = {"point": 1, "variational": 1000, "draws": CHAINS * N_DRAWS}[fit.kind]
    assert found.shape == (n_draws, len(NEW))
    flat = draws.reshaped(n_draws)
    for s in range(0, n_draws, max(1, n_draws // 10)):
        expected = oracle.log_densities(NEW, flat.weights[s], flat.means[s], flat.covariances[s])
        assert np.allclose(found[s], expected, rtol=1e-9)  # SciPy takes eigenvalues of the covariances


def test_log_density_is_the_predictive(fit):
    found, per_draw = fit.log_density(NEW), fit.log_density_draws(NEW)
    assert found.shape == (len(NEW),)
    expected = logsumexp(per_draw, axis=0) - np.log(len(per_draw))
    if fit.kind == "variational":  # the Student-t mixture, of which these are 1000 draws: five standard errors
        densities = np.exp(per_draw)
        error = densities.std(0) / np.sqrt(len(densities)) / densities.mean(0)
        near = fit.log_density(NEW) > -7  # in the tails a thousand draws say little about their own error
        assert (np.abs(found - expected) < 5 * error + 1e-12)[near].all() and near.sum() > 10
    else:
        assert np.allclose(found, expected, rtol=1e-11)


def test_blocks_are_the_array_in_pieces(fit, monkeypatch):
    from bayesgmm.core import density

    whole = fit.log_density_draws(NEW)
    monkeypatch.setattr(density, "BLOCK_BYTES", 8 * len(whole) * 7)  # seven rows at a time
    pieces = list(fit.log_density_blocks(NEW))
    assert [rows.stop - rows.start for rows, _ in pieces] == [7, 7, 7, 4]
    assert np.array_equal(np.concatenate([block for _, block in pieces], axis=1), whole)


def test_above_the_limit_the_array_is_refused_and_the_blocks_named(fit, monkeypatch):
    n_draws = len(fit.log_density_draws(NEW))
    monkeypatch.setattr(pointwise_module, "WHOLE_BYTES", 8 * n_draws * len(NEW))
    fit.log_density_draws(NEW)
    monkeypatch.setattr(pointwise_module, "WHOLE_BYTES", 8 * n_draws * len(NEW) - 1)
    with pytest.raises(bg.ArgumentError, match=rf"{n_draws} draws x 25 points .*log_density_blocks\(X\)"):
        fit.log_density_draws(NEW)
    assert pointwise_module.WHOLE_BYTES < 2**30 and len(list(fit.log_density_blocks(NEW))) == 1


def test_the_limit_is_one_gibibyte():
    assert pointwise_module.WHOLE_BYTES == 2**30


def test_responsibilities_and_predict(fit):
    if fit.kind == "draws":
        for ask in (fit.responsibilities, fit.predict):
            with pytest.raises(bg.NotApplicableError, match="not aligned: label switching .*log_density"):
                ask(NEW)
        return
    r = fit.responsibilities(NEW)
    assert r.shape == (len(NEW), 3) and np.allclose(r.sum(1), 1, rtol=1e-14) and (r >= 0).all()
    assert np.array_equal(fit.predict(NEW), r.argmax(1))
    if fit.kind == "point":
        parts = zip(fit.params.weights, fit.params.means, fit.params.covariances, strict=True)
        joint = np.array([oracle.log_densities(NEW, [1.0], [m], [S]) + np.log(w) for w, m, S in parts])
        assert np.allclose(r.T, np.exp(joint - logsumexp(joint, axis=0)), atol=1e-10)


def test_samples_follow_the_predictive(fit):
    """The density at a sample has the mean that quadrature by other samples of it must have: moments and entropy."""
    sample = fit.sample(20000, 0)
    assert sample.shape == (20000, 2)
    draws = fit.estimate.draws()
    flat = draws.reshaped(int(np.prod(draws.draw_shape)))
    mean = np.einsum("sk,skd->d", flat.weights, flat.means) / len(flat.weights)
    second = flat.covariances + flat.means[..., :, None] * flat.means[..., None, :]
    cov = np.einsum("sk,skde->de", flat.weights, second) / len(flat.weights) - np.outer(mean, mean)
    tolerance = 5 if fit.kind != "variational" else 10  # standard errors; the 1000 draws of q have their own, larger
    scale = np.sqrt(np.diag(cov))
    extra = 0 if fit.kind != "variational" else 5 * flat.means.std(0).max() / np.sqrt(1000)
    assert (np.abs(sample.mean(0) - mean) < tolerance * scale / np.sqrt(20000) + extra).all()
    if fit.kind != "variational":  # the t mixture has few moments: its variance is not tested by a sum of squares
        fourth = np.sqrt(((sample - mean) ** 4).mean(0))
        assert (np.abs(sample.var(0) - np.diag(cov)) < 6 * fourth / np.sqrt(20000)).all()
    # A Gaussian has its own density: mean log density of its samples equals that of an independent set.
    one, two = fit.log_density(sample[:10000]), fit.log_density(fit.sample(10000, 1))
    assert abs(one.mean() - two.mean()) < 5 * np.sqrt(one.var() / 10000 + two.var() / 10000)
    assert np.array_equal(sample, fit.sample(20000, 0)) and not np.array_equal(sample, fit.sample(20000, 1))
    assert fit.sample(0, 0).shape == (0, 2)


@pytest.mark.few(9)
def test_a_sample_lies_where_the_density_says(fit):
    """P(first column < c), by counting and by integrating the density over a grid."""
    sample, c = fit.sample(20000, 2), 0.5
    x, y = np.linspace(-30, c, 250), np.linspace(-30, 30, 250)
    grid = np.stack(np.meshgrid(x, y, indexing="ij"), -1).reshape(-1, 2)
    p = np.trapezoid(np.trapezoid(np.exp(fit.log_density(grid)).reshape(250, 250), y, axis=1), x)
    assert abs((sample[:, 0] < c).mean() - p) < 5 * np.sqrt(p * (1 - p) / 20000) + 2e-3  # and the grid's own error


def test_n_parameters_is_mclusts(fit):
    expected = {"full": 9, "tied": 3, "diagonal": 6, "shared_diagonal": 2, "spherical": 3, "isotropic": 1}[
        fit.model.covariance.name
    ]
    assert fit.n_parameters == 2 + 3 * 2 + expected


def test_refusals_name_the_way_out(fit):
    if fit.kind == "point":
        assert np.isclose(fit.log_likelihood, fit.log_density(fit.X).sum(), rtol=1e-12)
    else:
        with pytest.raises(bg.NotApplicableError, match=r"no single log likelihood; use log_density\(X\)\.sum\(\)"):
            _ = fit.log_likelihood
    if fit.kind == "variational":
        assert fit.elbo == fit.history[-1]
    else:
        with pytest.raises(bg.NotApplicableError, match="only variational fits have an ELBO"):
            _ = fit.elbo


def test_summary(fit):
    if fit.kind == "draws":
        with pytest.raises(bg.NotApplicableError, match="not aligned"):
            fit.summary(components=True)
        table = fit.summary()
        assert {"log_likelihood", "sum_squared_weights"} <= set(table.index)
        assert {"mean", "sd", "mcse", "ess_bulk", "ess_tail", "rhat"} <= set(table.columns)
        per_draw = fit.log_density_draws(fit.X).sum(1)
        assert np.isclose(table.loc["log_likelihood", "mean"], per_draw.mean(), rtol=1e-12)
        squares = (fit.params.weights**2).sum(-1)
        assert np.isclose(table.loc["sum_squared_weights", "sd"], squares.std(ddof=1), rtol=1e-12)
        return
    table, column = fit.summary(), "estimate" if fit.kind == "point" else "mean"
    assert len(table) == 3 * (1 + 2 + 2) + 3 * (not fit.params.is_diagonal)
    if fit.kind == "point":
        assert table.loc["weight[1]", column] == fit.params.weights[1]
        assert table.loc["mean[2, x1]", column] == fit.params.means[2, 1]
        assert np.isclose(table.loc["sd[0, x1]", column], np.sqrt(fit.params.covariances[0, 1, 1]), rtol=1e-12)
        if not fit.params.is_diagonal:
            S = fit.params.covariances[0]
            found = table.loc["correlation[0, x0, x1]", column]
            assert np.isclose(found, S[0, 1] / np.sqrt(S[0, 0] * S[1, 1]), rtol=1e-12)
    else:
        assert list(table.columns) == ["mean", "sd", "q5", "q95"]
        weights = fit.estimate.posterior.weights.mean()
        assert np.allclose(table["mean"][[f"weight[{k}]" for k in range(3)]], weights, atol=0.01)
    invariant = fit.summary(components=False)
    assert np.isfinite(invariant["mean"]).all() and "sum_squared_weights" in invariant.index


def test_one_component_needs_no_alignment():
    fit = made("draws", k=1)
    assert np.array_equal(fit.responsibilities(NEW), np.ones((len(NEW), 1)))
    assert np.array_equal(fit.predict(NEW), np.zeros(len(NEW)))
    assert "mean[0, x1]" in fit.summary().index


def test_refit_keeps_the_prior_and_the_method():
    fit = made("variational")
    other = fit.refit(NEW)
    assert other.model is fit.model and other.method == fit.method and other.seed == fit.seed
    assert np.array_equal(other.model.prior.scale, fit.model.prior.scale)
    assert not np.allclose(other.params.means, fit.params.means)
    again = fit.refit(fit.X)
    assert np.array_equal(again.params.means, fit.params.means) and np.array_equal(again.history, fit.history)
    assert fit.refit(NEW, rng=7).seed == 7


def test_params_have_leading_axes_where_there_are_draws():
    assert made("draws").params.means.shape == (CHAINS, N_DRAWS, 3, 2)
    assert made("point").params.draw_shape == made("variational").params.draw_shape == ()


@every_kind
def test_provenance_and_facts(kind):
    X = blobs(seed=2, n=60)
    fit = made(kind, X=X)
    assert {"created", "python", "platform", "command", "version_numpy", "version_bayesgmm"} <= set(fit.provenance)
    digest = hashlib.sha256(f"{X.shape} {X.dtype.str}\n".encode() + X.tobytes()).hexdigest()
    assert fit.provenance["data_sha256"] == digest
    assert fit.seconds > 0 and fit.seed == 1 and fit.n_obs == 60 and np.array_equal(fit.X, X)
    assert "K=3" in repr(fit) and fit.status.sentence in repr(fit)
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.seed = 2


@pytest.mark.parametrize(
    "frame",
    [
        lambda X: pd.DataFrame(X, columns=["length", "width"]),
        lambda X: pl.DataFrame(X, schema=["length", "width"]),
        lambda X: X.tolist(),
        lambda X: np.asfortranarray(X),
        lambda X: pd.DataFrame(X, columns=["length", "width"]).convert_dtypes(),
    ],
    ids=["pandas", "polars", "list", "fortran", "nullable"],
)
def test_data_in_any_form_give_the_same_fit(frame):
    X = blobs(seed=2, n=60)
    plain, fit = made("point", X=X), made("point", X=frame(X))
    assert np.array_equal(fit.params.means, plain.params.means)
    assert np.array_equal(fit.log_density(frame(NEW)), plain.log_density(NEW))
    if hasattr(frame(X), "columns"):
        assert fit.feature_names == ("length", "width") and "mean[0, width]" in fit.summary().index


def test_integers_are_numbers():
    X = np.round(blobs(seed=2, n=60) * 10).astype(int)
    assert np.array_equal(made("point", X=X).params.means, made("point", X=X.astype(float)).params.means)


def test_single_precision_is_kept_and_summed_in_double():
    X = blobs(seed=2, n=60).astype(np.float32)
    single, double = made("point", X=X), made("point", X=X.astype(float))
    assert single.X.dtype == np.float32
    assert np.allclose(single.params.means, double.params.means, rtol=1e-10)
    assert np.isclose(single.log_likelihood, double.log_likelihood, rtol=1e-12)
    assert np.allclose(
        single.log_density(NEW.astype(np.float32)), double.log_density(NEW.astype(np.float32).astype(float))
    )


def test_no_result_is_an_error_or_a_fit_that_says_why():
    X, model = blobs(), bg.GaussianMixture(2)
    with pytest.raises(bg.FitError, match="Every chain diverged"):
        bg.fit(model, X, Hopeless())
    with pytest.warns(bg.NotConvergedWarning, match="Every chain diverged"):
        fit = bg.fit(model, X, Hopeless(), throw=False)
    assert not fit.status.is_usable and fit.kind == "none"
    questions = [
        lambda: fit.params,
        lambda: fit.log_density(X),
        lambda: fit.log_density_draws(X),
        lambda: list(fit.log_density_blocks(X)),
        lambda: fit.responsibilities(X),
        lambda: fit.predict(X),
        lambda: fit.sample(3),
        lambda: fit.summary(),
        lambda: fit.to_datatree(),
        lambda: fit.log_likelihood,
        lambda: fit.elbo,
    ]
    for ask in questions:
        with pytest.raises(bg.NotApplicableError, match="no usable result: Every chain diverged|of kind 'none'"):
            ask()


def test_further_draws_are_of_the_same_data():
    values = blobs(seed=2, n=30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bg.NotConvergedWarning)
        fit = bg.fit(bg.GaussianMixture(2), values, bg.Gibbs(draws=20, tune=10, thin=1), rng=0)
    values[0] += 1.0
    with pytest.raises(bg.DataError, match="X was changed"):
        fit.extend(2)
