"""Gibbs against exact sums over all labelings, against other people's sampler, and against itself."""

import csv

import numpy as np
import pytest
from testbed import oracle
from testbed.monte_carlo import Z_LIMIT, moments_of, z_score

import bayesgmm as bg
from bayesgmm.core.density import log_density, responsibilities
from bayesgmm.core.facts import NO_FACTS
from bayesgmm.core.gibbs import split_merge
from bayesgmm.core.kernels import conjugacy
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.errors import ArgumentError, NotConvergedWarning
from bayesgmm.fitting import fit
from bayesgmm.methods.chains import running as chains
from bayesgmm.methods.chains.gibbs_chain import GibbsChain, compiled_prior, mixing_of
from bayesgmm.methods.gibbs import Gibbs
from bayesgmm.rows import as_rows


def resolved(structure, X, n_components):
    return bg.GaussianMixture(n_components, covariance=structure).resolve(as_rows(X))


@pytest.mark.parametrize("structure", oracle.STRUCTURES)
def test_compiled_algebra_is_that_of_the_priors(structure):
    """update and log_partition; differences of log_partition are those of the log marginal."""
    rng = np.random.default_rng(3)
    X = bg.load_dataset("iris").X[::10]
    model = resolved(structure, X, 4)
    prior, is_diagonal = model.conjugate(), model.covariance.is_diagonal
    compiled, root = compiled_prior(prior), np.empty((4, 4))
    ours, theirs = [], []
    for labels in (rng.integers(0, 4, len(X)), rng.integers(0, 3, len(X))):
        moments = moments_of(X, labels, 4, is_diagonal)
        stats = SufficientStatistics(
            0.0, moments.counts, np.zeros_like(moments.means), moments.scatter, moments.means, float(len(X))
        )
        posterior = conjugacy.empty_conjugate(compiled)
        conjugacy.update(compiled, moments, posterior)
        exact = prior.update(stats)
        pairs = zip(posterior, compiled_prior(exact), strict=True)
        for ours_part, theirs_part in pairs:
            if ours_part.ndim == 3:
                ours_part, theirs_part = np.triu(ours_part), np.triu(theirs_part)
            np.testing.assert_allclose(ours_part, theirs_part, rtol=1e-12)
        ours.append(conjugacy.log_partition(posterior, root))
        theirs.append(prior.log_marginal(stats))
    assert ours[1] - ours[0] == pytest.approx(theirs[1] - theirs[0], rel=1e-9)


@pytest.mark.parametrize("kind", [split_merge.EXCHANGE, split_merge.REDIVIDE, split_merge.SPLIT_OR_MERGE])
@pytest.mark.parametrize("structure", oracle.STRUCTURES)
@pytest.mark.few(1)
def test_each_move_keeps_the_exact_posterior(structure, kind):
    """Labels drawn from the enumerated posterior still have it after five moves of one kind.

    No chain has to converge for this: the replicates are independent.
    """
    X, n_components, n_replicates = bg.load_dataset("faithful").X[:6], 3, 3000
    model = resolved(structure, X, n_components)
    exact = oracle.Enumeration(X, oracle.default_constants(structure, X, n_components))
    prior, mixing, rng = compiled_prior(model.conjugate()), mixing_of(model, len(X)), np.random.default_rng(7)
    ends, n_accepted = np.empty(n_replicates, int), 0
    base = n_components ** np.arange(len(X))[::-1]
    for r, begin in enumerate(rng.choice(len(exact.labelings), n_replicates, p=exact.probabilities)):
        labels = exact.labelings[begin].astype(np.int64)
        moments = moments_of(X, labels, n_components, model.covariance.is_diagonal)
        for _ in range(5):
            n_accepted += split_merge.cross(rng, kind, X, NO_FACTS, labels, prior, mixing, moments)
        ends[r] = labels @ base
    again = moments_of(X, labels, n_components, model.covariance.is_diagonal)
    np.testing.assert_array_equal(moments.counts, again.counts)
    inside = again.counts > 0  # an empty component's mean has no meaning
    np.testing.assert_allclose(moments.means[inside], again.means[inside], rtol=1e-9)
    assert n_accepted > 100  # else the test would say nothing
    same = exact.labelings[:, :, None] == exact.labelings[:, None, :]
    pairs = same[:, *np.triu_indices(len(X), 1)].astype(float)
    quantities = np.column_stack([pairs, (exact.counts > 0).sum(1), exact.log_joint])
    mean = exact.probabilities @ quantities
    sd = np.sqrt(exact.probabilities @ (quantities - mean) ** 2 / n_replicates)
    score = (quantities[ends].mean(0) - mean) / sd
    assert np.abs(score).max() < Z_LIMIT


