"""Where chains start: near good modes, in proportion to their evidence; and the verdict on chains in a poor mode."""

import warnings

import numpy as np
import pytest
from testbed.interrupts import interrupt_sweep

import bayesgmm as bg
from bayesgmm.core.density import log_density
from bayesgmm.core.params import MixtureParams
from bayesgmm.methods.chains import best_mode, search
from bayesgmm.methods.chains.search import Landscape
from bayesgmm.methods.chains.starts import ChainSearches, ChainStarts
from bayesgmm.methods.climbing import loop
from bayesgmm.rows import as_rows

PARAMS = ("weights", "means", "precision_chol")


def simulated(n, d, k, apart, seed=0):
    """Overlapping components: `apart` standard deviations between means in each coordinate."""
    rng = np.random.default_rng([n, d, k, seed])
    means = apart * rng.standard_normal((k, d))
    roots = np.eye(d) + 0.3 * rng.standard_normal((k, d, d)) / np.sqrt(d)
    labels = rng.choice(k, n, p=rng.dirichlet(np.full(k, 5.0)))
    X = rng.standard_normal((n, d))
    for j in range(k):
        X[labels == j] = X[labels == j] @ roots[j].T + means[j]
    return X


def rectangle(height):
    """Four clusters at the corners of a rectangle whose sides are 6 and `height` standard deviations."""
    rng = np.random.default_rng(3)
    corners = [(x, y) for x in (0.0, 6.0) for y in (0.0, height)]
    return np.concatenate([rng.standard_normal((60, 2)) + corner for corner in corners])


def mirrored():
    """Three clusters on a line and their mirror image: with two components, two modes of equal evidence."""
    half = np.random.default_rng(0).normal(size=20)
    points = np.concatenate([half, -half])
    return np.concatenate([points - 8.0, points, points + 8.0])[:, None]


def searches_of(model, X, seed=0, n_chains=4, can_move=True):
    data = as_rows(X)
    return ChainSearches(model.resolve(data), data, np.random.default_rng(seed).spawn(n_chains), can_move)


def first_draws(searches, n_chains=4, seed=5):
    return [searches.first_draw(c, np.random.default_rng([seed, c])) for c in range(n_chains)]


# --- starts -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_chain_starts_as_high_as_the_posterior_stands():
    """Log likelihoods of draws around the best mode are p/2 below its maximum, with a spread of sqrt(p/2)."""
    X, model = simulated(2000, 8, 6, 1.2), bg.GaussianMixture(6)
    highest = bg.fit(model, X, bg.EM(max_iter=200, n_init=3), rng=0).log_likelihood
    half = model.n_parameters(8) / 2
    for draw in first_draws(searches_of(model, X, n_chains=2), 2):
        assert log_density(draw, X).sum() > highest - half - 5 * np.sqrt(half)


def test_starts_are_the_same_on_any_number_of_threads_and_differ_between_seeds(monkeypatch):
    X, found = simulated(700, 2, 3, 2.5), []
    for n_threads in ("1", "2", "3"):
        monkeypatch.setenv("BAYESGMM_NUM_THREADS", n_threads)
        found.append(first_draws(searches_of(bg.GaussianMixture(3), X, n_chains=2), 2))
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            assert all(np.array_equal(getattr(one, name), getattr(same, name)) for name in PARAMS)
    data = as_rows(X)
    landscape = Landscape(bg.GaussianMixture(3).resolve(data), data)
    bounds = [landscape.search(np.random.default_rng(seed))[-1].log_evidence for seed in (0, 1)]
    assert bounds[0] != bounds[1]


def test_equal_modes_get_equal_shares_of_the_chains():
    """One chain: a fair coin, with five binomial standard errors; two chains: always one in each."""
    searches = searches_of(bg.GaussianMixture(2), mirrored())
    starts = searches.starts
    assert abs(starts.optima[0].log_evidence - starts.optima[1].log_evidence) < 0.2  # what stopping early leaves
    chosen = [starts.in_proportion(1, np.random.default_rng(seed))[0] is starts.optima[0] for seed in range(400)]
    assert abs(np.mean(chosen) - 0.5) < 0.05 + 5 * 0.5 / np.sqrt(400)  # 0.2 nats are 0.05 of probability
    for seed in range(20):
        pair = starts.in_proportion(2, np.random.default_rng(seed))
        assert {id(one) for one in pair} == {id(one) for one in starts.optima[:2]}


def test_chains_are_in_proportion_to_the_evidence():
    """Over many choices the counts follow the shares; a share above one half of two chains surely has a chain."""
    optima = searches_of(bg.GaussianMixture(2), mirrored()).starts.optima[:2]
    heights = np.log([0.8, 0.2])
    pair = tuple(_moved(one, height) for one, height in zip(optima, heights, strict=True))
    starts = ChainStarts(None, pair, 2, 2)  # pyright: ignore[reportArgumentType]
    counts = [sum(one is pair[0] for one in starts.in_proportion(3, np.random.default_rng(s))) for s in range(600)]
    assert set(counts) <= {2, 3}  # 2.4 of three
    assert abs(np.mean(counts) - 2.4) < 5 * np.sqrt(0.24 / 600)


