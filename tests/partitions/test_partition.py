"""The point partition against all partitions there are, the losses against their definitions, the ball by hand."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import entropy
from testbed.oracle import Enumeration, default_constants

import bayesgmm as bg
from bayesgmm.partitions.contingency import Terms, canonical, distances, pointwise_losses
from bayesgmm.partitions.partition_kernels import improved, make_target
from bayesgmm.partitions.similarity import co_clustering
from bayesgmm.result.estimates import Draws

TERMS = {"vi": Terms.information, "binder": Terms.binder}
losses = pytest.mark.parametrize("loss", ["vi", "binder"])


def variation_of_information(a, b):
    """2 H(a, b) - H(a) - H(b), from SciPy's entropies in nats."""
    table = np.array([[np.sum((a == i) & (b == j)) for j in np.unique(b)] for i in np.unique(a)])
    return 2 * entropy(table.ravel()) - entropy(table.sum(1)) - entropy(table.sum(0))


def binder(a, b):
    """The share of ordered pairs that are together in one partition and apart in the other."""
    return np.mean((a[:, None] == a) != (b[:, None] == b))


DEFINITIONS = {"vi": variation_of_information, "binder": binder}


@cache
def all_partitions(n):
    """(Bell(n), n) restricted growth strings."""
    rows = [[0]]
    for _ in range(n - 1):
        rows = [[*row, k] for row in rows for k in range(max(row) + 2)]
    return np.array(rows)


@cache
def enumeration(dataset, k):
    X = bg.load_dataset(dataset).X[:8]
    return Enumeration(X, default_constants("full", X, k))


def noisy(rng, n=40, n_draws=60, k=4, noise=0.3):
    """Draws around a partition, and their labels, which switch."""
    truth = rng.integers(k, size=n)
    z = np.where(rng.random((n_draws, n)) < noise * rng.random(n), rng.integers(k, size=(n_draws, n)), truth)
    return np.array([rng.permutation(k)[row] for row in z])


def expected(loss, candidates, z, weights=None):
    """(C,) posterior means of the loss."""
    d = distances(TERMS[loss](z.shape[1]), canonical(np.atleast_2d(candidates)), canonical(z))
    return np.average(d, axis=1, weights=weights)


# ---- the losses ----


@losses
def test_losses_by_definition_are_metrics_and_the_points_share_them(loss):
    rng = np.random.default_rng(0)
    z = rng.integers(5, size=(12, 31)) * rng.integers(0, 2, size=(12, 1))
    terms, partitions = TERMS[loss](31), canonical(z)
    d = distances(terms, partitions)
    np.testing.assert_allclose(d, [[DEFINITIONS[loss](a, b) for b in z] for a in z], atol=1e-13)
    np.testing.assert_allclose(d, distances(terms, partitions, partitions), atol=1e-13)
    np.testing.assert_array_equal(d, d.T)
    same = np.array([[np.array_equal(a, b) for b in partitions] for a in partitions])
    assert (d[same] == 0).all() and (d[~same] > 0).all()
    assert (d[:, None] <= d[:, :, None] + d[None] + 1e-13).all()
    weights = rng.dirichlet(np.ones(12))
    parts = pointwise_losses(terms, partitions[3], partitions, weights)
    assert parts.mean() == pytest.approx(d[3] @ weights, abs=1e-13)


def test_the_largest_variation_of_information_is_log_n():
    z = np.array([np.zeros(50, int), np.arange(50)])
    assert distances(Terms.information(50), z)[0, 1] == pytest.approx(np.log(50))
    assert distances(Terms.binder(50), z)[0, 1] == pytest.approx(1 - 1 / 50)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64])
