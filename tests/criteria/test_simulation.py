"""The Monte Carlo errors of predictive scores, against the spread over seeds of exact draws."""

import numpy as np
import pytest
from testbed.exact_draws import ExactPosterior

import bayesgmm as bg
from bayesgmm.criteria.predictive import elpd_kfold, elpd_loo, make_folds
from bayesgmm.criteria.simulation import error_of_sum, influence

X6 = np.random.default_rng(0).normal(size=(6, 2)) + np.repeat([0.0, 3.0], 3)[:, None]
SEEDS = 20
LOW, HIGH = 5.41, 43.8  # the 0.001 and 0.999 quantiles of chi-squared of 19: what right errors leave with 20 seeds


def sum_of_squares(values, errors):
    return float((((np.asarray(values) - np.mean(values)) / errors) ** 2).sum())


@pytest.mark.slow
@pytest.mark.parametrize("repeats", [1, 6])
def test_errors_of_loo_and_kfold_are_the_spread_over_seeds(repeats):
    """Also where draws repeat, so that a sixth of them count."""
    method, folds, found = ExactPosterior(draws=400, chains=2, repeats=repeats), make_folds(len(X6), 3, 0), []
    for seed in range(SEEDS):
        fit = bg.fit(bg.GaussianMixture(2), X6, method, rng=seed)
        scores = elpd_loo(fit, X6), elpd_kfold(fit, X6, folds, seed)
        found.append([(score.value, score.mc_se) for score in scores])
    for values, errors in np.moveaxis(np.array(found), 0, 2):
        assert LOW < sum_of_squares(values, errors) < HIGH


def test_points_that_share_their_draws_have_errors_that_add_up():
    """Ten equal points have ten times the error of one, not sqrt(10) times."""
    log_density = np.random.default_rng(1).normal(size=(1000, 1))
    one = error_of_sum([influence(log_density)], (2, 500))
    assert error_of_sum([influence(np.repeat(log_density, 10, 1))], (2, 500)) == pytest.approx(10 * one)
    assert error_of_sum([influence(log_density)] * 10, (2, 500)) == pytest.approx(10 * one)


def test_equal_draws_have_no_error():
    assert error_of_sum([influence(np.full((100, 3), -700.3))], (2, 50)) == 0.0


def test_a_point_fit_has_no_error_of_simulation():
    fit = bg.fit(bg.GaussianMixture(1), X6, bg.EM(), rng=0)
    assert np.isnan(elpd_kfold(fit, X6, make_folds(len(X6), 2, 0), 0).mc_se)
