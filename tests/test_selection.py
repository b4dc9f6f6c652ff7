"""`bg.search`: every cell is a fit of its own, failures and interrupts end nothing, conventions of other programs."""

import csv

import numpy as np
import pytest
from testbed.cases import blobs

import bayesgmm as bg
from bayesgmm.selection import run
from bayesgmm.selection.cell import Cell, made

X = blobs(n=80, d=2)
QUICK = bg.EM(n_init=3, moves=0)


@pytest.fixture(scope="module")
def found():
    return bg.search(X, range(1, 5), ["full", "tied", "VEI", "EEV"], QUICK, progress=False)


def test_each_cell_is_a_fit_of_its_own(found):
    """Its numbers are those of `bg.fit`, and do not depend on what else is searched."""
    assert len(found.table) == 16 and found.table["bic"].notna().all()
    alone = bg.search(X, 3, "VEI", QUICK, progress=False)
    assert alone.best.log_likelihood == found.fit(3, "VEI").log_likelihood
    row = found.table.query("n_components == 3 and covariance == 'VEI'").iloc[0]
    fit = found.fit(3, "VEI")
    assert row["log_likelihood"] == fit.log_likelihood and row["n_parameters"] == fit.n_parameters
    expected = 2 * fit.log_likelihood - fit.n_parameters * np.log(len(X))
    assert row["bic_mclust"] == pytest.approx(expected) == fit.bic("mclust")
    assert row["bic_sklearn"] == pytest.approx(-expected) == fit.bic("scikit-learn")
    assert row["icl_mclust"] == pytest.approx(expected + 2 * np.log(fit.responsibilities(X).max(1)).sum())
    assert set(found.table.attrs) >= {"bic", "icl", "bic_mclust", "bic_sklearn"}


def test_the_criteria_are_those_of_compare(found):
    best = found.best
    scores = bg.compare({"best": best}, folds=0, progress=False).scores["best"]
    assert best.bic() == pytest.approx(scores["bic"].value) and best.icl() == pytest.approx(scores["icl"].value)
    with pytest.raises(bg.ArgumentError, match="convention='R' must be one of 'mclust', 'scikit-learn'"):
        best.bic("R")


def test_the_best_ones(found):
    ranked = found.table[found.table["is_ranked"]].sort_values("bic", ascending=False)
    assert [fit.bic() for fit in found.top(3)] == pytest.approx(list(ranked["bic"][:3]))
    assert found.best is found.top(1)[0] and str(found).count("K=") == 3
    by_icl = bg.search(X, range(1, 5), ["full", "tied"], QUICK, criterion="icl", progress=False)
    assert by_icl.best.icl() == max(by_icl.table["icl"])


def test_the_best_ones_have_all_starts_and_moves():
    """The first look has three starts; what comes near the best one has those of the method, and nothing gets worse."""
    method = bg.EM(n_init=5, moves=2)
    quick = bg.search(X, (1, 3), ["full", "isotropic"], method, progress=False)
    looked = bg.search(X, (1, 3), ["full", "isotropic"], run.quicker(method), progress=False)
    assert run.quicker(method) == bg.EM(n_init=3, moves=0) and run.quicker(bg.EM(init=quick.best)) == bg.EM(
        init=quick.best
    )
    assert quick.best.method == method and any(cell.fit.method != method for cell in quick.cells)
    for cell, before in zip(quick.cells, looked.cells, strict=True):
        is_near = cell.value("bic") >= quick.best.bic() - run.NEAR
        assert cell.fit.method == (method if is_near else run.quicker(method))
        assert cell.value("bic") >= before.value("bic")
    thorough = bg.search(X, (1, 3), ["full", "isotropic"], method, thorough=True, progress=False)
    assert {cell.fit.method for cell in thorough.cells} == {method}
    assert thorough.best.bic() == quick.best.bic()


def test_a_suspicious_optimum_of_the_first_look_is_not_the_last_word():
    """Of three starts all may be flagged where a sound optimum exists: of these data, with six diagonal components."""
    diabetes = bg.load_dataset("diabetes").X
    first = bg.search(diabetes, 6, "diagonal", run.quicker(bg.EM()), progress=False).cells[0]
    found = bg.search(diabetes, 6, "diagonal", progress=False).cells[0]
    assert not first.is_ranked and found.fit.method == bg.EM()


