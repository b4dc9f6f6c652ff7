"""How many components hold a point, which hold none, and whether a process was cut off too early."""

import numpy as np
import pytest
from testbed.fits import made

import bayesgmm as bg
from bayesgmm.result.occupancy import _expected_empty, all_occupied, bound_remark

X = bg.load_dataset("galaxies").X
QUICK = bg.Gibbs(draws=300, tune=100, chains=2, thin=5)
pytestmark = [
    pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning"),
    pytest.mark.filterwarnings("ignore::bayesgmm.TruncationWarning"),  # small bounds, to be quick
]


@pytest.fixture(scope="module")
def process():
    with pytest.warns((bg.TruncationWarning, bg.NotConvergedWarning)):
        return bg.fit(bg.DirichletProcessMixture(4), X, QUICK, rng=0)


@pytest.fixture(scope="module")
def unknown():
    return bg.fit(bg.MixtureOfFiniteMixtures(8), X, QUICK, rng=0)


def test_occupied_is_the_trace_s_histogram(unknown):
    table = unknown.occupied()
    assert list(table.columns) == ["n_occupied", "n_components"] and list(table.index) == list(range(1, 9))
    np.testing.assert_allclose(table.sum(), 1.0)
    stats = unknown.estimate.sample_stats
    for name in table:
        assert table[name] @ table.index == pytest.approx(stats[name].mean())
    assert (stats["n_occupied"] <= stats["n_components"]).all()
    np.testing.assert_array_equal((unknown.params.weights > 0).sum(-1), stats["n_components"])


def test_status_and_summary_speak_of_them(unknown, process):
    assert "Most probable number of occupied components" in unknown.status.sentence
    assert "Most probable number of components" in unknown.status.sentence
    assert {"n_occupied", "n_components"} <= set(unknown.summary().index)
    assert "concentration" in process.summary().index  # the number of occupied ones hardly ever changes here
    assert "The last of 4 sticks" in process.status.sentence


def test_truncation_that_is_too_small_is_a_warning():
    """Four sticks for galaxies, which occupy eight and more."""
    with pytest.warns(bg.TruncationWarning, match="raise truncation"):
        bg.fit(bg.DirichletProcessMixture(4), X, QUICK, rng=0)


def test_bound_of_a_fixed_concentration_is_the_formula():
    few = X[:20]
    fit = bg.fit(bg.DirichletProcessMixture(12, concentration=0.3), few, QUICK, rng=0)
    report = fit.truncation()
    assert report.bound == pytest.approx(4 * 20 * (0.3 / 1.3) ** 11)
    assert report.last_weight == pytest.approx(fit.params.weights[..., -1].mean())
    assert not report.is_too_small and "raise" not in str(report)


def test_bound_is_averaged_over_the_concentration_and_capped(process):
    alpha = process.estimate.sample_stats["concentration"]
    each = np.minimum(2.0, 4 * len(X) * (alpha / (1 + alpha)) ** 3)
    assert process.truncation().bound == pytest.approx(each.mean())


def test_labels_drawn_here_agree_with_the_sampler_s(unknown):
    """Where the draws do not know the number, labels are drawn given them: as NUTS and VB have it."""
    from dataclasses import replace

    from bayesgmm.result.estimates import Draws

    stats = {name: v for name, v in unknown.estimate.sample_stats.items() if name != "n_occupied"}
    bare = replace(unknown, estimate=Draws(unknown.params, stats))
    here, there = bare.occupied()["n_occupied"], unknown.occupied()["n_occupied"]
    # 600 correlated draws of sd 1.5: an effective sample of 60 has an error of 0.2 of the mean, labels drawn anew less.
    assert here @ here.index == pytest.approx(there @ there.index, abs=0.5)


def test_emptied_components_of_a_sparse_variational_fit():
    fit = bg.fit(bg.GaussianMixture(8, weights=bg.Dirichlet(0.001)), X, bg.VB(n_init=2), rng=0)
    empty = fit.emptied()
    assert empty and all(fit.responsibilities(X)[:, k].sum() < 0.5 for k in empty)
    assert f"emptied {len(empty)} of 8 components" in fit.status.sentence


def test_what_cannot_be_answered():
    point, draws = made("point"), made("draws")
    assert point.emptied() == ()
    with pytest.raises(bg.NotApplicableError, match="no posterior"):
        point.occupied()
    with pytest.raises(bg.NotApplicableError, match="occupied"):
        draws.emptied()
    with pytest.raises(bg.NotApplicableError, match="GaussianMixture"):
        draws.truncation()


def test_files_keep_them(tmp_path, unknown, process):
    for fit in (unknown, process):
        fit.save(tmp_path / "fit.nc")
        again = bg.load(tmp_path / "fit.nc")
        assert again.occupied().equals(fit.occupied())
        assert again.model.weight_constants().keys() == fit.model.weight_constants().keys()
        assert str(again.status) == str(fit.status)
    assert again.truncation() == fit.truncation()


