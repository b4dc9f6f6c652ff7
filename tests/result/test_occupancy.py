"""How many components hold a point, which hold none, and whether a process was cut off too early."""

import numpy as np
import pytest
from fits import made

import bayesgmm as bg

X = bg.load_dataset("galaxies").X
QUICK = bg.Gibbs(draws=300, tune=100, chains=2, thin=5)
pytestmark = pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")


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
    assert {"n_occupied", "concentration"} <= set(process.summary().index)
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
