"""`Dirichlet` against SciPy's own distribution, the urn, and derivatives of its normaliser."""

import numpy as np
import pytest
from scipy import integrate, optimize, stats
from testbed import oracle

from bayesgmm.errors import ArgumentError, NotApplicableError
from bayesgmm.priors.weights import Dirichlet

VECTOR = np.array([0.7, 2.5, 4.0])


def test_density_mean_and_normaliser_are_scipys():
    weights = np.array([0.2, 0.5, 0.3])
    assert np.isclose(Dirichlet(VECTOR).log_density(weights), stats.dirichlet(VECTOR).logpdf(weights), rtol=1e-13)
    assert np.allclose(Dirichlet(VECTOR).mean(), stats.dirichlet(VECTOR).mean(), rtol=1e-14)
    # The density at a corner of a flat prior is that of everywhere: 0 log 0 = 0.
    assert np.isclose(Dirichlet(np.ones(3)).log_density(np.array([1.0, 0.0, 0.0])), np.log(2.0), rtol=1e-14)


def test_expected_logs_are_the_derivative_of_the_normaliser():
    step = 1e-5  # central differences: an error of step^2, about 1e-10
    for k, e in enumerate(np.eye(3) * step):
        slope = (Dirichlet(VECTOR + e).log_partition() - Dirichlet(VECTOR - e).log_partition()) / (2 * step)
        assert np.isclose(Dirichlet(VECTOR).expected_log()[k], slope, rtol=1e-8)


def test_mode_is_the_numerical_optimum():
    posterior = Dirichlet(VECTOR).update(np.array([3.0, 0.0, 8.5]))
    assert np.allclose(posterior.concentration, VECTOR + [3.0, 0.0, 8.5])

    def loss(free):
        weights = np.exp(np.append(free, 0.0))
        return -posterior.log_density(weights / weights.sum())

    best = optimize.minimize(loss, np.zeros(2), method="BFGS", options={"gtol": 1e-9})
    weights = np.exp(np.append(best.x, 0.0))
    assert np.allclose(posterior.mode(), weights / weights.sum(), atol=1e-6)  # BFGS: gradient by differences
    assert np.allclose(Dirichlet(np.ones(4)).mode(), 0.25)  # flat: the middle of the optima
    assert np.allclose(Dirichlet([1.0, 3.0, 2.0]).mode(), [0, 2 / 3, 1 / 3])


def test_a_concentration_below_one_has_no_mode():
    with pytest.raises(NotApplicableError, match="concentration below 1 has no mode .* use VB or NUTS"):
        Dirichlet(VECTOR).mode()


def test_kl_is_the_integral():
    q, p = Dirichlet([2.5, 1.3]), Dirichlet([0.8, 2.0])

    def integrand(w):
        weights = np.array([w, 1 - w])
        return np.exp(q.log_density(weights)) * (q.log_density(weights) - p.log_density(weights))

    assert np.isclose(q.kl(p), integrate.quad(integrand, 0, 1, epsabs=1e-11)[0], rtol=1e-8)
    assert abs(Dirichlet(VECTOR).kl(Dirichlet(VECTOR))) < 1e-14


def test_log_marginal_is_the_urn():
    z = np.array([0, 2, 2, 1, 2, 0])
    counts = np.bincount(z, minlength=3)
    assert np.isclose(Dirichlet(VECTOR).log_marginal(counts), oracle.log_labels(z[None], VECTOR)[0], rtol=1e-13)


def test_draws_have_the_moments():
    draws = Dirichlet(VECTOR).sample(np.random.default_rng(0), 20000)
    expected = stats.dirichlet(VECTOR)
    errors = np.sqrt(expected.var() / len(draws))
    assert (np.abs(draws.mean(0) - expected.mean()) < 5 * errors).all()  # five standard errors
    logs = np.log(draws)
    assert (np.abs(logs.mean(0) - Dirichlet(VECTOR).expected_log()) < 5 * logs.std(0) / np.sqrt(len(draws))).all()


def test_one_number_stands_for_all_components():
    assert np.array_equal(Dirichlet(2.0).resolve(3).concentration, [2.0, 2.0, 2.0])
    assert np.array_equal(Dirichlet(VECTOR).resolve(3).concentration, VECTOR)
    with pytest.raises(ArgumentError, match="3 concentrations and the mixture 2 components"):
        Dirichlet(VECTOR).resolve(2)
