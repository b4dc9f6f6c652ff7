"""The co-clustering matrix against exact enumeration."""

from dataclasses import replace

import numpy as np
import pytest
from testbed.exact_draws import ExactPosterior

import bayesgmm as bg
from bayesgmm.partitions.similarity import co_clustering, co_clustering_error
from bayesgmm.result.estimates import Draws


@pytest.mark.parametrize(("dataset", "k"), [("faithful", 2), ("galaxies", 2), ("galaxies", 3)])
@pytest.mark.few(2)
def test_exact_draws_give_the_exact_probabilities(dataset, k, reference):
    X = bg.load_dataset(dataset).X[:8]
    expected = np.genfromtxt(reference / "tiny" / f"{dataset}8_K{k}_psm.csv", delimiter=",", skip_header=1)
    n_draws = 10_000
    fit = bg.fit(bg.GaussianMixture(k), X, ExactPosterior(n_draws // 2, chains=2), rng=0)
    # A mean of independent values in [0, 1] has a standard error of at most 0.5 / sqrt(S); five of them.
    np.testing.assert_allclose(co_clustering(fit, X, max_draws=n_draws), expected, atol=2.5 / np.sqrt(n_draws))


def test_order_of_components_and_blocks_of_draws_do_not_show(monkeypatch):
    X = bg.load_dataset("faithful").X[:40]
    fit = bg.fit(bg.GaussianMixture(3), X, bg.VB(), rng=0)
    draws = fit.estimate.draws()
    plain = co_clustering(replace(fit, estimate=Draws(draws, {})), X)
    mixed = co_clustering(replace(fit, estimate=Draws(draws.permuted(np.array([1, 2, 0])), {})), X)
    np.testing.assert_allclose(mixed, plain, atol=1e-12)
    monkeypatch.setattr("bayesgmm.partitions.similarity.BLOCK_BYTES", 8 * 40 * 3 * 7)
    np.testing.assert_allclose(co_clustering(replace(fit, estimate=Draws(draws, {})), X), plain, atol=1e-12)


def test_a_point_takes_its_parameters_as_known_and_a_q_does_not():
    X = bg.load_dataset("faithful").X[:40]
    point, q = (bg.fit(bg.GaussianMixture(2), X, method, rng=0) for method in (bg.EM(), bg.VB()))
    r = point.responsibilities(X)
    expected = r @ r.T
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(co_clustering(point, X), expected, rtol=1e-12)
    drawn = replace(q, estimate=Draws(q.estimate.draws(), {}))
    np.testing.assert_array_equal(co_clustering(q, X), co_clustering(drawn, X))


def test_too_many_points():
    fit = bg.fit(bg.GaussianMixture(1), bg.load_dataset("galaxies").X, bg.EM(), rng=0)
    with pytest.raises(bg.ArgumentError, match="GiB"):
        co_clustering(fit, np.zeros((20_000, 1)))


X3 = np.array([[-1.0], [0.3], [1.0]])


def runs_of_draws(rng, run_length, n_chains=4, n_draws=50):
    """A fit whose draws stay where they are for `run_length` at a time: so many effective ones fewer."""
    fit = bg.fit(bg.GaussianMixture(2), np.linspace(-2.0, 2.0, 9)[:, None], bg.EM(n_init=1), rng=0)
    share = rng.beta(2.0, 2.0, (n_chains, n_draws // run_length)).repeat(run_length, axis=1)
    means = rng.normal([-1.0, 1.0], 0.5, (n_chains, n_draws // run_length, 2)).repeat(run_length, axis=1)
    ones = np.ones((n_chains, n_draws, 2, 1, 1))
    draws = bg.MixtureParams(np.stack([share, 1.0 - share], -1), means[..., None], ones)
    return replace(fit, estimate=Draws(draws, {}))


@pytest.mark.slow
def test_the_error_is_that_of_independent_batches_whatever_the_draws_of_a_chain_share():
    """Against the spread over replicates.  Taken as independent, draws in runs of five would state 0.45 of it."""
    rng = np.random.default_rng(5)
    fits = [runs_of_draws(rng, 5) for _ in range(40)]
    values, errors = (
        np.array([function(fit, X3) for fit in fits]) for function in (co_clustering, co_clustering_error)
    )
    assert (errors == np.swapaxes(errors, 1, 2)).all() and (errors[:, range(3), range(3)] == 0).all()
    pairs = np.triu_indices(3, 1)
    ratio = values.std(0, ddof=1)[pairs] / np.sqrt((errors**2).mean(0))[pairs]
    # The spread of 40 has a relative error of 1 / sqrt(78), the stated one, of 40 times 8 batches, of 0.04: 4.2 of both
    # for three pairs at a family-wise level of 1e-4.
    assert (np.abs(ratio - 1.0) < 4.2 * np.hypot(1 / np.sqrt(78), 0.04)).all()


def test_the_error_knows_chains_that_stay_apart():
    """Chains in two modes agree each with itself; only their difference tells the error."""
    fit = runs_of_draws(np.random.default_rng(0), 50)
    between = np.array([co_clustering(replace(fit, estimate=Draws(fit.params[[c]], {})), X3)[0, 2] for c in range(4)])
    # Two batches of each chain are as one: the error of the mean of 8 of which each of 4 is there twice.
    expected = np.sqrt(2 * ((between - between.mean()) ** 2).sum() / (8 * 7))
    assert co_clustering_error(fit, X3)[0, 2] == pytest.approx(expected)


def test_what_has_no_error_of_co_clustering_says_why():
    X = bg.load_dataset("faithful").X[:40]
    with pytest.raises(bg.NotApplicableError, match="draws of a posterior"):
        co_clustering_error(bg.fit(bg.GaussianMixture(2), X, bg.VB(), rng=0), X)
    with pytest.raises(bg.NotApplicableError, match="at least 2 draws of each of 4 chains"):
        co_clustering_error(runs_of_draws(np.random.default_rng(0), 1, n_draws=1), X3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")  # errors hold with fewer draws than a verdict needs
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.often(1)
def test_errors_hold_over_seeds(k):
    """Overlapping clusters: the spread over 20 seeds is what the errors say.

    The pairs move together, so the sum over them is held to the law of a single one: 43.8 is the 0.999 quantile of
    chi-squared of 19.
    """
    rng = np.random.default_rng(k)
    X = rng.normal(size=(25 * k, 2)) + (1.5 * rng.normal(size=(k, 2)))[np.arange(25 * k) % k]
    fits = [bg.fit(bg.GaussianMixture(k), X, bg.Gibbs(draws=300, tune=200, thin=4), rng=seed) for seed in range(20)]
    pairs = np.triu_indices(len(X), 1)
    values, errors = (np.array([of(fit, X)[pairs] for fit in fits]) for of in (co_clustering, co_clustering_error))
    assert ((values - values.mean(0)) ** 2).sum() / (errors**2).mean(0).sum() < 43.8
