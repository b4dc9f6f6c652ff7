"""One vocabulary of checks: every option of every public class, and of the functions, is refused alike."""

import inspect
from dataclasses import fields, is_dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from testbed.exact_draws import ExactPosterior

import bayesgmm as bg
from bayesgmm import checks, plots
from bayesgmm.errors import ArgumentError

NOTHING = ("3", [3], 3 + 0j, np.array([3, 4]), np.nan)  # of any kind of number
WHOLE = (*NOTHING, True, np.True_, 2.5, 3.0, np.inf, -1)
REAL = (*NOTHING, True, np.True_, -1.0)
SHARE = (*REAL, 1.5, np.inf)
SWITCH = ("yes", 1, 0, 1.0, np.nan, [True], None)
WORD = ("no such word", 1, ["em"])
START = ("no such word", 1, [None], [np.nan], [[0.5]], {})
NO = (None,)  # where None is no answer

COUNTED = {"max_iter": (*WHOLE, 0, *NO), "n_init": (*WHOLE, 0, *NO), "moves": (*WHOLE, *NO)}
CLIMB = COUNTED | {"tol": REAL, "param_tol": REAL, "init": START, "accelerate": SWITCH}
STREAM = {
    "batch_size": (*WHOLE, 0), "step": (*SHARE, 0.0, *NO), "passes": (*WHOLE, 0, *NO), "stochastic": SWITCH,
    "shuffle": SWITCH, "init": WORD, "n_init": (*WHOLE, 0, *NO),
}  # fmt: skip
COMPONENTS = {"covariance": WORD, "prior": WORD}
POSITIVE = (*REAL, 0, np.inf, *NO)
OF_CLASS = {
    bg.EM: CLIMB | {"floor": (*SHARE, 0.0, 1.0, *NO)},
    bg.MAP: CLIMB,
    bg.VB: CLIMB,
    bg.OnlineEM: STREAM,
    bg.StochasticVB: STREAM,
    bg.RobbinsMonro: {"power": (*SHARE, 0.5, *NO), "delay": (*REAL, np.inf, *NO)},
    bg.ADVI: {
        "kind": (*WORD, *NO), "n_iter": (*WHOLE, 1, *NO), "draws": (*WHOLE, 1, *NO), "learning_rate": POSITIVE,
        "tol": (*REAL, *NO), "n_init": (*WHOLE, 0, *NO),
    },
    bg.Pathfinder: {"paths": (*WHOLE, 0, *NO), "draws": (*WHOLE, 1, *NO), "max_iter": (*WHOLE, 0, *NO)},
    bg.Gibbs: {
        "draws": (*WHOLE, 3), "tune": (*WHOLE, *NO), "chains": (*WHOLE, 0, *NO), "thin": (*WHOLE, 0),
        "crossing": (*SHARE, *NO), "max_sweeps": (*WHOLE, 3), "max_seconds": (*REAL, 0),
    },
    bg.NUTS: {
        "draws": (*WHOLE, 3), "tune": (*WHOLE, *NO), "chains": (*WHOLE, 0, *NO), "max_treedepth": (*WHOLE, 0, *NO),
        "target_accept": (*SHARE, 0.0, 1.0, *NO), "nuts_sampler": (*WORD, *NO),
    },
    bg.GaussianMixture: COMPONENTS | {"n_components": (*WHOLE, 0, *NO), "weights": WORD},
    bg.DirichletProcessMixture: COMPONENTS | {
        "truncation": (*WHOLE, 0, *NO), "concentration": POSITIVE, "expected_components": (*WHOLE, 0, *NO),
    },
    bg.MixtureOfFiniteMixtures: COMPONENTS | {
        "max_components": (*WHOLE, 0, *NO), "weights": WORD, "components_prior": WORD,
        "expected_components": (*WHOLE, 0, *NO),
    },
    bg.Gamma: {"shape": POSITIVE, "rate": POSITIVE},
    bg.BetaNegativeBinomial: {"size": POSITIVE, "a": POSITIVE, "b": POSITIVE},
    bg.Dirichlet: {"concentration": ("3", True, np.nan, -1.0, 0.0, np.inf, [[1.0]])},
}  # fmt: skip
FIRST = {bg.GaussianMixture: "n_components", bg.DirichletProcessMixture: "truncation",
         bg.MixtureOfFiniteMixtures: "max_components"}  # fmt: skip
