"""NUTS against other people's posterior, exact posteriors and Gibbs; its starts, statistics, interrupts, failures."""

import warnings

import numpy as np
import pytest
from scipy.stats import ortho_group
from testbed import oracle
from testbed.cases import blobs, hard_statistics, informative, model_of
from testbed.monte_carlo import Z_LIMIT, check_reference, z_score

import bayesgmm as bg
from bayesgmm.core.density import log_density, responsibilities
from bayesgmm.errors import ArgumentError, FitError, NotConvergedWarning
from bayesgmm.flat import posterior
from bayesgmm.flat.posterior import FlatPosterior
from bayesgmm.methods.chains import search
from bayesgmm.methods.chains.starts import ChainSearches
from bayesgmm.methods.nuts import DispersedStarts
from bayesgmm.ppl import sample as sampling
from bayesgmm.result.diagnostics import invariant_quantities
from bayesgmm.rows import as_rows


def fitted(X, k=2, structure="full", seed=1, **options):
    """A fit that must converge without a word."""
    return bg.fit(bg.GaussianMixture(k, structure), X, bg.NUTS(**options), rng=seed)


def run(X, progress=None, k=2, seed=3, **options):
    data = as_rows(X)
    model = bg.GaussianMixture(k).resolve(data)
    return bg.NUTS(**options).run(
        model, data, np.random.default_rng(seed), progress or (lambda done, total, note: None)
    )


# --- the right posterior ----------------------------------------------------------------------------------------------


def test_posterior_of_another_sampler(reference):
    """And without a warning, which would be an error here."""
    check_reference(fitted(bg.load_dataset("faithful").X, draws=1500), "faithful", reference)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* transitions diverged")  # a few do, where a component nearly empties
def test_posterior_of_another_sampler_with_a_small_mode(reference):
    """A mode holds 0.2 percent, and a chain that comes there stays for long: one run in six of 24,000 draws has fewer
    than 1,000 effective ones."""
    check_reference(fitted(bg.load_dataset("galaxies").X, k=3, draws=25_000), "galaxies", reference)


@pytest.mark.filterwarnings("ignore:.* transitions diverged")  # one in some thousands does
@pytest.mark.filterwarnings("ignore::bayesgmm.TruncationWarning")  # eight points may well want more components
@pytest.mark.parametrize("structure", oracle.STRUCTURES)
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.few(1)
def test_expectations_are_the_enumerated_ones(structure, k):
    """Sum of squared weights, and densities at points, by sums over all labelings."""
    X, constants = bg.load_dataset("faithful").X[:6], informative(structure, k, 2)
    X = (X - X.mean(0)) / X.std(0)
    exact = oracle.Enumeration(X, constants)
    ours = bg.fit(model_of(constants), X, bg.NUTS(draws=3000), rng=2)
    scores = [z_score((ours.params.weights**2).sum(-1), exact.sum_squared_weights())]
    points = np.vstack([X[:3], X.mean(0)])
    densities = np.exp(log_density(ours.params, points))
    scores += [z_score(densities[..., i], np.exp(exact.log_density(x))) for i, x in enumerate(points)]
    shares = np.array([[responsibilities(draw.scores(), X) for draw in chain_draws(ours, c)] for c in range(4)])
    empty = np.prod(1.0 - shares, axis=2)  # of each component, labels integrated out
    scores.append(z_score(k - empty.sum(-1), exact.occupied() @ np.arange(1, k + 1)))
    together, co = np.einsum("ctik,ctjk->ctij", shares, shares), exact.co_clustering()
    scores += [z_score(together[..., i, j], co[i, j]) for i, j in zip(*np.triu_indices(len(X), 1), strict=True)]
    assert np.abs(scores).max() < Z_LIMIT


def chain_draws(fit, chain):
    return (fit.params[chain, t] for t in range(0, fit.params.draw_shape[1], 2))


