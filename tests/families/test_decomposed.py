"""The eight families that share some of volume, shape and orientation: their M step, laws, and what refuses them."""

from functools import cache, partial

import numpy as np
import pytest
import scipy.optimize
from scipy.linalg import expm
from testbed.cases import blobs, random_spd

import bayesgmm as bg
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.families.decomposed import DECOMPOSED
from bayesgmm.families.family import Frame
from bayesgmm.families.named import BY_CODE, FAMILIES, FOURTEEN, as_structure

EIGHT = {family.name: family for family in DECOMPOSED}
every = pytest.mark.parametrize("name", EIGHT)
slow = partial(pytest.param, marks=pytest.mark.slow)
K = 3
X = blobs(n=150, d=3, k=K)
# Each family with those that it is a case of, one letter freer.
FREER = {
    "EII": ("VII", "EEI"), "VII": ("VEI",), "EEI": ("VEI", "EVI", "EEE"), "VEI": ("VVI", "VEE"), "EVI": ("VVI", "EVE"),
    "VVI": ("VVE",), "EEE": ("VEE", "EVE", "EEV"), "VEE": ("VVE", "VEV"), "EVE": ("VVE", "EVV"), "VVE": ("VVV",),
    "EEV": ("VEV", "EVV"), "VEV": ("VVV",), "EVV": ("VVV",),
}  # fmt: skip
PAIRS = [(small, large) for small, larger in FREER.items() for large in larger]


@cache
def fitted(name):
    """One sound fit of each, which several tests ask."""
    return bg.fit(bg.GaussianMixture(K, name), X, bg.EM(n_init=5, moves=5), rng=0)


def whole(family, spread):
    return np.array(family.form.whole(spread))


def in_form(family, matrices):
    """Covariances as the family keeps them."""
    return np.diagonal(matrices, axis1=1, axis2=2).copy() if family.is_diagonal else matrices


def criterion(counts, spreads, covariances):
    """Minus twice the expected log likelihood, but for constants."""
    traces = np.trace(np.linalg.solve(covariances, spreads), axis1=1, axis2=2)
    return counts @ (np.linalg.slogdet(covariances)[1] + traces)


