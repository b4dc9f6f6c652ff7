"""The k-means baseline against scikit-learn's, and the Rand index of every kind of fit."""

from dataclasses import replace

import numpy as np
import pytest

import bayesgmm as bg
from bayesgmm.criteria.baseline import kmeans_baseline
from bayesgmm.criteria.clustering import ari, rand_index
from bayesgmm.result.estimates import Draws

iris = bg.load_dataset("iris")


@pytest.mark.parametrize(("dataset", "k"), [("faithful", 2), ("faithful", 3), ("iris", 3), ("galaxies", 4)])
def test_inertia_of_scikit_learn_on_standardised_columns(dataset, k):
    from sklearn.cluster import KMeans

    X = bg.load_dataset(dataset).X
    theirs = KMeans(k, n_init=20, random_state=0).fit(X / X.std(0, ddof=1))
    ours = kmeans_baseline(X, k, np.random.default_rng(0))
    assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-5)  # Lloyd's steps stop at 1e-6 of it
    assert rand_index(theirs.labels_, ours.partition) > 0.98


def test_one_cluster_is_the_total_sum_of_squares():
    baseline = kmeans_baseline(iris.X, 1, np.random.default_rng(0))
    assert baseline.inertia == pytest.approx(4 * 149)
    np.testing.assert_allclose(baseline.centers[0], iris.X.mean(0))


def test_units_and_constant_columns_change_nothing():
    plain = kmeans_baseline(iris.X, 3, np.random.default_rng(0))
    scaled = np.column_stack([iris.X * [1e6, 1.0, 1e-6, 7.0] + 3.0, np.full(150, 2.0)])
    other = kmeans_baseline(scaled, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(plain.partition, other.partition)
    assert other.inertia == pytest.approx(plain.inertia, rel=1e-9)


def test_rand_index_of_predictions():
    from sklearn.metrics import adjusted_rand_score

    for method in (bg.EM(), bg.VB()):
        fit = bg.fit(bg.GaussianMixture(3), iris.X, method, rng=0)
        assert ari(fit, iris.X, iris.labels).value == adjusted_rand_score(iris.labels, fit.predict(iris.X))


def test_rand_index_of_draws_needs_no_alignment():
    fit = bg.fit(bg.GaussianMixture(3), iris.X, bg.VB(), rng=0)
    draws = fit.estimate.draws()
    rng = np.random.default_rng(0)
    orders = np.array([rng.permutation(3) for _ in range(1000)])
    index = (np.zeros((1000, 1), int), np.arange(1000)[:, None], orders)
    arrays = (draws.weights[index], draws.means[index], draws.precision_chol[index])
    switched = bg.MixtureParams.trusted(*(array[None] for array in arrays))
    plain, mixed = (ari(replace(fit, estimate=Draws(d, {})), iris.X, iris.labels) for d in (draws, switched))
    assert plain.value == pytest.approx(mixed.value, abs=1e-12) and plain.se == pytest.approx(mixed.se)
    # The draws of q surround its own partition.
    assert abs(plain.value - ari(fit, iris.X, iris.labels).value) < 4 * plain.se + 0.05