@pytest.mark.parametrize("n_components", [2, 3])
@pytest.mark.parametrize("structure", oracle.STRUCTURES)
@pytest.mark.few(1)
def test_expectations_are_the_enumerated_ones(structure, n_components):
    """Sum of squared weights, co-clustering, occupied components and densities, from draws of the whole sampler."""
    X = bg.load_dataset("faithful").X[:6]
    exact = oracle.Enumeration(X, oracle.default_constants(structure, X, n_components))
    ours = fit(bg.GaussianMixture(n_components, covariance=structure), X, Gibbs(draws=2000, thin=20), rng=1)
    draws = ours.params
    scores = [z_score((draws.weights**2).sum(-1), exact.sum_squared_weights())]
    n_occupied = exact.occupied() @ np.arange(1, n_components + 1)
    scores.append(z_score(ours.estimate.sample_stats["n_occupied"].astype(float), n_occupied))
    points = np.vstack([X[:3], X.mean(0)])
    densities = np.exp(log_density(draws, points))
    # The density at a point has heavy tails in the collapse of a component: its mean is compared inside the data.
    scores += [z_score(densities[..., i], np.exp(exact.log_density(x))) for i, x in enumerate(points)]
    together = np.array([[pair_probabilities(draws[c, t], X) for t in range(0, 2000, 4)] for c in range(4)])
    co = exact.co_clustering()[np.triu_indices(len(X), 1)]
    # Neither rare nor nearly sure: 1 in 100 is seen some 20 times, and the mean of rarer events is not yet normal.
    scores += [z_score(together[..., i], co[i]) for i in range(len(co)) if 0.01 < co[i] < 0.99]
    assert np.abs(scores).max() < Z_LIMIT


@pytest.mark.parametrize(("name", "k"), [("faithful", 2), ("faithful", 3), ("galaxies", 2), ("galaxies", 3)])
@pytest.mark.few(1)
def test_exact_sums_of_another_program(reference, name, k):
    """Eight points, of which R has summed over all labelings."""
    with open(reference / "tiny" / "summary.csv") as lines:
        (row,) = (r for r in csv.DictReader(lines) if (r["dataset"], r["K"]) == (name, str(k)))
    psm = np.loadtxt(reference / "tiny" / f"{name}8_K{k}_psm.csv", delimiter=",", skiprows=1)
    X = bg.load_dataset(name).X[:8]
    ours = fit(bg.GaussianMixture(k), X, Gibbs(draws=2000, thin=20), rng=1)
    scores = [z_score((ours.params.weights**2).sum(-1), float(row["E_sum_w2"]))]
    density = np.exp(log_density(ours.params, X.mean(0)[None]))[..., 0]
    scores.append(z_score(density, np.exp(float(row["logpred_at_m0"]))))
    for j in range(1, k + 1):
        share = float(row[f"P_Kplus_{j}"])
        if 0.01 < share < 0.99:
            scores.append(z_score((ours.estimate.sample_stats["n_occupied"] == j).astype(float), share))
    together = np.array([[pair_probabilities(ours.params[c, t], X) for t in range(0, 2000, 4)] for c in range(4)])
    co = psm[np.triu_indices(8, 1)]
    scores += [z_score(together[..., i], co[i]) for i in range(len(co)) if 0.01 < co[i] < 0.99]
    assert np.abs(scores).max() < Z_LIMIT


def pair_probabilities(params, X):
    """P(two points have one label | parameters)."""
    resp = responsibilities(params.scores(), X)
    return (resp @ resp.T)[np.triu_indices(len(X), 1)]


@pytest.mark.parametrize(("name", "n_components"), [("faithful", 2), ("galaxies", 3)])
@pytest.mark.slow
def test_posterior_of_another_gibbs_sampler(reference, name, n_components):
    """bayesm's 180,000 draws under the same prior."""
    with open(reference / f"posterior_{name}_{n_components}.csv") as lines:
        table = {row["quantity"]: (float(row["mean"]), float(row["mcse"])) for row in csv.DictReader(lines)}
    grid = np.loadtxt(reference / f"grid_{name}.csv", delimiter=",", skiprows=1, ndmin=2)
    X = bg.load_dataset(name).X
    ours = fit(bg.GaussianMixture(n_components), X, Gibbs(draws=2000, tune=100, thin=50), rng=2)
    densities = np.exp(log_density(ours.params, grid))
    quantities = {f"density_at_row_{i + 1}": densities[..., i] for i in range(len(grid))}
    quantities["sum_w2"] = (ours.params.weights**2).sum(-1)
    quantities["loglik"] = ours.estimate.sample_stats["log_likelihood"]
    assert quantities.keys() == table.keys()
    for quantity, values in quantities.items():
        theirs, their_error = table[quantity]
        our_error = abs(values.mean() - theirs) / z_score(values, theirs) if values.mean() != theirs else 0.0
        assert abs(values.mean() - theirs) < Z_LIMIT * np.hypot(their_error, our_error), quantity


def test_log_likelihood_is_that_of_the_draws():
    X = bg.load_dataset("iris").X
    ours = run(Gibbs(draws=100, tune=10, thin=1), X=X).estimate
    exact = log_density(ours.params, X).sum(-1)
    np.testing.assert_allclose(ours.sample_stats["log_likelihood"], exact, rtol=1e-10)


