"""Starts from a partition, from responsibilities and from another fit: the first state is the one that they say."""

import numpy as np
import pandas as pd
import pytest

import bayesgmm as bg
from bayesgmm.core.facts import NO_FACTS, of_weights
from bayesgmm.core.forms import DIAGONAL, TRIANGULAR
from bayesgmm.data import as_matrix
from bayesgmm.families.named import FOURTEEN, as_structure
from bayesgmm.rows import Rows

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 2)) + np.repeat([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]], 30, axis=0)
LABELS = RNG.integers(3, size=len(X))
SHARES = RNG.dirichlet(np.ones(3), size=len(X))
MODEL = bg.GaussianMixture(3)


def moments(shares, weights):
    """Sizes, means and scatters of the components, straight from the definition."""
    shares = shares * weights[:, None]
    counts, means = shares.sum(0), (shares.T @ X) / shares.sum(0)[:, None]
    scatters = np.stack([(shares[:, k, None] * (X - means[k])).T @ (X - means[k]) for k in range(3)])
    return counts, means, scatters


def begun(method, **known):
    return bg.fit(MODEL, X, method, rng=0, throw=False, **known)


@pytest.mark.parametrize(
    ("init", "shares"),
    [
        (LABELS, np.eye(3)[LABELS]),
        (list(np.array(["a", "b", "c"])[LABELS]), np.eye(3)[LABELS]),
        (10 * LABELS + 5, np.eye(3)[LABELS]),
        (pd.DataFrame(SHARES), SHARES),
        (SHARES, SHARES),
        (np.eye(3)[LABELS], np.eye(3)[LABELS]),
    ],
    ids=["labels", "names", "any numbers", "frame", "responsibilities", "hard responsibilities"],
)
def test_the_first_statistics_are_those_of_what_is_given(init, shares):
    weights = RNG.integers(1, 4, size=len(X)).astype(float)
    for known in (None, weights):
        rows = Rows.of(as_matrix(X), NO_FACTS if known is None else of_weights(known))
        stats = bg.EM(init=init).init.statistics(rows, 3, TRIANGULAR)
        counts, means, scatters = moments(shares, np.ones(len(X)) if known is None else known)
        np.testing.assert_allclose(stats.counts, counts, rtol=1e-12)
        np.testing.assert_allclose(stats.means(), means, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(stats.scatter(), scatters, rtol=1e-9, atol=1e-9)
        variances = bg.EM(init=init).init.statistics(rows, 3, DIAGONAL).scatter()
        np.testing.assert_allclose(variances, np.diagonal(scatters, axis1=1, axis2=2), rtol=1e-9, atol=1e-9)


def test_each_engine_that_climbs_takes_them():
    """From a good partition all end where their own starts do, and it is their only start."""
    for method in (bg.EM, bg.MAP, bg.VB):
        reference = begun(method())
        labels = reference.predict(X)
        one = begun(method(init=labels))
        assert one.history[-1] == pytest.approx(reference.history[-1], rel=1e-6)
        assert len(one.diagnostics.restarts) == 1 and one.status.is_converged


@pytest.mark.parametrize("covariance", FOURTEEN)
def test_every_family_takes_them(covariance):
    """What it begins with is of the family, so that no step goes down."""
    labels = np.repeat([0, 1, 2], 30)
    for method in (bg.EM,) if as_structure(covariance).conjugate is None else (bg.EM, bg.MAP, bg.VB):
        one = bg.fit(bg.GaussianMixture(3, covariance), X, method(init=labels), rng=0)
        assert one.status.is_converged and np.diff(one.history).min() > -1e-9 * abs(one.history[-1])


def test_a_fit_stands_for_its_parameters(tmp_path):
    one = begun(bg.EM(n_init=5, moves=0))
    again, same = begun(bg.EM(init=one)), begun(bg.EM(init=one.params))
    assert again.log_likelihood == same.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-9)
    given = begun(bg.EM(init=SHARES))
    given.save(tmp_path / "fit.nc")
    read = bg.load(tmp_path / "fit.nc")
    assert np.array_equal(read.method.init.values, given.method.init.values)
    assert read.refit(X).log_likelihood == given.log_likelihood
    assert "responsibilities of 90 rows, K=3" in repr(given.method)


@pytest.mark.parametrize(
    ("init", "message"),
    [
        (LABELS[:-1], "holds 89 rows and 3 components, and the data have 90 rows and the model 3"),
        (LABELS % 2, "holds 90 rows and 2 components"),
        (SHARES[:, :2] / SHARES[:, :2].sum(1, keepdims=True), "holds 90 rows and 2 components"),
        (np.where(LABELS == 0, np.nan, LABELS), "has no label in row"),
        (LABELS - 1, "for which None, NaN and -1 stand"),
        (np.ma.masked_array(LABELS, LABELS == 2), "has no label in row"),
        ([[0.5, 0.5, 0.0], [1.0]], "must be one of"),
        (SHARES * (1 + 0j), "must hold the responsibility"),
        (np.array(["a", 1, 2.5] * 30, dtype=object), "labels of different kinds"),
        (SHARES * 2, r"in row 0 \(counted from 0\): responsibilities must be at least 0 and sum to one"),
        (np.where(SHARES > 0.5, np.nan, SHARES), "responsibilities must be at least 0"),
        ([["a", "b", "c"]] * 90, "must hold the responsibility"),
        ("kmean", "must be one of 'kmeans'"),
        (None, "must be one of"),
        (np.ones((2, 2, 2)), "must be one of"),
    ],
)
def test_what_is_no_start_says_so(init, message):
    with pytest.raises(bg.ArgumentError, match=message):
        bg.fit(MODEL, X, bg.EM(init=init))


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")
def test_draws_are_no_start():
    draws = bg.fit(MODEL, X, bg.Gibbs(draws=5, tune=5, chains=1), rng=0, throw=False)
    with pytest.raises(bg.NotApplicableError, match="holds draws, and a climb begins at one mixture"):
        bg.EM(init=draws)