FOUR = np.random.default_rng(0).permutation(np.repeat([[0.0], [9.0], [18.0], [27.0]], 500, 0))
FOUR = FOUR + np.random.default_rng(1).normal(size=FOUR.shape)
STREAM = bg.StochasticVB(100)


def test_a_process_whose_data_were_read_and_let_go_says_what_it_knows():
    """Two sticks for four groups; eight are enough."""
    with pytest.warns(bg.TruncationWarning, match="raise truncation") as caught:
        short = bg.fit(bg.DirichletProcessMixture(2), iter([FOUR]), STREAM, rng=0)
    assert caught[0].filename == __file__
    report = short.truncation()
    assert str(report) in short.status.sentence and report.last_occupied is None
    assert report.last_points == pytest.approx(short.responsibilities(FOUR)[:, 1].sum(), rel=0.1)  # as it was read
    with pytest.warns(bg.TruncationWarning) as caught:
        further = short.partial_fit(FOUR, rng=0)
    assert caught[-1].filename == __file__ and str(further.truncation()) in further.status.sentence
    enough = bg.fit(bg.DirichletProcessMixture(8), iter([FOUR]), STREAM, rng=0)
    assert not enough.truncation().is_too_small and "emptied 4 of 8 components" in enough.status.sentence
    with pytest.raises(bg.NotApplicableError, match="not in memory"):
        enough.occupied()


def test_a_process_that_was_saved_without_its_data_knows_its_bound(tmp_path, process):
    process.save(tmp_path / "fit.nc", data=False)
    here, there = bg.load(tmp_path / "fit.nc").truncation(), process.truncation()
    assert (here.bound, here.last_weight) == (there.bound, there.last_weight)
    assert here.is_too_small and 1.0 < here.last_points <= there.last_points


def test_further_draws_warn_too(process):
    with pytest.warns(bg.TruncationWarning) as caught:
        process.extend(2)
    assert all(w.filename == __file__ for w in caught)


@pytest.mark.parametrize(
    ("weight", "occupied", "words"),
    [
        (0.123, 0.9997, "12 % of the weight and holds a point in 100 % of"),
        (0.0996, 0.0, "10 % of the weight and holds a point in 0 % of"),
        (1e-5, 0.0123, "less than 0.01 % of the weight and holds a point in 1.2 % of"),
        (0.01, None, "1 % of the weight and holds some 1234 points"),
    ],
)
def test_shares_are_rounded_as_one_would(weight, occupied, words):
    from bayesgmm.result.occupancy import Truncation

    text = str(Truncation(9, 0.0123, weight, occupied, 1234.4))
    assert words in text and "at most 0.012 (L1" in text


EIGHT = np.random.default_rng(0).normal(size=(400, 2)) + np.repeat(np.arange(8), 50)[:, None] * [10, 7]
BOUNDED = {
    "max_components": bg.MixtureOfFiniteMixtures(5),
    "n_components": bg.GaussianMixture(5, weights=bg.Dirichlet(0.01)),
}


@pytest.mark.parametrize("name", [pytest.param("max_components", marks=pytest.mark.slow), "n_components"])
@pytest.mark.slow
def test_eight_groups_and_five_components_at_most_is_said(name):
    with pytest.warns(bg.TruncationWarning, match=f"more may be wanted than there are: raise {name}") as caught:
        fit = bg.fit(BOUNDED[name], EIGHT, QUICK, rng=0)
    assert any(w.filename == __file__ for w in caught)
    assert f"raise {name}" in fit.status.sentence and all_occupied(fit) > 0.5


@pytest.mark.parametrize(
    "model",
    [
        bg.MixtureOfFiniteMixtures(16),
        bg.GaussianMixture(16, weights=bg.Dirichlet(0.01)),
        bg.GaussianMixture(5),  # five were asked for
        # a prior that is no wish for empty ones
        pytest.param(bg.GaussianMixture(5, weights=bg.Dirichlet(0.5)), marks=pytest.mark.slow),
        bg.GaussianMixture(40),  # as uniform as can be, though some are expected to be empty
    ],
    ids=["MFM", "sparse", "finite", "Jeffreys", "many"],
)
@pytest.mark.few(1)
def test_a_bound_that_is_not_reached_or_was_asked_for_is_not(model):
    assert bound_remark(bg.fit(model, EIGHT, QUICK, rng=0)) is None


def test_expected_empty_components_are_those_of_draws_from_the_prior():
    """Dirichlet weights, then points: counted."""
    rng, concentration, n_obs = np.random.default_rng(0), np.array([0.05, 0.2, 1.0]), 40
    counts = np.array([rng.multinomial(n_obs, w) for w in rng.dirichlet(concentration, 20_000)])
    empty = (counts == 0).sum(1)
    model = bg.GaussianMixture(3, weights=bg.Dirichlet(concentration))
    error = empty.std() / np.sqrt(len(empty))
    assert abs(_expected_empty(model, n_obs) - empty.mean()) < 4 * error
