"""Relabelling of plain arrays: exact recovery, brute force over all orders, and what each method promises."""

import itertools
import warnings

import numpy as np
import pytest
from scipy.special import rel_entr, softmax

import bayesgmm as bg
from bayesgmm.labels import permutations
from bayesgmm.labels.matching import best_orders
from bayesgmm.labels.memberships import from_allocations, from_responsibilities, restricted
from bayesgmm.labels.methods import METHODS
from bayesgmm.labels.pivot import central_draw

N_DRAWS, N = 150, 40


def drawn(k=3, apart=6.0, seed=0, n_draws=N_DRAWS, n=N, noise=0.3):
    """Draws of normals around multiples of `apart`, their components in a random order: arrays and that order."""
    rng = np.random.default_rng(seed)
    x = apart * (np.arange(n) % k) + rng.normal(size=n)
    means = apart * np.arange(k) + noise * rng.normal(size=(n_draws, k))
    orders = np.array([rng.permutation(k) for _ in range(n_draws)])  # component l of draw t is truly orders[t, l]
    means = np.take_along_axis(means, orders, 1)
    log_sd = noise * rng.normal(size=(n_draws, 1, k))
    distances = (x[:, None] - means[:, None, :]) / np.exp(log_sd)
    responsibilities = softmax(-0.5 * distances**2 - log_sd, axis=2)
    labels = (responsibilities.cumsum(2) < rng.random((n_draws, n, 1))).sum(2)
    arrays = {"responsibilities": responsibilities, "allocations": labels, "parameters": means[..., None]}
    return arrays | {"X": x[:, None]}, orders


def chosen(arrays, *names):
    return {name: arrays[name] for name in names}


# What each method can be given.
CALLS = [
    ("ecr", ("responsibilities",)),
    ("ecr", ("allocations",)),
    ("ecr-iterative", ("responsibilities",)),
    ("ecr-iterative", ("allocations",)),
    ("ecr-iterative", ("responsibilities", "allocations")),
    ("stephens", ("responsibilities",)),
    ("pra", ("responsibilities", "parameters")),
    ("data-based", ("X", "allocations")),
    ("data-based", ("X", "responsibilities")),
]
every_call = pytest.mark.parametrize(("method", "names"), CALLS)


def test_every_method_is_called():
    assert {method for method, _ in CALLS} == set(METHODS)


@every_call
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_separated_components_are_recovered_exactly(method, names, k):
    arrays, orders = drawn(k)
    found = permutations(method=method, **chosen(arrays, *names))
    assert found.shape == (N_DRAWS, k) and np.array_equal(np.sort(found, 1), np.tile(np.arange(k), (N_DRAWS, 1)))
    names_of = np.take_along_axis(orders, found, 1)  # the true component that each draw calls k
    assert (names_of == names_of[0]).all()


@every_call
def test_the_order_of_the_input_does_not_show(method, names):
    """The aligned draws are the same whatever order each came in, up to one renaming of all."""
    arrays, _ = drawn(apart=3.0)  # nearer, two orders may have as many agreements, and then the first of them is taken
    rng = np.random.default_rng(1)
    shuffle = np.array([rng.permutation(3) for _ in range(N_DRAWS)])
    shuffled = {
        "responsibilities": np.take_along_axis(arrays["responsibilities"], shuffle[:, None, :], 2),
        "allocations": np.take_along_axis(np.argsort(shuffle, 1), arrays["allocations"], 1),
        "parameters": np.take_along_axis(arrays["parameters"], shuffle[..., None], 1),
        "X": arrays["X"],
    }
    one = permutations(method=method, **chosen(arrays, *names))
    other = np.take_along_axis(shuffle, permutations(method=method, **chosen(shuffled, *names)), 1)
    renaming = np.argsort(one[0])[other[0]]
    assert np.array_equal(one[:, renaming], other)