def test_labels_are_nothing_but_names(dtype):
    z = np.random.default_rng(0).integers(3, size=(5, 20))
    info = np.iinfo(dtype)
    for names in (
        [info.min, info.max // 2, info.max],
        [info.max - 2, info.max, info.max - 1],
        [info.min + 1, info.min, 7],
    ):
        np.testing.assert_array_equal(canonical(np.array(names, dtype)[z]), canonical(z))
    first = canonical(z)[0]
    assert first[0] == 0 and all(label <= first[:i].max() + 1 for i, label in enumerate(first) if i)


# ---- the optimum ----


@losses
@pytest.mark.parametrize(("dataset", "k"), [("faithful", 2), ("faithful", 3), ("galaxies", 2), ("galaxies", 3)])
@pytest.mark.few(3)
def test_the_optimum_over_all_partitions_of_the_exact_posterior(dataset, k, loss, reference):
    exact = enumeration(dataset, k)
    found = bg.partition(exact.labelings, loss, weights=exact.probabilities)
    psm = np.genfromtxt(reference / "tiny" / f"{dataset}8_K{k}_psm.csv", delimiter=",", skip_header=1)
    np.testing.assert_allclose(found.similarity, psm, atol=1e-8)
    every = expected(loss, all_partitions(8), exact.labelings, exact.probabilities)
    assert len(every) == 4140
    assert found.expected_loss == pytest.approx(every.min(), abs=1e-12)
    best = canonical(found.labels[None])
    assert expected(loss, best, exact.labelings, exact.probabilities)[0] == pytest.approx(found.expected_loss)


@losses
def test_the_optimum_over_all_partitions_of_random_draws(loss):
    rng = np.random.default_rng(1)
    for _ in range(12):
        z = noisy(rng, n=8, n_draws=30, k=rng.integers(2, 6), noise=rng.uniform(0.2, 2.0))
        found = bg.partition(z, loss)
        assert found.expected_loss == pytest.approx(expected(loss, all_partitions(8), z).min(), abs=1e-12)


@losses
def test_a_single_descent_ends_where_no_point_wants_to_move(loss):
    rng = np.random.default_rng(2)
    z = canonical(noisy(rng, noise=0.9))
    target = make_target(z, np.full(len(z), 1 / len(z)), TERMS[loss](40).f)
    labels = improved(target, np.full(40, -1), 40, rng)
    least = expected(loss, labels, z)[0]
    for i in range(40):
        moved = np.repeat(labels[None], labels.max() + 2, axis=0)
        moved[:, i] = np.arange(len(moved))
        assert expected(loss, moved, z).min() > least - 1e-9


@losses
def test_no_baseline_is_better(loss):
    from scipy.cluster.hierarchy import cut_tree, linkage
    from scipy.spatial.distance import squareform

    z = noisy(np.random.default_rng(3), n=60, n_draws=150, k=5, noise=1.2)
    found = bg.partition(z, loss, n_runs=2)
    best_draw = expected(loss, z, z).min()
    assert found.baselines["best draw"] == pytest.approx(best_draw)
    assert found.expected_loss <= min(found.baselines.values())  # to the last bit
    assert found.expected_loss < 0.99 * best_draw  # the draws are so noisy that none of them is near
    for name in ("average", "complete"):
        tree = linkage(squareform(1 - found.similarity, checks=False), name)
        cut = expected(loss, cut_tree(tree).T, z).min()
        assert found.expected_loss <= cut + 1e-12
        assert found.baselines[f"{name} linkage"] == pytest.approx(cut)


def test_room_for_clusters_is_made_where_binders_loss_wants_it():
    # All points but those of one pair come and go by themselves: every pair is mostly apart, though in each draw
    # there are two clusters only.
    n = 60
    z = np.array([[0, 0, *row] for row in np.random.default_rng(4).integers(4, size=(200, n - 2))])
    found = bg.partition(z, "binder", n_runs=1)
    similarity = found.similarity
    assert (similarity[np.triu_indices(n, 1)] > 0.5).sum() == 1
    assert found.n_clusters == n - 1
    assert bg.partition(z, "binder", n_runs=1, max_clusters=7).n_clusters == 7
    assert bg.partition(z, "vi", n_runs=1, max_clusters=1).n_clusters == 1


# ---- invariances ----


@losses
def test_names_of_labels_copies_of_draws_and_chains_change_nothing(loss):
    rng = np.random.default_rng(5)
    z = noisy(rng)
    plain = bg.partition(z, loss)
    renamed = bg.partition(np.array([rng.permutation(9)[row] - 4 for row in z]), loss)
    chains = bg.partition(z.reshape(3, 20, 40), loss)
    copies = bg.partition(np.repeat(z, 3, axis=0), loss)
    weighted = bg.partition(z[::-1], loss, weights=np.full(len(z), 7.0))
    for other in (renamed, chains, copies, weighted):
        np.testing.assert_array_equal(other.labels, plain.labels)
        np.testing.assert_allclose(other.similarity, plain.similarity, atol=1e-12)
        np.testing.assert_allclose(other.uncertainty, plain.uncertainty, atol=1e-12)
        assert other.expected_loss == pytest.approx(plain.expected_loss, abs=1e-12)


@losses
def test_weights_are_repeated_draws(loss):
    rng = np.random.default_rng(6)
    z, times = noisy(rng, n_draws=20), rng.integers(0, 4, size=20)
    weighted, repeated = bg.partition(z, loss, weights=times), bg.partition(np.repeat(z, times, axis=0), loss)
    np.testing.assert_array_equal(weighted.labels, repeated.labels)
    assert weighted.expected_loss == pytest.approx(repeated.expected_loss, abs=1e-12)
    assert weighted.credible_ball(0.8).radius == pytest.approx(repeated.credible_ball(0.8).radius, abs=1e-12)


@losses
def test_points_in_another_order_are_partitioned_alike(loss):
    rng = np.random.default_rng(7)
    z, order = noisy(rng, noise=0.5), rng.permutation(40)
    plain, permuted = bg.partition(z, loss), bg.partition(z[:, order], loss)
    np.testing.assert_array_equal(canonical(permuted.labels[None]), canonical(plain.labels[None, order]))
    np.testing.assert_allclose(permuted.uncertainty, plain.uncertainty[order], atol=1e-12)
    np.testing.assert_allclose(permuted.similarity, plain.similarity[np.ix_(order, order)], atol=1e-12)


def test_clusters_are_numbered_by_size_and_the_same_call_gives_the_same():
    z = noisy(np.random.default_rng(8), noise=0.8)
    one, two = bg.partition(z), bg.partition(z)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert (np.diff(np.bincount(one.labels)) <= 0).all()
    table = one.summary()
    np.testing.assert_array_equal(table["size"], np.bincount(one.labels))
    members = one.labels == 0
    pairs = one.similarity[np.ix_(members, members)][np.triu_indices(members.sum(), 1)]
    assert table["mean_similarity"][0] == pytest.approx(pairs.mean())
    assert f"{len(table)} cluster" in repr(one) and "nats" in repr(one)


def test_the_similarity_of_draws_is_a_share_of_them():
    z = noisy(np.random.default_rng(9))
    np.testing.assert_allclose(bg.partition(z).similarity, np.mean(z[:, :, None] == z[:, None, :], axis=0), atol=1e-12)


# ---- the ball ----


@losses
@pytest.mark.parametrize("level", [0.05, 0.5, 0.9, 1.0])
def test_the_ball_is_the_smallest_with_its_probability_and_its_bounds_are_of_it(loss, level):
    rng = np.random.default_rng(10)
    z, weights = noisy(rng, n=12, n_draws=80, noise=1.0), rng.dirichlet(np.ones(80))
    found = bg.partition(z, loss, weights=weights)
    ball = found.credible_ball(level)
    distance = np.array([DEFINITIONS[loss](found.labels, row) for row in z])
    counts = np.array([len(np.unique(row)) for row in z])
    inside = distance <= ball.radius + 1e-12
    assert weights[inside].sum() == pytest.approx(ball.probability)
    assert ball.probability >= level - 1e-9
    assert weights[distance < ball.radius - 1e-12].sum() < level  # nothing smaller has as much

    def check(bound, rows):
        farthest = rows & (distance >= distance[rows].max() - 1e-12)
        assert {p.tobytes() for p in canonical(bound)} == {p.tobytes() for p in canonical(z[farthest])}
        assert all((np.diff(np.bincount(labels)) <= 0).all() for labels in bound)

    check(ball.horizontal, inside)
    check(ball.upper, inside & (counts == counts[inside].min()))
    check(ball.lower, inside & (counts == counts[inside].max()))
    assert f"{level:.0%}" in repr(ball)


def test_a_ball_needs_a_probability():
    found = bg.partition(noisy(np.random.default_rng(11)))
    for level in (0.0, 1.1, -0.5, np.nan, "high", [0.5, 0.9]):
        with pytest.raises(bg.ArgumentError, match="level"):
            found.credible_ball(level)


# ---- fits ----


@pytest.fixture(scope="module")
def q_fit():
    return bg.fit(bg.GaussianMixture(2), bg.load_dataset("faithful").X[:100], bg.VB(), rng=0)


def test_a_fit_is_partitioned_by_its_draws_and_the_similarity_is_not_of_the_labels(q_fit):
    found = bg.partition(q_fit)
    np.testing.assert_allclose(found.similarity, co_clustering(q_fit, q_fit.X), atol=1e-12)
    # A mean over 1000 draws of independent labels: five standard errors of at most 0.5 / sqrt(1000).
    np.testing.assert_allclose(found.allocations.similarity(), found.similarity, atol=0.08)
    agreement = distances(Terms.binder(100), canonical(np.array([found.labels, q_fit.predict(q_fit.X)])))[0, 1]
    assert agreement < 0.05 and found.n_clusters == 2
    again = bg.partition(q_fit)
    np.testing.assert_array_equal(found.distance, again.distance)
    assert not np.array_equal(found.distance, bg.partition(q_fit, rng=1).distance)


def test_draws_of_a_fit_need_no_alignment_and_may_be_thinned(q_fit):
    draws = q_fit.estimate.draws()
    fit = replace(q_fit, estimate=Draws(draws.permuted(np.array([1, 0])), {}))
    found = bg.partition(fit, max_draws=50)
    assert found.allocations.weights.sum() == pytest.approx(1.0)
    assert len(found.allocations.weights) <= 50
    np.testing.assert_allclose(found.similarity, co_clustering(q_fit, q_fit.X, max_draws=50), atol=1e-12)
    fewer = bg.partition(replace(fit, X=None), X=q_fit.X[:20], max_draws=50)
    np.testing.assert_allclose(fewer.similarity, found.similarity[:20, :20], atol=1e-12)


# ---- what cannot be done, and what can ----


def test_one_draw_one_point_and_one_cluster():
    found = bg.partition([[3, -1, 3, 7]])
    np.testing.assert_array_equal(found.labels, [0, 1, 0, 2])
    assert found.expected_loss == 0 and found.credible_ball().radius == 0
    np.testing.assert_array_equal(found.credible_ball().horizontal, [[0, 1, 0, 2]])
    single = bg.partition(np.array([[4], [5]]))
    assert single.labels.tolist() == [0] and single.expected_loss == 0 and np.isnan(single.summary().iloc[0, 1])
    assert bg.partition(np.zeros((5, 9), int)).n_clusters == 1


@pytest.mark.parametrize(
    ("allocations", "says"),
    [
        (np.zeros((4, 3)), "float64"),
        (np.array([["a", "b"]]), "integers"),
        ([[0, 1], [0]], "different lengths"),
        (np.zeros(5, int), "shape"),
        (np.zeros((1, 2, 3, 4), int), "shape"),
        (np.zeros((0, 3), int), "at least one"),
        (np.zeros((3, 0), int), "at least one"),
        ([[True, False]], "bool"),
        (None, "shape"),
    ],
)
def test_what_are_no_allocations(allocations, says):
    with pytest.raises(bg.DataError, match=says):
        bg.partition(allocations)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"loss": "rand"}, "'vi', 'binder'"),
        ({"loss": ["vi"]}, "loss"),
        ({"X": np.zeros((3, 1))}, "X goes with a fit"),
        ({"weights": [1.0]}, "shape"),
        ({"weights": [1.0, -1.0, 2.0]}, "negative"),
        ({"weights": [0.0, 0.0, 0.0]}, "zero"),
        ({"weights": [1.0, np.nan, 2.0]}, "finite"),
        ({"max_clusters": 0}, "max_clusters"),
        ({"n_runs": -1}, "n_runs"),
        ({"n_runs": 1.5}, "n_runs"),
        ({"rng": -1}, "rng"),
    ],
)
def test_arguments_out_of_range(arguments, says):
    with pytest.raises(bg.ArgumentError, match=says):
        bg.partition(np.array([[0, 1, 1], [0, 0, 1], [0, 1, 1]]), **arguments)


def test_fits_that_have_no_posterior_of_partitions(q_fit):
    X = bg.load_dataset("faithful").X[:100]
    with pytest.raises(bg.NotApplicableError, match="point fit"):
        bg.partition(bg.fit(bg.GaussianMixture(2), X, bg.EM(), rng=0))
    with pytest.raises(bg.NotApplicableError, match="without its data"):
        bg.partition(replace(q_fit, X=None))
    with pytest.raises(bg.ArgumentError, match="equally probable"):
        bg.partition(q_fit, weights=np.ones(1000))
    with pytest.raises(bg.DataError, match="X has 1 column"):
        bg.partition(q_fit, X=X[:, :1])


def test_too_much_for_the_memory():
    with pytest.raises(bg.ArgumentError, match="GiB"):
        bg.partition(np.zeros((1, 12_000), int))
    with pytest.raises(bg.ArgumentError, match="max_clusters"):
        bg.partition(np.tile(np.arange(1000), (600, 1)) - np.eye(600, 1000, k=1, dtype=int))
