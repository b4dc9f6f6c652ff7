"""Quality of a clustering: scikit-learn on hard assignments, definitions by loops on soft ones."""

from dataclasses import replace

import numpy as np
import pytest

import bayesgmm as bg
from bayesgmm.assessment.quality import silhouettes
from bayesgmm.criteria.clustering import mutual_information, rand_index, soft_mutual_information, soft_rand_index
from bayesgmm.result.estimates import Draws

iris = bg.load_dataset("iris")
SCALED = iris.X / iris.X.std(0)
GROUPS = np.unique(iris.labels, return_inverse=True)[1]


@pytest.fixture(scope="module")
def point():
    return bg.fit(bg.GaussianMixture(3), iris.X, bg.EM(), rng=0)


@pytest.fixture(scope="module")
def q_fit():
    return bg.fit(bg.GaussianMixture(3), iris.X, bg.VB(), rng=0)


def soft(rng, n=30, k=4):
    return rng.dirichlet(np.full(k, 0.4), size=n)


def test_a_point_fit_has_scikit_learns_numbers(point):
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score

    table, hard, r = bg.clustering_quality(point, iris.labels), point.predict(iris.X), point.responsibilities(iris.X)
    value = table["value"]
    assert value["log_likelihood_per_point"] == pytest.approx(point.log_likelihood / 150)
    assert value["perplexity"] == pytest.approx(np.exp(-point.log_likelihood / 150))
    assert value["assignment_entropy"] == pytest.approx(
        -np.mean([sum(p * np.log(p) for p in row if p > 0) for row in r])
    )
    assert value["silhouette"] == pytest.approx(silhouette_score(SCALED, hard))
    assert value["ari"] == pytest.approx(adjusted_rand_score(iris.labels, hard))
    assert value["nmi"] == pytest.approx(normalized_mutual_info_score(iris.labels, hard))
    assert table["sd"].isna().all() and (table["note"] == "").all() and table["meaning"].str.len().gt(20).all()


def test_silhouettes_of_hard_clusters_are_scikit_learns():
    from sklearn.metrics import pairwise_distances, silhouette_samples

    rng = np.random.default_rng(0)
    for k in (2, 3, 7):
        labels = np.r_[rng.integers(k, size=149), k]  # the last point is alone
        shares = np.eye(k + 3)[labels]  # and two components are empty
        ours = silhouettes(pairwise_distances(SCALED), shares)
        np.testing.assert_allclose(ours, silhouette_samples(SCALED, labels), atol=1e-12)
    assert np.isnan(silhouettes(np.ones((4, 4)), np.ones((4, 1)))).all()
    assert (silhouettes(np.zeros((4, 4)), np.eye(2)[[0, 0, 1, 1]]) == 0).all()


def test_soft_silhouettes_by_definition():
    rng = np.random.default_rng(1)
    X, r = rng.normal(size=(30, 2)), soft(rng)
    d = np.sqrt(((X[:, None] - X) ** 2).sum(2))
    expected = np.zeros(30)
    for i in range(30):
        others = np.arange(30) != i
        mean = [r[others, k] @ d[i, others] / r[others, k].sum() for k in range(4)]
        for k in range(4):
            b = min(mean[j] for j in range(4) if j != k)
            expected[i] += r[i, k] * (b - mean[k]) / max(b, mean[k])
    np.testing.assert_allclose(silhouettes(d, r), expected, atol=1e-12)


def test_soft_agreement_is_that_of_scikit_learn_where_shares_are_hard():
    rng = np.random.default_rng(2)
    for k in (1, 2, 5):
        labels, hard = rng.integers(3, size=40), rng.integers(k, size=40)
        shares = np.eye(k + 1)[hard]
        assert soft_rand_index(labels, shares) == pytest.approx(rand_index(labels, hard), abs=1e-12)
        assert soft_mutual_information(labels, shares) == pytest.approx(mutual_information(labels, hard), abs=1e-12)
    one = np.zeros(5, int)
    assert soft_rand_index(one, np.ones((5, 1))) == 1.0 and soft_mutual_information(one, np.ones((5, 1))) == 1.0


