"""`MvNormalMixture` against `pm.Mixture` of `pm.MvNormal`s, SciPy, finite differences and its own exact moments."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from pymc.exceptions import ImputationWarning
from pymc.logprob.utils import ParameterValueError
from pytensor.compile.mode import Mode
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from bayesgmm.errors import ArgumentError
from bayesgmm.ppl.distribution import MvNormalMixture, MvNormalMixtureRV, draw_row, draw_row_by_log_weights
from bayesgmm.ppl.op import (
    mixture_log_density,
    mixture_log_density_of_weights,
    pull_back_to_params,
    pull_back_to_rows,
    rows_log_density,
)

pytestmark = pytest.mark.filterwarnings("ignore:Data in .* contains missing values")

RNG = np.random.default_rng(18)
PYTHON = Mode(linker="py", optimizer=None)  # nothing is compiled, so nothing is waited for


def mixture(n_components, n_features, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n_components, n_features, n_features))
    covariances = root @ root.swapaxes(1, 2) + 0.5 * np.eye(n_features)
    chol = np.linalg.cholesky(covariances)
    return {
        "weights": rng.dirichlet(np.full(n_components, 3.0)),
        "means": rng.normal(size=(n_components, n_features), scale=2.0),
        "cov": covariances,
        "chol": chol,
        "precision_chol": np.linalg.inv(chol).swapaxes(1, 2),
    }


def scipy_log_density(X, true):
    joint = [
        np.log(w) + multivariate_normal(mean, cov).logpdf(X)
        for w, mean, cov in zip(true["weights"], true["means"], true["cov"], strict=True)
    ]
    return logsumexp(np.reshape(joint, (len(joint), *np.shape(X)[:-1])), axis=0)


def arguments(true, name="precision_chol"):
    return {key: true[key] for key in ("weights", "means", name)}


# --- the Op's compiled functions --------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d", "k"), [(600, 3, 4), (5, 1, 1), (1, 2, 3), (256, 4, 2)])  # blocks hold 256 rows
def test_compiled_functions(n, d, k):
    true, rng = mixture(k, d), np.random.default_rng(1)
    X, cotangent = rng.normal(size=(n, d), scale=2.0), rng.normal(size=n)
    at = [X, np.log(true["weights"]), true["means"], true["precision_chol"]]
    value, resp = rows_log_density(*at)
    np.testing.assert_allclose(value, scipy_log_density(X, true), rtol=1e-12)
    np.testing.assert_allclose(resp.sum(0), 1.0, rtol=1e-12)
    fixed = (X, true["means"], true["precision_chol"], resp, cotangent)
    gradients = [pull_back_to_rows(*fixed), *pull_back_to_params(*fixed)]
    for i, gradient in enumerate(gradients):
        assert gradient.shape == at[i].shape
        for index in list(np.ndindex(gradient.shape))[:: max(1, gradient.size // 20)]:
            step, values = 1e-6, []
            for sign in (1, -1):
                moved = [array.copy() for array in at]
                moved[i][index] += sign * step
                values.append(cotangent @ rows_log_density(*moved)[0])
            # central differences: a rounding error of 1e-13 / 1e-6, and of the third derivative next to nothing
            expected = (values[0] - values[1]) / (2 * step)
            assert gradient[index] == pytest.approx(expected, rel=1e-6, abs=1e-6)


# --- the density, against PyMC's own mixture --------------------------------------------------------


PARAMETRISATIONS = {
    "chol": (lambda raw: {"chol": pt.tril(raw)}, lambda raw: pt.tril(raw)),
    "precision_chol": (lambda raw: {"precision_chol": pt.triu(raw)}, lambda raw: pt.linalg.inv(pt.triu(raw)).mT),
    "cov": (lambda raw: {"cov": raw @ raw.mT}, lambda raw: pt.linalg.cholesky(raw @ raw.mT)),
    "shared chol": (lambda raw: {"chol": pt.tril(raw[0])}, lambda raw: pt.tril(raw[:1]).repeat(3, axis=0)),
    "shared cov": (
        lambda raw: {"cov": raw[0] @ raw[0].T},
        lambda raw: pt.linalg.cholesky(raw[:1] @ raw[:1].mT).repeat(3, axis=0),
    ),
}


@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
@pytest.mark.few(1)
def test_value_and_gradient_equal_those_of_pymc_mixture(parametrisation):
    """For rows as variables too, and with a different cotangent for every row."""
    k, d, n = 3, 2, 6
    rng = np.random.default_rng(2)
    logits, means, x = pt.dvector("logits"), pt.dmatrix("means"), pt.dmatrix("x")
    raw = pt.tensor("raw", shape=(k, d, d), dtype="float64")
    ours, chol_of = PARAMETRISATIONS[parametrisation]
    weights, chol = pt.special.softmax(logits), chol_of(raw)
    components = [pm.MvNormal.dist(means[i], chol=chol[i]) for i in range(k)]
    cotangent = rng.normal(size=n)
    outputs = []
    for dist in (MvNormalMixture.dist(weights, means, **ours(raw), shape=(n, d)), pm.Mixture.dist(weights, components)):
        log_density = pm.logp(dist, x)
        outputs += [log_density, *pt.grad((log_density * cotangent).sum(), [logits, means, raw, x])]
    function = pytensor.function([logits, means, raw, x], outputs, mode=PYTHON)
    point = rng.normal(size=k), rng.normal(size=(k, d)), rng.normal(size=(k, d, d)), rng.normal(size=(n, d))
    point[2][:, range(d), range(d)] = rng.uniform(0.5, 2.0, size=(k, d))
    values = function(*point)
    for mine, reference in zip(values[:5], values[5:], strict=True):
        # relative to the array's size: single entries cancel, in either implementation
        np.testing.assert_allclose(mine, reference, rtol=1e-8, atol=1e-9 * np.abs(reference).max())


@pytest.mark.parametrize("shape", [(2,), (5, 2), (3, 5, 2)])
def test_log_density_has_one_value_per_row(shape):
    true, X = mixture(3, 2), np.random.default_rng(3).normal(size=shape)
    log_density = pm.logp(MvNormalMixture.dist(**arguments(true), shape=shape), X).eval(mode=PYTHON)
    np.testing.assert_allclose(log_density, scipy_log_density(X, true), rtol=1e-12)


def test_numba_mode_is_native_and_equals_python_mode():
    """Object mode would warn, and warnings are errors here."""
    true, X = mixture(2, 3), np.random.default_rng(4).normal(size=(300, 3))
    inputs = [pt.dmatrix("x"), pt.dvector("w"), pt.dmatrix("m"), pt.dtensor3("P")]
    log_density = mixture_log_density(*inputs)[0]
    outputs = [log_density, *pt.grad(log_density.sum(), inputs)]
    point = X, *arguments(true).values()
    results = [pytensor.function(inputs, outputs, mode=mode)(*point) for mode in ("NUMBA", PYTHON)]
    for native, python in zip(*results, strict=True):
        np.testing.assert_allclose(native, python, rtol=1e-13)  # one code; only constants may be folded differently


def test_gradient_at_a_weight_of_zero():
    """In the weights it is the sum of N(x | k) / f(x), also for the component that is not there; and never NaN."""
    true, X = mixture(3, 2), np.random.default_rng(15).normal(size=(5, 2))
    true["weights"] = np.array([0.4, 0.0, 0.6])
    weights = pt.dvector()
    log_density = mixture_log_density_of_weights(X, weights, true["means"], true["precision_chol"])[0]
    gradient = pytensor.function([weights], pt.grad(log_density.sum(), weights), mode=PYTHON)
    parts = np.exp([multivariate_normal(m, c).logpdf(X) for m, c in zip(true["means"], true["cov"], strict=True)])
    expected = (parts / (true["weights"] @ parts)).sum(1)
    np.testing.assert_allclose(gradient(true["weights"]), expected, rtol=1e-10)
    tiny = np.array([0.4, 1e-300, 0.6])  # whose responsibilities leave the range
    np.testing.assert_allclose(gradient(tiny), expected, rtol=1e-10)
    far = {**true, "means": true["means"] + np.array([[1e3], [0.0], [1e3]])}
    log_density = mixture_log_density_of_weights(X, weights, far["means"], far["precision_chol"])[0]
    slope = pytensor.function([weights], pt.grad(log_density.sum(), weights), mode=PYTHON)(true["weights"])
    assert np.isfinite(slope).all() and slope[1] > 1e200  # beyond float64: as large as may be multiplied


def test_log_weights_and_hand_written_sticks():
    """One density by weights and by their logarithms; sticks that leave nothing have finite gradients."""
    true, X = mixture(4, 2, seed=16), np.random.default_rng(17).normal(size=(6, 2))
    odds, fixed = pt.dvector("odds"), {"means": true["means"], "chol": true["chol"], "shape": X.shape}
    log_left = -pt.cumsum(pt.softplus(odds))
    log_weights = pt.concatenate([[0.0], log_left]) - pt.concatenate([pt.softplus(-odds), [0.0]])
    forms = [
        MvNormalMixture.dist(weights=pt.exp(log_weights), **fixed),
        MvNormalMixture.dist(log_weights=log_weights, **fixed),
    ]
    outputs = []
    for form in forms:
        log_density = pm.logp(form, X).sum()
        outputs += [log_density, pt.grad(log_density, odds)]
    function = pytensor.function([odds], outputs, mode=PYTHON)
    for point in (np.array([0.3, -1.0, 2.0]), np.array([-0.5, 800.0, 1.0]), np.array([900.0, 900.0, -900.0])):
        one, slope, other, again = function(point)
        assert np.isfinite(slope).all() and np.isfinite(again).all()
        np.testing.assert_allclose(one, other, rtol=1e-10)
        np.testing.assert_allclose(slope, again, rtol=1e-8, atol=1e-12)
    true["weights"] = np.array([0.5, 0.0, 0.3, 0.2])
    with np.errstate(divide="ignore"):
        logs = np.log(true["weights"])
    dist = MvNormalMixture.dist(log_weights=logs, means=true["means"], chol=true["chol"], shape=(20_000, 2))
    check_moments(pm.draw(dist, random_seed=5, mode=PYTHON), true)
    row_by_row = [draw_row_by_log_weights(RNG, logs, true["means"], true["precision_chol"]) for _ in range(20_000)]
    check_moments(np.array(row_by_row), true)
    with pytest.raises(ParameterValueError, match="sum\\(weights\\) = 1"):
        pm.logp(MvNormalMixture.dist(log_weights=np.zeros(4), **fixed), X).eval(mode=PYTHON)


# --- in a model -------------------------------------------------------------------------------------


def missing(X, mask):
    return np.where(mask, np.nan, X)


@pytest.mark.parametrize("pattern", ["rows", "entries"])
def test_partly_observed_rows(pattern):
    true, rng = mixture(3, 2), np.random.default_rng(5)
    X = rng.normal(size=(6, 2))
    mask = np.zeros(X.shape, bool)
    mask[[1, 4]] = True
    if pattern == "entries":
        mask[1, 0], mask[2, 1] = False, True
    with pytest.warns(ImputationWarning), pm.Model() as model:
        MvNormalMixture("x", **arguments(true), observed=missing(X, mask))
    [unobserved] = model.free_RVs
    guess = rng.normal(size=mask.sum()).reshape(unobserved.eval(mode=PYTHON).shape)
    completed = X.copy()
    completed[mask] = guess.ravel()
    function = model.compile_fn([model.logp(), model.dlogp()], mode=PYTHON)
    value, gradient = function({model.rvs_to_values[unobserved].name: guess})
    assert value == pytest.approx(scipy_log_density(completed, true).sum(), rel=1e-12)
    resp = rows_log_density(completed, np.log(true["weights"]), true["means"], true["precision_chol"])[1]
    full = pull_back_to_rows(completed, true["means"], true["precision_chol"], resp, np.ones(6))
    np.testing.assert_allclose(gradient, full[mask], rtol=1e-10)


def posterior_of(*mixtures):
    """A posterior of one chain, whose draws are known mixtures."""
    return xr.Dataset(
        {name: (("chain", "draw", *map(str, range(np.ndim(mixtures[0][name])))), [[m[name] for m in mixtures]])
         for name in ("weights", "means", "chol")}
    )  # fmt: skip


def flat_model(k, d, **kwargs):
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", np.ones(k))
        means = pm.Normal("means", 0.0, 10.0, shape=(k, d))
        chol = pm.Flat("chol", shape=(k, d, d))
        MvNormalMixture("x", weights, means, chol=chol, **kwargs)
    return model


def test_pointwise_log_likelihood_and_posterior_predictive():
    mixtures = [mixture(3, 2, seed) for seed in (6, 7, 8)]
    X = np.random.default_rng(9).normal(size=(4000, 2))
    posterior = posterior_of(*mixtures)
    with flat_model(3, 2, observed=X):
        pointwise = pm.compute_log_likelihood(
            {"posterior": posterior}, extend_inferencedata=False, progressbar=False, compile_kwargs={"mode": PYTHON}
        )
        predictive = pm.sample_posterior_predictive(
            posterior, random_seed=1, progressbar=False, compile_kwargs={"mode": PYTHON}
        )
    log_likelihood = pointwise["x"].values
    assert log_likelihood.shape == (1, 3, 4000)
    draws = predictive["posterior_predictive"]["x"].values
    assert draws.shape == (1, 3, 4000, 2)
    for s, true in enumerate(mixtures):
        np.testing.assert_allclose(log_likelihood[0, s], scipy_log_density(X, true), rtol=1e-12)
        check_moments(draws[0, s], true)


def check_moments(draws, true):
    """Means and second moments within 5 standard errors, for 5 quantities of some draws: a level below 1e-4."""
    mean = true["weights"] @ true["means"]
    outer = true["means"][:, :, None] * true["means"][:, None, :]
    second = np.tensordot(true["weights"], true["cov"] + outer, 1)
    products = draws[:, :, None] * draws[:, None, :]
    for sample, exact in ((draws, mean), (products, second)):
        standard_error = sample.std(0) / np.sqrt(len(sample))
        assert (np.abs(sample.mean(0) - exact) < 5 * standard_error).all()


@pytest.mark.parametrize("name", ["precision_chol", "chol", "cov"])
def test_prior_predictive_moments(name):
    true = mixture(3, 2, seed=10)
    draws = pm.draw(MvNormalMixture.dist(**arguments(true, name), shape=(20_000, 2)), random_seed=2, mode=PYTHON)
    check_moments(draws, true)


def test_both_samplers_draw_batches_of_mixtures():
    """NumPy's batches, one mixture per row, and the row-wise draw of Numba mode."""
    mixtures, n = [mixture(3, 2, seed) for seed in (11, 12)], 20_000
    stacked = [np.stack([m[name] for m in mixtures])[:, None] for name in ("weights", "means", "precision_chol")]
    draws = MvNormalMixtureRV.rng_fn(np.random.default_rng(3), *stacked, size=(2, n))
    assert draws.shape == (2, n, 2)
    assert MvNormalMixtureRV.rng_fn(np.random.default_rng(3), *stacked, size=None).shape == (2, 1, 2)
    rng = np.random.default_rng(4)
    for s, true in enumerate(mixtures):
        check_moments(draws[s], true)
        row_by_row = np.array([draw_row(rng, *(parameter[s, 0] for parameter in stacked)) for _ in range(n)])
        check_moments(row_by_row, true)


