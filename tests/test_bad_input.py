"""Bad input at the front door: one clear error each, before any fitting, or the right result where it is harmless."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from testbed.cases import STRUCTURES, blobs

import bayesgmm as bg
from bayesgmm.core import spread as measured
from bayesgmm.models import spread

X = blobs(seed=2, n=30)
I2 = np.eye(2)
CONSTANT = np.column_stack([X, np.full(30, 7.0)])
TWIN = np.column_stack([X, X[:, 0]])
DEPENDENT = np.column_stack([X, X.sum(1)])
METHODS = {"EM": bg.EM(n_init=2), "MAP": bg.MAP(n_init=2), "VB": bg.VB(n_init=2)}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def never(*_):
    raise AssertionError("fitting had begun")


def refused(kind, message, data=X, method=None, k=2, covariance="full", **model):
    """The call fails with that error, in one sentence or a few, before the method says that it began."""
    with pytest.raises(kind, match=message) as caught:
        bg.fit(bg.GaussianMixture(k, covariance, **model), data, method or bg.EM(), rng=0, progress=never)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and len(text) < 420
    return text


def entry(value):
    bad = X.copy()
    bad[4, 1] = value
    return bad


DATA = {
    "NaN": (entry(np.nan), r"Row 4 \(counted from 0\) of column 'x1' is NaN"),
    "infinity": (entry(np.inf), "Row 4 .* 'x1' is infinity"),
    "named": (pd.DataFrame(entry(np.nan), columns=["length", "width"]), "Row 4 .* 'width' is NaN"),
    "single precision": (entry(np.nan).astype(np.float32), "Row 4 .* 'x1' is NaN"),
    "text column": (pd.DataFrame({"a": X[:, 0], "who": ["x"] * 30}), "Column 'who' .* not hold real numbers"),
    "one-dimensional": (X[:, 0], r"one-dimensional .* X\.reshape\(-1, 1\)"),
    "empty": (np.empty((0, 2)), "X has no rows"),
    "no columns": (np.empty((5, 0)), "X has no columns"),
    "fewer points than components": (X[:1], "2 components need at least 2 points and there is 1 point"),
}


@pytest.mark.parametrize(("data", "message"), DATA.values(), ids=DATA)
@every_method
def test_data_that_cannot_be_used(data, message, method):
    refused(bg.DataError, message, data, method)


@pytest.mark.parametrize("data", [X[:, 0], entry(np.nan), CONSTANT, [["a", "b"]]], ids=["1-D", "NaN", "other", "text"])
def test_new_data_that_cannot_be_used(data):
    fit = bg.fit(bg.GaussianMixture(2), X, bg.EM(n_init=1), rng=0)
    for ask in (fit.log_density, fit.log_density_draws, fit.responsibilities, fit.predict, fit.refit):
        with pytest.raises(
            bg.DataError, match="one-dimensional|is NaN|3 columns and this fit was made on 2: x0, x1|text"
        ):
            ask(data)


def test_refit_on_too_few_points():
    fit = bg.fit(bg.GaussianMixture(3, "isotropic"), X, bg.VB(n_init=1), rng=0)
    with pytest.raises(bg.DataError, match="3 components need at least 3 points and there are 2 points"):
        fit.refit(X[:2])


# Which columns each structure can live with: the others get an error that names them.
FULL, SEPARATE = ("full", "tied"), ("diagonal", "shared_diagonal")
SINGULAR = {
    "constant": (CONSTANT, (*FULL, *SEPARATE), "Column 'x2' is constant"),
    "twin": (TWIN, FULL, "Columns 'x0' and 'x2' are equal"),
    "dependent": (DEPENDENT, FULL, "Columns 'x0', 'x1', 'x2' are linearly dependent"),
    "all constant": (np.tile([3.0, 4.0], (9, 1)), STRUCTURES, "Columns 'x0', 'x1' are constant"),
    "few points": (X[:2], FULL, "2 rows do not determine the covariance of 2 columns: give more rows"),
}


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("kind", SINGULAR)
@every_method
@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")  # two points, two components: collapsed, it says
def test_singular_data_by_structure(structure, kind, method):
    data, refusing, message = SINGULAR[kind]
    if structure in refusing:
        text = refused(bg.DataError, message, data, method, covariance=structure)
        assert "prior=NormalInverseWishart(scale=...)" in text
        is_helpful = kind != "all constant" and structure in (*FULL, *SEPARATE)
        assert ("choose covariance=" in text) == is_helpful
    else:
        fit = bg.fit(bg.GaussianMixture(2, structure), data, method, rng=0)
        assert np.isfinite(fit.log_density(data)).all() and np.diff(fit.history).min() > -1e-9


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("kind", SINGULAR)
@pytest.mark.parametrize("method", [bg.MAP(n_init=2), bg.VB(n_init=2)], ids=["MAP", "VB"])
def test_with_a_scale_the_bayesian_methods_need_no_spread(structure, kind, method):
    data = SINGULAR[kind][0]
    d = data.shape[1]
    scale = {"full": np.eye(d), "tied": np.eye(d), "diagonal": np.ones(d), "shared_diagonal": np.ones(d)}.get(
        structure, 1.0
    )
    model = bg.GaussianMixture(2, structure, prior=bg.NormalInverseWishart(scale=scale))
    fit = bg.fit(model, data, method, rng=0)
    assert fit.status.is_converged and np.isfinite(fit.log_density(data)).all()


@every_method
def test_any_units_that_float64_can_square(method):
    fit = bg.fit(bg.GaussianMixture(2), X, method, rng=0)
    for factor in (1e-150, 1e150):
        found = bg.fit(bg.GaussianMixture(2), X * factor, method, rng=0)
        assert np.allclose(found.params.means / factor, fit.params.means, atol=1e-6)
    refused(bg.DataError, "their squares leave the range of float64: use larger units", X * 1e160, method)


RANGES = {
    "all small": (
        1e-165,
        "column 'x0' vary so little .* leave the range of float64: use smaller units, .* 1e16[0-9] times",
    ),
    "subnormal": (1e-312, "column 'x0' vary so little .* use smaller units"),
    "one small": (np.array([1.0, 1e-165]), "column 'x1' vary so little"),
    "one large": (
        np.array([1.0, 1e160]),
        r"column 'x1' are so large \(-?[0-9.]+e\+16[0-9] in row .*: use larger units",
    ),
    "largest": (1e306, "are so large .* use larger units"),
}


@pytest.mark.parametrize(("factor", "message"), RANGES.values(), ids=RANGES)
@pytest.mark.parametrize("covariance", ["full", "diagonal", "spherical"])
@pytest.mark.parametrize("method", [*METHODS.values(), bg.Gibbs(draws=20, tune=20)], ids=[*METHODS, "Gibbs"])
def test_units_that_float64_cannot_square(factor, message, covariance, method):
    if covariance == "spherical" and np.ndim(factor) == 1 and factor.min() < 1:
        fit = bg.fit(
            bg.GaussianMixture(1, covariance), X * factor, bg.EM(n_init=1), rng=0
        )  # one variance of all columns
        assert np.isfinite(fit.log_likelihood)
    else:
        refused(bg.DataError, message, X * factor, method, covariance=covariance)


def test_one_row_that_float64_cannot_square_is_named():
    text = refused(bg.DataError, "so large", entry(-1e200))
    assert "-1e+200 in row 4, counted from 0" in text and text.endswith("or correct that row.")
    scale = bg.NormalInverseWishart(mean=np.zeros(2), scale=I2)  # nothing is to come from the data
    for method in (bg.MAP(), bg.VB()):
        refused(bg.DataError, "-1e\\+200 in row 4", entry(-1e200), method, prior=scale)
        refused(bg.DataError, "-1e\\+200 in row 1", np.array([[1.0, 2.0], [0.0, -1e200]]), method, prior=scale)


@pytest.mark.parametrize("structure", ["full", "tied", "diagonal", "spherical"])
@pytest.mark.parametrize("value", [1e140, 1e155, 1e200, 1.7e308])
@pytest.mark.parametrize("kind", ["EM", "VB", "Gibbs"])
def test_shares_sum_to_one_or_an_error_names_the_row(kind, value, structure):
    """A point beyond 1e154 standard deviations has no squared distance; only a heavy tail can tell how far it is."""
    fit = _good_fit(kind, structure)
    data = np.concatenate([X[:2], [[value, -value], [value, value]], X[2:4]])
    log_density = fit.log_density(data)
    assert not np.isnan(log_density).any() and (log_density[2:4] < -1e3).all()
    assert np.array_equal(log_density[[0, 1, 4, 5]], fit.log_density(X[:4]))
    if kind == "VB" or value < 1e150:
        assert np.isfinite(log_density).all() and np.allclose(fit.responsibilities(data).sum(1), 1.0, atol=1e-12)
        assert fit.predict(data).shape == (6,)
    else:
        assert (log_density[2:4] == -np.inf).all()
        for ask in (fit.responsibilities, fit.predict):
            with pytest.raises(
                bg.DataError, match=r"Row 2 \(counted from 0\) \(the first of 2 such rows\) lies so far"
            ):
                ask(data)


@cache
def _good_fit(kind, structure):
    method = bg.Gibbs(draws=20, tune=20, chains=1) if kind == "Gibbs" else METHODS[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bg.NotConvergedWarning)
        fit = bg.fit(bg.GaussianMixture(2, structure), X, method, rng=0)
    return bg.relabel(fit) if kind == "Gibbs" else fit


@pytest.mark.parametrize("structure", ["full", "diagonal", "spherical"])
def test_the_tail_of_a_variational_density_far_out(structure):
    """log p falls by a straight line in log |x|, where squares overflow as where they do not."""
    fit = _good_fit("VB", structure)
    distances = np.array([1e90, 1e120, 1e150, 1e180, 1e210, 1e240])
    log_density = fit.log_density(distances[:, None] * np.array([1.0, -0.5]))
    steps = np.diff(log_density)
    assert steps[0] < -1e3 and np.allclose(steps, steps[0], rtol=1e-12)


@pytest.mark.parametrize("structure", FULL)
@pytest.mark.parametrize("method", [*METHODS.values(), bg.Gibbs(), bg.NUTS()], ids=[*METHODS, "Gibbs", "NUTS"])
def test_too_few_rows_for_a_full_covariance_are_counted_and_nothing_else_is_done(monkeypatch, structure, method):
    def begun(*_):
        raise AssertionError("something was computed")

    for module in (measured, spread):
        monkeypatch.setattr(module, "sweep" if module is measured else "explain_singular", begun)
    data = np.random.default_rng(0).normal(size=(20, 20))
    refused(bg.DataError, "^20 rows do not determine the covariance of 20 columns", data, method, covariance=structure)


@pytest.mark.parametrize("structure", ["diagonal", "shared_diagonal", "spherical", "isotropic"])
def test_other_structures_need_no_more_rows_than_columns(structure):
    data = np.random.default_rng(0).normal(size=(10, 20))
    fit = bg.fit(bg.GaussianMixture(1, structure), data, bg.MAP(n_init=1), rng=0)
    assert fit.status.is_converged


def test_em_has_no_prior_to_lean_on():
    refused(bg.DataError, "a method with a prior", X[:2], prior=bg.NormalInverseWishart(scale=I2))


@pytest.mark.parametrize("k", [0, -1, 2.5, "2", None, True, np.nan], ids=str)
def test_number_of_components(k):
    with pytest.raises(bg.ArgumentError, match="n_components=.* must be an integer of at least 1"):
        bg.GaussianMixture(k)


MODELS = {
    "covariance name": ({"covariance": "fulll"}, "covariance='fulll' must be one of 'full', 'tied', .* such as Full()"),
    "covariance class": ({"covariance": bg.Full}, "must be one of 'full', 'tied'"),
    "weights": ({"weights": [1, 1]}, r"weights=\[1, 1\] must be an object such as Dirichlet\(\)"),
    "prior class": ({"prior": bg.NormalInverseWishart}, r"must be an object such as NormalInverseWishart\(\)"),
}


@pytest.mark.parametrize(("options", "message"), MODELS.values(), ids=MODELS)
def test_model_arguments(options, message):
    with pytest.raises(bg.ArgumentError, match=message):
        bg.GaussianMixture(2, **options)


@pytest.mark.parametrize("value", [0, -1, [1, -1], [[1, 1]], [], np.nan, np.inf, "many", None], ids=str)
def test_concentrations(value):
    with pytest.raises(bg.ArgumentError, match="Dirichlet.*concentration"):
        bg.Dirichlet(value)


PRIORS = {
    "mean of another length": ({"mean": np.zeros(3)}, r"mean=.* has shape \(3,\); it must be \(2,\), .* or \(2, 2\)"),
    "one number as mean": ({"mean": 0.0}, r"mean=.* has shape \(\)"),
    "mean NaN": ({"mean": [0, np.nan]}, "mean=.* must be finite"),
    "mean text": ({"mean": "origin"}, "mean='origin' must be a number or a rectangular array"),
    "means of other components": ({"mean": np.zeros((3, 2))}, r"has shape \(3, 2\)"),
    "precision zero": ({"mean_precision": 0}, "mean_precision=0.0.*positive"),
    "precision negative": ({"mean_precision": [1, -1]}, "mean_precision=.*positive"),
    "precisions of other components": ({"mean_precision": [1, 1, 1]}, "for each of the 2 components"),
    "dof too low": ({"dof": 1}, "dof=1.*with covariance='full' and 2 columns it must be one number above 1"),
    "dof NaN": ({"dof": np.nan}, "dof=.* must be finite"),
    "dof of each": ({"dof": [4, 4]}, "must be one number above 1"),
    "dof text": ({"dof": "few"}, "dof='few' must be a number"),
    "scale a number": ({"scale": 1.0}, r"scale=.* has shape \(\); .* it must be \(2, 2\) or \(2, 2, 2\)"),
    "scale a vector": ({"scale": [1.0, 1.0]}, r"has shape \(2,\)"),
    "scale of other columns": ({"scale": np.eye(3)}, r"has shape \(3, 3\)"),
    "scale of other components": ({"scale": np.stack([I2] * 3)}, r"has shape \(3, 2, 2\)"),
    "scale negative": ({"scale": -I2}, "symmetric and positive definite"),
    "scale singular": ({"scale": np.ones((2, 2))}, "symmetric and positive definite"),
    "scale lopsided": ({"scale": [[1, 0.5], [0, 1]]}, "symmetric and positive definite"),
    "scale NaN": ({"scale": I2 * np.nan}, "scale=.* must be finite"),
    "all given and wrong": ({"mean": np.zeros(3), "scale": np.eye(3)}, "shape .3,. and the data 2 columns"),
}


@pytest.mark.parametrize(("constants", "message"), PRIORS.values(), ids=PRIORS)
def test_prior_constants(constants, message):
    refused(bg.ArgumentError, message, method=bg.VB(), prior=bg.NormalInverseWishart(**constants))


@pytest.mark.parametrize(
    ("structure", "scale", "message"),
    [
        ("tied", np.stack([I2, I2]), r"\(2, 2\) or \(1, 2, 2\)"),
        ("diagonal", np.eye(3), r"\(2,\) or \(2, 2\) or one number"),
        ("diagonal", -1.0, "must be positive"),
        ("spherical", I2, r"\(1,\) or \(2, 1\) or one number"),
        ("isotropic", [1.0, 1.0], r"\(1,\) or \(1, 1\) or one number"),
        ("isotropic", 0.0, "must be positive"),
    ],
)
def test_scales_by_structure(structure, scale, message):
    prior = bg.NormalInverseWishart(scale=scale)
    refused(bg.ArgumentError, message, method=bg.VB(), covariance=structure, prior=prior)


def test_as_many_concentrations_as_components():
    refused(bg.ArgumentError, "3 concentrations and the mixture 2 components", weights=bg.Dirichlet([1, 1, 1]))


HALF, MEANS, COVARIANCES = [0.5, 0.5], np.zeros((2, 2)), np.stack([I2, I2])
PARAMS = {
    "negative weight": (([-0.5, 1.5], MEANS, COVARIANCES), r"weights\[0\] is -0.5"),
    "weights sum": (([0.5, 0.6], MEANS, COVARIANCES), "weights sum to 1.1"),
    "mis-shaped weights": (([0.2, 0.3, 0.5], MEANS, COVARIANCES), r"weights have shape \(3,\) and means \(2, 2\)"),
    "weight NaN": (([np.nan, 0.5], MEANS, COVARIANCES), r"weights\[0\] is nan"),
    "weights text": ((["a", "b"], MEANS, COVARIANCES), "must be a number or a rectangular array"),
    "no components": (([], np.zeros((0, 2)), np.zeros((0, 2, 2))), "weights sum to 0"),
    "mis-shaped means": ((HALF, np.zeros(2), COVARIANCES), r"must be \(\.\.\., K\) and \(\.\.\., K, D\)"),
    "means NaN": ((HALF, MEANS * np.nan, COVARIANCES), "means hold NaN"),
    "ragged means": ((HALF, [[1], [1, 2]], COVARIANCES), "means=.* rectangular"),
    "mis-shaped covariances": ((HALF, MEANS, I2), r"covariances have shape \(2, 2\); .* must be \(2, 2, 2\)"),
    "not positive definite": ((HALF, MEANS, np.stack([I2, -I2])), r"covariances\[1\] is not positive definite"),
    "singular": ((HALF, MEANS, np.stack([I2, np.ones((2, 2))])), r"covariances\[1\] is not positive definite"),
    "lopsided": ((HALF, MEANS, np.stack([I2, [[1, 0.5], [0, 1]]])), r"covariances\[1\] is not symmetric"),
    "covariances NaN": ((HALF, MEANS, COVARIANCES * np.nan), r"covariances\[0\] holds NaN"),
    "nothing but means": ((HALF, MEANS), "exactly one of covariances= and precision_chol="),
}


@pytest.mark.parametrize(("arguments", "message"), PARAMS.values(), ids=PARAMS)
def test_given_parameters(arguments, message):
    with pytest.raises(bg.ArgumentError, match=message):
        bg.MixtureParams(*arguments)


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (np.stack([[[1.0, 0.0], [1.0, 1.0]]] * 2), "must be upper triangular"),
        (-COVARIANCES, "positive diagonal"),
        (I2[:, :1], r"precision_chol has shape \(2, 1\)"),
    ],
)
def test_given_precision_factors(factor, message):
    with pytest.raises(bg.ArgumentError, match=message):
        bg.MixtureParams(HALF, MEANS, precision_chol=factor)


def test_a_positive_definite_matrix_is_one_in_any_units():
    units = np.diag([1e-9, 1e9])
    params = bg.MixtureParams([1.0], [[0.0, 0.0]], [units @ [[2.0, 1.0], [1.0, 2.0]] @ units])
    assert np.allclose(params.covariances[0] / np.outer(np.diag(units), np.diag(units)), [[2, 1], [1, 2]])
    with pytest.raises(bg.ArgumentError, match="not positive definite"):
        bg.MixtureParams([1.0], [[0.0, 0.0]], [units @ [[2.0, 2.0], [2.0, 2.0]] @ units])


@pytest.mark.parametrize("init", ["kmean", 5, None, ["kmeans"], HALF, X], ids=lambda v: str(v)[:8])
@pytest.mark.parametrize("method", [bg.EM, bg.MAP, bg.VB])
def test_init(init, method):
    """What may be labels or responsibilities is refused where it is not of these rows."""
    words = r"must be one of 'kmeans', 'kmeans\+\+', 'random', 'portfolio', a MixtureParams, a fit, labels \(n,\)"
    with pytest.raises(bg.ArgumentError, match=f"init=.* {words}|sum to one|holds . rows and . components"):
        bg.fit(bg.GaussianMixture(2), X, method(init=init))


def start(weights=HALF, covariances=COVARIANCES):
    return bg.MixtureParams(weights, X[:2], covariances)


@every_method
def test_starts_that_do_not_fit(method):
    kind, wrong = type(method), "init has 2 components of 2 features; .* one mixture of"
    refused(bg.ArgumentError, f"{wrong} 3 components of 2", k=3, method=kind(init=start()))
    refused(bg.ArgumentError, f"{wrong} 2 components of 1", X[:, :1], method=kind(init=start()))
    correlated = start(covariances=[[[1, 0.5], [0.5, 1]]] * 2)
    refused(bg.ArgumentError, "init has correlated", method=kind(init=correlated), covariance="diagonal")


OPTIONS = [{"max_iter": v} for v in (0, 2.5, None, "all")]
OPTIONS += [{name: v} for name in ("tol", "param_tol") for v in (-1, "small", np.nan, [1e-3], True)]
OPTIONS += [{"n_init": v} for v in (0, 1.5, None, True)]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("method", [bg.EM, bg.MAP, bg.VB])
def test_options(options, method):
    (name,) = options
    with pytest.raises(bg.ArgumentError, match=f"{name}=.* must be"):
        method(**options)


@pytest.mark.parametrize("floor", [0, -1, 1, 2, None, "low", np.nan, True], ids=str)
def test_floor(floor):
    with pytest.raises(bg.ArgumentError, match="floor=.* must be a number of at least 1e-12 and below 1"):
        bg.EM(floor=floor)


@pytest.mark.parametrize("method", [bg.EM, "em", None, 3], ids=str)
def test_methods_are_objects(method):
    with pytest.raises(bg.ArgumentError, match=r"method=.* must be a method object such as EM\(\)"):
        bg.fit(bg.GaussianMixture(2), X, method)


@pytest.mark.parametrize("model", [2, "full", bg.GaussianMixture, None, X], ids=lambda v: str(type(v)))
def test_models_are_objects(model):
    with pytest.raises(
        bg.ArgumentError, match=r"model=.* must be a model object such as GaussianMixture\(n_components=2\)"
    ):
        bg.fit(model, X, bg.EM())


@pytest.mark.parametrize("rng", ["a", -1, 1.5, True, np.random.RandomState(0), [1]], ids=str)
def test_seeds(rng):
    fit = bg.fit(bg.GaussianMixture(2), X, bg.EM(n_init=1), rng=0)
    for ask in (lambda: bg.fit(fit.model, X, bg.EM(), rng=rng), lambda: fit.refit(X, rng), lambda: fit.sample(3, rng)):
        with pytest.raises(bg.ArgumentError, match="must be a numpy Generator, a non-negative int seed or None"):
            ask()


@pytest.mark.parametrize("n", [-1, 2.5, "a", None, True], ids=str)
def test_sample_sizes(n):
    fit = bg.fit(bg.GaussianMixture(2), X, bg.EM(n_init=1), rng=0)
    with pytest.raises(bg.ArgumentError, match="n=.* must be an integer of at least 0"):
        fit.sample(n)


def test_every_error_is_also_of_pythons_own_kind():
    """So that code that knows nothing of this package can catch them."""
    assert issubclass(bg.DataError, ValueError) and issubclass(bg.ArgumentError, ValueError)
    assert issubclass(bg.FitError, RuntimeError) and issubclass(bg.NotApplicableError, TypeError)
    for kind in (bg.DataError, bg.ArgumentError, bg.FitError, bg.NotApplicableError):
        assert issubclass(kind, bg.BayesGMMError)


@pytest.mark.parametrize("model", [bg.DirichletProcessMixture, bg.MixtureOfFiniteMixtures])
@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ({"mean": np.zeros((2, 2))}, r"shape \(2, 2\);.* it must be \(2,\), one mean for all\.$"),
        ({"mean": np.zeros(3)}, r"shape \(3,\);.* it must be \(2,\), one"),
        ({"mean_precision": [1, 2]}, "it must be one number, one"),
        ({"scale": np.stack([I2] * 5)}, r"it must be \(2, 2\), one"),
    ],
)
def test_a_prior_that_all_components_share_has_one_form(model, constants, message):
    with pytest.raises(bg.ArgumentError, match=message):
        bg.fit(model(2, prior=bg.NormalInverseWishart(**constants)), X, bg.Gibbs(), rng=0)
