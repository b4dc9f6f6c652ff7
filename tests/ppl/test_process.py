"""The Dirichlet process as a `pm.Model` and as the fast posterior: one density, and exactly the prior."""

import numpy as np
import pymc as pm
import pytest
from pytensor.compile.mode import Mode
from scipy.stats import beta, gamma
from testbed import oracle
from testbed.cases import blobs

import bayesgmm as bg
from bayesgmm.flat.posterior import FlatPosterior
from bayesgmm.ppl.build import pymc_model
from bayesgmm.rows import as_rows

pytestmark = pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS")  # the machine's business

PYTHON = Mode(linker="py", optimizer=None)  # nothing is compiled, so nothing is waited for
CONCENTRATIONS = pytest.mark.parametrize("concentration", [0.7, bg.Gamma(2.0, 1.5)], ids=["fixed", "gamma"])


def made(structure, truncation, d, concentration, n=25):
    X = blobs(n=n, d=d)
    model = bg.DirichletProcessMixture(truncation, structure, concentration)
    data = as_rows(X)
    return X, model, FlatPosterior.of(model.resolve(data), data)


@pytest.mark.parametrize("structure", oracle.STRUCTURES)
@pytest.mark.parametrize(("truncation", "d"), [(1, 2), (2, 1), (4, 2)])
@CONCENTRATIONS
@pytest.mark.few(3)
def test_same_log_density_and_gradient(structure, truncation, d, concentration):
    X, model, fast = made(structure, truncation, d, concentration)
    pymc = pymc_model(model, X)
    names = [variable.name for variable in pymc.free_RVs]
    first = ["concentration"] * isinstance(concentration, bg.Gamma) + ["weights"] * (truncation > 1)
    assert names == [*first, "covariances", "means"]
    slow = pymc.logp_dlogp_function(ravel_inputs=True, mode=PYTHON)
    slow.set_extra_values({})
    rng = np.random.default_rng([truncation, d])
    for scale in (0.7, 0.7, 2.0):
        x = rng.normal(size=fast.coordinates.n_dim, scale=scale)
        value, gradient = fast(x)
        expected, slope = slow(x)
        assert value == pytest.approx(float(expected), rel=1e-8)
        assert np.allclose(gradient, slope, rtol=1e-8, atol=1e-8 * np.abs(slope).max())


@CONCENTRATIONS
def test_log_density_by_scipy(concentration):
    """Prior of the weights, its transforms' Jacobians and the likelihood, at a model whose components have no freedom.

    The components' part is that of the finite mixture at the same means and covariances, which other tests check.
    """
    X, model, fast = made("full", 3, 2, concentration)
    data = as_rows(X)
    finite = bg.GaussianMixture(3, prior=model.resolve(data).prior).resolve(data)
    other = FlatPosterior.of(finite, data)
    x = np.random.default_rng(5).normal(size=fast.coordinates.n_dim, scale=0.7)
    n_alpha = fast.coordinates.n_dim - other.coordinates.n_dim
    odds = x[n_alpha : n_alpha + 2]
    v = 1 / (1 + np.exp(-odds))
    alpha = np.exp(x[0]) if n_alpha else concentration
    expected = beta(1, alpha).logpdf(v).sum() + np.log(v * (1 - v)).sum()
    if n_alpha:
        expected += gamma(2.0, scale=1 / 1.5).logpdf(alpha) + x[0]
    weights = fast.coordinates.expand(x).weights
    assert np.allclose(weights, [v[0], (1 - v[0]) * v[1], (1 - v[0]) * (1 - v[1])], rtol=1e-12)
    log_weights = np.log(weights)
    y = np.concatenate([log_weights[:-1] - log_weights.mean(), x[n_alpha + 2 :]])
    # The finite mixture's uniform weights: density 2! on the simplex, and the Jacobian 3 prod(w) of its transform.
    expected += other(y)[0] - np.log(2) - np.log(3) - log_weights.sum()
    assert fast(x)[0] == pytest.approx(expected, rel=1e-10)