def test_support_point_and_resizing():
    true = mixture(3, 2)
    with pm.Model(coords={"obs": range(4), "feature": ["a", "b"]}) as model:
        x = MvNormalMixture("x", **arguments(true), dims=("obs", "feature"))
    centre = true["weights"] @ true["means"]
    np.testing.assert_allclose(model.initial_point()["x"], np.tile(centre, (4, 1)), rtol=1e-12)
    assert x.shape.eval(mode=PYTHON).tolist() == [4, 2]


# --- what cannot be used ----------------------------------------------------------------------------


def test_one_covariance_argument():
    true = mixture(2, 2)
    with pytest.raises(ArgumentError, match="exactly one of precision_chol=, chol= and cov=.* there is no one of them"):
        MvNormalMixture.dist(true["weights"], true["means"])
    with pytest.raises(ArgumentError, match="these are 2: chol, cov"):
        MvNormalMixture.dist(true["weights"], true["means"], chol=true["chol"], cov=true["cov"])
    for name, words in (("tau", "precision_chol=P"), ("covariances", "cov="), ("sigma", "cov="), ("mu", "means=")):
        with pytest.raises(ArgumentError, match=f"no {name}=.*{words}"):
            MvNormalMixture.dist(true["weights"], true["means"], **{name: np.eye(2)})
    with pytest.raises(ArgumentError, match="exactly one of weights= and log_weights=.* no one of them"):
        MvNormalMixture.dist(means=true["means"], chol=true["chol"])
    with pytest.raises(ArgumentError, match="give means="):
        MvNormalMixture.dist(true["weights"], chol=true["chol"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": np.ones(3) / 3}, r"weights .* \(3,\)"),
        ({"weights": np.ones((2, 2)) / 2}, r"weights .* must have shape \(K,\)"),
        ({"means": np.zeros(2)}, r"means .* must have shape \(K, D\)"),
        ({"chol": np.eye(3)}, r"chol .* \(3, 3\).* \(2, 2\)"),
        ({"chol": np.stack([np.eye(2)] * 3)}, r"chol .* \(3, 2, 2\)"),
        ({"chol": np.ones(2)}, "chol .* must have shape"),
        ({"chol": np.array([[1.0, 0.5], [0.0, 1.0]])}, "lower triangular"),
        ({"shape": (5, 3)}, "last axis of x"),
    ],
)
def test_shapes_and_triangles(change, message):
    with pytest.raises(ArgumentError, match=message):
        MvNormalMixture.dist(**{**arguments(mixture(2, 2), "chol"), **change})