def _moved(optimum, log_evidence):
    return search.Optimum(optimum.state, optimum.stats, log_evidence, optimum.log_density)


ANY_MODEL = [
    *(
        bg.GaussianMixture(3, covariance=name)
        for name in ("full", "tied", "diagonal", "shared_diagonal", "spherical", "isotropic")
    ),
    bg.GaussianMixture(1),
    bg.GaussianMixture(8, weights=bg.Dirichlet(0.01)),
    bg.GaussianMixture(3, prior=bg.IndependentNormalInverseWishart()),
    bg.GaussianMixture(3, prior=bg.IndependentNormalInverseWishart(scale=bg.HierarchicalScale())),
    bg.DirichletProcessMixture(12),
    bg.DirichletProcessMixture(1),
    bg.DirichletProcessMixture(12, concentration=0.5),
    bg.MixtureOfFiniteMixtures(12),
    bg.MixtureOfFiniteMixtures(1),
]


@pytest.mark.parametrize("model", ANY_MODEL, ids=repr)
@pytest.mark.parametrize("data", ["clusters", "eight points", "ties"])
@pytest.mark.few(8)
def test_every_model_finds_a_start(model, data):
    """Finite, as many components as the model has, and as high as one component at least where there are clusters."""
    rng = np.random.default_rng(0)
    X = {
        "clusters": np.concatenate([rng.normal(size=(40, 2)) + 10 * np.eye(2)[i % 2] * (i > 0) for i in range(3)]),
        "eight points": rng.normal(size=(8, 2)),
        "ties": np.repeat([[1.0, 2.0], [4.0, 2.5], [4.0, 9.0], [7.0, 1.0]], 5, axis=0),
    }[data]
    searches = searches_of(model, X, n_chains=2)
    for draw in first_draws(searches, 2):
        assert draw.means.shape == (model.n_components, 2)
        assert all(np.isfinite(getattr(draw, name)).all() for name in PARAMS)
        assert draw.weights.sum() == pytest.approx(1.0)
    assert searches.starts is not None and np.isfinite(searches.starts.best.log_evidence)
    if data == "clusters" and model.n_components >= 8:
        assert 2 <= searches.starts.best.n_occupied <= 4


@pytest.mark.slow
def test_large_data_are_searched_in_part_and_polished_on_the_whole(monkeypatch):
    X, model = simulated(2000, 2, 3, 4.0), bg.GaussianMixture(3)
    whole = searches_of(model, X).starts.best
    rows, climb = [], search.climb
    monkeypatch.setattr(search, "PART_ROWS", 500)
    monkeypatch.setattr(search, "climb", lambda part, *rest: rows.append(len(part)) or climb(part, *rest))
    part = searches_of(model, X).starts.best
    assert abs(part.log_evidence - whole.log_evidence) < 3 * search.NATS  # both stop so far from the optimum
    assert set(rows) == {500, 2000} and rows.count(2000) < rows.count(500)


def test_the_bound_of_an_unknown_number_is_the_exact_evidence_where_one_component_holds_all():
    """M = 1: the model is one normal-inverse-Wishart, whose evidence has a closed form."""
    X = np.random.default_rng(0).normal(size=(30, 2))
    searches = searches_of(bg.MixtureOfFiniteMixtures(1), X)
    best = searches.starts.best
    model = searches.starts.landscape.model
    exact = model.conjugate().components.log_marginal(best.stats)
    assert best.log_evidence == pytest.approx(exact, abs=1e-8)


def test_an_interrupt_during_the_search_is_heard(monkeypatch):
    X = simulated(500, 2, 3, 2.0)
    interrupt_sweep(monkeypatch, loop)
    with pytest.raises(KeyboardInterrupt):
        bg.fit(bg.GaussianMixture(3), X, bg.Gibbs(draws=10, tune=10), rng=0)


def test_a_move_that_fails_ends_no_search(monkeypatch):
    class Failing:
        def __init__(self, *args):
            pass

        def __call__(self, best):
            raise np.linalg.LinAlgError("a division of equal points")

    monkeypatch.setattr(search, "Moves", Failing)
    assert searches_of(bg.GaussianMixture(3), simulated(300, 2, 3, 3.0)).starts is not None


