"""Merging: the partitions of clustCombi, what each step takes from the entropy, skewed clusters and clear ones."""

import csv

import numpy as np
import pytest
from scipy.special import entr
from testbed.cases import blobs

import bayesgmm as bg
from bayesgmm.plots import plot_merging

ONE_STEP = {"max_iter": 1, "tol": None}
RNG = np.random.default_rng(0)
TAIL = np.column_stack([RNG.gamma(1.2, size=300), RNG.normal(scale=0.3, size=300)])
SKEWED = np.concatenate([TAIL, RNG.normal([-6.0, 0.0], 0.5, size=(150, 2))])


@pytest.fixture(scope="module")
def skewed():
    """A cluster with a long tail, which takes two components, and a round one far away."""
    return bg.fit(bg.GaussianMixture(3), SKEWED, bg.EM(), rng=0)


def test_the_partitions_are_those_of_clustcombi(reference):
    with open(reference / "mclust_combi.csv") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 14
    merged = {}
    for row in sorted(rows, key=lambda row: -int(row["K"])):  # that of G clusters is of the components themselves
        name, model, k = row["dataset"], row["model"], int(row["G"])
        if name not in merged:
            climb = bg.EM(init=row["labels"].split())  # to mclust's own mixture, which need not be the best one
            merged[name] = bg.merge_components(bg.fit(bg.GaussianMixture(k, model), bg.load_dataset(name).X, climb))
        theirs, k_clusters = np.array(row["labels"].split(), int) - 1, int(row["K"])
        shares = merged[name].responsibilities(k_clusters)
        names = [int(np.bincount(theirs[shares.argmax(1) == c]).argmax()) for c in range(k_clusters)]
        assert sorted(names) == list(range(k_clusters))
        # mclust stops earlier, so that a point halfway between two clusters may be in either.
        lost = np.flatnonzero(np.array(names)[shares.argmax(1)] != theirs)
        assert len(lost) <= 2 and (np.sort(shares[lost], axis=1)[:, -1] < 0.55).all(), (name, k_clusters)


def test_each_step_is_the_best_pair_and_the_table_says_what_it_did(skewed):
    merging = bg.merge_components(skewed)
    t = skewed.responsibilities(SKEWED)
    assert merging.entropies == pytest.approx([entr(merging.responsibilities(k)).sum() for k in (3, 2, 1)], abs=1e-9)
    gains = {
        (a, b): (entr(t[:, a]) + entr(t[:, b]) - entr(t[:, a] + t[:, b])).sum() for a, b in ((0, 1), (0, 2), (1, 2))
    }
    assert merging.pairs[0] == max(gains, key=gains.get)
    assert merging.entropies[0] - merging.entropies[1] == pytest.approx(max(gains.values()))
    table = merging.table
    assert list(table["n_clusters"]) == [3, 2, 1] and table["merged"][1] == " and ".join(map(str, merging.pairs[0]))
    np.testing.assert_allclose(merging.responsibilities(1), 1.0)


def test_a_skewed_cluster_is_one_again(skewed):
    """Its components by the truth, and the round cluster stays apart; the two-line rule of clustCombi says the same."""
    merging = bg.merge_components(skewed)
    labels = merging.labels()
    assert merging.n_clusters == merging.elbow == 2
    assert len(set(labels[:300])) == len(set(labels[300:])) == 1 and labels[0] != labels[-1]
    assert sorted(map(len, merging.groups())) == [1, 2] and "3 components into 2 clusters" in repr(merging)
    every_one = bg.merge_components(skewed, threshold=1e-300)
    assert every_one.n_clusters == 1 and bg.merge_components(skewed, threshold=0.999).n_clusters == 3


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")
def test_two_equal_components_are_one_up_to_a_distance():
    """The threshold lies between 2.5 and 3 standard deviations, and that of one mode, one half, at 2."""
    x = np.linspace(-9.0, 11.0, 4001)[:, None]
    for gap, threshold, n_clusters in ((2.5, 1 / 3, 1), (3.0, 1 / 3, 2), (1.9, 0.5, 1), (2.1, 0.5, 2)):
        params = bg.MixtureParams([0.5, 0.5], [[0.0], [gap]], np.ones((2, 1, 1)))
        grid = bg.fit(
            bg.GaussianMixture(2), x, bg.EM(init=params, **ONE_STEP), throw=False,
            sample_weight=np.exp(params.log_density(x)),
        )  # fmt: skip
        assert bg.merge_components(grid, threshold=threshold).n_clusters == n_clusters


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")
def test_clusters_that_are_apart_stay_so_whatever_the_elbow_says():
    X = blobs(n=120, d=2, k=3, apart=12.0)
    fit = bg.fit(bg.GaussianMixture(3), X, bg.EM(), rng=0)
    merging = bg.merge_components(fit)
    assert merging.n_clusters == 3 and np.array_equal(merging.labels(), fit.predict(X))
    assert bg.merge_components(bg.fit(bg.GaussianMixture(1), X, bg.EM(), rng=0)).n_clusters == 1