def test_observed_rows_of_the_wrong_length():
    with pm.Model(), pytest.raises(ArgumentError, match="last axis of x"):
        MvNormalMixture("x", **arguments(mixture(2, 2)), observed=np.zeros((5, 3)))


def test_shapes_known_only_when_run():
    x, matrices = pt.dmatrix(), mixture(2, 2)
    parameters = np.log(matrices["weights"]), matrices["means"], matrices["precision_chol"]
    with pytest.raises(ValueError, match="length of the means"):
        mixture_log_density(x, *parameters)[0].eval({x: np.zeros((4, 3))}, mode=PYTHON)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weights", np.array([0.7, 0.7])),
        ("weights", np.array([1.5, -0.5])),
        ("cov", np.array([[1.0, 2.0], [2.0, 1.0]])),
        ("cov", np.diag([1.0, 0.0])),
    ],
)
def test_invalid_values(name, value):
    """An error where the density stands alone, -inf in a model: what PyMC's own distributions do."""
    changed = {**arguments(mixture(2, 2), "cov"), name: value}
    X = np.zeros((3, 2))
    with pytest.raises(ParameterValueError, match="sum\\(weights\\) = 1, positive definite"):
        pm.logp(MvNormalMixture.dist(**changed, shape=X.shape), X).eval(mode=PYTHON)
    with pm.Model() as model:
        MvNormalMixture("x", **changed, observed=X)
    rewriting = Mode(linker="py", optimizer="fast_compile")  # it is a rewrite that makes -inf of the error
    assert model.compile_fn(model.logp(), mode=rewriting)({}) == -np.inf