# Their constants are checked against data (test_bad_input).
WITH_DATA = {bg.NormalInverseWishart, bg.IndependentNormalInverseWishart, bg.HierarchicalScale}
RESULTS = {
    bg.Alignment, bg.ChainStack, bg.Comparison, bg.DataSource, bg.Fit, bg.IntervalComparison, bg.Intervals,
    bg.LikelihoodRatioTest, bg.LooPit, bg.Merging, bg.Partition, bg.PredictiveCheck, bg.PriorDraws, bg.PriorSensitivity,
    bg.Search,
}  # fmt: skip


@pytest.fixture(scope="module")
def fit():
    X = np.random.default_rng(0).standard_normal((6, 2))
    return bg.fit(bg.GaussianMixture(2), X, ExactPosterior(100, chains=2), rng=0)


@pytest.fixture(scope="module")
def em():
    X = np.random.default_rng(0).standard_normal((60, 2))
    return bg.fit(bg.GaussianMixture(1), X, bg.EM(n_init=1), rng=0)


FUNCTIONS = {
    "folds": (lambda f, e, v: bg.compare({"f": f}, folds=v), (*WHOLE, 1)),
    "workers": (lambda f, e, v: bg.compare({"f": f}, folds=0, workers=v), (*WHOLE, 0)),
    "progress": (lambda f, e, v: bg.compare({"f": f}, folds=0, progress=v), ("yes", 1)),
    "throw": (lambda f, e, v: bg.fit(f.model, f.X, f.method, throw=v), SWITCH),
    "n": (lambda f, e, v: f.sample(v), WHOLE),
    "components": (lambda f, e, v: f.summary(v), ("yes", 1)),
    "data": (lambda f, e, v: f.save("nowhere.nc", data=v), SWITCH),
    "draws of extend": (lambda f, e, v: f.extend(v), (*WHOLE, 0)),
    "draws of sample_prior": (lambda f, e, v: bg.sample_prior(f.model, f.X, draws=v), (*WHOLE, 0)),
    "method of evidence": (lambda f, e, v: bg.log_evidence(f, v), WORD),
    "n_draws": (lambda f, e, v: bg.posterior_predictive_check(f, n_draws=v), (*WHOLE, 0)),
    "n_projections": (lambda f, e, v: bg.posterior_predictive_check(f, n_projections=v), (*WHOLE, 0)),
    "max_draws of quality": (lambda f, e, v: bg.clustering_quality(f, max_draws=v), (*WHOLE, 0)),
    "max_draws of co_clustering": (lambda f, e, v: bg.co_clustering(f, f.X, max_draws=v), (*WHOLE, 0)),
    "max_draws of its error": (lambda f, e, v: bg.co_clustering_error(f, f.X, max_draws=v), (*WHOLE, 0)),
    "max_draws of partition": (lambda f, e, v: bg.partition(f, max_draws=v), (*WHOLE, 0)),
    "max_clusters": (lambda f, e, v: bg.partition(f, max_clusters=v), (*WHOLE, 0)),
    "n_runs": (lambda f, e, v: bg.partition(f, n_runs=v), WHOLE),
    "loss": (lambda f, e, v: bg.partition(f, loss=v), WORD),
    "method of relabel": (lambda f, e, v: bg.relabel(f, v), WORD),
    "max_iter": (lambda f, e, v: bg.relabel(f, max_iter=v), (*WHOLE, 0)),
    "level": (lambda f, e, v: bg.intervals(e, level=v), (*SHARE, 0, 1)),
    "level of several": (lambda f, e, v: bg.compare_intervals({"e": e}, level=v), (*SHARE, 0, 1)),
    "level of the ball": (lambda f, e, v: bg.partition(f).credible_ball(v), (*SHARE, 0)),
    "replicates": (lambda f, e, v: bg.intervals(e, "ordinary", replicates=v), (*WHOLE, 1)),
    "replicates of the ratio": (lambda f, e, v: bg.likelihood_ratio_test(e, replicates=v), (*WHOLE, 1)),
    "method of intervals": (lambda f, e, v: bg.intervals(e, v), WORD),
    "refit": (lambda f, e, v: bg.prior_sensitivity(f, refit=v), SWITCH),
    "level of the density": (lambda f, e, v: plots.plot_density(f, level=v), (*SHARE, 0, 1)),
    "level of LOO-PIT": (lambda f, e, v: plots.plot_loo_pit(f, level=v), (*SHARE, 0, 1)),
    "max_points": (lambda f, e, v: plots.plot_co_clustering(f, max_points=v), (*WHOLE, 1)),
    "n_draws of components": (lambda f, e, v: plots.plot_components(f, n_draws=v), (*WHOLE, 0)),
    "fit": (lambda f, e, v: bg.stack_chains(v), ("x", None)),
    "fit of intervals": (lambda f, e, v: bg.intervals(v), ("x", None)),
    "fit of the sensitivity": (lambda f, e, v: bg.prior_sensitivity(v), ("x", None)),
}
BAD = [
    pytest.param(kind, name, value, id=f"{kind.__name__}-{name}-{value!r}")
    for kind, options in OF_CLASS.items() for name, values in options.items() for value in values
]  # fmt: skip
BAD_CALLS = [
    pytest.param(name, value, id=f"{name}-{value!r}") for name, (_, values) in FUNCTIONS.items() for value in values
]