def test_single_precision_and_lists_do_too():
    arrays, _ = drawn()
    r = arrays["responsibilities"]
    plain = permutations(r, "stephens", pivot=0)  # which draw is central may hang on the last digit
    assert np.array_equal(permutations(r.astype(np.float32), "stephens", pivot=0), plain)
    labels = permutations(allocations=arrays["allocations"])
    assert np.array_equal(permutations(allocations=arrays["allocations"].astype(float).tolist()), labels)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_the_best_order_is_that_of_brute_force(k):
    gains = np.random.default_rng(k).normal(size=(30, k, k))
    everything = list(itertools.permutations(range(k)))
    for gain, found in zip(gains, best_orders(gains), strict=True):
        values = [gain[order, np.arange(k)].sum() for order in everything]
        assert tuple(found) == everything[int(np.argmax(values))]


def test_ecr_has_most_agreements_with_its_pivot():
    arrays, _ = drawn(apart=1.0)
    z = arrays["allocations"]
    for pivot in (7, z[7]):
        found = permutations(allocations=z, pivot=pivot)
        for t in range(0, N_DRAWS, 10):
            agreements = [(np.array(order)[z[7]] == z[t]).sum() for order in itertools.permutations(range(3))]
            assert (found[t][z[7]] == z[t]).sum() == max(agreements)
    assert list(permutations(allocations=z, pivot=7)[7]) == [0, 1, 2]


def stephens_objective(responsibilities, orders):
    """The sum of Stephens (2000), and whether one order could be better given the mean: by his definitions alone."""
    aligned = np.take_along_axis(responsibilities, orders[:, None, :], 2)
    mean = aligned.mean(0)
    value = rel_entr(aligned, mean).sum()
    every = np.array(list(itertools.permutations(range(mean.shape[1]))))
    costs = np.array([-(responsibilities[:, :, order] * np.log(mean)).sum((1, 2)) for order in every])
    own = -(aligned * np.log(mean)).sum((1, 2))
    return value, (own - costs.min(0)).max()


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_objective_of_stephens_never_rises_and_ends_at_a_fixed_point(k):
    r = drawn(k, apart=0.7, n_draws=300, noise=1.0)[0]["responsibilities"]
    values = [stephens_objective(r, permutations(r))[0]]
    for passes in range(1, 12):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bg.NotConvergedWarning)
            values.append(stephens_objective(r, permutations(r, "stephens", max_iter=passes))[0])
    assert (np.diff(values) <= 1e-9 * values[0]).all() and values[1] < values[0]
    value, better = stephens_objective(r, permutations(r, "stephens", max_iter=1000))
    assert value <= values[-1] + 1e-9 * values[0] and better < 1e-9


def test_pra_is_nearest_to_its_pivot_in_units_of_the_spread_within_components():
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(50, 3, 2)) * [1.0, 1000.0] + np.arange(3)[:, None] * [1.0, 2000.0]
    found = permutations(method="pra", parameters=theta, pivot=4)
    aligned = np.take_along_axis(theta, found[..., None], 1)
    scaled = theta / np.sqrt(aligned.var(0).mean(0))
    for t in range(50):
        distances = {o: ((scaled[t][list(o)] - scaled[4]) ** 2).sum() for o in itertools.permutations(range(3))}
        assert tuple(found[t]) == min(distances, key=distances.get)


def test_pra_is_not_misled_by_parameters_that_all_components_share():
    rng = np.random.default_rng(0)
    orders = np.array([rng.permutation(3) for _ in range(300)])
    theta = np.concatenate([10.0 * orders[..., None], np.zeros((300, 3, 4))], axis=2) + rng.normal(size=(300, 3, 5))
    names = np.take_along_axis(orders, permutations(method="pra", parameters=theta, pivot=0), 1)
    assert (names == names[0]).all()


