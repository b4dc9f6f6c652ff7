"""Marginals and conditionals: against integrals, quotients of densities and draws, for every kind of fit."""

import numpy as np
import pytest
from scipy.integrate import quad, trapezoid
from testbed.cases import blobs, random_spd

import bayesgmm as bg
from bayesgmm.core.student import StudentMixture

X = blobs(n=120, d=3, k=2, apart=2.0)
RNG = np.random.default_rng(5)
WEIGHTS, MEANS = np.array([0.5, 0.3, 0.2]), RNG.normal(size=(3, 3))
COVARIANCES = np.stack([random_spd(RNG, 3) for _ in range(3)])
FACTORS = bg.MixtureParams(WEIGHTS, MEANS, COVARIANCES).precision_chol
DIAGONALS = 1.0 / np.sqrt(np.diagonal(COVARIANCES, axis1=1, axis2=2))
MIXTURES = {
    "Gaussian": bg.MixtureParams(WEIGHTS, MEANS, COVARIANCES),
    "diagonal": bg.MixtureParams(WEIGHTS, MEANS, precision_chol=DIAGONALS),
    "Student": StudentMixture(WEIGHTS, MEANS, FACTORS, np.array([2.5, 6.0, 40.0])),
    "round Student": StudentMixture(WEIGHTS, MEANS, DIAGONALS[:, :1] * np.ones(3), np.array([3.0, 6.0, 40.0])),
    "products of Student": StudentMixture(WEIGHTS, MEANS, DIAGONALS, RNG.uniform(2.5, 20.0, (3, 3))),
}
every = pytest.mark.parametrize("mixture", MIXTURES.values(), ids=MIXTURES)


@every
def test_a_marginal_is_the_integral_over_the_other_columns(mixture):
    """Over the whole line: what a quadrature finds to 1e-8."""
    points = np.array([[0.3, -1.0], [2.0, 0.5]])
    found = np.exp(mixture.marginal([2, 0]).log_density(points))
    for (third, first), density in zip(points, found, strict=True):

        def at(y, first=first, third=third):
            return np.exp(mixture.log_density(np.array([[first, y, third]]))[0])

        value = quad(at, -np.inf, np.inf)[0]
        assert density == pytest.approx(value, rel=1e-6)


@every
@pytest.mark.parametrize("given", [{1: 0.7}, {2: -0.4, 0: 1.1}])
def test_a_conditional_is_the_quotient_of_the_densities(mixture, given):
    rest = [j for j in range(3) if j not in given]
    points = np.random.default_rng(0).normal(scale=3.0, size=(20, 3))
    points[:, list(given)] = list(given.values())
    quotient = mixture.log_density(points) - mixture.marginal(list(given)).log_density(points[:, list(given)])
    np.testing.assert_allclose(mixture.conditional(given).log_density(points[:, rest]), quotient, rtol=1e-9, atol=1e-9)


@every
def test_a_conditional_of_one_column_is_its_distribution(mixture):
    """Its distribution function integrates its density, its quantiles invert that, and draws follow it."""
    one = bg.Mixture(mixture, ["a", "b", "c"]).conditional({"a": 0.5, "c": 1.0})
    assert one.feature_names == ("b",)
    levels = np.array([0.001, 0.2, 0.5, 0.9, 0.999])
    ends = one.quantile(levels)
    np.testing.assert_allclose(one.cdf(ends), levels, rtol=1e-9)
    grid = np.linspace(ends[1], ends[3], 4001)
    area = trapezoid(np.exp(one.log_density(grid[:, None])), grid)
    assert area == pytest.approx(0.7, abs=1e-5)  # of the rule, with this step
    draws = one.sample(4000, rng=1)[:, 0]
    shares = [np.mean(draws <= end) for end in ends]
    np.testing.assert_allclose(shares, levels, atol=4.5 * np.sqrt(0.25 / 4000))  # standard errors
    assert one.interval(0.7) == pytest.approx(one.quantile([0.15, 0.85]))


def test_moments_are_those_of_draws():
    """Of components with enough degrees of freedom for the error of a variance."""
    student = StudentMixture(WEIGHTS, MEANS, FACTORS, np.array([12.0, 9.0, 40.0]))
    for components in (MIXTURES["Gaussian"], MIXTURES["diagonal"], student):
        mixture = bg.Mixture(components)
        draws = mixture.sample(40_000, rng=2)
        scale = np.sqrt(np.diag(mixture.covariance()))
        assert (np.abs(draws.mean(0) - mixture.mean()) < 5 * scale / 200).all()
        error = np.abs(np.cov(draws.T) - mixture.covariance()) / np.outer(scale, scale)
        assert error.max() < 5 * np.sqrt(3.0 / 40_000)  # of a product whose fourth moment is at most thrice the square
    heavy = bg.Mixture(StudentMixture(WEIGHTS, MEANS, FACTORS, np.array([1.0, 2.0, 9.0])))
    assert np.isnan(heavy.mean()).all() and np.isinf(np.diag(heavy.covariance())).all()


FITS = {
    "point": lambda: bg.fit(bg.GaussianMixture(2), X, bg.EM(n_init=2, moves=0), rng=0),
    "diagonal variational": lambda: bg.fit(bg.GaussianMixture(2, "diagonal"), X, bg.VB(n_init=2), rng=0),
    "variational": lambda: bg.fit(bg.GaussianMixture(2), X, bg.VB(n_init=2), rng=0),
    "tied variational": lambda: bg.fit(bg.GaussianMixture(2, "tied"), X, bg.VB(n_init=2), rng=0),
    "draws": lambda: bg.fit(
        bg.GaussianMixture(2), X, bg.Gibbs(draws=25, tune=50, chains=2), rng=0, throw=False
    ),
}  # fmt: skip


