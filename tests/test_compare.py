"""`compare`: one table with a block per estimand, reasons where there are no numbers, and what follows in words."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

import bayesgmm as bg
from bayesgmm.comparison import Comparison, Row, conclusions, verdict
from bayesgmm.comparison.text import formatted
from bayesgmm.criteria.clustering import rand_index
from bayesgmm.criteria.columns import COLUMNS, ESTIMANDS
from bayesgmm.criteria.predictive import make_folds
from bayesgmm.criteria.score import Score
from bayesgmm.result.estimates import Draws, NoEstimate
from bayesgmm.result.status import Outcome, Status

iris = bg.load_dataset("iris")
X, labels = iris.X[::2, 2:], iris.labels[::2]
ENDED_WELL = Status(Outcome.CONVERGED, "Converged.")


def as_draws(fit):
    """A variational fit's q as if it were 4 chains of 250 draws."""
    return replace(fit, estimate=Draws(fit.estimate.draws().reshaped(4, 250), {}))


@pytest.fixture(scope="module")
def fits():
    fits = {}
    for k in (1, 2, 3):
        fits[f"em K={k}"] = bg.fit(bg.GaussianMixture(k), X, bg.EM(), rng=0)
        fits[f"vb K={k}"] = bg.fit(bg.GaussianMixture(k), X, bg.VB(), rng=0)
    fits["draws K=2"] = as_draws(fits["vb K=2"])
    return fits


@pytest.fixture(scope="module")
def comparison(fits):
    return bg.compare(fits, X_new=iris.X[1::2, 2:], folds=3, labels=labels)


def test_one_block_per_estimand(comparison, fits):
    table = comparison.table
    names = [*fits, "kmeans K=1", "kmeans K=2", "kmeans K=3"]
    assert list(table.index) == names
    assert set(comparison.blocks) == {"fit", *ESTIMANDS}
    assert sum(block.shape[1] for block in comparison.blocks.values()) == table.shape[1] == len(set(table.columns))
    assert not table.isna().all().any(), "no column without a value"
    for kind, column in COLUMNS.items():
        known = {kind + suffix for suffix in column.suffixes} & set(table.columns)
        assert kind in known and known <= set(comparison.blocks[column.estimand])
    assert (table.loc[list(fits), "elpd_kfold"].notna()).all(), "the score that every fit has"
    assert (table.loc[list(fits), "elpd_holdout"].notna()).all()
    assert (table["seconds"] > 0).all() and table["status"].str.len().gt(0).all()


