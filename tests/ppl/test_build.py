"""`pymc_model`: names and shapes, the fast posterior's log density and gradient, and exactly the prior."""

import numpy as np
import pymc as pm
import pytest
from pytensor.compile.mode import Mode
from testbed import oracle
from testbed.cases import blobs, informative, model_of

import bayesgmm as bg
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import ArgumentError, DataError
from bayesgmm.flat.posterior import FlatPosterior
from bayesgmm.ppl.build import pymc_model
from bayesgmm.rows import as_rows

PYTHON = Mode(linker="py", optimizer=None)  # nothing is compiled, so nothing is waited for
Z_LIMIT = 5.0  # family-wise 1e-4 over some 200 comparisons (DESIGN section 8)


@pytest.mark.parametrize("structure", oracle.STRUCTURES)
@pytest.mark.parametrize(("k", "d"), [(1, 2), (2, 1), (3, 3)])
@pytest.mark.few(2)
def test_same_log_density_and_gradient_as_the_fast_posterior(structure, k, d):
    X, model = blobs(n=25, d=d, k=k), model_of(informative(structure, k, d))
    data = as_rows(X)
    fast = FlatPosterior.of(model.resolve(data), data)
    pymc = pymc_model(model, X)
    names = ["weights_simplex__", "covariances_bartlett__", "means_standardized__"]
    assert [value.name for value in pymc.value_vars] == names
    slow = pymc.logp_dlogp_function(ravel_inputs=True, mode=PYTHON)
    slow.set_extra_values({})
    rng = np.random.default_rng([k, d])
    for _ in range(3):
        x = rng.normal(size=fast.coordinates.n_dim, scale=0.7)
        value, gradient = fast(x)
        expected, slope = slow(x)
        # Equal with all constants, which the issue does not even ask for; PyMC's gammaln is good to 1e-9.
        assert value == pytest.approx(float(expected), rel=1e-8)
        assert np.allclose(gradient, slope, rtol=1e-8, atol=1e-8 * np.abs(slope).max())


def test_scales_of_their_own():
    """One prior scale per component."""
    X = blobs(n=25)
    scale = np.array([[[2.0, 0.5], [0.5, 1.0]], [[1.0, -0.2], [-0.2, 3.0]]])
    model = bg.GaussianMixture(2, prior=bg.NormalInverseWishart(scale=scale))
    data = as_rows(X)
    fast = FlatPosterior.of(model.resolve(data), data)
    slow = pymc_model(model, X).logp_dlogp_function(ravel_inputs=True, mode=PYTHON)
    slow.set_extra_values({})
    x = np.random.default_rng(1).normal(size=fast.coordinates.n_dim)
    for found, expected in zip(fast(x), slow(x), strict=True):
        assert np.allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize("structure", ["full", "tied"])
