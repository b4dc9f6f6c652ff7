"""What is said of the winner: of what range, by which method and covariance, and what makes it doubtful."""

import io
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import bayesgmm as bg
from bayesgmm.cli.terminal import print_results
from bayesgmm.comparison import Comparison, Row, conclusions, verdict
from bayesgmm.criteria.evidence import reconciled
from bayesgmm.criteria.score import Score
from bayesgmm.report.choice import choose
from bayesgmm.report.tables import score_table
from bayesgmm.result.progress import watched
from bayesgmm.result.status import Outcome, Status

PREDICTION = "out-of-sample log predictive density"


def compared(scores, column="elpd_loo", n_obs=200, extra=None):
    """A comparison of (method, K or label, covariance, value, outcome, bar) rows, named after the first three."""
    rows, found = {}, {}
    for method, k, covariance, value, outcome, bar in scores:
        name = f"{method.lower()}-{k}-{covariance}"
        status = Status(outcome, f"It ended {outcome.value}.")
        size, model = (k, "") if isinstance(k, int) else (20, k)
        rows[name] = Row(method, size, covariance, 5.0, 1.0, status, model)
        if np.isnan(value):
            score = Score.missing(column, f"no result: {status}")
        elif column in ("bic", "elbo", "icl"):
            score = Score(column, value, 0.0)
        else:
            score = Score.summed(column, np.full(n_obs, value / n_obs))
        found[name] = {column: score.barred(bar) if bar else score} | (extra or {})
    return Comparison(rows, found, (column, *(extra or {})), n_obs)


def row(k, value, method="EM", covariance="full", outcome=Outcome.CONVERGED, bar=""):
    return method, k, covariance, value, outcome, bar


def everything_said(comparison):
    """Every place that names a winner, as text."""
    fits = {
        name: SimpleNamespace(kind="point", model=bg.GaussianMixture(max(1, one.n_components), one.covariance))
        for name, one in comparison.rows.items()
        if isinstance(one.n_components, int) and not one.model and one.status.is_usable
    }
    table = score_table(comparison, PREDICTION)
    cells = [cell for cells in table.rows for cell in cells if cell.is_best] if table else []
    reason = choose(comparison, fits).reason
    return conclusions(comparison), cells, reason, repr(comparison), comparison._repr_html_()


@pytest.mark.parametrize("column", ["elpd_kfold", "elpd_holdout", "elpd_loo", "aic", "bic", "elbo", "icl"])
@pytest.mark.parametrize(
    ("values", "place", "advice"),
    [
        ([-300.0, -200.0, -100.0], "the largest K tried", "fit more components"),
        ([-300.0, -100.0, -200.0], "", ""),
        ([-100.0, -200.0, -300.0], "", ""),  # with one component there is nothing below
    ],
)
def test_the_best_at_the_edge_of_the_range_is_called_so(column, values, place, advice):
    said = conclusions(compared([row(k, value) for k, value in enumerate(values, 1)], column))
    if place:
        assert place in said[0] and "K=1 to 3" in " ".join(said) and advice in said[-1]
    else:
        assert not any("edge" in sentence or "tried" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("sizes", "best", "edge", "range_"),
    [
        ((2, 3, 4), 2, "the smallest K tried", "K=2 to 4"),
        ((2, 4, 8), 8, "the largest K tried", "K=2, 4 and 8"),
        ((5, 9), 5, "the smallest K tried", "K=5 and 9"),
        ((1, 2), 2, "the largest K tried", "K=1 and 2"),
    ],
)
def test_the_range_is_that_which_was_tried(sizes, best, edge, range_):
    said = conclusions(compared([row(k, -100.0 - 10 * abs(k - best)) for k in sizes]))
    assert edge in said[0] and said[0].startswith(f"Among {range_}, ") and range_ in said[1]
    assert ("fit more" if edge.startswith("the largest") else "fit fewer") in said[1]


def test_a_method_that_was_tried_further_widens_the_range_of_all():
    rows = [row(1, -300.0, "NUTS"), row(2, -100.0, "NUTS"), row(3, -120.0), row(4, -130.0)]
    assert verdict(compared(rows), "elpd_loo").edge is None
    rows = [row(1, -300.0, covariance="full"), row(2, -100.0, covariance="full"), row(3, -150.0, covariance="tied")]
    assert verdict(compared(rows), "elpd_loo").edge is not None, "another covariance is another range"