def test_large_clusters_elsewhere_change_nothing_in_small_ones():
    """A pair of large clusters takes more from the entropy, and is left apart; the small skewed one is merged."""
    rng = np.random.default_rng(0)
    large, small = np.concatenate([rng.normal(size=1500), rng.normal(3.2, 1.0, 1500)]), 40.0 + rng.exponential(size=120)
    merging = bg.merge_components(bg.fit(bg.GaussianMixture(4), np.append(large, small)[:, None], bg.EM(), rng=0))
    alone = bg.merge_components(bg.fit(bg.GaussianMixture(2), small[:, None], bg.EM(), rng=0))
    assert merging.n_clusters == 3 and alone.n_clusters == 1
    assert len(set(merging.labels()[-120:])) == 1 and merging.overlaps[0] < 1 / 3 < merging.overlaps[1]
    emptied = bg.fit(bg.GaussianMixture(6), SKEWED, bg.VB(), rng=0)
    assert emptied.emptied()  # they are in clusters of others, and none of their own
    assert all(set(part) - set(emptied.emptied()) for part in bg.merge_components(emptied).clusters)


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")
def test_other_kinds_of_fit():
    """Draws go by their similarity, whatever the components are called in each."""
    whole = np.concatenate([SKEWED[:90], SKEWED[300:345]])
    labels = np.repeat([0, 1], [90, 45])
    variational = bg.fit(bg.GaussianMixture(3), whole, bg.VB(n_init=3), rng=0)
    draws = bg.fit(bg.GaussianMixture(3), whole, bg.Gibbs(draws=100, tune=100, chains=2), rng=0, throw=False)
    for fit in (variational, draws):
        found = bg.merge_components(fit).labels(2)
        assert max(np.mean(found == labels), np.mean(found != labels)) > 0.97  # two points of the tail may be lost


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")
def test_weights_count_and_new_points_are_taken(skewed):
    weights = RNG.integers(1, 4, size=len(SKEWED))
    init = bg.EM(init=skewed, **ONE_STEP)
    weighted = bg.fit(skewed.model, SKEWED, init, sample_weight=weights, throw=False)
    repeated = np.repeat(SKEWED, weights, axis=0)
    ours, theirs = bg.merge_components(weighted), bg.merge_components(weighted, repeated)
    np.testing.assert_allclose(ours.entropies, theirs.entropies, rtol=1e-9, atol=1e-9)
    assert len(ours.labels()) == len(SKEWED) and len(theirs.labels()) == len(repeated)


def test_bad_input_and_the_picture(skewed):
    merging = bg.merge_components(skewed)
    with pytest.raises(bg.ArgumentError, match="n_clusters=4 is more than the 3 components"):
        merging.labels(4)
    with pytest.raises(bg.ArgumentError, match="threshold=1.5"):
        bg.merge_components(skewed, threshold=1.5)
    figure = plot_merging(merging)
    assert [ax.get_xlabel() for ax in figure.axes] == ["clusters", "clusters after the step"]
    assert len(figure._repr_png_()) > 10_000
