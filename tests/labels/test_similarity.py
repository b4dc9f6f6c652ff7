"""The co-clustering matrix against exact enumeration."""

from dataclasses import replace

import numpy as np
import pytest
from exact_draws import ExactPosterior

import bayesgmm as bg
from bayesgmm.labels.similarity import co_clustering
from bayesgmm.result.estimates import Draws


@pytest.mark.parametrize(("dataset", "k"), [("faithful", 2), ("galaxies", 2), ("galaxies", 3)])
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
    monkeypatch.setattr("bayesgmm.labels.similarity.BLOCK_BYTES", 8 * 40 * 3 * 7)
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