def test_larger_models_without_a_ranked_score_are_named_and_no_more_are_asked_for():
    rows = [row(1, -300.0), row(2, -100.0), row(3, np.nan, outcome=Outcome.FAILED), row(4, np.nan)]
    said = conclusions(compared(rows))
    assert said[0] == "No result, so not compared: 'em-3-full' (It ended failed)."
    assert "the largest K ranked" in said[1] and "K=3 and 4 were tried too, and have no ranked score there" in said[2]


def test_sizes_of_different_covariances_are_one_range_where_each_has_one():
    rows = [row(3, -300.0), row(5, -200.0, covariance="diagonal"), row(8, -100.0, covariance="spherical")]
    said = conclusions(compared(rows))
    assert "the largest K tried" in said[0] and "K=3, 5 and 8" in said[1] and "fit more components" in said[1]
    rows[2] = row(8, -250.0, covariance="spherical")
    assert not any("tried" in sentence for sentence in conclusions(compared(rows)))


def test_an_unknown_number_at_its_bound_is_called_so():
    found = compared([row(1, -300.0), row("MFM (K\N{LESS-THAN OR EQUAL TO}20)", -100.0, "Gibbs")])
    name = next(name for name in found.rows if name.startswith("gibbs"))
    for n_occupied, is_said in ((19, False), (20, True)):
        rows = found.rows | {name: replace(found.rows[name], n_occupied=n_occupied)}
        assert ("all of its components hold points" in conclusions(replace(found, rows=rows))[0]) == is_said


def test_a_process_has_no_edge():
    rows = [row(1, -300.0), row("DP (T=20)", -100.0, "Gibbs"), row(2, -200.0)]
    said = " ".join(conclusions(compared(rows)))
    assert "predicted best with DP (T=20) by Gibbs" in said and "edge" not in said


def test_covariance_and_method_are_named_where_several_were_compared():
    both = [row(2, -200.0, "EM", "full"), row(2, -100.0, "VB", "diagonal"), row(3, -150.0, "VB", "full")]
    said = conclusions(compared(both))[0]
    assert "with K=2 diagonal by VB (" in said and "K=3 full does" in said
    one = conclusions(compared([row(2, -200.0), row(3, -100.0)]))[0]
    assert "with K=3 (" in one and " by EM" not in one and "full does" not in one
    assert "K=2 diagonal" in everything_said(compared(both))[2]


@pytest.mark.parametrize("column", ["elpd_loo", "bic", "elbo"])
def test_an_unranked_row_that_stands_higher_is_named_with_the_reason(column):
    reason = "of q, uncorrected"
    rows = [row(11, -5600.0), row(12, -5497.0), row(14, -5332.0, "VB", bar=reason), row(13, -5400.0, "VB", bar=reason)]
    said = conclusions(compared(rows, column))
    assert "an unranked fit stands higher" in said[0]
    (why,) = [sentence for sentence in said if sentence.startswith("Unranked fits stand above")]
    assert "'vb-14-full', K=14, by 165.0 nats, and 1 more" in why and why.endswith(f"{reason}.")
    lower = [row(11, -5600.0), row(12, -5497.0), row(14, -5900.0, "VB", bar=reason)]
    assert "nranked" not in " ".join(conclusions(compared(lower, column)))


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.NOT_CONVERGED, "not converged"),
        (Outcome.INTERRUPTED, "interrupted before its end"),
        (Outcome.COLLAPSED, "at a suspicious optimum"),
    ],
)
def test_a_fit_that_ended_badly_is_never_the_winner_without_a_word(outcome, words, capsys):
    comparison = compared([row(1, -300.0), row(2, -100.0, "Gibbs", outcome=outcome), row(3, -200.0)])
    said, best, reason, text, html = everything_said(comparison)
    assert words in said[0] and "K=2" in said[0]
    assert [cell.difference for cell in best] == [words]
    assert words in reason
    assert f"(best, {words})" in text and f"(best, {words})" in html
    print_results(comparison)
    assert f"best, {words}" in " ".join(capsys.readouterr().out.replace("\n", " ").split())
    for column in ("bic", "elbo", "icl"):
        said = conclusions(compared([row(1, -300.0), row(2, -100.0, outcome=outcome), row(3, -200.0)], column))
        assert words in said[0]


