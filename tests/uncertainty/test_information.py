"""Observed information: closed forms, another route to the Hessian, simulation, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from testbed.cases import STRUCTURES, blobs
from testbed.curvature import standard_errors

import bayesgmm as bg
from bayesgmm.result.status import Outcome, Status
from bayesgmm.rows import as_rows

# By k-means++, whose optima have no component of four points: where the likelihood bends so sharply, differences lose
# their digits.
EXACT = bg.EM(tol=1e-13, max_iter=5000, init="kmeans++")
EXACT_MAP = bg.MAP(tol=1e-13, max_iter=5000)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_one_component_has_closed_forms(offset):
    X = blobs(seed=4, n=90, d=2, k=1) + offset
    n, table = len(X), bg.intervals(bg.fit(bg.GaussianMixture(1), X, bg.EM(), rng=0)).table
    S = np.cov(X.T, ddof=0)
    # Differences are exact to 1e-8; at an offset of 1e6 standard deviations a step of 1e-4 keeps 4 digits less.
    rtol = 1e-7 if offset == 0 else 1e-4
    expected = {
        "weight[0]": 0.0,
        "mean[0, x0]": np.sqrt(S[0, 0] / n),
        "mean[0, x1]": np.sqrt(S[1, 1] / n),
        "variance[0, x0]": S[0, 0] * np.sqrt(2 / n),
        "covariance[0, x0, x1]": np.sqrt((S[0, 0] * S[1, 1] + S[0, 1] ** 2) / n),
        "sd[0, x1]": np.sqrt(S[1, 1] / (2 * n)),
        "correlation[0, x0, x1]": (1 - S[0, 1] ** 2 / (S[0, 0] * S[1, 1])) / np.sqrt(n),
    }
    np.testing.assert_allclose(table["se"][list(expected)], list(expected.values()), rtol=rtol)
    z = stats.norm.ppf(0.95)
    row = table.loc["mean[0, x0]"]
    np.testing.assert_allclose([row.lower, row.upper], row.estimate + np.array([-z, z]) * row.se, rtol=1e-12)
    sd, variance = table.loc["sd[0, x0]"], table.loc["variance[0, x0]"]
    np.testing.assert_allclose(sd[["lower", "upper"]] ** 2, variance[["lower", "upper"]], rtol=1e-7)  # one interval


@pytest.mark.parametrize(("structure", "d"), [*((name, 2) for name in STRUCTURES), ("full", 1), ("full", 3)])
@pytest.mark.parametrize("method", [EXACT, EXACT_MAP], ids=["EM", "MAP"])
@pytest.mark.few(5)
def test_the_errors_are_those_of_a_hessian_in_the_parameters_themselves(structure, d, method):
    X = blobs(seed=d, n=80, d=d, k=2, apart=1.5)
    model = bg.GaussianMixture(2, structure, bg.Dirichlet([2.0, 3.5]))
    fit = bg.fit(model, X, method, rng=0)
    ours = bg.intervals(fit).table["se"]
    theirs = standard_errors(fit, with_prior=method is EXACT_MAP)
    assert set(theirs) >= set(ours.index)
    # Both differences are exact to about 1e-8; where EM stops leaves a gradient, which the two parametrisations
    # see differently, of the square root of 1e-13 in relative terms.
    np.testing.assert_allclose(ours, [theirs[name] for name in ours.index], rtol=1e-5)


def test_three_overlapping_components():
    fit = bg.fit(bg.GaussianMixture(3), bg.load_dataset("galaxies").X, EXACT, rng=0)
    ours, theirs = bg.intervals(fit).table["se"], standard_errors(fit, with_prior=False)
    np.testing.assert_allclose(ours, [theirs[name] for name in ours.index], rtol=1e-4)


def test_far_apart_components_are_as_sure_as_if_their_points_were_known():
    X = np.concatenate([np.random.default_rng(1).normal(0, 1, 80), np.random.default_rng(2).normal(40, 2, 120)])[
        :, None
    ]
    fit = bg.fit(bg.GaussianMixture(2), X, EXACT, rng=0)
    table = bg.intervals(fit).table
    for k in range(2):
        points = X[fit.predict(X) == k]
        n, s = len(points), points.std()
        expected = [np.sqrt(n / 200 * (1 - n / 200) / 200), s / np.sqrt(n), s / np.sqrt(2 * n)]
        found = table["se"][[f"weight[{k}]", f"mean[{k}, x0]", f"sd[{k}, x0]"]]
        np.testing.assert_allclose(found, expected, rtol=1e-6)  # what is shared of the points is below 1e-20


def test_another_unit_changes_the_unit_alone():
    X = blobs(seed=3, n=100, d=2, k=2, apart=3.0)
    A, b = np.array([[1e-3, 0.0], [0.0, 1e4]]), np.array([5.0, -1e5])
    fit = bg.fit(bg.GaussianMixture(2), X, EXACT, rng=0)
    moved = bg.fit(bg.GaussianMixture(2), X @ A + b, EXACT, rng=0)
    ours, theirs = bg.intervals(fit).table, bg.intervals(moved).table
    np.testing.assert_allclose(theirs["se"]["mean[0, x1]"], 1e4 * ours["se"]["mean[0, x1]"], rtol=1e-5)
    np.testing.assert_allclose(theirs.loc["correlation[1, x0, x1]"], ours.loc["correlation[1, x0, x1]"], rtol=1e-5)


def test_intervals_stay_where_the_parameter_can_be():
    X = np.concatenate([np.random.default_rng(0).normal(0, 1, 40), [8.0, 8.4, 9.1, 9.0]])[:, None]
    fit = bg.fit(bg.GaussianMixture(2), X, bg.EM(), rng=0)
    table = bg.intervals(fit, level=0.999).table
    weights, spreads = table.filter(like="weight", axis=0), table.filter(like="sd", axis=0)
    assert (weights["lower"] > 0).all() and (weights["upper"] < 1).all() and (spreads["lower"] > 0).all()
    # Of two weights that sum to one, the intervals are each other's mirror.
    np.testing.assert_allclose(weights["lower"].iloc[0], 1 - weights["upper"].iloc[1], rtol=1e-10)


def test_what_has_no_information_says_so():
    X = bg.load_dataset("faithful").X
    with pytest.warns(bg.NotConvergedWarning):
        early = bg.fit(bg.GaussianMixture(2), X, bg.EM(max_iter=3), rng=0)
    with pytest.raises(bg.NotApplicableError, match="not at an optimum"):
        bg.intervals(early)
    with pytest.warns(bg.NotConvergedWarning):
        early = bg.fit(bg.GaussianMixture(2), bg.load_dataset("acidity").X, bg.EM(max_iter=1, n_init=1), rng=0)
    pretended = replace(early, status=Status(Outcome.CONVERGED, ""))
    with pytest.raises(bg.NotApplicableError, match="below its optimum|not curved"):
        bg.intervals(pretended)
    with pytest.warns(bg.NotConvergedWarning, match="suspicious"):
        collapsed = bg.fit(bg.GaussianMixture(2), np.vstack([X[:30], [[100.0, 1000.0]]]), bg.EM(), rng=0)
    with pytest.raises(bg.NotApplicableError, match="suspicious optimum"):
        bg.intervals(collapsed)
    one = bg.fit(bg.GaussianMixture(1), X, bg.EM(), rng=0)
    twice = replace(one, model=bg.GaussianMixture(2).resolve(as_rows(X)), estimate=split(one.estimate))
    with pytest.raises(bg.NotApplicableError, match="singular|not curved"):
        bg.intervals(twice)


def split(estimate):
    """The same density as two equal components."""
    p = estimate.params
    halves = bg.MixtureParams([0.5, 0.5], np.repeat(p.means, 2, 0), np.repeat(p.covariances, 2, 0))
    return replace(estimate, params=halves)


def test_what_it_does_not_suit():
    X = bg.load_dataset("faithful").X
    em, vb = bg.fit(bg.GaussianMixture(2), X, bg.EM(), rng=0), bg.fit(bg.GaussianMixture(2), X, bg.VB(), rng=0)
    with pytest.raises(bg.NotApplicableError, match="does not suit"):
        bg.intervals(vb, "information")
    with pytest.raises(bg.NotApplicableError, match="does not suit"):
        bg.intervals(em, "posterior")
    with pytest.raises(bg.NotApplicableError, match="without its data"):
        bg.intervals(replace(em, X=None))
    for arguments in ({"method": "wald"}, {"level": 1.0}, {"method": "ordinary", "replicates": 3}):
        with pytest.raises(bg.ArgumentError):
            bg.intervals(em, **arguments)
    with pytest.raises(bg.ArgumentError, match="must be a Fit"):
        bg.intervals(X)