def refused(name, call):
    with pytest.raises(ArgumentError) as error:
        call()
    message = str(error.value)
    assert message.startswith((f"{name}=", f"{name} ")) or f": {name}=" in message or f"({name}=" in message
    assert message.endswith(".") and "\n" not in message and len(message) < 420


@pytest.mark.parametrize(("kind", "name", "value"), BAD)
def test_options_of_a_class(kind, name, value):
    given = {FIRST[kind]: 2} if kind in FIRST else {}
    refused(name, lambda: kind(**given | {name: value}))


@pytest.mark.parametrize(("name", "value"), BAD_CALLS)
def test_options_of_a_function(name, value, fit, em):
    refused(name.split(" of ")[0], lambda: FUNCTIONS[name][0](fit, em, value))


def test_the_table_has_every_option_of_every_public_class():
    public = [getattr(bg, name) for name in bg.__all__]
    classes = {one for one in public if inspect.isclass(one) and is_dataclass(one) and fields(one)}
    assert classes == set(OF_CLASS) | WITH_DATA | RESULTS
    for kind, options in OF_CLASS.items():
        assert {one.name for one in fields(kind) if one.init} == set(options), kind


def test_numbers_of_other_libraries_become_plain_ones():
    one = bg.Gibbs(draws=np.int32(8), tune=np.array(3), crossing=np.float32(0.5), max_seconds=None)
    assert one == bg.Gibbs(draws=8, tune=3, crossing=0.5)
    assert [type(value) for value in (one.draws, one.tune, one.crossing)] == [int, int, float]
    assert type(bg.OnlineEM(shuffle=np.False_).shuffle) is bool and type(bg.EM(accelerate=np.True_).accelerate) is bool
    assert bg.Gamma(Fraction(1, 2), Decimal("0.25")) == bg.Gamma(0.5, 0.25)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: checks.whole_number(2.5, "k"), "k=2.5 must be an integer of at least 1."),
        (lambda: checks.whole_number(-1, "k", 0, also="None"), "k=-1 must be an integer of at least 0, or None."),
        (lambda: checks.real_number("a", "x"), "x='a' must be a number."),
        (lambda: checks.real_number(2, "x", above=0, most=1), "x=2 must be a number above 0 and at most 1."),
        (lambda: checks.positive(np.inf, "x"), "x=inf must be a finite number above 0."),
        (lambda: checks.probability(-1, "p"), "p=-1 must be a number of at least 0 and at most 1."),
        (lambda: checks.fraction(1, "p"), "p=1 must be a number above 0 and below 1."),
        (lambda: checks.truth(1, "b"), "b=1 must be True or False."),
        (lambda: checks.one_of("c", "w", ("a", "b")), "w='c' must be one of 'a', 'b'."),
        (lambda: checks.instance(3, "m", bg.MAP), "m=3 must be a MAP."),
        (lambda: checks.real_number(10**400, "x", least=0), "x=<int> must be a number of at least 0."),
        (lambda: checks.real_number(Decimal("sNaN"), "x"), "x=Decimal('sNaN') must be a number."),
    ],
)
def test_the_wording(call, message):
    with pytest.raises(ArgumentError) as error:
        call()
    assert str(error.value) == message
