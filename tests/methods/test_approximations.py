"""ADVI and Pathfinder as methods: the exact posterior of one component, the k-hat, interrupts, honest answers."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from testbed.cases import blobs

import bayesgmm as bg
from bayesgmm.criteria.predictive import elpd_loo
from bayesgmm.errors import ArgumentError, NotApplicableError, NotConvergedWarning
from bayesgmm.methods.approximation import Weighing
from bayesgmm.result.fit import fit_once
from bayesgmm.result.method import silent
from bayesgmm.result.status import Outcome
from bayesgmm.rows import as_rows

X = blobs(seed=4, n=60, k=1)
ADVI = bg.ADVI("full-rank", n_iter=4000, draws=2000)
PATHFINDER = bg.Pathfinder(draws=2000)
METHODS = pytest.mark.parametrize(
    "method", [pytest.param(ADVI, id="ADVI", marks=pytest.mark.slow), pytest.param(PATHFINDER, id="Pathfinder")]
)


@cache
def made(k, method, data="blobs", seed=1):
    rows = X if data == "blobs" else bg.load_dataset(data).X
    matrix = as_rows(rows)
    return fit_once(bg.GaussianMixture(k).resolve(matrix), matrix, method, seed)


@METHODS
def test_one_component(method):
    """Moments of the exact normal-inverse-Wishart posterior, in closed form.

    ADVI's q is normal where the posterior is the logarithm of a chi-squared of 60 degrees of freedom, and gets
    means to a tenth of a deviation; Pathfinder's weights have a heavy tail (k-hat 0.4 to 0.7), so a third.
    """
    fit = made(1, method, seed=2)  # k-hat of ADVI is 0.36 to 0.79, by the noise of its steps
    tolerance = 0.15 if isinstance(method, bg.ADVI) else 0.35
    prior = fit.model.prior
    n, kappa, nu = len(X), prior.mean_precision + len(X), prior.dof + len(X)
    mean = (prior.mean_precision * prior.mean + X.sum(0)) / kappa
    centered, offset = X - X.mean(0), X.mean(0) - prior.mean
    psi = prior.scale + centered.T @ centered + prior.mean_precision * n / kappa * np.outer(offset, offset)
    expected = psi / (nu - 3)
    deviation = np.sqrt(np.diag(expected) / kappa)
    draws = fit.estimate.draws()
    assert draws.draw_shape == (1, 2000)
    means, covariances = draws.means[0, :, 0], draws.covariances[0, :, 0]
    assert (np.abs(means.mean(0) - mean) < tolerance * deviation).all()
    assert np.allclose(means.std(0), deviation, rtol=0.15)
    assert np.allclose(covariances.mean(0), expected, rtol=0, atol=0.1 * np.abs(expected).max())
    exact = bg.fit(bg.GaussianMixture(1), X, bg.VB(n_init=1))
    assert np.allclose(fit.log_density(X), exact.log_density(X), rtol=0, atol=tolerance)
    assert fit.diagnostics.pareto_k < 0.7
    assert fit.status.is_converged and f"k-hat {fit.diagnostics.pareto_k:.2f}" in fit.status.sentence


@pytest.mark.parametrize(
    "method", [pytest.param(bg.ADVI(n_iter=2000), id="ADVI", marks=pytest.mark.slow), pytest.param(PATHFINDER, id="PF")]
)
def test_several_modes_show(method):
    """Iris with three components, where which clusters are merged is open: no normal distribution is near that."""
    fit = made(3, method, "iris")
    assert fit.diagnostics.pareto_k > 0.7
    assert fit.status.outcome is Outcome.NOT_CONVERGED
    assert f"Pareto k-hat is {fit.diagnostics.pareto_k:.2f} (limit 0.7)" in fit.status.sentence


def test_fit_warns():
    with pytest.warns(NotConvergedWarning, match="k-hat"):
        bg.fit(bg.GaussianMixture(3), bg.load_dataset("galaxies").X, bg.Pathfinder(paths=2), rng=1)


@METHODS
def test_same_seed_same_draws(method):
    method = replace(method, draws=200) if isinstance(method, bg.Pathfinder) else replace(method, draws=200, n_iter=200)
    first, again, other = (made.__wrapped__(2, method, seed=seed).estimate.draws() for seed in (1, 1, 2))
    assert np.array_equal(first.means, again.means) and np.array_equal(first.precision_chol, again.precision_chol)
    assert not np.array_equal(first.means, other.means)


def interrupted(method, at):
    data = as_rows(X)

    def progress(done, total, note):
        if done == at:
            raise KeyboardInterrupt

    return fit_once(bg.GaussianMixture(2).resolve(data), data, method, 1, progress)


@pytest.mark.slow
def test_interrupted_advi():
    """PyMC ends the optimiser at an interrupt; the path so far is averaged."""
    for at, words in ((700, "Interrupted after"), (250, "Interrupted after")):
        fit = interrupted(bg.ADVI(n_iter=1000, draws=200), at)
        assert fit.status.outcome is Outcome.INTERRUPTED and words in fit.status.sentence
        assert np.isfinite(fit.log_density(X)).all() and fit.estimate.draws().draw_shape == (1, 200)
    with pytest.raises(KeyboardInterrupt):
        interrupted(bg.ADVI(n_iter=1000), 20)


def test_interrupted_pathfinder():
    method = bg.Pathfinder(paths=4, draws=200)
    fit = interrupted(method, 2)
    assert fit.status.outcome is Outcome.INTERRUPTED
    assert "2 of 4 paths" in fit.status.sentence and len(fit.diagnostics.path_elbos) == 2
    with pytest.raises(KeyboardInterrupt):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("bayesgmm.ppl.pathfinder.best_on_path", raises_interrupt)
            interrupted(method, -1)


def raises_interrupt(*args):
    raise KeyboardInterrupt


def test_answers():
    """One path is aligned and answers by component; several are not and refuse; scores are said to be of q."""
    one = made(2, bg.Pathfinder(paths=1, draws=300), "faithful")
    many = made(2, bg.Pathfinder(paths=3, draws=300), "faithful")
    rows = bg.load_dataset("faithful").X
    resp = one.responsibilities(rows)
    assert resp.shape == (272, 2) and np.allclose(resp.sum(1), 1.0)
    assert (resp.max(1) > 0.9).mean() > 0.9  # two well separated clusters
    assert "weight[0]" in one.summary().index
    assert len(np.unique(many.estimate.draws().weights[0, :, 0])) == 300
    with pytest.raises(NotApplicableError, match="not aligned"):
        many.responsibilities(rows)
    assert list(many.summary().columns) == ["mean", "sd"]
    for fit in (one, many):
        assert fit.kind == "variational" and fit.elbo == fit.diagnostics.elbo
        assert any("of q, uncorrected" in note for note in elpd_loo(fit, rows).notes)
        exact = np.log(np.mean(np.exp(fit.log_density_draws(rows)), 0))
        assert np.allclose(fit.log_density(rows), exact, rtol=1e-10)
    assert fit.sample(5, rng=0).shape == (5, 2)


def test_saved_and_read(tmp_path):
    fit = made(2, bg.Pathfinder(paths=2, draws=200), "faithful")
    fit.save(tmp_path / "fit.nc")
    back = bg.load(tmp_path / "fit.nc")
    assert back.diagnostics == fit.diagnostics and back.method == fit.method and back.status == fit.status
    assert np.array_equal(back.estimate.draws().means, fit.estimate.draws().means)
    assert np.array_equal(back.params.precision_chol, fit.params.precision_chol)
    assert back.estimate.is_aligned is False and back.elbo == fit.elbo


def test_sparse_weights_do_not_trip_the_remarks():
    data = as_rows(X)
    model = bg.GaussianMixture(3, weights=bg.Dirichlet(0.3)).resolve(data)
    fit = fit_once(model, data, bg.Pathfinder(paths=2, draws=200), 1, silent)
    assert "occupied components" in fit.status.sentence


@pytest.mark.parametrize(
    "make",
    [
        lambda: bg.ADVI("fullrank"), lambda: bg.ADVI(n_iter=10), lambda: bg.ADVI(draws=2.0), lambda: bg.ADVI(tol=-1),
        lambda: bg.ADVI(learning_rate=0), lambda: bg.Pathfinder(paths=0), lambda: bg.Pathfinder(draws=True),
    ],
)  # fmt: skip
def test_options(make):
    with pytest.raises(ArgumentError, match="must be"):
        make()


def test_draws_are_weighed_by_p_over_q_and_not_by_its_inverse():
    x = np.random.default_rng(0).standard_normal(4000)  # q is the standard normal, and p is N(1, 1)
    found = Weighing.of(x - 0.5)
    # 4,000 draws, exp(1) times fewer in effect: the error of the mean is about 0.03.
    assert np.exp(found.log_weights) @ x == pytest.approx(1.0, abs=0.15)
    assert found.pareto_k < 0.5
    # A q that is too narrow is known by its heavy tail, one that is too wide has none.
    narrow, wide = (0.5 * (1 - 1 / scale**2) * x**2 for scale in (3.0, 0.5))
    assert Weighing.of(narrow).pareto_k > 0.7 > Weighing.of(wide).pareto_k