@pytest.mark.parametrize("structure", oracle.STRUCTURES)
def test_one_component_has_the_conjugate_posterior(structure):
    """K = 1: location, scale and correlation are those of independent draws of the exact posterior."""
    X, constants = blobs(n=40, k=2), informative(structure, 1, 2)
    ours = bg.fit(model_of(constants), X, bg.NUTS(draws=1500), rng=4).params
    prior = model_of(constants).resolve(as_rows(X)).conjugate()
    stats = hard_statistics(X, np.zeros(len(X), int), 1, prior.components.structure.is_diagonal)
    exact = prior.update(stats).sample(np.random.default_rng(5), 20_000).reshaped(4, 5000)
    for one, other in zip(entries(ours), entries(exact), strict=True):
        assert abs(z_score(one, other)) < Z_LIMIT


def entries(params):
    """Means and covariances, and their squares, each (chain, draw)."""
    parts = [params.means, params.covariances]
    for part in parts:
        columns = np.moveaxis(part.reshape(*params.draw_shape, -1), -1, 0)
        yield from columns
        yield from columns**2


def test_agrees_with_gibbs():
    X = bg.load_dataset("faithful").X
    ours, theirs = fitted(X, draws=1500, seed=6), bg.fit(bg.GaussianMixture(2), X, bg.Gibbs(thin=5), rng=6)
    pairs = invariant_quantities(ours.params, X), invariant_quantities(theirs.params, X)
    for name, values in pairs[0].items():
        assert abs(z_score(values, pairs[1][name])) < Z_LIMIT, name


@pytest.mark.parametrize("structure", ["full", "spherical"])
def test_posterior_moves_with_the_data(structure):
    """A map of the structure's group, which changes densities by its determinant and weights not at all."""
    X = blobs(seed=3, n=90, d=2, k=2)
    turn = 1e-3 * ortho_group(2, seed=2).rvs()
    A = {"full": np.array([[1e6, 3e5], [-0.2, 0.1]]), "spherical": turn}[structure]
    before, after = fitted(X, structure=structure), fitted(X @ A.T - 1e4 * A.sum(1), structure=structure, seed=2)
    moved = invariant_quantities(after.params, after.X)
    for name, values in invariant_quantities(before.params, X).items():
        n_rows = {"log_likelihood": len(X), "sum_squared_weights": 0}.get(name, 1)
        if name in moved:  # rows of equal rank may swap
            assert abs(z_score(values, moved[name] + n_rows * np.log(abs(np.linalg.det(A))))) < Z_LIMIT, name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")  # a divergence or two among so many draws
def test_pymc_agrees():
    """PyMC's own sampler on the `pm.Model`."""
    X = blobs(seed=8, n=60, d=1, k=2)
    ours, theirs = fitted(X, draws=3000), fitted(X, nuts_sampler="pymc", draws=2500)
    assert ours.estimate.sample_stats.keys() == theirs.estimate.sample_stats.keys()
    pairs = invariant_quantities(ours.params, X), invariant_quantities(theirs.params, X)
    for name, values in pairs[0].items():
        assert abs(z_score(values, pairs[1][name])) < Z_LIMIT, name


# --- several modes ----------------------------------------------------------------------------------------------------


def square():
    """Four clusters on the corners of a square, symmetric under its symmetries."""
    x, y = np.random.default_rng(1).standard_normal((2, 6))
    signs = [(s, t) for s in (1, -1) for t in (1, -1)]
    points = np.concatenate([np.column_stack(p) for s, t in signs for p in ((s * x, t * y), (s * y, t * x))])
    return np.concatenate([points / points.std() + 3.0 * np.array(corner) for corner in signs])


@pytest.mark.parametrize(("name", "k"), [("galaxies", 2), ("square", 3)])
@pytest.mark.parametrize("seed", [0, 1])
def test_says_that_chains_sit_in_different_modes(name, k, seed):
    X = square() if name == "square" else bg.load_dataset(name).X
    with pytest.warns(NotConvergedWarning, match=r"chains disagree.*Gibbs\(\) moves"):
        ours = bg.fit(bg.GaussianMixture(k), X, bg.NUTS(draws=500), rng=seed)
    assert not ours.status.is_converged
    assert ours.diagnostics.max_rhat > 1.5