def test_the_same_model_under_several_names_counts_once_in_an_average():
    one = bg.search(X, 1, ["full", "tied", "VEE", "EVE", "diagonal"], QUICK, progress=False).average(within=1e6)
    assert len(one.estimate.members) <= 2  # the correlated one, and the other where its weight is worth it


def test_icl_is_refused_where_there_is_none():
    for known in ({"sample_weight": np.full(len(X), 1.5)}, {"labels": np.arange(len(X)) % 2}):
        with pytest.raises(bg.ArgumentError, match="criterion='icl' is defined for the values alone"):
            bg.search(X, 2, ["full"], QUICK, criterion="icl", progress=False, **known)


def test_in_one_column_each_word_finds_the_same_fit():
    found = bg.search(X[:, :1], 2, "all", QUICK, progress=False)
    assert found.fit(2, "tied") is found.fit(2, "E") is found.fit(2, "isotropic") is not found.fit(2, "V")
    assert found.fit(2, "full") is found.fit(2, "VEV") is found.fit(2, "V")


def test_an_average_is_the_weighted_mixture(found):
    one = found.average()
    weights, members = one.estimate.weights, one.estimate.members
    densities = np.stack([np.exp(member.log_density(X)) for member in members])
    np.testing.assert_allclose(np.exp(one.log_density(X)), weights @ densities, rtol=1e-10)
    np.testing.assert_allclose(one.predictive().log_density(X), one.log_density(X), rtol=1e-9)
    ratio = np.exp(members[0].bic() - members[-1].bic())
    assert weights[0] / weights[-1] == pytest.approx(ratio, rel=1e-6)
    assert "approximate posterior probabilities" in one.status.sentence
    assert one.sample(5, rng=0).shape == (5, 2)


def test_all_models_and_one_column():
    assert set(bg.search(X, 2, method=QUICK, progress=False).table["covariance"]) == {
        "isotropic", "spherical", "shared_diagonal", "VEI", "EVI", "diagonal", "tied", "VEE", "EVE", "VVE", "EEV",
        "VEV", "EVV", "full",
    }  # fmt: skip
    assert list(bg.search(X[:, :1], [1, 2], method=QUICK, progress=False).table["covariance"]) == ["E", "V"] * 2


@pytest.mark.slow
def test_the_best_is_at_least_mclusts(reference):
    with open(reference / "mclust_best.csv") as lines:
        for row in csv.DictReader(lines):
            found = bg.search(bg.load_dataset(row["dataset"]).X, range(1, int(row["G"]) + 2), progress=False)
            assert found.best.bic("mclust") >= float(row["bic"]) - 1e-4, row
            assert found.table["bic"].notna().sum() == len(found.table)


def test_cells_that_fail_say_why_and_end_nothing():
    data = np.concatenate([X[:6], [[50.0, 50.0]]])
    found = bg.search(data, [1, 2, 9], ["full", "VEI"], QUICK, progress=False)
    table = found.table.set_index(["n_components", "covariance"])
    assert np.isfinite(table.at[(1, "full"), "bic"]) and np.isnan(table.at[(9, "full"), "bic"])
    assert "9" in table.at[(9, "VEI"), "status"] and not table.at[(9, "VEI"), "is_ranked"]
    with pytest.raises(bg.NotApplicableError, match="K=9 full has no fit: .*points"):
        found.fit(9, "full")
    with pytest.raises(bg.ArgumentError, match="no model of this search"):
        found.fit(3, "full")
    with pytest.raises(bg.FitError, match="None of the 2 models could be fitted. K=9 full, K=9 VEI: "):
        bg.search(data, 9, ["full", "VEI"], QUICK, progress=False)


def test_suspicious_optima_are_shown_and_not_ranked():
    data = np.concatenate([X, np.repeat([[90.0, 90.0]], 12, axis=0)])
    found = bg.search(data, [1, 4], "full", bg.EM(n_init=2, moves=0), progress=False)
    flagged = found.table[~found.table["is_ranked"]]
    for _, row in flagged.iterrows():
        assert np.isfinite(row["bic"]) and "suspicious" in row["status"]
    assert found.best.status.is_usable and found.best in [fit for fit in found.top(9)]


