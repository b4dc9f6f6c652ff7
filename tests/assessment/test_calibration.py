"""LOO-PIT and posterior predictive checks: uniform where the model is right, and not where it is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta, kstest, t

import bayesgmm as bg
from bayesgmm.assessment.calibration import LooPit
from bayesgmm.errors import ArgumentError, NotApplicableError
from bayesgmm.result.estimates import Draws

faithful = bg.load_dataset("faithful")


def test_loo_pit_of_one_gaussian_is_the_student_t():
    X = bg.load_dataset("galaxies").X
    fit = bg.fit(bg.GaussianMixture(1), X, bg.VB(n_init=1), rng=0)  # at K = 1, q is the posterior
    draws = fit.estimate.posterior.sample(np.random.default_rng(0), 40_000)[None]
    pit = bg.loo_pit(replace(fit, estimate=Draws(draws, {})))
    exact = []
    for i in range(0, len(X), 9):
        q = fit.refit(np.delete(X, i, axis=0)).estimate.posterior.components
        scale = np.sqrt(q.scale[0, 0, 0] / q.dof[0] * (1 + 1 / q.mean_precision[0]))
        exact.append(t(q.dof[0], q.mean[0, 0], scale).cdf(X[i, 0]))
    # 40,000 draws of a probability whose deviation over the posterior is at most 0.05.
    np.testing.assert_allclose(pit.values[::9, 0], exact, atol=0.003)
    assert pit.n_unreliable == 0 and pit.feature_names == fit.feature_names


def test_the_right_model_is_calibrated_and_a_wrong_one_is_not():
    two, one = (bg.fit(bg.GaussianMixture(k), faithful.X, bg.VB(), rng=0) for k in (2, 1))
    p_two, p_one = ([kstest(column, "uniform").pvalue for column in bg.loo_pit(fit).values.T] for fit in (two, one))
    assert min(p_two) > 0.05 and max(p_one) < 1e-3
    checks = bg.posterior_predictive_check(two), bg.posterior_predictive_check(one)
    distances = [[p for name, p in check.p_values.items() if "distance" in name] for check in checks]
    # One normal distribution has none of the gap between the two groups, which some direction shows.
    assert min(distances[0]) > 0.05 and min(distances[1]) < 0.01
    table = checks[0].table
    assert list(table.index[:2]) == ["mean log density", "lowest log density"] and len(table) == 6
    assert not checks[0].is_plug_in


@pytest.mark.slow
def test_p_values_are_uniform_at_the_mixture_that_made_the_data():
    fit = bg.fit(bg.GaussianMixture(2), faithful.X, bg.EM(n_init=2), rng=0)
    rng = np.random.default_rng(1)
    p = [
        list(bg.posterior_predictive_check(replace(fit, X=fit.sample(60, rng)), 100, 1, rng).p_values.values())
        for _ in range(100)
    ]
    # The parameters are known here, so replicate and data are exchangeable: p-values are uniform.
    for column in np.array(p).T:
        assert kstest(column, "uniform").pvalue > 1e-4


def test_units_and_order_of_components_do_not_matter():
    X = faithful.X[:100]
    fit = bg.fit(bg.GaussianMixture(2), X, bg.EM(n_init=2), rng=0)
    turned = replace(fit, estimate=replace(fit.estimate, params=fit.params.permuted(np.array([1, 0]))))
    observed, other = (bg.posterior_predictive_check(one, 5, rng=0).observed for one in (fit, turned))
    for name in observed:
        np.testing.assert_allclose(observed[name], other[name], rtol=1e-12)
    assert bg.posterior_predictive_check(fit, 5).is_plug_in


def test_one_column_needs_no_projections():
    fit = bg.fit(bg.GaussianMixture(2), bg.load_dataset("galaxies").X, bg.EM(n_init=2), rng=0)
    assert list(bg.posterior_predictive_check(fit, 5).observed)[2:] == [f"distance of {fit.feature_names[0]}"]


def test_what_cannot_be_checked_says_why():
    fit = bg.fit(bg.GaussianMixture(1), faithful.X, bg.EM(n_init=1), rng=0)
    with pytest.raises(NotApplicableError, match="draws of a posterior"):
        bg.loo_pit(fit)
    for function in (bg.loo_pit, bg.posterior_predictive_check):
        with pytest.raises(NotApplicableError, match="without its data"):
            function(replace(fit, X=None))
    for name in ("n_draws", "n_projections"):
        with pytest.raises(ArgumentError, match=f"{name}=0"):
            bg.posterior_predictive_check(fit, **{name: 0})


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (1.0, 1.0, ""),
        (0.5, 0.5, "the predictions are too narrow"),
        (3.0, 3.0, "the predictions are too wide"),
        (1.0, 2.0, "points lie lower than predicted"),
        (2.0, 1.0, "points lie higher than predicted"),
    ],
)
def test_values_outside_their_band_are_said_in_words(a, b, words):
    """Quantiles of a beta distribution: the uniform one is calibrated."""
    n = 400
    column = beta(a, b).ppf((np.arange(n) + 0.5) / n)
    calibrated = (np.random.default_rng(0).permutation(n) + 0.5) / n
    pit = LooPit(np.column_stack([column, calibrated]), ("length", "width"), np.zeros(n), 0.7)
    found = pit.departures()
    assert list(found) == (["length"] if words else [])
    if words:
        assert found["length"].startswith("LOO-PIT of length leaves its 95% band: ") and words in found["length"]
        assert found["length"] in repr(pit)
        grid, ecdf, lower, upper = pit.band(0)
        assert ((ecdf > upper) | (ecdf < lower)).any(), "as the picture shows"
