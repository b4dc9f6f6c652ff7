"""The portfolio: its starts find clusters among the noise of many columns, and move with the data."""

from itertools import islice

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.stats import ortho_group
from sklearn.metrics import adjusted_rand_score
from testbed.cases import STRUCTURES, blobs

import bayesgmm as bg
from bayesgmm.core.params import ComponentScores
from bayesgmm.core.spread import moments
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.sweep import Assign, sweep
from bayesgmm.families.gaussian import STRUCTURES as OBJECTS
from bayesgmm.methods.climbing.agglomeration import agglomerate, joined
from bayesgmm.methods.climbing.initialize import KINDS, starts
from bayesgmm.methods.climbing.portfolio import FEWEST_ROWS
from bayesgmm.rows import as_rows
from bayesgmm.rows.kmeans import kmeans

PORTFOLIO = KINDS["portfolio"]


def apart(n, d, n_clusters=3, distance=12.0):
    """Round clusters of unit variance, their centres `distance` apart on average."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(n_clusters), n // n_clusters)
    noise = rng.normal(size=(n, d))
    return noise + (rng.normal(size=(n_clusters, d)) * distance / np.sqrt(2 * d))[labels], labels


def at_truth(X, labels, structure):
    """The log likelihood of the optimum next to the true partition."""
    groups = [X[labels == k] for k in range(labels.max() + 1)]
    spread = [np.cov(group.T) for group in groups]
    covariances = [np.mean(spread, axis=0)] * len(groups) if structure == "tied" else spread
    init = bg.MixtureParams([len(g) / len(X) for g in groups], [g.mean(0) for g in groups], covariances)
    return bg.fit(bg.GaussianMixture(len(groups), structure), X, bg.EM(init=init)).log_likelihood


@pytest.mark.parametrize(
    ("n", "d", "k", "structure", "seed"),
    [
        (270, 15, 3, "full", 0),
        (360, 20, 3, "full", 0),
        (360, 20, 3, "full", 1),
        (1200, 20, 6, "full", 0),
        pytest.param(720, 40, 3, "full", 0, marks=pytest.mark.slow),
        pytest.param(720, 40, 3, "full", 1, marks=pytest.mark.slow),
        (720, 40, 3, "tied", 0),
        pytest.param(1080, 60, 3, "full", 0, marks=pytest.mark.slow),
        pytest.param(4998, 100, 3, "full", 0, marks=pytest.mark.slow),
    ],
)
@pytest.mark.few(3)
def test_clusters_among_many_columns_are_found(n, d, k, structure, seed):
    X, labels = apart(n, d, k)
    fit = bg.fit(bg.GaussianMixture(k, structure), X, bg.EM(), rng=seed)
    assert fit.status.is_converged
    assert fit.log_likelihood >= at_truth(X, labels, structure) - 1e-6 * n  # what tol=1e-8 may leave, hundredfold
    assert adjusted_rand_score(labels, fit.predict(X)) == 1.0


@pytest.mark.parametrize("method", [bg.MAP, bg.VB], ids=["MAP", "VB"])
def test_map_and_vb_begin_from_the_same_portfolio(method):
    """They end at least as high as from the truth, which is what the prior makes of it."""
    X, labels = apart(360, 20)
    init = bg.fit(bg.GaussianMixture(3), X, bg.EM(), rng=0).params
    expected = bg.fit(bg.GaussianMixture(3), X, method(init=init), rng=0).history[-1]
    assert bg.fit(bg.GaussianMixture(3), X, method(), rng=0).history[-1] >= expected - 1e-6 * len(X)


def ground_of(structure, X, k=3):
    form = OBJECTS[structure]
    return as_rows(X), form, form.whitening(moments(X, form.form)[1]), k


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_kind_shares_out_all_moments(structure):
    """Whatever the partition, scatter within and between add up to that of the data."""
    X = blobs(n=150, d=3)
    whole = np.cov(X.T, bias=True) * len(X)
    for stats in islice(starts(*ground_of(structure, X), "portfolio", np.random.default_rng(0)), len(PORTFOLIO)):
        counts, means = stats.counts, stats.means()
        assert len(counts) == 3 and np.isclose(counts.sum(), len(X), rtol=1e-12)
        assert np.allclose(counts @ means / len(X), X.mean(0), atol=1e-10)
        offset = means - X.mean(0)
        between = np.einsum("k,ki,kj->ij", counts, offset, offset)
        within = stats.scatter().sum(0)
        expected = stats.form.of_whole(whole - between)
        assert np.allclose(within, expected, atol=1e-9 * np.trace(whole))


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_kind_moves_with_the_data(structure):
    X = blobs(seed=3, n=90, d=3)
    A = 1e3 * ortho_group(3, seed=1).rvs()
    if structure in ("full", "tied"):
        A = A @ [[1.0, 0.5, -2.0], [0.0, 3.0, 1.0], [0.5, 0.0, 1.0]]
    elif structure in ("diagonal", "shared_diagonal"):
        A = np.diag([1e-6, -1.0, 1e6])
    kinds = len(PORTFOLIO)
    pairs = zip(
        islice(starts(*ground_of(structure, X), "portfolio", np.random.default_rng(0)), kinds),
        islice(starts(*ground_of(structure, X @ A.T), "portfolio", np.random.default_rng(0)), kinds),
        strict=True,
    )
    for stats, moved in pairs:
        assert np.allclose(moved.counts, stats.counts, atol=1e-6)  # soft counts, after sixty steps of rounding
        assert np.allclose(moved.means() @ np.linalg.inv(A).T, stats.means(), atol=1e-6)


def test_a_start_looks_at_some_rows_of_many_and_stands_for_all():
    X, labels = apart(3 * FEWEST_ROWS, 2)
    for stats in islice(starts(*ground_of("full", X), "portfolio", np.random.default_rng(0)), len(PORTFOLIO)):
        assert np.isclose(stats.counts.sum(), len(X), rtol=1e-12) and stats.n_obs == len(X)


def test_fewer_different_points_than_components_are_no_trouble():
    X = np.repeat([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0]], 5, axis=0)
    for structure in STRUCTURES:
        for stats in islice(starts(*ground_of(structure, X, 6), "portfolio", np.random.default_rng(0)), len(PORTFOLIO)):
            assert len(stats.counts) == 6 and np.isclose(stats.counts.sum(), 15)


def test_more_components_than_points_are_no_trouble():
    X = blobs(n=5)
    for stats in islice(starts(*ground_of("full", X, 8), "portfolio", np.random.default_rng(0)), len(PORTFOLIO)):
        assert len(stats.counts) == 8 and np.isclose(stats.counts.sum(), 5)


def single_points(X):
    zero = np.zeros_like(X)
    return SufficientStatistics(0.0, np.ones(len(X)), zero, np.zeros((len(X), 2, 2)), X.copy(), float(len(X)))


def test_the_pooled_criterion_is_wards():
    for seed in range(5):
        X = np.random.default_rng(seed).normal(size=(30, 2))
        ours = agglomerate(single_points(X), np.eye(2), 4, OBJECTS["tied"])
        labels = fcluster(linkage(X, "ward"), 4, "maxclust")
        theirs = np.array([X[labels == k].mean(0) for k in np.unique(labels)])
        order, expected = np.lexsort(ours.means().T), np.lexsort(theirs.T)
        assert np.allclose(ours.means()[order], theirs[expected])


@pytest.mark.parametrize("structure", ["full", "diagonal", "spherical"])
def test_the_own_criterion_joins_what_costs_the_least_of_the_classification_likelihood(structure):
    """By the definition, over all pairs: sum_k N_k (log N_k - 1/2 log |(S_k + D I) / (N_k + D)|)."""
    form, d = OBJECTS[structure], 2

    def value(stats):
        scatter = stats.scatter()
        if form.is_diagonal:
            scatter = np.array([np.diag(np.full(d, s.mean()) if form.is_round else s) for s in scatter])
        ridged = (scatter + d * np.eye(d)) / (stats.counts[:, None, None] + d)
        return (stats.counts * (np.log(stats.counts) - 0.5 * np.linalg.slogdet(ridged)[1])).sum()

    for seed in range(5):
        X = blobs(seed=seed, n=80, k=5)
        distances = np.ones((5, d)) if form.is_diagonal else np.repeat(np.eye(d)[None], 5, axis=0)
        centers = kmeans(as_rows(X), distances[0], 5, np.random.default_rng(0))
        stats = sweep(X, ComponentScores(np.zeros(5), centers, distances), Assign.HARD)
        assert stats.counts.min() > 2.5
        pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]
        best = max((joined(stats, i, j) for i, j in pairs), key=value)
        metric = np.ones(d) if form.is_diagonal else np.eye(d)
        found = agglomerate(stats, metric, 4, form)
        assert np.allclose(found.means(), best.means()) and np.allclose(found.counts, best.counts)


def test_parts_with_too_few_points_are_joined_first():
    X = np.vstack([blobs(n=60, k=2, d=2), [[100.0, 0.0]]])
    labels = np.r_[np.arange(60) % 5, 5]
    center = np.array([X[labels == k].mean(0) for k in range(6)])
    second = np.array([(X[labels == k] - center[k]).T @ (X[labels == k] - center[k]) for k in range(6)])
    stats = SufficientStatistics(0.0, np.bincount(labels).astype(float), np.zeros((6, 2)), second, center, 61.0)
    assert agglomerate(stats, np.eye(2), 5, OBJECTS["full"]).counts.min() > 2.5
    assert agglomerate(stats, np.eye(2), 5, OBJECTS["tied"]).counts.min() == 1.0  # one point is enough there