def freely(code, x, counts, spreads):
    """The criterion of a family's covariances at a vector without bounds: an independent description of them."""
    k, d = spreads.shape[:2]
    volume, shape, angles = np.split(x, np.cumsum(sizes(code, k, d))[:-1])
    logs = shape.reshape(-1, d - 1)
    logs = volume[:, None] + np.column_stack([logs, -logs.sum(1)])
    axes = np.eye(d)[None]
    if code[2] in "EV":
        skew = np.zeros((len(angles) // (d * (d - 1) // 2), d, d))
        skew[:, *np.triu_indices(d, 1)] = angles.reshape(len(skew), -1)
        axes = np.stack([expm(one - one.T) for one in skew])
    along = np.diagonal(np.swapaxes(axes, 1, 2) @ spreads @ axes, axis1=1, axis2=2)
    return counts @ (logs + along * np.exp(np.clip(-logs, None, 200.0))).sum(1)


def sizes(code, k, d):
    n_shapes, n_axes = ({"I": 0, "E": 1, "V": k}[letter] for letter in code[1:])
    return [k if code[0] == "V" else 1, n_shapes * (d - 1), n_axes * d * (d - 1) // 2]


@every
@pytest.mark.parametrize("d", [2, slow(3)])
@pytest.mark.few(4)
def test_the_m_step_is_the_maximum_of_an_independent_description(name, d):
    """By a general optimiser, from its best of several random starts, which it finds to some 1e-8."""
    family, rng = EIGHT[name], np.random.default_rng(d)
    counts = np.array([20.0, 35.0, 12.0])
    spreads = np.stack([s * random_spd(rng, d) for s in (0.3, 1.0, 4.0)])
    ours = whole(family, family.covariances(counts, in_form(family, spreads), in_form(family, spreads)))

    def of(x):
        return freely(name, x, counts, spreads)

    starts = rng.normal(size=(6, sum(sizes(name, K, d))))
    best = min(scipy.optimize.minimize(of, x, tol=1e-10).fun for x in starts)
    assert criterion(counts, spreads, ours) <= best + 1e-6
    assert criterion(counts, spreads, ours) >= best - 1e-6  # no lower than what the family can have


@every
@pytest.mark.few(3)
def test_covariances_share_what_the_name_says(name):
    family, found = EIGHT[name], fitted(name)
    values = np.linalg.eigvalsh(found.params.covariances)
    volumes = np.exp(np.log(values).mean(1))
    shapes = values / volumes[:, None]
    if family.is_diagonal:
        variances = np.diagonal(found.params.covariances, axis1=1, axis2=2)
        shapes = variances / volumes[:, None]
        assert not (found.params.covariances * ~np.eye(3, dtype=bool)).any()
    assert np.allclose(volumes, volumes[0]) == (name[0] == "E")
    assert np.allclose(shapes, shapes[0]) == (name[1] == "E")
    products = found.params.covariances @ found.params.covariances[[1, 2, 0]]
    have_common_axes = np.allclose(products, np.swapaxes(products, 1, 2))  # matrices of common axes commute
    assert have_common_axes == (name[2] != "V")
    assert found.n_parameters == K - 1 + 3 * K + sum(sizes(name, K, 3))


@pytest.mark.parametrize(("small", "large"), PAIRS)
def test_a_mixture_of_a_family_is_one_of_any_freer_family(small, large):
    """Taken as one of the freer family it is the same, so that the maximum there is as high at least."""
    one = fitted(small)
    family = BY_CODE[large]
    spread = in_form(family, one.params.covariances)
    np.testing.assert_allclose(family.form.spread(family.agreeing(family.form.factor(spread))), spread, rtol=1e-6,
                               atol=1e-8 * np.abs(spread).max())  # fmt: skip
    init = bg.MixtureParams(one.params.weights, one.params.means, one.params.covariances)
    higher = bg.fit(bg.GaussianMixture(K, large), X, bg.EM(init=init), rng=0)
    assert higher.history[0] == pytest.approx(one.log_likelihood, rel=1e-9)
    assert higher.log_likelihood >= one.log_likelihood - 1e-9 * abs(one.log_likelihood)
    assert higher.n_parameters > one.n_parameters


@every
@pytest.mark.parametrize("accelerate", [True, False])
@pytest.mark.parametrize(
    "init", ["kmeans++", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("portfolio", "random"))]
)
@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")
@pytest.mark.few(8)
def test_the_likelihood_never_falls(name, accelerate, init):
    """From the start on, which is of the family too."""
    for seed in range(4):
        method = bg.EM(n_init=1, moves=0, accelerate=accelerate, init=init)
        found = bg.fit(bg.GaussianMixture(K, name), blobs(seed=seed, n=80, apart=1.0), method, rng=seed, throw=False)
        assert np.diff(found.history).min() >= -1e-11 * abs(found.history[-1])  # rounding


@every
def test_the_step_begins_where_it_stands(name):
    """From its own result another step goes nowhere, and from any start it ends in the same place or a better one."""
    family, rng = EIGHT[name], np.random.default_rng(3)
    counts, spreads = np.array([5.0, 9.0, 7.0]), in_form(family, np.stack([random_spd(rng, 4) for _ in range(3)]))
    one = family.covariances(counts, spreads, spreads)
    again = family.covariances(counts, spreads, one)
    np.testing.assert_allclose(again, one, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(family.form.spread(family.agreeing(family.form.factor(one))), one, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("seed", "name"), [(11, "VEE"), (10, "VEI"), slow(11, "VEV"), slow(7, "VEE"), slow(7, "VEV"), slow(10, "VEV")]
)
def test_components_on_lines_of_rounded_data_are_no_optimum(seed, name):
    """Two of them keep each other at 5 to 17 times the floor, 100 nats above any honest optimum."""
    rng, other = np.random.default_rng(seed), np.random.default_rng(seed + 100)
    rounded = np.round(rng.normal(size=(150, 2)) + 2.5 * other.integers(0, 2, 150)[:, None])
    found = bg.fit(bg.GaussianMixture(3, name), rounded, bg.EM(), rng=0)
    assert found.status.is_converged and np.linalg.eigvalsh(found.params.covariances).min() > 1e-3


@every
@pytest.mark.parametrize("scale", [1e-7, 1e7])
def test_the_step_has_no_units(name, scale):
    """The same steps in other units; a rule of stopping that has a unit ends early in small ones, or never in large."""
    family, rng = EIGHT[name], np.random.default_rng(3)
    counts = np.array([5.0, 9.0, 7.0])
    spreads = in_form(family, np.stack([random_spd(rng, 4) * s for s in (0.1, 1.0, 5.0)]))
    one, other = (family.covariances(counts, s**2 * spreads, s**2 * spreads) / s**2 for s in (1.0, scale))
    np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-6 * np.abs(one).max())


@every
def test_an_empty_component_changes_nothing_in_the_others(name):
    """Its own covariance is one that the floor allows."""
    family, rng = EIGHT[name], np.random.default_rng(4)
    center = rng.normal(size=(3, 2))
    scatter = np.stack([20.0 * random_spd(rng, 2), 30.0 * random_spd(rng, 2), np.zeros((2, 2))])
    counts = np.array([20.0, 30.0, 0.0])

    def mixture(kept):
        second = in_form(family, scatter[kept])
        stats = SufficientStatistics(0.0, counts[kept], np.zeros((len(kept), 2)), second, center[kept], 50.0)
        return family.maximise(stats, None, Frame(family.form.factor(family.form.identity(2)), 1e-9))

    three, two = mixture([0, 1, 2]), mixture([0, 1])
    np.testing.assert_allclose(three.covariances[:2], two.covariances, rtol=1e-6)
    assert np.isfinite(three.precision_chol).all()


@pytest.mark.slow
@every
@pytest.mark.parametrize("group", ["line", "point"])
@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")
def test_no_component_at_the_floor_is_called_converged(name, group):
    """Sixty points on a line, or at one place, beside a cluster."""
    rng = np.random.default_rng(0)
    tied = np.column_stack([rng.normal(size=60) if group == "line" else np.full(60, 20.0), np.full(60, 20.0)])
    data = np.concatenate([rng.normal(size=(60, 2)), tied])
    found = bg.fit(bg.GaussianMixture(2, name), data, bg.EM(n_init=3), rng=0, throw=False)
    if found.status.is_converged:  # what components share keeps it wide, or a sound optimum was found
        assert np.linalg.eigvalsh(found.params.covariances).min() > 1e-8  # a hundred times the floor of 1e-12
    else:
        assert "floor" in found.status.sentence
    if group == "line" and name in ("EVI", "EVE", "EVV"):  # one volume keeps the likelihood finite, not the shape
        assert found.diagnostics.flags


@every
def test_units_do_not_matter(name):
    A = np.diag([1e-3, 1.0, 1e4]) if name[2] == "I" or name in ("VEE", "EVV") else 1e3 * np.eye(3)
    method = bg.EM(n_init=3, moves=0)
    one, other = (bg.fit(bg.GaussianMixture(K, name), data, method, rng=0) for data in (X, X @ A.T))
    moved = other.log_likelihood + len(X) * np.linalg.slogdet(A)[1]
    assert moved == pytest.approx(one.log_likelihood, abs=1e-6)


@pytest.mark.parametrize("name", ["EVE", "VVE", "EEV", "VEV"])
def test_columns_of_very_different_units(name):
    """Common axes are then the columns to some 1e-8 radians, and no step may be blind to such an angle."""
    X = bg.load_dataset("iris").X
    found = []
    for scale in (1e4, 1e6):
        units = np.array([1 / scale, 1.0, scale, 1.0])
        one = bg.fit(bg.GaussianMixture(2, name), X * units, bg.EM(n_init=4, moves=0), rng=0)
        found.append(one.log_likelihood)
    assert found[0] == pytest.approx(found[1], abs=1e-2)  # what is left of the axes' angles at the lower scale


@every
@pytest.mark.few(3)
def test_weights_and_labels(name):
    weights = np.random.default_rng(1).integers(0, 3, len(X)).astype(float)
    method = bg.EM(init=fitted(name).params)
    one = bg.fit(bg.GaussianMixture(K, name), X, method, sample_weight=weights)
    other = bg.fit(bg.GaussianMixture(K, name), np.repeat(X, weights.astype(int), axis=0), method)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-6)
    labels = bg.fit(bg.GaussianMixture(K), X, bg.EM(), rng=0).predict(X)
    assert (
        bg.fit(bg.GaussianMixture(K, name), X, bg.EM(), rng=0, labels=labels).predict_classes(X) == labels
    ).mean() > 0.9


@every
@pytest.mark.few(3)
def test_a_saved_fit_keeps_its_family(name, tmp_path):
    one = fitted(name)
    one.save(tmp_path / "fit.nc")
    again = bg.load(tmp_path / "fit.nc")
    assert again.model.covariance == one.model.covariance and np.array_equal(
        again.params.precision_chol, one.params.precision_chol
    )
    assert again.refit(X).log_likelihood == one.log_likelihood


@every
def test_replicates_are_of_the_family(name):
    one = bg.fit(bg.GaussianMixture(2, name), X, bg.EM(n_init=2), rng=0)
    found = bg.intervals(one, "weighted", replicates=20, rng=0)
    family = EIGHT[name]
    for factor in found.draws.precision_chol:
        agreeing = family.form.spread(family.agreeing(factor))
        np.testing.assert_allclose(agreeing, family.form.spread(factor), rtol=1e-5, atol=1e-6)
    with pytest.raises(bg.NotApplicableError, match="no coordinates in which a curvature.*method='ordinary'"):
        bg.intervals(one, "information")


@pytest.mark.parametrize("method", [bg.MAP(), bg.VB(), bg.Gibbs(), bg.NUTS(), bg.ADVI(), bg.Pathfinder()], ids=repr)
def test_engines_with_a_prior_say_what_is_missing(method):
    with pytest.raises(bg.NotApplicableError, match="needs a prior that is conjugate.*covariance='VEV' has none"):
        bg.fit(bg.GaussianMixture(2, "VEV"), X, method)


def test_names():
    assert list(BY_CODE) and set(FOURTEEN) <= set(BY_CODE)
    assert as_structure("VVV") is FAMILIES["full"] and as_structure("EEE") is FAMILIES["tied"]
    for wrong, meant in (("diag", "'diagonal'"), ("vev", "'VEV'"), ("Full", "'full'"), ("pooled", "'tied'")):
        with pytest.raises(bg.ArgumentError, match=f"Here the word is {meant}"):
            bg.GaussianMixture(2, wrong)
    with pytest.raises(bg.ArgumentError, match="must be one of 'full', .*EII, VII.*E and V for one column"):
        bg.GaussianMixture(2, "banana")


def test_one_column_has_a_volume_alone():
    line = X[:, :1]
    for code, same in (("E", "tied"), ("V", "full")):
        one, other = (bg.fit(bg.GaussianMixture(2, name), line, bg.EM(), rng=0) for name in (code, same))
        assert one.log_likelihood == other.log_likelihood and one.n_parameters == other.n_parameters
        with pytest.raises(bg.DataError, match="name for one column, and X has 3"):
            bg.fit(bg.GaussianMixture(2, code), X, bg.EM())
    for name in EIGHT:
        with pytest.raises(bg.DataError, match="X has one column: with one column use 'tied'"):
            bg.fit(bg.GaussianMixture(2, name), line, bg.EM())


def test_given_parameters_must_be_of_the_family():
    full = fitted("VVV").params
    with pytest.raises(bg.ArgumentError, match="covariances that differ in volume and shape, and those of .*'EEV'"):
        bg.fit(bg.GaussianMixture(K, "EEV"), X, bg.EM(init=full))


@pytest.mark.parametrize(
    ("noise", "reason"),
    [(1e-6, "leave out columns that others determine"), (1e-8, "are linear functions"), (0.0, "equal")],
)
def test_collinear_columns_are_named_without_a_prior_that_the_family_does_not_have(noise, reason):
    rng = np.random.default_rng(0)
    plain = rng.normal(size=(150, 3))
    data = np.column_stack([plain, plain[:, 0] + noise * rng.normal(size=150)])
    with pytest.raises(bg.DataError, match=reason) as error:
        bg.fit(bg.GaussianMixture(2, "VEE"), data, bg.EM())
    assert "prior" not in str(error.value) and "choose covariance='diagonal'" in str(error.value)