@pytest.mark.parametrize("make", FITS.values(), ids=FITS)
@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")
def test_every_kind_of_fit(make):
    """The whole is the fit's own density; the parts are quotients of it."""
    fit = make()
    np.testing.assert_allclose(fit.predictive().log_density(X), fit.log_density(X), rtol=1e-10, atol=1e-10)
    given = {"x2": float(X[3, 2]), 0: float(X[3, 0])}
    expected = fit.log_density(X[3:4]) - fit.marginal(["x2", "x0"]).log_density(X[3:4, [2, 0]])
    assert fit.conditional(given).log_density(X[3:4, 1:2]) == pytest.approx(expected, abs=1e-9)
    assert fit.conditional(given).sample(3, rng=0).shape == (3, 1)


def test_draws_count_by_what_they_give_to_the_values():
    """Two draws, of which one knows the value and the other does not."""
    params = bg.MixtureParams(np.ones((2, 1)), [[[0.0, -5.0]], [[10.0, 5.0]]], np.ones((2, 1, 1, 1)) * np.eye(2))
    assert params.pooled().weights.tolist() == [0.5, 0.5]
    found = bg.Mixture(params.pooled()).conditional({"x0": 10.0})
    assert found.mean()[0] == pytest.approx(5.0) and params.conditional({0: 10.0}).means.ravel().tolist() == [-5.0, 5.0]


def test_nearly_dependent_columns_and_far_values():
    """With a correlation of 1 - 1e-12 the conditional deviation is 1.4e-6, and is known to some digits."""
    rho = 1.0 - 1e-12
    params = bg.MixtureParams([1.0], [[0.0, 0.0]], [[[1.0, rho], [rho, 1.0]]])
    found = params.conditional({0: 2.0})
    assert found.means[0, 0] == pytest.approx(2.0) and found.covariances[0, 0, 0] == pytest.approx(2e-12, rel=1e-3)
    units = bg.MixtureParams([1.0], [[1e8, 0.0]], [[[1e16, 0.5e4], [0.5e4, 1e-8]]])
    assert units.conditional({0: 3e8}).means[0, 0] == pytest.approx(1e-4)
    far = MIXTURES["Gaussian"].conditional({0: 1e6})
    assert far.weights.sum() == pytest.approx(1.0) and np.isfinite(far.means).all()
    with pytest.raises(bg.ArgumentError, match=r"must be \(n, 3\)"):
        MIXTURES["Gaussian"].log_density([[1.0]])
    with pytest.raises(bg.ArgumentError, match="lies so far from every component"):
        MIXTURES["Gaussian"].conditional({0: 1e200})


def test_columns_whose_names_are_numbers_are_meant_by_them():
    mixture = bg.Mixture(MIXTURES["Gaussian"], [1, 2, 3])
    assert mixture.marginal(1).feature_names == ("1",) and mixture.marginal([3, "2"]).feature_names == ("3", "2")
    assert mixture.marginal(0).feature_names == ("1",) and mixture.conditional({2: 0.0}).feature_names == ("1", "3")
    assert bg.Mixture(MIXTURES["Gaussian"]).marginal(np.int64(1)).feature_names == ("x1",)


@pytest.mark.parametrize("name", ["Gaussian", "Student"])
@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda m: m.marginal("d"), "no column 'd': the columns are 'a', 'b', 'c'"),
        (lambda m: m.marginal([0, 3]), "no column 3: the columns, counted from 0, are 'a', 'b', 'c'"),
        (lambda m: m.marginal(None), "column=None must be an integer"),
        (lambda m: m.marginal(1.0), "column=1.0 must be an integer"),
        (lambda m: m.conditional({}), "names no column"),
        (lambda m: m.conditional({"a": "x"}), r"given\['a'\]='x' must be a finite number"),
        (lambda m: m.conditional({"a": [1.0, 2.0]}), r"given\['a'\]=\[1.0, 2.0\] must be a finite number"),
        (lambda m: m.marginal("a").cdf("x"), "x='x' must be a number"),
        (lambda m: m.sample(2, -1), "rng=-1"),
        (lambda m: m.components.marginal([5]), "names column 5, and there are 3"),
        (lambda m: m.components.marginal(None), "columns=None must be numbers of columns"),
        (lambda m: bg.Mixture(m.components, 5), "feature_names=5 must be a list of names"),
        (lambda m: m.log_density([[1.0]]), "X has 1 column and this mixture has 3"),
        (lambda m: m.marginal([0, "a"]), "each column once"),
        (lambda m: m.marginal([]), "at least one column"),
        (lambda m: m.conditional({"a": 1, "b": 2, "c": 3}), "none is left"),
        (lambda m: m.conditional({"a": float("nan")}), r"given\['a'\]=nan must be a finite number"),
        (lambda m: m.conditional({"a": float("-inf")}), "must be a finite number"),
        (lambda m: m.conditional({"a": 1.0, 0: 2.0}), "each column once"),
        (lambda m: m.conditional([1.0]), "must map columns to values"),
        (lambda m: m.quantile(0.5), r"take \.marginal\(column\)"),
        (lambda m: m.marginal("a").quantile(1.0), "p=1.0 must be a number above 0 and below 1"),
        (lambda m: bg.Mixture(m.components, ["a", "a", "b"]), "3 different names"),
        (lambda m: bg.Mixture(bg.MixtureParams([[1.0]], [[[0.0]]], [[[[1.0]]]])), "many draws"),
    ],
)
def test_what_cannot_be_answered_says_why(name, ask, message):
    with pytest.raises((bg.ArgumentError, bg.DataError, bg.NotApplicableError), match=message):
        ask(bg.Mixture(MIXTURES[name], ["a", "b", "c"]))