@pytest.fixture
def quick():
    return Gibbs(draws=150, tune=20, thin=3, crossing=0.5)


def run(method, seed=4, progress=None, X=None):
    X = bg.load_dataset("faithful").X if X is None else X
    data = as_rows(X)
    model = bg.GaussianMixture(3).resolve(data)
    return method.run(model, data, np.random.default_rng(seed), progress or (lambda done, total, note: None))


@pytest.mark.slow
def test_draws_do_not_depend_on_threads_or_on_where_stretches_are_cut(quick, monkeypatch):
    results = []
    for n_threads, stretch in (("1", 0.1), ("2", 0.1), ("3", 1e-4)):
        monkeypatch.setenv("BAYESGMM_NUM_THREADS", n_threads)
        monkeypatch.setattr(chains, "STRETCH", stretch)
        results.append(run(quick).estimate.params)
    for other in results[1:]:
        for name in ("weights", "means", "precision_chol"):
            np.testing.assert_array_equal(getattr(other, name), getattr(results[0], name))
    assert not np.array_equal(results[0].weights[0], results[0].weights[1])  # chains have streams of their own
    assert not np.array_equal(run(quick, seed=5).estimate.params.weights, results[0].weights)


def test_interrupt_keeps_the_draws_made_so_far(monkeypatch):
    """Chains below 100 draws are dropped, the others cut to the shortest, and the status names both."""
    monkeypatch.setattr(chains, "STRETCH", 0.002)
    method = Gibbs(draws=100_000, tune=10, thin=1)
    limit = 4 * 400

    def progress(done, total, note):
        if done > limit:
            raise KeyboardInterrupt

    ours = run(method, progress=progress)
    n_chains, n_draws = ours.estimate.params.draw_shape
    assert 1 <= n_chains <= 4 and 100 <= n_draws < 100_000
    assert f"Interrupted: {n_chains} of 4 chains" in ours.status.sentence
    assert f"first {n_draws} of each" in ours.status.sentence
    unbroken = run(Gibbs(draws=n_draws, tune=10, thin=1))
    first = ours.estimate.params.weights[0]  # of the first chain that is kept, on a busy machine not of the first one
    assert any(np.array_equal(first, chain) for chain in unbroken.estimate.params.weights)


def test_lengths_after_an_interrupt():
    assert chains.kept_lengths([500, 99, 300], 1000) == ([0, 2], 300)
    assert chains.kept_lengths([50, 50], 50) == ([0, 1], 50)
    with pytest.raises(KeyboardInterrupt):
        chains.kept_lengths([99, 0], 1000)


def test_interrupt_before_there_is_anything_to_keep(quick):
    def progress(done, total, note):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Gibbs(draws=100_000, tune=100_000), progress=progress)


def test_one_component_has_the_conjugate_posterior():
    """K = 1: independent draws of the exact normal-inverse-Wishart posterior."""
    X = bg.load_dataset("iris").X
    with pytest.warns(NotConvergedWarning, match="One chain"):
        ours = fit(bg.GaussianMixture(1), X, Gibbs(draws=4000, tune=0, thin=1, chains=1), rng=0)
    kappa, dof = 0.01 + 150, 6 + 150
    centered = X - X.mean(0)
    posterior_scale = np.cov(X.T) + centered.T @ centered
    sd = np.sqrt(np.diag(posterior_scale) / kappa / (dof - 5) / 4000)
    assert np.abs((ours.params.means.mean((0, 1))[0] - X.mean(0)) / sd).max() < Z_LIMIT
    covariances = ours.params.covariances[0, :, 0]
    error = covariances.std(0) / np.sqrt(4000)
    assert np.abs((covariances.mean(0) - posterior_scale / (dof - 5)) / error).max() < Z_LIMIT


@pytest.mark.slow  # the kernels are compiled for it
def test_float32_data(quick):
    X = bg.load_dataset("faithful").X
    ours = run(quick, X=X.astype(np.float32)).estimate.params
    assert ours.weights.dtype == np.float64
    np.testing.assert_allclose(ours.weights.mean(), 1 / 3, rtol=1e-12)


@pytest.mark.parametrize(
    "options", [{"draws": 3}, {"tune": -1}, {"chains": 0}, {"thin": 0}, {"thin": True}, {"crossing": 1.5}]
)
def test_options_out_of_range(options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        Gibbs(**options)


def test_crossing_moves_are_tried_and_counted():
    X = bg.load_dataset("faithful").X
    model = bg.GaussianMixture(3).resolve(as_rows(X))
    prior = model.conjugate()
    first = prior.sample(np.random.default_rng(0), 1)[0]
    chain = GibbsChain(np.random.default_rng(0), as_rows(X), prior, first, 300, 0, 10, 0.5)
    chain.advance(300)
    tried, accepted = chain.counters.T
    assert tried.sum() == pytest.approx(1500, abs=150)  # five standard deviations of Binomial(3000, 1/2) are 137
    assert (accepted <= tried).all() and accepted.sum() > 0