@pytest.mark.parametrize(("name", "k", "n_modes"), [("faithful", 2, 1), ("galaxies", 2, 2), ("galaxies", 3, 1)])
def test_starts_are_the_modes_that_matter(name, k, n_modes):
    """By Gibbs: on galaxies K=2 both modes hold a good part of the posterior, with K=3 the second some 0.2 percent."""
    data = as_rows(bg.load_dataset(name).X)
    model = bg.GaussianMixture(k).resolve(data)
    for seed in range(3):
        searches = ChainSearches(model, data, np.random.default_rng(seed).spawn(4), can_move=False)
        assert len({id(mode) for mode in searches.modes}) == n_modes


def test_starts_tell_symmetric_modes_apart():
    """The square's four modes have equal evidence and equal weights; each of four chains begins in its own."""
    data = as_rows(square())
    generators = np.random.default_rng(0).spawn(5)
    starts = DispersedStarts(ChainSearches(bg.GaussianMixture(3).resolve(data), data, generators, can_move=False))
    assert len({id(mode) for mode in starts.searches.modes}) == 4
    drawn = [starts.draw(c, np.random.default_rng(c)) for c in range(5)]
    middles = np.array([p.means[p.weights.argmax()] for p in drawn])  # of the two clusters that share a component
    sides = [tuple(np.round(middle / 3.0).astype(int)) for middle in middles]
    assert set(sides[:4]) == {(1, 0), (-1, 0), (0, 1), (0, -1)} and sides[4] == sides[0]


# --- the sampler's own report -----------------------------------------------------------------------------------------


def test_sample_stats():
    X = bg.load_dataset("faithful").X
    ours = fitted(X)
    stats = ours.estimate.sample_stats
    names = ["acceptance_rate", "diverging", "energy", "energy_error", "lp", "n_steps", "reached_max_treedepth"]
    assert list(stats) == [*names, "step_size", "tree_depth"]
    assert all(value.shape == (4, 1000) for value in stats.values())
    assert stats["diverging"].dtype == stats["reached_max_treedepth"].dtype == bool
    assert (stats["n_steps"] >= 1).all() and 1 <= stats["tree_depth"].max() <= 10
    log_likelihood = log_density(ours.params, X).sum(-1)
    assert np.corrcoef(stats["lp"].ravel(), log_likelihood.ravel())[0, 1] > 0.8  # of the same draws, in the same order
    assert set(ours.to_datatree()["sample_stats"].data_vars) == set(stats)


def test_same_seed_same_draws_on_any_number_of_threads(monkeypatch):
    X, found = bg.load_dataset("faithful").X, []
    for n_threads in ("1", "2", "4"):
        monkeypatch.setenv("BAYESGMM_NUM_THREADS", n_threads)
        found.append(run(X, draws=50, tune=100).estimate.params)
    for other in found[1:]:
        for name in ("weights", "means", "precision_chol"):
            assert np.array_equal(getattr(other, name), getattr(found[0], name))
    assert not np.array_equal(found[0].weights[0], found[0].weights[1])  # chains have streams of their own
    assert not np.array_equal(run(X, seed=4, draws=50, tune=100).estimate.params.weights, found[0].weights)


@pytest.mark.slow
def test_data_in_parts(monkeypatch):
    """What large data do, whose evaluations hand their parts to threads: the same posterior."""
    X = blobs(n=3000, apart=8.0)
    whole = run(X, draws=500, tune=300, chains=2)
    monkeypatch.setattr(posterior, "SERIAL_ROWS", 1000)
    parts = run(X, draws=500, tune=300, chains=2)
    one, other = (result.estimate.params.means.mean((0, 1)) for result in (whole, parts))
    assert np.allclose(np.sort(one, 0), np.sort(other, 0), atol=0.2)  # a posterior deviation is a tenth


def test_progress_and_options_are_used():
    seen = []
    result = run(blobs(), lambda *what: seen.append(what), draws=40, tune=60, chains=3, max_treedepth=1)
    assert result.estimate.params.draw_shape == (3, 40)
    assert seen[-1] == (300, 300, "draws")
    assert "reached max_treedepth=1" in result.status.sentence
    assert result.estimate.sample_stats["n_steps"].max() <= 2