def test_data_based_has_the_best_orders_given_its_own_centres():
    arrays, _ = drawn(apart=1.5)
    x, z = arrays["X"][:, 0] - arrays["X"].mean(), arrays["allocations"]
    found = permutations(method="data-based", allocations=z, X=arrays["X"])
    names = np.take_along_axis(np.argsort(found, 1), z, 1)
    mean = np.stack([(names == k).mean(0) for k in range(3)], 1)
    centers = mean.T @ x / mean.sum(0)
    scales = ((mean * (x[:, None] - centers) ** 2).sum(0) + x.var()) / (mean.sum(0) + 1)
    loss = (x[:, None] - centers) ** 2 / scales + np.log(scales)
    for t in range(N_DRAWS):
        losses = {o: loss[np.arange(N), np.argsort(o)[z[t]]].sum() for o in itertools.permutations(range(3))}
        assert losses[tuple(found[t])] <= min(losses.values()) + 1e-9


@pytest.mark.parametrize("version", [1, 2])
def test_iterative_ecr_ends_where_its_pivot_is_the_most_frequent_label(version):
    arrays, _ = drawn(apart=1.5, n_draws=100, noise=0.8)
    r, z = arrays["responsibilities"], arrays["allocations"]
    found = permutations(r if version == 2 else None, "ecr-iterative", allocations=z, max_iter=1000)
    averaged = r if version == 2 else np.eye(3)[z]
    pivot = np.take_along_axis(averaged, found[:, None, :], 2).mean(0).argmax(1)
    for t in range(100):
        agreements = [(np.array(order)[pivot] == z[t]).sum() for order in itertools.permutations(range(3))]
        assert (found[t][pivot] == z[t]).sum() == max(agreements)


def test_empty_components_can_be_left_out():
    rng = np.random.default_rng(0)
    r, is_occupied = rng.dirichlet([1, 1, 1], (20, 5)), rng.random((20, 3)) < 0.6
    is_occupied[:, 0] = True
    found = restricted(from_responsibilities(r), is_occupied).at(slice(3, 9))
    assert not found[~np.broadcast_to(is_occupied[3:9, None], found.shape)].any()
    for t, i in np.ndindex(6, 5):
        kept = r[3 + t, i, is_occupied[3 + t]]
        np.testing.assert_allclose(found[t, i, is_occupied[3 + t]], kept / kept.sum())


def test_labels_without_a_point_in_the_pivot_mean_one_thing_too():
    """A third cluster that the pivot lacks, and two labels for it to take: it takes the same one in every draw."""
    rng = np.random.default_rng(0)
    two, three = np.repeat([0, 1], 20), np.repeat([0, 1, 2], [20, 12, 8])
    other = np.repeat([0, 1, 2], [8, 12, 20])  # and a fourth, of other points
    true = [two, three, other] * 20
    z = np.array([rng.permutation(4)[labels] for labels in true])
    found = permutations(allocations=z, pivot=0, n_components=4)
    names = np.take_along_axis(np.argsort(found, 1), z, 1)
    for i in range(3):
        assert (names[i::3] == names[i]).all()
    assert len({names[1, -1], names[2, 0], *names[0]}) == 4


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_the_central_draw_has_the_nearest_co_clustering(kind):
    arrays, _ = drawn(apart=1.0, n_draws=40)
    r, z = arrays["responsibilities"], arrays["allocations"]
    h = r if kind == "soft" else np.eye(3)[z]
    matrices = np.einsum("tik,tjk->tij", h, h)
    distances = ((matrices - matrices.mean(0)) ** 2).sum((1, 2))
    found = central_draw(from_responsibilities(r) if kind == "soft" else from_allocations(z, 3))
    assert found == distances.argmin()


def test_blocks_of_draws_do_not_show(monkeypatch):
    arrays, _ = drawn(apart=1.0)
    whole = permutations(arrays["responsibilities"], "stephens")
    monkeypatch.setattr("bayesgmm.labels.memberships.BLOCK_BYTES", 8 * N * 3 * 7)
    assert np.array_equal(permutations(arrays["responsibilities"], "stephens"), whole)