def test_a_missing_number_has_its_reason(comparison):
    for name, scores in comparison.scores.items():
        for kind, score in scores.items():
            assert np.isnan(comparison.table.at[name, kind]) == score.is_missing  # every kind has a value somewhere
            assert not score.is_missing or comparison.reasons[name][kind]
    table, reasons = comparison.table, comparison.reasons
    assert np.isnan(table.at["em K=2", "elpd_loo"]) and "point estimate has none" in reasons["em K=2"]["elpd_loo"][0]
    assert np.isnan(table.at["vb K=2", "bic"]) and np.isnan(table.at["em K=2", "elbo"])
    assert "of q, uncorrected" in reasons["vb K=2"]["elpd_waic"][-1]
    assert "elpd_waic" not in reasons["draws K=2"] or "of q" not in str(reasons["draws K=2"]["elpd_waic"])
    assert "no density" in reasons["kmeans K=2"]["elpd_kfold"][0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning", "ignore::bayesgmm.TruncationWarning")
def test_every_cell_of_eight_engines_is_uncertain_exact_or_has_its_reason():
    X, finite = bg.load_dataset("galaxies").X, bg.GaussianMixture(3)
    gibbs, process, unknown = bg.Gibbs(draws=300), bg.DirichletProcessMixture(10), bg.MixtureOfFiniteMixtures(10)
    runs = {
        "em": (finite, bg.EM()), "map": (finite, bg.MAP()), "vb": (finite, bg.VB()), "advi": (finite, bg.ADVI()),
        "nuts": (finite, bg.NUTS()), "gibbs": (finite, gibbs), "dp": (process, gibbs), "mfm": (unknown, gibbs),
    }  # fmt: skip
    fits = {name: bg.fit(model, X, method, rng=0) for name, (model, method) in runs.items()}
    compared = bg.compare(fits, folds=2)
    for name, scores in compared.scores.items():
        for kind, score in scores.items():
            if score.is_missing:
                assert compared.reasons[name][kind]
            else:
                cell = formatted(compared, COLUMNS[kind].estimand, []).at[name, kind]
                assert np.isfinite(score.value) and np.isfinite(score.se)
                assert (" exact" in cell) == (score.se == 0) == score.is_exact and (" ± " in cell or score.is_exact)
    numbers = compared.table.loc[list(fits)].notna()
    assert numbers["elpd_kfold"].all() and list(numbers.index[numbers["bic"]]) == ["em", "map"]
    assert list(numbers.index[numbers["elbo"]]) == ["vb", "advi"]
    assert list(numbers.index[numbers["elpd_loo"]]) == ["vb", "advi", "nuts", "gibbs", "dp", "mfm"]
    # Two samplers of one posterior, two estimators: one number.
    evidence = [compared.scores[n][f"log_evidence_{m}"] for n in ("nuts", "gibbs") for m in ("bridge", "chib")]
    errors = [one.minus(evidence[1]) for one in evidence]
    assert all(abs(diff) <= 5 * se for diff, se in errors)  # a family-wise level of 1e-5


def test_values_are_those_of_the_fits(comparison, fits):
    table = comparison.table
    assert table.at["vb K=2", "elbo"] == fits["vb K=2"].elbo
    assert table.at["em K=2", "aic"] == pytest.approx(fits["em K=2"].log_likelihood - fits["em K=2"].n_parameters)
    new = fits["em K=3"].log_density(iris.X[1::2, 2:])
    assert table.at["em K=3", "elpd_holdout"] == pytest.approx(new.sum())
    assert table.at["em K=3", "elpd_holdout_se"] == pytest.approx(np.sqrt(75) * new.std(ddof=1))
    assert table.at["draws K=2", "elpd_loo"] == pytest.approx(table.at["vb K=2", "elpd_loo"], abs=0.5)
    assert table.at["em K=2", "ari"] == rand_index(labels, fits["em K=2"].predict(X))
    assert table.at["em K=1", "ari"] == 0.0 and table.at["kmeans K=3", "ari"] > 0.7


def test_differences_are_paired(comparison):
    frame = comparison.differences("elpd_kfold")
    best = frame.index[0]
    assert frame.at[best, "diff"] == frame.at[best, "diff_se"] == 0 and (frame["diff"] <= 0).all()
    assert frame["value"].is_monotonic_decreasing
    for name in frame.index[1:]:
        one, other = (comparison.scores[n]["elpd_kfold"].pointwise for n in (name, best))
        assert frame.at[name, "diff"] == pytest.approx(one.sum() - other.sum())
        assert frame.at[name, "diff_se"] == pytest.approx(np.sqrt(75) * np.std(one - other, ddof=1))
        assert comparison.table.at[name, "elpd_kfold_diff"] == frame.at[name, "diff"]
        assert comparison.table.at[name, "elpd_kfold_diff_se"] == frame.at[name, "diff_se"]
    evidence = comparison.differences("bic")
    assert (evidence["diff_se"] == 0).all() and evidence["diff"].iloc[0] == 0
    for column in ("ari", "inertia", "seconds", "elpd"):
        with pytest.raises(bg.ArgumentError, match="no differences"):
            comparison.differences(column)


@dataclass(frozen=True)
class Watched:
    """EM that remembers the data it is given."""

    seen: list

    def run(self, model, data, rng, progress):
        self.seen.append(data.values)
        return bg.EM(n_init=1).run(model, data, rng, progress)


def test_every_fit_meets_the_same_folds():
    seen = []
    fits = {name: bg.fit(bg.GaussianMixture(2), X, Watched(seen), rng=i) for i, name in enumerate("ab")}
    seen.clear()
    bg.compare(fits, folds=4, rng=7)
    assert len(seen) == 8
    for one, other, held_out in zip(seen[:4], seen[4:], make_folds(len(X), 4, 7), strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, np.delete(X, held_out, axis=0))


def test_the_order_of_the_fits_changes_nothing_but_the_order(comparison, fits):
    few = ["vb K=3", "em K=2"]
    again = bg.compare({name: fits[name] for name in few}, folds=3)
    columns = ["elpd_kfold", "elpd_kfold_se", "aic", "icl", "elbo"]
    expected = comparison.table.loc[few, columns].astype(float)
    np.testing.assert_array_equal(again.table.loc[few, columns].astype(float), expected)


def test_without_folds_new_points_and_labels_there_are_no_such_columns(fits):
    calls = []
    table = bg.compare({"a": fits["em K=1"]}, folds=0, progress=lambda *call: calls.append(call)).table
    for kind in ("elpd_kfold", "elpd_holdout", "ari"):
        assert not any(column.startswith(kind) for column in table.columns)
    assert [done for done, _, _ in calls] == [0, 1, 2] and {total for _, total, _ in calls} == {2}


def test_progress_counts_up_to_the_end(fits):
    calls = []
    bg.compare({name: fits[name] for name in ("em K=1", "em K=2")}, folds=3, progress=lambda *c: calls.append(c))
    assert [done for done, _, _ in calls] == list(range(11)) and {total for _, total, _ in calls} == {10}
    assert calls[2] == (2, 10, "em K=1: fold 2 of 3")


def test_a_failed_fit_costs_nobody_else(fits):
    failed = replace(fits["em K=2"], estimate=NoEstimate("planted"), status=Status(Outcome.FAILED, "Planted."))
    comparison = bg.compare({"bad": failed, "good": fits["em K=1"]}, folds=2)
    assert all(score.is_missing and "planted" in score.notes[0] for score in comparison.scores["bad"].values())
    assert np.isfinite(comparison.table.at["good", "elpd_kfold"])
    assert comparison.table.at["bad", "status"] == "Planted."
    assert conclusions(comparison)[0] == "No result, so not compared: 'bad' (Planted)."


def test_a_score_that_breaks_costs_no_other(fits, monkeypatch):
    def broken(fit, X):
        raise ZeroDivisionError("planted")

    monkeypatch.setitem(COLUMNS, "aic", replace(COLUMNS["aic"], of=broken))
    comparison = bg.compare({"em": fits["em K=1"]}, folds=0)
    assert comparison.reasons["em"]["aic"] == ("planted",) and np.isfinite(comparison.table.at["em", "bic"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fits": {}}, "dict of named fits"),
        ({"fits": [1]}, "dict of named fits"),
        ({"fits": {"a": "em"}}, "dict of named fits"),
        ({"folds": 76}, "more than there are points"),
        ({"folds": 1}, "folds=1"),
        ({"labels": ["a"] * 74}, "one label per point"),
        ({"labels": [None] * 75}, "missing values"),
        ({"labels": [np.nan] * 75}, "missing values"),
        ({"rng": "seed"}, "rng="),
        ({"X_new": np.zeros((3, 5))}, "X_new has 5 columns"),
        ({"X_new": [[np.nan, 1.0]]}, "Row 0"),
    ],
)
def test_bad_arguments(change, message, fits):
    arguments = {"fits": {"em": fits["em K=1"]}, "folds": 0} | change
    with pytest.raises((bg.ArgumentError, bg.DataError), match=message):
        bg.compare(**arguments)


def test_new_columns_in_another_order_are_not_mistaken(fits):
    frame = pd.DataFrame(X, columns=["length", "width"])
    named = {"array": fits["em K=1"], "frame": bg.fit(bg.GaussianMixture(1), frame, bg.EM(n_init=1), rng=0)}
    for new in (frame, frame[["width", "length"]]):  # the fit on an array goes by the names of the other
        column = bg.compare(named, X_new=new, folds=0).table["elpd_holdout"]
        assert column["array"] == column["frame"] == fits["em K=1"].log_density(X).sum()
    with pytest.raises(bg.DataError, match="X_new has no column 'width'"):
        bg.compare(named, X_new=frame.rename(columns={"width": "height"}), folds=0)


def test_fits_to_different_data_are_not_compared(fits):
    other = bg.fit(bg.GaussianMixture(1), X[:-1], bg.EM(), rng=0)
    with pytest.raises(bg.ArgumentError, match="different data"):
        bg.compare({"a": fits["em K=1"], "b": other}, folds=0)
    with pytest.raises(bg.ArgumentError, match="name of the baseline|that of the baseline"):
        bg.compare({"kmeans K=1": fits["em K=1"]}, folds=0)
    stripped = replace(fits["em K=2"], X=None)
    with pytest.raises(bg.ArgumentError, match="without their data"):
        bg.compare({"a": stripped}, folds=0)
    assert np.isfinite(bg.compare({"a": stripped, "b": fits["em K=1"]}, folds=0).table.at["a", "aic"])


def test_as_data(comparison, tmp_path):
    import pandas as pd

    facts = json.loads(comparison.to_json(tmp_path / "comparison.json"))
    assert json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8")) == facts
    assert set(facts["columns"]) == set(COLUMNS) and facts["columns"]["elbo"]["estimand"] == "log evidence"
    assert facts["fits"]["em K=2"]["elpd_loo"] is None and facts["reasons"]["em K=2"]["elpd_loo"]
    assert facts["conclusions"] == comparison.conclusions() == conclusions(comparison)
    assert facts["fits"]["em K=2"]["bic"] == comparison.table.at["em K=2", "bic"]
    comparison.to_csv(tmp_path / "comparison.csv")
    read = pd.read_csv(tmp_path / "comparison.csv", index_col="fit")
    assert list(read.columns) == list(comparison.table.columns) == list(facts["fits"]["em K=1"])
    np.testing.assert_allclose(read["elpd_kfold"], comparison.table["elpd_kfold"])


def test_as_text_and_pictures(comparison):
    html, text = comparison._repr_html_(), repr(comparison)
    for shown in (html, text):
        assert "new points are predicted best with K=" in shown
        assert "[1] " in shown and "of q, uncorrected" in shown and "(best)" in shown
    for note in comparison.notes.values():
        assert note.split("'")[0][:40] in html
    figure = comparison.plot()
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [kind for kind in COLUMNS if COLUMNS[kind].has_differences]


def made_up(values, n_obs=200, **status):
    """A Comparison of K=1, 2, ... with given pointwise elpd_kfold (or a single number for bic)."""
    rows, scores = {}, {}
    for i, value in enumerate(values):
        name, k = f"em K={i + 1}", i + 1
        rows[name] = Row("EM", k, "full", 5 * k, 1.0, status.get("status", ENDED_WELL))
        is_sum = np.ndim(value) == 1
        score = Score.summed("elpd_kfold", np.asarray(value)) if is_sum else Score("bic", float(value))
        scores[name] = {score.kind: score}
    return Comparison(rows, scores, (score.kind,), n_obs)


@pytest.mark.parametrize(
    ("behind", "spread", "expected"),
    [
        (20.0, 1.0, "K=1 does clearly less well (20.0 ± 1.0 nats)"),
        (20.0, 6.0, "K=1 does less well (20.0 ± 6.0 nats)"),
        (20.0, 11.0, "but K=1 (20.0 ± 11.0 nats behind) cannot be told apart from it"),
        (3.9, 0.1, "but K=1 (3.9 ± 0.1 nats behind) cannot be told apart from it"),
    ],
)
def test_how_sure_is_said_in_standard_errors(behind, spread, expected):
    base = np.random.default_rng(0).normal(size=200)
    noise = np.tile([1.0, -1.0], 100)
    worse = base - behind / 200 + noise * spread / np.sqrt(200) * np.sqrt(199 / 200)
    comparison = made_up([worse, base])
    sentence, edge = conclusions(comparison)
    assert edge.startswith("At the edge of the range tried: K=2 is the largest K of K=1 and 2")
    is_tie = expected.startswith("but")
    joint, rule = (", ", " (less than 4 nats or 2 standard errors behind)") if is_tie else ("; ", "")
    best = "Among K=1 and 2, new points are predicted best with K=2 (elpd_kfold, 'em K=2'; the largest K tried)"
    assert sentence == f"{best}{joint}{expected}{rule}."
    rough = conclusions(replace(comparison, n_obs=99))[0]
    assert rough.endswith("; with 99 points these errors are themselves rough.")


@pytest.mark.parametrize(
    ("behind", "grade"),
    [(0.5, "not worth more than a bare mention"), (1.5, "positive"), (4.0, "strong"), (9.0, "very strong")],
)
def test_evidence_is_graded_as_kass_and_raftery_do(behind, grade):
    (sentence,) = conclusions(made_up([-100.0, -100.0 - behind]))
    assert sentence == f"Log evidence: bic favours K=1, by {behind:.1f} nats over K=2 ({grade})."


def test_the_best_fit_of_each_number_of_components_stands_for_it(comparison):
    found = verdict(comparison, "elpd_kfold")
    ranked = comparison.ranked("elpd_kfold")
    for one in (found, *found.rivals):
        same = [name for name in ranked if comparison.rows[name].label == one.model]
        assert one.name == same[0]
    assert {found.model, *(rival.model for rival in found.rivals)} == {"K=1", "K=2", "K=3"}
    assert verdict(comparison, "nothing") is None and verdict(made_up([-1.0]), "bic") is None


def test_conclusions_of_a_real_comparison(comparison):
    text = " ".join(conclusions(comparison))
    assert "elpd_kfold" in text and "bic favours K=" in text and "elbo favours K=" in text
    assert "within itself only" in text and "icl" in text and "adjusted Rand index" in text


def test_one_number_of_components_concludes_nothing(fits):
    assert conclusions(bg.compare({"em": fits["em K=2"]}, folds=0)) == [
        "Only K=2 was fitted, so nothing can be said about the number of components."
    ]


def test_a_collapsed_fit_is_not_the_best():
    table = made_up([-100.0, -90.0])
    suspicious = replace(table.scores["em K=2"]["bic"], is_ranked=False)
    table = replace(table, scores=table.scores | {"em K=2": {"bic": suspicious}})
    assert list(table.differences("bic").index) == ["em K=1"]
    assert table.table.at["em K=2", "bic"] == -90.0 and np.isnan(table.table.at["em K=2", "bic_diff"])
    assert conclusions(table) == []  # one model with a ranked score: silent