@pytest.mark.parametrize(
    "options",
    [{"draws": 3}, {"tune": -1}, {"chains": 0}, {"max_treedepth": 0}, {"target_accept": 1.0}, {"nuts_sampler": "stan"}],
)
def test_options_out_of_range(options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        bg.NUTS(**options)


# --- interrupts and failures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_threads", ["1", "4"])
def test_interrupt_keeps_the_draws_made_so_far(monkeypatch, n_threads):
    """Chains below 100 draws are dropped, the others cut to the shortest, and the status names both."""
    monkeypatch.setenv("BAYESGMM_NUM_THREADS", n_threads)

    def progress(done, total, note):
        if done > 8000:
            raise KeyboardInterrupt

    result = run(blobs(), progress, draws=100_000, tune=50)
    n_chains, n_draws = result.estimate.params.draw_shape
    assert 1 <= n_chains <= int(n_threads) and 100 <= n_draws < 100_000
    assert f"Interrupted: {n_chains} of 4 chains" in result.status.sentence
    assert f"first {n_draws} of each" in result.status.sentence
    assert ("R-hat" in result.status.sentence) <= (n_chains > 1)  # which one chain does not have
    assert np.isfinite(log_density(result.estimate.params, blobs())).all()


def test_short_chains_are_dropped(monkeypatch):
    """99 draws are not kept, 300 are cut to 150."""
    run_nutpie = sampling.run_nutpie

    def interrupted(*args):
        chains, _ = run_nutpie(*args)
        cut = [
            sampling.Chain(chain.params[:n], {name: value[:n] for name, value in chain.stats.items()})
            for chain, n in zip(chains, (300, 99, 150, 0), strict=True)
        ]
        return cut, True

    monkeypatch.setattr(sampling, "run_nutpie", interrupted)
    result = run(blobs(), draws=300, tune=100)
    assert result.estimate.params.draw_shape == result.estimate.sample_stats["lp"].shape == (2, 150)
    assert "Interrupted: 2 of 4 chains had at least 100 draws, and the first 150 of each are kept." in str(
        result.status
    )


def test_interrupt_before_there_is_anything_to_keep():
    def progress(done, total, note):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(blobs(), progress, draws=100_000, tune=100_000)


def test_no_start(monkeypatch):
    """Neither a crash nor a traceback, but a sentence."""

    def singular(*args):
        raise np.linalg.LinAlgError("Matrix is not positive definite")

    monkeypatch.setattr(search, "climb", singular)
    with pytest.raises(FitError, match="No start could be found: the prior's scale"):
        bg.fit(bg.GaussianMixture(2), blobs(), bg.NUTS(draws=10, tune=10), rng=0)


def test_chains_that_do_not_move():
    """A prior scale out of all proportion: whatever comes of it, a sentence says that it is no good."""
    model = bg.GaussianMixture(2, prior=bg.NormalInverseWishart(scale=1e-300 * np.eye(2)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        ours = bg.fit(model, blobs(), bg.NUTS(draws=10, tune=10), rng=0, throw=False)
    assert not ours.status.is_converged and len(ours.status.sentence) > 20


def test_no_finite_start(monkeypatch):
    monkeypatch.setattr(FlatPosterior, "__call__", lambda self, x: (np.nan, x))
    with pytest.raises(FitError, match="log posterior is not finite at any"):
        bg.fit(bg.GaussianMixture(2), blobs(), bg.NUTS(draws=10, tune=10), rng=0)


def test_sampler_that_gives_up(monkeypatch):
    def stopped(*args):
        raise RuntimeError("it is raining\nand cold")

    monkeypatch.setattr(sampling, "run_nutpie", stopped)
    with pytest.raises(FitError, match="^nutpie stopped with an error: it is raining$"):
        bg.fit(bg.GaussianMixture(2), blobs(), bg.NUTS(), rng=0)