def test_too_few_passes_are_told():
    r = drawn(4, apart=0.5, noise=1.0)[0]["responsibilities"]
    with pytest.warns(bg.NotConvergedWarning, match=r"after 1 passes the labels of \d+ of 150 draws still change"):
        permutations(r, "stephens", max_iter=1)


R, Z = (drawn()[0][name] for name in ("responsibilities", "allocations"))
THETA = drawn()[0]["parameters"]


def spoilt(value):
    bad = R.copy()
    bad[3, 5, 1] = value
    return bad


BAD = {
    "nothing": ({}, "method='ecr' needs responsibilities= or allocations="),
    "unknown method": (
        {"responsibilities": R, "method": "sjw"},
        "method='sjw' must be one of 'ecr', 'ecr-iterative', ",
    ),
    "no name": ({"responsibilities": R, "method": None}, "method=None must be one of"),
    "stephens without responsibilities": ({"allocations": Z, "method": "stephens"}, "needs responsibilities="),
    "pra without parameters": ({"responsibilities": R, "method": "pra"}, "method='pra' needs parameters="),
    "pra without a pivot": (
        {"parameters": THETA, "method": "pra"},
        "needs responsibilities= or allocations= or pivot=",
    ),
    "data-based without data": ({"allocations": Z, "method": "data-based"}, "needs X="),
    "two axes": ({"responsibilities": R[0]}, r"shape \(40, 3\); it must be \(draws, n, K\)"),
    "no draws": ({"responsibilities": R[:0]}, "none of them 0"),
    "text": ({"responsibilities": [["a"]]}, "rectangular array of numbers"),
    "ragged": ({"responsibilities": [[[1.0], [0.5, 0.5]]]}, "rectangular array of numbers"),
    "NaN": ({"responsibilities": spoilt(np.nan)}, "must be finite; draw 3"),
    "sum": ({"responsibilities": spoilt(0.7)}, r"sum to 1 .* draw 3, point 5 sum to"),
    "logarithms": ({"responsibilities": np.log(R)}, "must be at least 0 and sum to 1"),
    "transposed": ({"responsibilities": R.transpose(0, 2, 1)}, "sum to 1 over the last axis"),
    "labels from 1": (
        {"allocations": Z + 1, "responsibilities": R},
        "hold the label 3, and with 3 components the larg",
    ),
    "negative labels": ({"allocations": Z - 1}, "hold the label -1; labels count from 0"),
    "fractions": ({"allocations": Z + 0.5}, "allocations must hold whole numbers"),
    "one partition": ({"allocations": Z[0]}, r"allocations have shape \(40,\)"),
    "other draws": (
        {"allocations": Z[1:], "responsibilities": R},
        "number of draws; they have: responsibilities 150, all",
    ),
    "other points": ({"allocations": Z[:, 1:], "responsibilities": R}, "same number of points"),
    "other data": ({"allocations": Z, "X": np.zeros((7, 1)), "method": "data-based"}, "same number of points.* X 7"),
    "other components": ({"responsibilities": R, "parameters": THETA[:, :2], "method": "pra"}, "components differs"),
    "n_components": ({"allocations": Z, "n_components": 2}, "hold the label 2, and with 2 components"),
    "no components": ({"allocations": Z, "n_components": 0}, "n_components=0 must be"),
    "pivot draw": ({"allocations": Z, "pivot": 150}, r"pivot=150 must be one of the draws 0, \.\.\., 149"),
    "pivot labels": (
        {"allocations": Z, "pivot": Z[0, 1:]},
        r"a label below 3 for each of 40 points; it has shape \(39,\)",
    ),
    "pivot of pra": ({"parameters": THETA, "pivot": Z[0], "method": "pra"}, "pivot must be the number of a draw"),
    "passes": ({"allocations": Z, "max_iter": 0}, "max_iter=0 must be an integer of at least 1"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input(arguments, message):
    with pytest.raises(bg.ArgumentError, match=message) as caught:
        permutations(**arguments)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and len(text) < 300
