"""Priors of numbers: of components, and of a concentration."""

import numpy as np
import pytest
from scipy import integrate, stats

import bayesgmm as bg


def test_beta_negative_binomial_is_a_mixture_of_negative_binomials():
    ours = np.exp(bg.BetaNegativeBinomial(2, 4, 3).log_probability(6))
    exact = [
        integrate.quad(lambda p, k=k: stats.nbinom(2, p).pmf(k) * stats.beta(4, 3).pdf(p), 0, 1)[0] for k in range(6)
    ]
    np.testing.assert_allclose(ours, exact / np.sum(exact), rtol=1e-8)


def test_telescoping_prior_expects_two_components():
    """K - 1 ~ BNB(1, 4, 3) has mean 1 where it is not cut off; the tail beyond 10,000 holds less than 1e-4 of it."""
    ours = np.exp(bg.BetaNegativeBinomial().log_probability(10_000))
    assert ours @ np.arange(1, 10_001) == pytest.approx(2.0, abs=1e-3)


def test_uniform():
    np.testing.assert_allclose(np.exp(bg.Uniform().log_probability(4)), 0.25)


def test_gamma_is_scipy_s():
    x, ours = np.array([0.1, 1.0, 7.0]), bg.Gamma(2.5, 3.0)
    exact = stats.gamma(2.5, scale=1 / 3)
    np.testing.assert_allclose(ours.log_density(x), exact.logpdf(x))
    assert ours.mean() == pytest.approx(exact.mean())
    assert stats.kstest(ours.sample(np.random.default_rng(0), 2000), exact.cdf).pvalue > 1e-4


@pytest.mark.parametrize("value", [0, -1.0, np.inf, np.nan, "one", [1.0, 2.0]])
@pytest.mark.parametrize("make", [lambda v: bg.Gamma(v, 1), lambda v: bg.Gamma(1, v), bg.BetaNegativeBinomial])
def test_not_a_positive_number(make, value):
    with pytest.raises(bg.ArgumentError):
        make(value)