@CONCENTRATIONS
def test_flatten_inverts_expand(concentration):
    _, _, fast = made("tied", 5, 2, concentration)
    coordinates = fast.coordinates
    x = np.random.default_rng(2).normal(size=coordinates.n_dim)
    back = coordinates.flatten(coordinates.expand(x))
    n_alpha = int(isinstance(concentration, bg.Gamma))
    assert np.allclose(back[n_alpha:], x[n_alpha:], rtol=0, atol=1e-12)
    if n_alpha:
        weights = coordinates.expand(x).weights
        posterior = gamma(2.0 + 4, scale=1.0 / (1.5 - np.log(weights[-1])))  # Gamma is conjugate to sticks
        assert back[0] == pytest.approx(posterior.expect(np.log))
        assert coordinates.states(x)["concentration"] == pytest.approx(np.exp(x[0]))


@CONCENTRATIONS
def test_names_dims_and_prior(concentration):
    X, model, _ = made("full", 4, 2, concentration)
    pymc = pymc_model(model, X)
    assert tuple(pymc.named_vars_to_dims["weights"]) == ("component",)
    assert ("concentration" in pymc.named_vars) == isinstance(concentration, bg.Gamma)
    weights = pm.draw(pymc["weights"], 4000, mode=PYTHON, random_seed=3)
    assert np.allclose(weights.sum(1), 1.0)
    rng = np.random.default_rng(4)
    alpha = rng.gamma(2.0, 1 / 1.5, 200_000) if isinstance(concentration, bg.Gamma) else np.full(200_000, concentration)
    sticks = rng.beta(1.0, alpha[:, None], (200_000, 3))
    left = np.cumprod(np.hstack([np.ones((200_000, 1)), 1 - sticks]), 1)
    exact = left * np.hstack([sticks, np.ones((200_000, 1))])
    for power in (1, 2):
        one, other = weights**power, exact**power
        assert (np.abs(one.mean(0) - other.mean(0)) < 5 * one.std(0) / np.sqrt(4000)).all()  # family-wise below 1e-4


def test_no_start_has_a_zero_gradient():
    """Which nutpie takes for a failure; at the mean of the concentration given the sticks it is zero but for rounding.

    Exact zeros came at a third of such starts.
    """
    X, model, posterior = made("full", 4, 2, bg.Gamma(1.0, 1.0))
    prior, rng = model.resolve(as_rows(X)).conjugate(), np.random.default_rng(5)
    for _ in range(50):
        x = posterior.coordinates.flatten(prior.sample(rng, 1)[0])
        assert posterior(x)[1].all()


@pytest.mark.parametrize(
    "model",
    [bg.DirichletProcessMixture(100, concentration=0.1), bg.GaussianMixture(10, weights=bg.Dirichlet(0.001))],
    ids=["sticks", "simplex"],
)
def test_weights_below_the_range_of_float64(model):
    """Where every gradient was 0/0: draws as the prior has them, of which the logarithms are all that is left."""
    X = blobs(n=25)
    fast = FlatPosterior.of(model.resolve(as_rows(X)), as_rows(X))
    slow = pymc_model(model, X).logp_dlogp_function(ravel_inputs=True, mode=PYTHON)
    slow.set_extra_values({})
    rng = np.random.default_rng(1)
    x = rng.normal(size=fast.coordinates.n_dim)
    n = fast.coordinates.weights.n_dim
    is_process = isinstance(model, bg.DirichletProcessMixture)
    x[:n] = np.log(np.expm1(rng.exponential(10.0, n))) if is_process else rng.normal(size=n, scale=1000.0)
    weights = fast.coordinates.expand(x).weights
    assert (weights == 0).sum() >= 5
    value, gradient = fast(x)
    expected, slope = slow(x)
    assert value == pytest.approx(float(expected), rel=1e-8)
    assert np.isfinite(slope).all() and np.allclose(gradient, slope, rtol=1e-8, atol=1e-8 * np.abs(slope).max())
    again = fast.coordinates.flatten(fast.coordinates.expand(x))  # as a start: what is left of it
    assert np.isfinite(fast(again)[0]) and np.isfinite(fast(again)[1]).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning", "ignore::bayesgmm.TruncationWarning")
def test_a_process_with_many_sticks_is_sampled():
    """All draws of such models diverged."""
    fit = bg.fit(
        bg.DirichletProcessMixture(100, concentration=0.1), blobs(n=40), bg.NUTS(draws=100, tune=200, chains=1), rng=0
    )
    assert fit.estimate.sample_stats["diverging"].mean() < 0.1