def test_draws_need_weights_on_the_simplex():
    true = mixture(2, 2)
    for weights in (np.array([0.7, 0.7]), np.array([1.5, -0.5])):
        for draw in (draw_row, lambda *args: MvNormalMixtureRV.rng_fn(*args, size=(3,))):
            with pytest.raises(ValueError, match="weights must be at least 0 and sum to 1"):
                draw(np.random.default_rng(0), weights, true["means"], true["precision_chol"])


def test_no_second_derivatives():
    means, true = pt.dmatrix(), mixture(2, 2)
    value = pm.logp(
        MvNormalMixture.dist(true["weights"], means, chol=true["chol"], shape=(1, 2)), np.zeros((1, 2))
    ).sum()
    with pytest.raises(NotImplementedError, match="no second derivatives"):
        pt.grad(pt.grad(value, means).sum(), means)


# --- sampling ---------------------------------------------------------------------------------------


def nuts(model, sampler, draws, seed):
    """Posterior draws of the model, by name: arrays of (draws, ...)."""
    options = {"draws": draws, "tune": 300, "chains": 1, "cores": 1, "random_seed": seed, "progressbar": False}
    with model:
        trace = pm.sample(nuts_sampler=sampler, **options)
    return {name: variable.values[0] for name, variable in trace["posterior"].data_vars.items()}


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["nutpie"])  # the next test has both
@pytest.mark.filterwarnings("ignore:Only one chain was sampled", "ignore:.*number of samples", "ignore:.*jitter")
def test_sampling_observed_rows(sampler):
    """Two clusters far apart: the posterior of the means is known from the rows of each."""
    rng = np.random.default_rng(13)
    left, right = rng.normal(-8.0, 1.0, (150, 2)), rng.normal(8.0, 1.0, (50, 2))
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", np.ones(2))
        means = pm.Normal("means", 0.0, 100.0, shape=(2, 2), initval=[[-8.0, -8.0], [8.0, 8.0]])
        MvNormalMixture("x", weights, means, chol=np.eye(2), observed=np.vstack([left, right]))
    draws = nuts(model, sampler, 400, seed=1)
    # 400 draws of a nearly normal posterior count at least 100: five standard errors are half a posterior deviation
    expected = np.stack([left.mean(0), right.mean(0)])
    deviation = np.array([[1 / np.sqrt(150)], [1 / np.sqrt(50)]])
    assert (np.abs(draws["means"].mean(0) - expected) < 0.5 * deviation).all()
    np.testing.assert_allclose(draws["means"].std(0), np.broadcast_to(deviation, (2, 2)), rtol=0.4)
    assert draws["weights"][:, 0].mean() == pytest.approx(151 / 202, abs=0.5 * np.sqrt(0.75 * 0.25 / 203))


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["pymc", "nutpie"])
@pytest.mark.filterwarnings("ignore:Only one chain was sampled", "ignore:.*number of samples", "ignore:.*jitter")
def test_sampling_missing_entries(sampler):
    """x_2 given x_1 under a mixture of two normals has a mean in closed form."""
    true = {
        "weights": np.array([0.4, 0.6]),
        "means": np.array([[-1.0, -1.0], [1.0, 1.0]]),
        "cov": np.array([[[1.0, 0.6], [0.6, 1.0]], [[1.0, -0.3], [-0.3, 0.8]]]),
    }
    first = np.array([-1.5, 0.0, 1.2])
    with pytest.warns(ImputationWarning), pm.Model() as model:
        MvNormalMixture("x", **true, observed=np.column_stack([first, np.full(3, np.nan)]))
    draws = nuts(model, sampler, 4000, seed=2)["x_unobserved"]
    resp = true["weights"] * np.exp(-0.5 * (first[:, None] - true["means"][:, 0]) ** 2)  # both variances of x_1 are 1
    resp /= resp.sum(1, keepdims=True)
    conditional = true["means"][:, 1] + true["cov"][:, 0, 1] * (first[:, None] - true["means"][:, 0])
    exact = (resp * conditional).sum(1)
    # at least 500 effective draws of 4000: 5 standard errors
    assert (np.abs(draws.mean(0) - exact) < 5 * draws.std(0) / np.sqrt(500)).all()


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["pymc", "nutpie"])
@pytest.mark.filterwarnings("ignore:Only one chain was sampled", "ignore:.*number of samples", "ignore:.*jitter")
def test_sampling_a_latent_row(sampler):
    true = mixture(2, 2, seed=14)
    true["means"] *= 0.5  # one mode, so that a short chain is a good one
    with pm.Model() as model:
        MvNormalMixture("x", **arguments(true, "cov"), shape=(2, 2))
    draws = nuts(model, sampler, 4000, seed=3)["x"]
    exact = true["weights"] @ true["means"]
    assert (np.abs(draws.mean(0) - exact) < 5 * draws.std(0) / np.sqrt(500)).all()