def test_soft_agreement_by_definition():
    rng = np.random.default_rng(3)
    labels, r = rng.integers(3, size=30), soft(rng)
    i, j = np.triu_indices(30, 1)
    same, p = labels[i] == labels[j], (r @ r.T)[i, j]
    chance = same.sum() * p.sum() / len(i)
    index = (p[same].sum() - chance) / (0.5 * (same.sum() + p.sum()) - chance)
    assert soft_rand_index(labels, r) == pytest.approx(index, abs=1e-12)
    # A random point's label and component: draw ever so many of each point.
    joint = np.array([r[labels == g].sum(0) for g in range(3)]) / 30
    outer = joint.sum(1)[:, None] * joint.sum(0)
    information = (joint * np.log(joint / outer)).sum()
    entropies = [-(m * np.log(m)).sum() for m in (joint.sum(0), joint.sum(1))]
    assert soft_mutual_information(labels, r) == pytest.approx(information / np.mean(entropies), abs=1e-12)


def test_draws_give_means_and_deviations_whatever_the_order_of_components(q_fit):
    draws = q_fit.estimate.draws()
    table = bg.clustering_quality(q_fit, iris.labels, max_draws=40)
    mixed = replace(q_fit, estimate=Draws(draws.permuted(np.array([2, 0, 1])), {}))
    other = bg.clustering_quality(mixed, iris.labels, max_draws=40)
    drawn = "expected_silhouette"  # its components are drawn from another order of the probabilities
    for column in ("value", "sd"):
        np.testing.assert_allclose(table[column].drop(drawn), other[column].drop(drawn), rtol=1e-9)
    some = draws.spaced(40)
    per_draw = [q_fit.log_density_draws(iris.X).mean(1)]
    each = np.array([bg.clustering_quality(replace(q_fit, estimate=Draws(some[[s]][None], {})), iris.labels)["value"]
                     for s in range(3)])  # fmt: skip
    whole = bg.clustering_quality(replace(q_fit, estimate=Draws(some[:3][None], {})), iris.labels)
    keep = [name != drawn for name in whole.index]
    np.testing.assert_allclose(whole["value"][keep], each.mean(0)[keep])
    np.testing.assert_allclose(whole["sd"][keep], each.std(0)[keep], atol=1e-12)
    assert abs(per_draw[0].mean() - table["value"]["log_likelihood_per_point"]) < per_draw[0].std()
    assert (table["sd"] > 0).all()


def test_the_expected_silhouette_is_that_of_drawn_components(point):
    from sklearn.metrics import silhouette_score

    value, rng = bg.clustering_quality(point)["value"]["expected_silhouette"], np.random.default_rng(4)
    r = point.responsibilities(iris.X)
    drawn = [silhouette_score(SCALED, [rng.choice(3, p=row) for row in r]) for _ in range(60)]
    # Two independent means, of 100 and of 60 draws: five standard errors.
    assert abs(value - np.mean(drawn)) < 5 * np.std(drawn) * np.sqrt(1 / 60 + 1 / 100)


def test_one_component_and_a_subsample_say_so(monkeypatch, point):
    table = bg.clustering_quality(bg.fit(bg.GaussianMixture(1), iris.X, bg.EM(), rng=0), iris.labels)
    assert table.loc["silhouette", "note"].startswith("there is one cluster") and np.isnan(table["value"]["silhouette"])
    assert table["value"]["assignment_entropy"] == 0 and table["value"]["ari"] == 0
    monkeypatch.setattr("bayesgmm.assessment.quality.SILHOUETTE_POINTS", 50)
    assert "50 evenly spaced points of 150" in bg.clustering_quality(point).loc["silhouette", "note"]


def test_what_cannot_be_judged(point):
    with pytest.raises(bg.ArgumentError, match="one label per point"):
        bg.clustering_quality(point, iris.labels[:7])
    with pytest.raises(bg.ArgumentError, match="max_draws"):
        bg.clustering_quality(point, max_draws=0)
    with pytest.raises(bg.NotApplicableError, match="without its data"):
        bg.clustering_quality(replace(point, X=None))
    with pytest.raises(bg.DataError, match="columns"):
        bg.clustering_quality(point, X=iris.X[:, :2])