def test_labels_agree_best_with_a_fit_that_says_how_it_ended():
    agreement = {"ari": Score("ari", 0.9, 0.0)}
    rows = [row(1, -300.0, outcome=Outcome.NOT_CONVERGED), row(2, -100.0, outcome=Outcome.NOT_CONVERGED)]
    said = " ".join(conclusions(compared(rows, extra=agreement)))
    assert "agree best with 'em-1-full' (adjusted Rand index 0.90; not converged)" in said


def test_probabilities_of_models_say_what_has_not_converged():
    rows = [row(1, -102.0, "Gibbs"), row(2, -100.0, "Gibbs", outcome=Outcome.NOT_CONVERGED)]
    comparison = compared(rows, "elpd_loo")
    scores = {
        name: {"log_evidence_bridge": Score("log_evidence_bridge", found["elpd_loo"].value, 0.1)}
        for name, found in comparison.scores.items()
    }
    frame = replace(comparison, scores=scores, columns=("log_evidence_bridge",)).model_probabilities()
    assert list(frame["doubt"]) == ["not converged", ""]


def test_a_column_that_ranks_one_k_says_that_others_were_tried():
    rows = [row(1, -300.0), row(1, -350.0, covariance="tied"), row(2, np.nan)]
    assert "K=1 full (" in conclusions(compared(rows))[0] and "no other K is ranked" in conclusions(compared(rows))[0]


def test_failures_with_one_reason_are_named_together_and_first():
    rows = [row(k, np.nan, outcome=Outcome.FAILED) for k in (3, 4)] + [row(1, -300.0), row(2, -100.0)]
    said = conclusions(compared(rows))
    assert said[0] == "No result, so not compared: 'em-3-full' and 'em-4-full' (It ended failed)."
    alone = conclusions(compared([row(1, np.nan, outcome=Outcome.FAILED), row(2, -100.0)]))
    assert alone[1].startswith("Only K=2 was fitted"), "what failed was not fitted"


def test_many_ties_are_not_all_listed():
    said = conclusions(compared([row(k, -100.0 - 0.1 * k) for k in range(1, 13)]))[0]
    assert said.count("nats behind") == 4 and "and 7 more cannot be told apart" in said


# What is printed.


@pytest.fixture(scope="module")
def printed():
    X = bg.load_dataset("faithful").X[::4]
    fits = {f"{m}-K{k}": bg.fit(bg.GaussianMixture(k), X, {"em": bg.EM, "vb": bg.VB}[m](n_init=2), rng=0)
            for m in ("em", "vb") for k in (1, 2)}  # fmt: skip
    comparison = bg.compare(fits, folds=2)
    return comparison, repr(comparison)


def test_the_printed_table_shows_what_applies_and_every_note_once(printed):
    comparison, text = printed
    lines = text.splitlines()
    assert max(map(len, lines)) <= 120
    assert "log_evidence_bridge" not in text and "n/a" not in text and "nan" not in text.lower()
    assert not any(line.split()[1:] and set(line.split()[1:]) == {"-"} for line in lines), "no row without a value"
    numbered = [line for line in lines if line.startswith("[")]
    assert [line.split()[0] for line in numbered] == [f"[{i}]" for i in range(1, len(numbered) + 1)]
    flat = " ".join(text.split())
    for name in comparison.rows:
        for kind in comparison.columns:
            score = comparison.scores[name][kind]
            if not score.is_missing:
                assert f"{score.value:.1f}" in flat or f"{score.value:.2f}" in flat or f"{score.value:.3f}" in flat
                assert all(flat.count(" ".join(note.split())) == 1 for note in score.notes if not score.bar)
    assert all(row.status.outcome.value in flat for row in comparison.rows.values())


def test_the_table_for_programs_has_no_column_without_a_value(printed):
    comparison, _ = printed
    table = comparison.table
    assert not table.isna().all().any()
    assert set(table) == {c for block in comparison.blocks.values() for c in block}
    assert "log_evidence_bridge" not in table and "elbo" in table and "n_occupied" not in table
    for name, scores in comparison.scores.items():
        for kind, score in scores.items():
            assert score.is_missing or table.at[name, kind] == score.value


# Progress.


class Terminal(io.StringIO):
    def isatty(self):
        return True


def told(progress):
    with watched(progress) as report:
        report(1, 4, "em: fold 1")
        report(2, 4, "v\x1b[31mb")


