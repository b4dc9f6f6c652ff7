"""Ratings, counts, zeros, limits, duplicates: a trial that fails on tied points ends no fit, with any engine."""

import numpy as np
import pytest
from testbed.cases import STRUCTURES, blobs

import bayesgmm as bg
from bayesgmm.methods.climbing import birth_merge, loop, splits
from bayesgmm.methods.vb import VariationalUpdate
from bayesgmm.rows import as_rows


def tied():
    r = np.random.default_rng(0)
    return {
        "two values": np.repeat([1.0, 4.0], 5)[:, None],
        "ratings": r.integers(1, 6, size=(80, 3)).astype(float),
        "counts": r.poisson(2, size=(80, 2)).astype(float),
        "zero-inflated": np.where(r.random((80, 2)) < 0.6, 0.0, r.gamma(2, size=(80, 2))),
        "detection limits": np.clip(r.normal(size=(80, 2)), -0.3, 0.5),
        "binary": r.integers(0, 2, size=(60, 2)).astype(float),
        "rounded": r.normal(size=(80, 2)).round(0),
        "duplicated rows": np.repeat(r.normal(size=(8, 2)), 10, 0),
        "one outlier": np.concatenate([np.zeros(59), [1e6]])[:, None],
        "sentinels": np.concatenate([r.normal(size=57), [-9999.0] * 3])[:, None],
        "far offset": np.repeat([1e8, 1e8 + 1.0], 20)[:, None],
    }


DATA = tied()
MODELS = {
    "finite": lambda s: bg.GaussianMixture(3, s),
    "sparse": lambda s: bg.GaussianMixture(4, s, weights=bg.Dirichlet(0.01)),
    "DP": lambda s: bg.DirichletProcessMixture(5, s),
}
pytestmark = pytest.mark.filterwarnings("ignore::bayesgmm.errors.TruncationWarning")


@pytest.mark.parametrize("name", DATA)
@pytest.mark.few(3)
def test_vb_of_tied_data_ends(name):
    for model, structure in (("finite", "full"), ("sparse", "spherical"), ("DP", "full")):
        assert_ends(model, structure, name)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Stopped after 1000")  # far sentinels under a prior that outweighs them take longer
@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.often(9)
def test_vb_of_tied_data_ends_with_every_structure(name, model):
    for structure in STRUCTURES:
        assert_ends(model, structure, name)


def assert_ends(model, structure, name):
    fit = bg.fit(MODELS[model](structure), DATA[name], bg.VB(n_init=1), rng=0)
    assert np.isfinite(fit.elbo) and (fit.status.is_converged or "raise max_iter" in fit.status.sentence)
    assert np.diff(fit.history).min() > -1e-10 * abs(fit.elbo) - 1e-10


def test_the_issues_ten_points():
    fit = bg.fit(bg.GaussianMixture(3), np.repeat([1.0, 4.0], 5)[:, None], bg.VB(), rng=0)
    assert fit.status.is_converged


@pytest.mark.slow
@pytest.mark.parametrize("name", DATA)
@pytest.mark.filterwarnings("ignore::bayesgmm.errors.NotConvergedWarning")
@pytest.mark.often(4)
def test_em_map_and_their_streams_of_tied_data_end(name):
    for method in (bg.EM(n_init=2), bg.MAP(n_init=2), bg.OnlineEM(n_init=2), bg.StochasticVB(n_init=2)):
        for structure in STRUCTURES:
            fit = bg.fit(bg.GaussianMixture(3, structure), DATA[name], method, rng=0)
            assert np.isfinite(fit.log_density(DATA[name])).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("structure", ["full", "isotropic"])
@pytest.mark.filterwarnings("ignore::bayesgmm.errors.NotConvergedWarning")
@pytest.mark.often(7)
def test_gibbs_of_tied_data_ends(name, structure):
    for model in (*MODELS.values(), lambda s: bg.MixtureOfFiniteMixtures(5, covariance=s)):
        fit = bg.fit(model(structure), DATA[name], bg.Gibbs(draws=40, tune=60, chains=2), rng=0)
        assert np.isfinite(fit.log_density(DATA[name])).all()


def test_a_trial_move_that_raises_is_not_taken(monkeypatch):
    """Every trial of a move fails: the fit is what it would be without birth_merge."""
    X = blobs()
    plain = bg.fit(bg.GaussianMixture(4), X, bg.VB(n_init=1, moves=0), rng=0)
    calls = []

    def failing(*args):
        calls.append(1)
        raise np.linalg.LinAlgError("planted")

    begin = loop.climb(as_rows(X), *climb_arguments(X, plain))
    monkeypatch.setattr(loop, "climb", failing)
    search = birth_merge.Moves(
        as_rows(X),
        climb_arguments(X, plain)[0],
        np.linalg.cholesky(np.linalg.inv(np.cov(X.T))),
        STOPPING,
        5,
        np.random.default_rng(0),
    )
    polished = search(begin)
    assert len(calls) == 5 and polished.climb is begin and polished.note == ""


def test_a_division_that_fails_does_not_end_a_fit(monkeypatch):
    """Every axis fails: moves that need none are tried all the same."""

    def failing(*args):
        raise np.linalg.LinAlgError("planted")

    X = blobs()
    monkeypatch.setattr(splits, "half_axis", failing)
    for method in (bg.EM(n_init=2), bg.VB(n_init=2)):
        assert bg.fit(bg.GaussianMixture(4), X, method, rng=0).status.is_usable


STOPPING = loop.Stopping(1000, 1e-8, None)


def climb_arguments(X, fit):
    readout = VariationalUpdate(fit.model.conjugate(), np.eye(2))
    return readout, fit.estimate.posterior, STOPPING