def test_no_digit_is_lost_on_the_way_through_the_covariances(structure):
    """Compiled, the likelihood has the precision factors that even nearly singular covariances came from."""
    X, model = blobs(n=25, d=2, k=2), model_of(informative(structure, 2, 2))
    fast = FlatPosterior.of(model.resolve(as_rows(X)), as_rows(X))
    rewriting = Mode(linker="py", optimizer="fast_compile")
    slow = pymc_model(model, X).logp_dlogp_function(ravel_inputs=True, mode=rewriting)
    slow.set_extra_values({})
    operations = {type(node.op).__name__ for node in slow._pytensor_function.maker.fgraph.toposort()}
    assert not operations & {"PrecisionCholOfCov", "CovOfPrecisionChol", "CovPullback", "FactorPullback"}
    x = np.random.default_rng(6).normal(size=fast.coordinates.n_dim)
    # above the diagonals, beside ones of about 1: correlations of 1 - 5e-15 in whitened coordinates
    x[1 + fast.coordinates.dof.size : 1 + fast.coordinates.dof.size + fast.coordinates.n_upper] = 1e7
    for found, expected in zip(slow(x), fast(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize("structure", oracle.STRUCTURES)
def test_names_dims_and_coords(structure):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(blobs(n=25), columns=["height", "width"])
    model = pymc_model(bg.GaussianMixture(3, structure), frame)
    assert list(model.coords["feature"]) == list(model.coords["feature_bis"]) == ["height", "width"]
    assert list(model.coords["component"]) == [0, 1, 2]
    dims = {
        "weights": ("component",),
        "means": ("component", "feature"),
        "covariances": ("component", "feature", "feature_bis"),
        "precision_chol": ("component", "feature", "feature_bis"),
        "x": ("obs", "feature"),
    }
    for name, expected in dims.items():
        assert tuple(model.named_vars_to_dims[name]) == expected
    assert [variable.name for variable in model.free_RVs] == ["weights", "covariances", "means"]
    assert np.array_equal(model["X"].get_value(), frame)


SLOWLY = [pytest.param(name, marks=pytest.mark.slow) for name in oracle.STRUCTURES if name not in ("full", "diagonal")]


@pytest.mark.parametrize("structure", ["full", "diagonal", *SLOWLY])
def test_prior_predictive_is_exactly_the_prior(structure):
    """Draws of the `pm.Model` and of the conjugate algebra have the same moments; x is a draw of the mixture."""
    X, constants = blobs(n=25, d=2, k=2), informative(structure, 2, 2)
    model = model_of(constants)
    names = ["weights", "means", "precision_chol", "covariances", "x"]
    pymc = pymc_model(model, X)
    draws = pm.draw([pymc[name] for name in names], 1500, mode=PYTHON, random_seed=3)
    drawn = dict(zip(names, draws, strict=True))
    found = MixtureParams.trusted(drawn["weights"], drawn["means"], drawn["precision_chol"])
    exact = model.resolve(as_rows(X)).conjugate().sample(np.random.default_rng(4), 20_000)
    for one, other in zip(features(found), features(exact), strict=True):
        error = np.sqrt(one.var(0) / len(one) + other.var(0) / len(other))
        constant = error == 0  # entries that the structure fixes
        assert np.array_equal(one[:, constant], other[: len(one), constant])
        assert (np.abs(one.mean(0) - other.mean(0))[~constant] < Z_LIMIT * error[~constant]).all()
    assert np.allclose(drawn["covariances"], found.covariances, rtol=1e-8)
    x = drawn["x"][:, 0]  # one point of each draw; whitened by its own mixture, because the prior's tails are heavy
    probability = oracle_cdf(x[:, 0], drawn)
    assert abs(probability.mean() - 0.5) < Z_LIMIT / np.sqrt(12 * len(x))  # a distribution function is uniform


def features(params):
    """Quantities with finite variances that the whole prior shows in: location, scale, correlation, dependence."""
    factor = params.precision_chol
    if params.is_diagonal:
        factor = factor[..., None] * np.eye(params.n_features)
    n = len(params.weights)
    log_diagonal = np.log(np.diagonal(factor, axis1=2, axis2=3)).reshape(n, -1)
    whitened = np.einsum("skij,ski->skj", factor, params.means).reshape(n, -1)
    upper = factor[..., 0, 1].reshape(n, -1)
    yield params.weights
    yield params.weights**2
    yield log_diagonal
    yield log_diagonal**2
    yield upper
    yield upper**2
    yield log_diagonal[:, :1] * log_diagonal  # shared covariances move together
    yield whitened


def oracle_cdf(x, drawn):
    """The first coordinate's distribution function at x under each draw's own mixture."""
    from scipy.stats import norm

    scale = np.sqrt(drawn["covariances"][:, :, 0, 0])
    return (drawn["weights"] * norm.cdf(x[:, None], drawn["means"][:, :, 0], scale)).sum(1)


def test_predictive_sampling_has_names():
    """PyMC's own functions, on a handful of draws."""
    X = blobs(n=25)
    with pymc_model(bg.GaussianMixture(2), X):
        prior = pm.sample_prior_predictive(5, random_seed=1, compile_kwargs={"mode": PYTHON})
        after = pm.sample_posterior_predictive(
            prior.prior, random_seed=1, compile_kwargs={"mode": PYTHON}, progressbar=False
        )
    for group in (prior.prior_predictive, after.posterior_predictive):
        assert group["x"].dims == ("chain", "draw", "obs", "feature")
        assert group["x"].shape == (1, 5, 25, 2)
        assert np.isfinite(group["x"].values).all()
    assert prior.prior["covariances"].dims == ("chain", "draw", "component", "feature", "feature_bis")


def test_bad_input():
    with pytest.raises(ArgumentError, match="must be a model object"):
        pymc_model(2, blobs())
    with pytest.raises(DataError, match="need at least"):
        pymc_model(bg.GaussianMixture(5), blobs(n=4))