def test_an_interrupt_keeps_the_cells_that_are_done(monkeypatch):
    calls = []

    def interrupted(*job):
        calls.append(job)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return made(*job)

    monkeypatch.setattr(run, "made", interrupted)
    found = bg.search(X, range(1, 5), ["full", "tied"], QUICK, progress=False)
    assert len(found.cells) == 3 and found.n_asked == 8 and "5 more were not reached" in str(found)
    monkeypatch.setattr(run, "made", made)

    def stop(done, total, note):  # a second place where an interrupt may arrive
        if done == 2:
            raise KeyboardInterrupt

    assert len(bg.search(X, range(1, 5), ["full", "tied"], QUICK, progress=stop).cells) == 2
    monkeypatch.setattr(run, "made", lambda *job: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(bg.FitError, match="interrupted before its first cell"):
        bg.search(X, 2, "full", QUICK, progress=False)


def test_progress_is_told():
    seen = []
    bg.search(X, [1, 2], ["full", "tied"], QUICK, progress=lambda done, total, note: seen.append((done, total, note)))
    assert [one[:2] for one in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)] and seen[-1][2] == "K=2 tied"


def test_labels_and_weights():
    labels = np.where(np.arange(len(X)) % 4 == 0, (X[:, 0] > X[:, 0].mean()).astype(int), -1)
    found = bg.search(X, [1, 2, 3], ["full", "EEV"], QUICK, labels=labels, progress=False)
    table = found.table.set_index(["n_components", "covariance"])
    assert "2 classes" in table.at[(1, "full"), "status"] and np.isfinite(table.at[(2, "EEV"), "bic"])
    assert np.isnan(table.at[(2, "EEV"), "icl"])
    twice = bg.search(X, [2], ["full"], QUICK, sample_weight=np.full(len(X), 2.0), progress=False)
    assert twice.best.n_obs == 2 * len(X)


@pytest.mark.slow
def test_several_processes_give_the_same_numbers(found):
    other = bg.search(X, range(1, 5), ["full", "tied", "VEI", "EEV"], QUICK, progress=False, workers=2)
    assert (other.table["log_likelihood"] == found.table["log_likelihood"]).all()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"components": "1:3"}, bg.ArgumentError, "components='1:3' must be numbers"),
        ({"components": [0]}, bg.ArgumentError, "components=0 must be an integer of at least 1"),
        ({"components": []}, bg.ArgumentError, "is empty"),
        ({"covariances": ["full", "VXV"]}, bg.ArgumentError, "covariance='VXV' must be one of"),
        ({"covariances": "diag"}, bg.ArgumentError, "Here the word is 'diagonal'"),
        ({"covariances": []}, bg.ArgumentError, "one family at least"),
        ({"method": bg.VB()}, bg.ArgumentError, r"must be EM\(\) or MAP\(\)"),
        ({"criterion": "aic"}, bg.ArgumentError, "criterion='aic' must be one of 'bic', 'icl'"),
        ({"workers": 0}, bg.ArgumentError, "workers=0"),
        ({"sample_weight": [1.0]}, bg.DataError, "sample_weight has the shape"),
    ],
)
def test_bad_input_is_refused_before_any_work(options, error, words, monkeypatch):
    monkeypatch.setattr(run, "made", None)
    with pytest.raises(error, match=words):
        bg.search(X, **{"components": [1, 2], "progress": False, **options})


def test_the_picture_has_a_line_for_each_family(found):
    axes = found.plot()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["VEI", "EEE (tied)", "EEV", "VVV (full)"]
    line = axes.get_lines()[0]
    np.testing.assert_allclose(line.get_ydata(), [found.fit(k, "VEI").bic() for k in range(1, 5)])
    assert "icl" in found.plot("icl").get_ylabel() and axes.get_xlabel() == "number of components"


def test_a_cell_without_a_fit_has_no_values():
    cell = Cell(3, "full", None, "why")
    assert np.isnan(cell.value("bic")) and not cell.is_ranked and cell.sentence == "why"
