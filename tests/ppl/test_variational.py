"""ADVI and Pathfinder beneath their methods: on a normal posterior, on a conjugate one, and by explicit formulas."""

from types import SimpleNamespace

import numpy as np
import pytest
from testbed import oracle
from testbed.cases import blobs, random_spd

import bayesgmm as bg
from bayesgmm.flat import triangular
from bayesgmm.flat.posterior import FlatPosterior
from bayesgmm.ppl.pathfinder import best_on_path, inverse_hessian, updated_variance
from bayesgmm.ppl.variational import Gaussian, log_densities, run_advi
from bayesgmm.rows import as_rows

SEED, D = 3, 5


def normal_posterior():
    """A normalised normal density that stands for a posterior."""
    rng = np.random.default_rng(SEED)
    cov, mean = random_spd(rng, D) * 0.3, rng.normal(size=D)
    precision, constant = np.linalg.inv(cov), -0.5 * np.linalg.slogdet(2 * np.pi * cov)[1]

    def function(x):
        pull = precision @ (x - mean)
        return constant - 0.5 * (x - mean) @ pull, -pull

    return SimpleNamespace(call=function, mean=mean, cov=cov, precision=precision)


@pytest.mark.parametrize("kind", ["mean-field", pytest.param("full-rank", marks=pytest.mark.slow)])
def test_advi_of_a_normal_posterior(kind):
    """The nearest normal distribution is known: the posterior, or the one with the diagonal of its precision."""
    exact = normal_posterior()
    begin = exact.mean + 2.0 * np.sqrt(np.diag(exact.cov)), 2.0 * np.sqrt(np.diag(exact.cov))
    q, history = run_advi(exact.call, kind, *begin, 4000, 0.03, 1, lambda step: None)
    expected = exact.cov if kind == "full-rank" else np.diag(1.0 / np.diag(exact.precision))
    deviations = np.sqrt(np.diag(expected))
    # 2,000 averaged steps of one noisy gradient each: some 2 % of a deviation, and twice that in a variance.
    assert np.abs((q.mean - exact.mean) / deviations).max() < 0.1
    units = np.outer(deviations, deviations)
    assert np.allclose(q.chol @ q.chol.T / units, expected / units, rtol=0, atol=0.15)
    bound = 0.5 * (np.linalg.slogdet(expected)[1] - np.linalg.slogdet(exact.cov)[1])  # minus the divergence
    last = history[-1000:]
    assert len(history) == 4000
    assert last.mean() == pytest.approx(bound, abs=0.05 + 5 * last.std() / np.sqrt(1000))


def test_path_to_a_normal_posterior():
    exact = normal_posterior()
    q, elbo, n_iter = best_on_path(exact.call, exact.mean + 3.0, 100, np.random.default_rng(1))
    assert n_iter > 3 and np.isfinite(elbo)
    assert np.allclose(q.mean, exact.mean, atol=0.05)
    # With inexact line searches five pairs leave some of the covariance unknown: 0.3 nats of divergence here.
    x = q.draw(np.random.default_rng(2), 20_000)
    assert np.mean(log_densities(exact.call, x) - q.log_density(x)) > -0.5


def test_inverse_hessian_is_that_of_the_recursion():
    rng = np.random.default_rng(SEED)
    hessian, variance = random_spd(rng, 7), rng.uniform(0.5, 2.0, 7)
    steps = rng.normal(size=(7, 4))
    changes = hessian @ steps
    expected = np.diag(variance)
    for s, z in zip(steps.T, changes.T, strict=True):
        V = np.eye(7) - np.outer(s, z) / (s @ z)
        expected = V @ expected @ V.T + np.outer(s, s) / (s @ z)
    assert np.allclose(inverse_hessian(variance, steps, changes), expected, rtol=1e-10, atol=1e-12)


def test_diagonal_is_that_of_the_scaled_update():
    """The diagonal of the BFGS update of the Hessian, scaled to have the pair's curvature."""
    rng = np.random.default_rng(SEED)
    variance, step = rng.uniform(0.5, 2.0, 6), rng.normal(size=6)
    change = random_spd(rng, 6) @ step
    B = np.diag(1.0 / variance) * (change @ (variance * change)) / (step @ change)
    updated = B - np.outer(B @ step, B @ step) / (step @ B @ step) + np.outer(change, change) / (step @ change)
    assert np.allclose(updated_variance(variance, step, change), 1.0 / np.diag(updated), rtol=1e-12)


def test_density_of_the_approximation():
    from scipy.stats import multivariate_normal

    rng = np.random.default_rng(SEED)
    cov, mean = random_spd(rng, 4), rng.normal(size=4)
    q = Gaussian(mean, np.linalg.cholesky(cov))
    x = q.draw(rng, 50)
    assert np.allclose(q.log_density(x), multivariate_normal(mean, cov).logpdf(x), rtol=1e-12)


@pytest.mark.slow
def test_full_rank_of_one_component():
    """The bound is the exact evidence up to what a normal distribution of log chi-squareds leaves: 0.05 nats here."""
    X = blobs(seed=4, n=60, k=1)
    data = as_rows(X)
    posterior = FlatPosterior.of(bg.GaussianMixture(1).resolve(data), data)
    n_dim = posterior.coordinates.n_dim
    q, _ = run_advi(posterior, "full-rank", np.full(n_dim, 1.0), np.full(n_dim, 0.5), 6000, 0.03, 1, lambda step: None)
    x = q.draw(np.random.default_rng(1), 4000)
    ratio = log_densities(posterior, x) - q.log_density(x)
    exact = oracle.log_evidence_by_chain(X, oracle.default_constants("full", X, 1))
    assert exact - 0.1 < ratio.mean() < exact + 5 * ratio.std() / np.sqrt(len(ratio))


def interrupted_once(kernel):
    """The kernel after one call that is what Python makes of a SIGINT that comes while Numba makes the arrays."""
    calls = []

    def call(x, problem):
        calls.append(x)
        if len(calls) == 1:
            raise SystemError("returned a result with an exception set") from KeyboardInterrupt()
        return kernel(x, problem)

    return call


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")
@pytest.mark.parametrize("method", [bg.ADVI(n_init=1), bg.Pathfinder(paths=1000)], ids=["ADVI", "Pathfinder"])
def test_an_interrupt_inside_the_compiled_posterior_is_one(method, monkeypatch):
    X, kernel = blobs(seed=2, n=40), triangular.evaluate

    def press(done, total, note):
        if done == (1 if note == "paths" else 200):
            monkeypatch.setattr(triangular, "evaluate", interrupted_once(kernel))

    fit = bg.fit(bg.GaussianMixture(2), X, method, rng=0, progress=press)
    assert fit.status.outcome.value == "interrupted"
    monkeypatch.setattr(triangular, "evaluate", interrupted_once(kernel))
    with pytest.raises(KeyboardInterrupt):
        bg.fit(bg.GaussianMixture(2), X, method, rng=0)


def test_other_system_errors_are_not_hidden(monkeypatch):
    data = as_rows(blobs(seed=2, n=40))
    posterior = FlatPosterior.of(bg.GaussianMixture(2).resolve(data), data)

    def broken(x, problem):
        raise SystemError("broken")

    monkeypatch.setattr(triangular, "evaluate", broken)
    with pytest.raises(SystemError, match="broken"):
        posterior(np.zeros(3))
