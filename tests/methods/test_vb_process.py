"""VB of Dirichlet processes: the ELBO is below the exact evidence, exact with one stick, and never decreases."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import digamma
from scipy.stats import beta, gamma
from testbed import oracle
from testbed.cases import STRUCTURES, blobs
from testbed.label_oracle import LawEnumeration, Sticks, SticksOfGamma

import bayesgmm as bg
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.methods.vb import in_best_order, prior_of
from bayesgmm.priors.process import StickPosterior, UnknownConcentration
from bayesgmm.priors.sticks import StickBreaking
from bayesgmm.rows import as_rows

every_structure = pytest.mark.parametrize("structure", STRUCTURES)
LAWS = {"0.7": (0.7, lambda t: Sticks(t, 0.7)), "Gamma(2, 1)": (bg.Gamma(2, 1), lambda t: SticksOfGamma(t, 2, 1))}
every_concentration = pytest.mark.parametrize("concentration", LAWS)
pytestmark = pytest.mark.filterwarnings("ignore::bayesgmm.errors.TruncationWarning")  # few sticks, on purpose
ROUNDING = 1e-11  # of sums of a few hundred log densities and log gammas, relative


def fit(model, X, **options):
    return bg.fit(model, X, bg.VB(**options), rng=0)


def exact(concentration, structure, truncation, X):
    """The log evidence, summed over all labelings."""
    defaults = oracle.default_constants(structure, X, 3)
    mean = np.tile(defaults.mean[0], (truncation, 1))
    constants = oracle.Constants(
        structure, np.ones(truncation), mean, np.full(truncation, 0.01), defaults.dof, defaults.scale
    )
    return LawEnumeration(X, constants, LAWS[concentration][1](truncation)).log_evidence


def process(concentration, structure, truncation):
    return bg.DirichletProcessMixture(truncation, structure, LAWS[concentration][0], expected_components=3)


@every_structure
@every_concentration
@pytest.mark.parametrize("n", [4, 7])
@pytest.mark.few(6)
def test_the_elbo_is_at_most_the_enumerated_evidence(structure, concentration, n):
    X = blobs(seed=n, n=8, k=2, apart=2.0)[:n]
    evidence = exact(concentration, structure, 3, X)
    found = fit(process(concentration, structure, 3), X, init="random", n_init=4)
    assert found.elbo == max(restart.objective for restart in found.diagnostics.restarts)
    assert evidence - 2.0 * n < found.elbo <= evidence  # below: no worse than the entropy of the labels and sticks


@every_structure
@every_concentration
def test_one_stick_is_exact(structure, concentration):
    X = blobs(n=8)
    found = fit(process(concentration, structure, 1), X)
    assert np.isclose(found.elbo, exact(concentration, structure, 1, X), rtol=ROUNDING, atol=1e-10)


@every_structure
@every_concentration
@pytest.mark.parametrize("init", ["kmeans++", "random"])
@pytest.mark.few(3)
def test_the_elbo_never_decreases(structure, concentration, init):
    found = fit(process(concentration, structure, 8), blobs(seed=2, apart=2.0), init=init, n_init=2)
    assert found.status.is_converged and len(found.history) > 3
    assert np.diff(found.history).min() >= -ROUNDING * abs(found.elbo)


@every_concentration
def test_the_predictive_integrates_to_one(concentration):
    X = bg.load_dataset("galaxies").X
    found = fit(process(concentration, "full", 6), X, n_init=2)
    grid = np.linspace(-200.0, 250.0, 400_001)[:, None]  # the tails are those of Student's t with 3 degrees or more
    assert abs(np.trapezoid(np.exp(found.log_density(grid)), grid[:, 0]) - 1.0) < 1e-4
    assert np.isclose(found.params.weights.sum(), 1.0, rtol=1e-12)


def test_the_weights_part_of_the_elbo_is_its_definition_in_integrals():
    """KL of two sticks and a concentration: each expectation is an integral by scipy.integrate."""
    prior = prior_of(bg.DirichletProcessMixture(3, concentration=bg.Gamma(1.5, 0.7)).resolve(as_rows(blobs()))).weights
    q = prior.update(np.array([3.2, 0.4, 5.0]))
    alpha = gamma(q.concentration.shape, scale=1 / q.concentration.rate)
    p_alpha = gamma(1.5, scale=1 / 0.7)

    def mean(law, f, low, high):
        return quad(lambda x: law.pdf(x) * f(x), low, high, limit=500)[0]

    total = mean(alpha, lambda a: alpha.logpdf(a) - p_alpha.logpdf(a), 1e-12, 60.0)
    log_alpha, mean_alpha = mean(alpha, np.log, 1e-12, 60.0), alpha.mean()
    for a, b in zip(q.sticks.first, q.sticks.second, strict=True):
        v = beta(a, b)
        total += mean(v, v.logpdf, 1e-12, 1 - 1e-12) - log_alpha
        total -= (mean_alpha - 1.0) * mean(v, lambda x: np.log1p(-x), 1e-12, 1 - 1e-12)
    assert np.isclose(q.kl(prior), total, rtol=1e-6)  # the integrals' ends


@pytest.mark.parametrize("counts", [[0, 0, 0, 0], [9, 0, 0, 0], [0, 0, 0, 9], [3.3, 2.5, 1.1, 0.01], [1e6, 10, 1e5, 2]])
@pytest.mark.parametrize("shape", [0.05, 1.0, 20.0])
def test_the_update_is_the_best_of_all_posteriors(counts, shape):
    """Against plain coordinate ascent, and against every other gamma of the grid."""
    counts, prior = np.array(counts, float), UnknownConcentration(4, bg.Gamma(shape, 0.8))

    def bound(q):
        return counts @ q.expected_log() - q.kl(prior)

    best = prior.update(counts)
    beyond = np.cumsum(counts[::-1])[::-1][1:]
    mean = best.concentration.mean()
    for factor in (0.2, 0.9, 1.1, 5.0):
        sticks = StickBreaking(1.0 + counts[:-1], mean * factor + beyond)
        assert bound(StickPosterior(sticks, best.concentration)) < bound(best)
        other = bg.Gamma(shape + 3, (shape + 3) / (mean * factor))
        assert bound(StickPosterior(best.sticks, other)) < bound(best)
        again = bg.Gamma(shape + 3, 0.8 - _expected_log_left(sticks))  # the coordinate update that follows these sticks
        assert bound(StickPosterior(sticks, again)) < bound(best)
    fixed = bg.Gamma(shape + 3, 0.8 - _expected_log_left(best.sticks))
    assert np.isclose(fixed.mean(), mean, rtol=1e-9)


def _expected_log_left(sticks):
    return (digamma(sticks.second) - digamma(sticks.first + sticks.second)).sum()


@every_concentration
def test_components_are_ordered_where_that_raises_the_elbo(concentration):
    prior = prior_of(process(concentration, "full", 4).resolve(as_rows(blobs())))
    rng = np.random.default_rng(0)
    for _ in range(20):
        counts = rng.gamma(0.5, 20.0, 4)
        stats = SufficientStatistics(0.0, counts, rng.normal(size=(4, 2)), np.tile(np.eye(2), (4, 1, 1)),
                                     rng.normal(size=(4, 2)), counts.sum())  # fmt: skip
        ordered = in_best_order(prior, stats)
        assert sorted(ordered.counts) == sorted(counts)
        row = int(np.flatnonzero(counts == ordered.counts[0])[0])
        for name in ("first", "second", "center"):
            assert np.array_equal(getattr(ordered, name)[0], getattr(stats, name)[row])
        weights = prior.weights
        posteriors = [(c, weights.update(c)) for c in (counts, ordered.counts)]
        bounds = [c @ q.expected_log() - q.kl(weights) for c, q in posteriors]
        assert bounds[1] >= bounds[0]


@every_concentration
def test_a_saved_fit_is_the_same(concentration, tmp_path):
    X = blobs()
    found = fit(process(concentration, "diagonal", 6), X, n_init=2)
    found.save(tmp_path / "dp.nc")
    loaded = bg.load(tmp_path / "dp.nc")
    assert loaded.elbo == found.elbo and np.array_equal(loaded.log_density(X), found.log_density(X))
    assert np.array_equal(loaded.params.weights, found.params.weights)
    assert loaded.truncation() == found.truncation()


def test_given_units_do_not_matter():
    X = blobs(seed=5)
    A, b = np.array([[300.0, 20.0], [-1.0, 0.02]]), np.array([1e5, -3.0])
    one = fit(bg.DirichletProcessMixture(6), X, n_init=2)
    two = fit(bg.DirichletProcessMixture(6), X @ A.T + b, n_init=2)
    assert np.allclose(one.params.weights, two.params.weights, atol=1e-6)  # what the stopping rule leaves open
    jacobian = len(X) * np.linalg.slogdet(A)[1]
    assert np.isclose(one.elbo, two.elbo + jacobian, rtol=1e-8)