def test_a_chain_that_goes_on_makes_no_search(monkeypatch, tmp_path):
    X = simulated(200, 2, 2, 3.0)
    options = (bg.GaussianMixture(2), X, bg.Gibbs(draws=60, tune=20, thin=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bg.NotConvergedWarning)  # so few draws
        whole = bg.fit(*options, rng=0, checkpoint=tmp_path)
        monkeypatch.setattr(Landscape, "search", lambda *args: pytest.fail("it searches"))
        again = bg.fit(*options, rng=0, checkpoint=tmp_path)
    assert np.array_equal(whole.params.weights, again.params.weights)


# --- the verdict ------------------------------------------------------------------------------------------------------


def chains_in(mode, monkeypatch, X, crossing=0.0):
    """Four chains of three components that begin in one mode of a rectangle."""
    monkeypatch.setattr(ChainSearches, "first_draw", lambda self, c, rng: self.starts.draw(mode, rng))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bg.NotConvergedWarning)
        return bg.fit(bg.GaussianMixture(3), X, bg.Gibbs(draws=500, tune=50, thin=2, crossing=crossing), rng=0)


@pytest.mark.slow
def test_chains_that_share_a_poor_mode_have_not_converged(monkeypatch):
    """A planted fault: every chain starts where the two clusters that are farther apart share a component."""
    X = rectangle(9.0)
    optima = searches_of(bg.GaussianMixture(3), X).starts.optima
    poor = next(one for one in optima if 5.0 < optima[0].log_evidence - one.log_evidence < 200.0)
    caught = chains_in(poor, monkeypatch, X)
    assert caught.diagnostics.max_rhat < 1.01 and caught.diagnostics.min_ess > 400  # nothing else is wrong
    assert not caught.status.is_converged
    gap = optima[0].log_evidence - poor.log_evidence
    assert "No chain is in the best mode that the searches found" in caught.status.sentence
    assert abs(float(caught.status.sentence.split(" nats")[0].split()[-1]) - gap) < 1.0
    assert chains_in(optima[0], monkeypatch, X).status.is_converged


def test_a_mode_from_which_a_chain_leaves_for_good_is_none_that_chains_miss(monkeypatch):
    """The bound of a poor mode is overstated: the probe leaves it, and the verdict on good chains stands."""
    X = rectangle(9.0)
    searches = searches_of(bg.GaussianMixture(3), X)
    optima = searches.starts.optima
    poor = next(one for one in optima if optima[0].log_evidence - one.log_evidence > 5.0)
    fine = chains_in(optima[0], monkeypatch, X)
    wrong = ChainStarts(searches.starts.landscape, (_moved(poor, optima[0].log_evidence + 50.0), *optima), 4, 4)
    searches.starts = wrong
    probed = []
    stays = best_mode._stays
    monkeypatch.setattr(best_mode, "_stays", lambda *args: probed.append(stays(*args)) or probed[-1])
    assert best_mode.against_best_mode(fine.status, fine.params, searches, "").is_converged
    assert probed == [False]


def test_a_mode_that_one_search_of_many_found_is_no_convergence(monkeypatch):
    X = rectangle(9.0)
    searches = searches_of(bg.GaussianMixture(3), X)
    starts = searches.starts
    fine = chains_in(starts.best, monkeypatch, X)
    searches.starts = ChainStarts(starts.landscape, starts.optima, 1, 12)
    status = best_mode.against_best_mode(fine.status, fine.params, searches, "Do something.")
    assert not status.is_converged and "only one of 12 searches found the best mode" in status.sentence
    assert starts.n_best == starts.n_searches == 4  # easy data: no further ones are made


def test_further_searches_are_made_where_few_found_the_best_mode(monkeypatch):
    """And they stop as soon as three in four did."""
    X, data = mirrored(), as_rows(mirrored())
    model = bg.GaussianMixture(2).resolve(data)
    found = Landscape(model, data).search(np.random.default_rng(0))
    heights = iter([0.0, 10.0, 10.0, 0.0, 10.0, 10.0, 10.0, 10.0, None])
    monkeypatch.setattr(Landscape, "search", lambda self, rng: [_moved(found[0], next(heights))])
    starts = searches_of(bg.GaussianMixture(2), X).starts
    assert (starts.n_best, starts.n_searches, starts.best.log_evidence) == (6, 8, 10.0)


@pytest.mark.slow
def test_a_chain_that_never_visits_the_mode_of_another_is_named(monkeypatch):
    """One chain of four has found a better mode than the searches: the other three do not pass."""
    X = rectangle(9.0)
    searches = searches_of(bg.GaussianMixture(3), X)
    optima = searches.starts.optima
    poor = next(one for one in optima if 5.0 < optima[0].log_evidence - one.log_evidence < 200.0)
    good, bad = (chains_in(one, monkeypatch, X) for one in (optima[0], poor))
    arrays = [np.concatenate([getattr(bad.params, name)[:3], getattr(good.params, name)[:1]]) for name in PARAMS]
    searches.starts = ChainStarts(searches.starts.landscape, (poor,), 4, 4)
    status = best_mode.against_best_mode(good.status, MixtureParams.trusted(*arrays), searches, "Do something.")
    assert "chains 0, 1, 2 are never in the best mode that another chain found" in status.sentence
    assert status.sentence.endswith("Do something.")