def test_progress_is_shown_on_a_terminal_by_default_and_taken_away(monkeypatch):
    for stream, progress, is_shown in (
        (Terminal(), None, True), (Terminal(), False, False), (io.StringIO(), None, False), (io.StringIO(), True, True),
        (Terminal(), lambda *call: None, False),
    ):  # fmt: skip
        monkeypatch.setattr(sys, "stderr", stream)
        told(progress)
        text = stream.getvalue()
        assert ("1 of 4  em: fold 1" in text) == ("2 of 4" in text) == is_shown
        assert "\x1b" not in text, "a name cannot act in the terminal"
        assert not is_shown or text.split("\r")[-1] == "" and text.split("\r")[-2].strip() == ""


def test_progress_is_taken_away_after_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(ZeroDivisionError), watched(None) as report:
        report(0, 1, "x")
        raise ZeroDivisionError
    assert sys.stderr.getvalue().endswith("\r")


def test_progress_in_a_notebook_is_one_output_that_changes(monkeypatch):
    shown = []
    handle = SimpleNamespace(update=lambda data, raw: shown.append(data["text/plain"]))
    display = SimpleNamespace(display=lambda data, raw, display_id: handle)
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1), display=display)
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    told(None)
    assert "1 of 4" in shown[0] and "2 of 4" in shown[1] and shown[-1] == ""


def test_what_is_no_progress_is_refused():
    fit = bg.fit(bg.GaussianMixture(1), np.arange(8.0)[:, None], bg.EM(), rng=0)
    with pytest.raises(bg.ArgumentError, match="progress='yes' must be True or False, or a function"):
        bg.compare({"em": fit}, folds=0, progress="yes")
    calls = []
    bg.compare({"em": fit}, folds=0, progress=lambda *call: calls.append(call))
    assert calls[0][:2] == (0, 2) and calls[-1][:2] == (2, 2)


def evidences(values):
    """A comparison from {K: (bridge, chib)} scores, as `compare` ranks them."""
    rows, scores = {}, {}
    for k, (bridge, chib) in values.items():
        rows[f"K={k}"] = Row("Gibbs", k, "full", 5.0, 1.0, Status(Outcome.CONVERGED, "It ended."))
        pair = reconciled(Score("log_evidence_bridge", *bridge), Score("log_evidence_chib", *chib))
        scores[f"K={k}"] = {score.kind: score for score in pair}
    return Comparison(rows, scores, ("log_evidence_bridge", "log_evidence_chib"), 200)


def test_chib_does_not_favour_what_the_bridge_contradicts():
    """K=3 by Chib's 5 nats too many, 10 of the errors."""
    compared = evidences(
        {2: ((-500, 0.1), (-500.1, 0.1)), 3: ((-503, 0.3), (-498, 0.4)), 4: ((-510, 0.1), (-510, 0.1))}
    )
    assert list(compared.ranked("log_evidence_chib")) == ["K=2", "K=4"]
    assert verdict(compared, "log_evidence_chib").model == "K=2"
    assert "5.00 nats above log_evidence_bridge, more than both errors allow" in str(compared.reasons["K=3"])
    assert "log_evidence_chib is 5.00 nats above it" in compared.reasons["K=3"]["log_evidence_bridge"][0]
    said = " ".join(conclusions(compared))
    assert "log_evidence_chib favours K=2 (" in said and "favours K=3" not in said


@pytest.mark.parametrize("chib", [(-520.0, 0.4), (np.nan, np.nan)])
def test_chib_favours_nothing_where_it_does_not_rank_what_the_bridge_favours(chib):
    compared = evidences({2: ((-505, 0.1), (-505, 0.1)), 3: ((-500, 0.1), chib), 4: ((-510, 0.1), (-510, 0.1))})
    assert verdict(compared, "log_evidence_chib") is None
    said = " ".join(conclusions(compared))
    assert "log_evidence_bridge favours K=3" in said
    assert "log_evidence_chib favours nothing, since it has no ranked number of K=3" in said


def test_chib_is_ranked_where_its_errors_allow_the_difference():
    compared = evidences(
        {2: ((-500, 0.3), (-501, 0.4)), 3: ((-503, 1e-9), (-503.0005, 1e-9)), 4: ((-510, 0), (-510, 0))}
    )
    assert list(compared.ranked("log_evidence_chib")) == ["K=2", "K=3", "K=4"] and not compared.reasons["K=3"]
    assert verdict(compared, "log_evidence_chib").model == "K=2"
