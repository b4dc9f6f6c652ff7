"""The report: complete, self-contained, readable by everybody, and true to the comparison."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product

import matplotlib
import numpy as np
import pytest
from testbed.pictured import CHAINS, DRAWS, data, draws_fit, labels, point_fit, variational_fit

import bayesgmm as bg
from bayesgmm.comparison import Comparison, Row, conclusions
from bayesgmm.criteria.columns import COLUMNS, ESTIMANDS
from bayesgmm.criteria.score import Score
from bayesgmm.errors import ArgumentError
from bayesgmm.report import numbers, tables, write_report
from bayesgmm.report.choice import choose
from bayesgmm.report.probabilities import probabilities_table
from bayesgmm.result.approximation import ApproximateDraws
from bayesgmm.result.estimates import NoEstimate
from bayesgmm.result.status import Outcome, Status

CHAPTERS = [
    "summary", "criteria", "comparison", "components", "density", "calibration", "co-clustering", "responsibilities",
    "intervals", "convergence", "origin",
]  # fmt: skip


class Page(HTMLParser):
    """What a browser would make of the page: images, links, anchors, text by section."""

    VOID = {"meta", "img", "br"}

    def __init__(self, text):
        super().__init__()
        self.images, self.links, self.anchors, self.resources, self.texts = [], [], [], [], {}
        self.open, self.section = [], None
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if tag == "a" else []
        self.images += [values] if tag == "img" else []
        if tag != "a":
            self.resources += [values[name] for name in ("src", "href", "data", "action") if name in values]
        if tag == "section":
            self.section = values["id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.section = None if tag == "section" else self.section

    def handle_data(self, text):
        self.texts[self.section] = self.texts.get(self.section, "") + text


def compared(fits, d, folds=0, groups=None):
    return bg.compare(fits, folds=folds, labels=groups, rng=0), fits, groups


@pytest.fixture(scope="module")
def whole():
    """Two numbers of components by every kind of method, on four columns with labels."""
    fits = {}
    for k in (2, 3):
        fits |= {f"em-K{k}": point_fit(4, k), f"vb-K{k}": variational_fit(4, k), f"nuts-K{k}": draws_fit(4, k)}
    return compared(fits, 4, groups=labels(4))


@pytest.fixture(scope="module")
def text(whole, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    before = dict(matplotlib.rcParams)
    write_report(path, *whole, title="Iris & <friends>", facts={"command": "bayesgmm compare <iris>.csv", "seed": "7"})
    assert dict(matplotlib.rcParams) == before
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_every_chapter_is_there_and_in_the_contents(page):
    assert [anchor for anchor in page.anchors if anchor in CHAPTERS] == CHAPTERS
    assert page.links == [f"#{anchor}" for anchor in CHAPTERS]


def test_nothing_is_loaded_from_anywhere(text, page):
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.resources)
    assert "@import" not in text and "url(" not in text and "<script" not in text
    assert not re.search(r"https?://", text)
    for image in page.images:
        picture = base64.b64decode(image["src"].partition(",")[2]).decode()
        references = re.findall(r'href="([^"]*)"', picture) + re.findall(r"url\(([^)]*)\)", picture)
        assert all(reference.startswith(("#", "data:image/png;base64,")) for reference in references)
    assert len(text) < 5e6


def test_every_figure_has_a_text_for_those_who_cannot_see_it_and_a_caption(text, page):
    assert len(page.images) >= 9
    assert all(len(image["alt"]) > 20 for image in page.images)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text)
    assert len(captions) == len(page.images) and all(len(caption) > 40 for caption in captions)
    assert 'lang="en"' in text and "<title>Iris &amp; &lt;friends&gt;</title>" in text


def test_what_others_write_is_escaped(text):
    assert "<friends>" not in text and "bayesgmm compare &lt;iris&gt;.csv" in text


def test_the_chapters_say_what_the_comparison_says(whole, page):
    comparison = whole[0]
    for sentence in conclusions(comparison):
        assert sentence in page.texts["summary"]
    for kind in comparison.columns:
        for name in comparison.rows:
            score = comparison.scores[name][kind]
            if not score.is_missing:
                assert numbers.fixed(score.value, COLUMNS[kind].digits) in page.texts["comparison"]
            assert all(note in page.texts["comparison"] for note in score.notes if not score.is_missing)
    assert all(estimand.capitalize() in page.texts["comparison"] for estimand in ESTIMANDS)
    with_numbers = [kind for kind in comparison.columns if kind in comparison.table]
    assert len(with_numbers) >= 8
    assert all(COLUMNS[kind].note in page.texts["comparison"] for kind in with_numbers)


def test_the_report_says_what_the_prior_decides_and_where_calibration_fails(whole, page):
    assert "The prior" in page.texts["summary"] or "Whether the prior decides" in page.texts["summary"]
    assert "(nuts-K" in page.texts["summary"] and "LOO-PIT " in page.texts["calibration"]


def test_the_origin_is_complete(whole, page):
    origin = page.texts["origin"]
    fit = whole[1]["nuts-K2"]
    for name in ("data_sha256", "version_numpy", "version_pymc", "created", "python"):
        assert fit.provenance[name] in origin
    assert "bayesgmm compare <iris>.csv" in origin
    assert f"draws={fit.method.draws}" in origin and "n_init=3" in origin
    prior = fit.model.prior
    for value in (*prior.mean, prior.mean_precision, prior.dof, *prior.scale.ravel()):
        assert f"{value:.5g}".replace("-", "\N{MINUS SIGN}") in origin


def test_convergence_is_reported_by_label_invariant_quantities(whole, page):
    text = page.texts["convergence"]
    for q in whole[1]["nuts-K2"].diagnostics.quantities:
        assert q.name.split("[")[0].replace("_", " ") in text
    assert "R-hat" in text and "nuts-K3" in text and "em-K3" in text


KINDS, QUICK = ("point", "draws", "variational", "point draws"), {("point", 1), ("variational", 1), ("point draws", 2)}


@pytest.mark.parametrize(
    ("kinds", "d"),
    [pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow) for case in product(KINDS, (1, 2, 3))],
)
@pytest.mark.few(1)
def test_any_selection_of_fits_makes_a_report(kinds, d, tmp_path):
    makers = {"point": point_fit, "draws": draws_fit, "variational": variational_fit}
    fits = {kind: makers[kind](d) for kind in kinds.split()}
    write_report(tmp_path / "report.html", *compared(fits, d))
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [anchor for anchor in page.anchors if anchor in CHAPTERS] == CHAPTERS
    assert ("Only posterior draws" in page.texts["responsibilities"]) == (kinds == "draws")
    assert ("less doubt than there is" in page.texts["co-clustering"]) == ("draws" not in kinds)


@pytest.mark.parametrize("others", [{}, {"em": point_fit}])
@pytest.mark.slow
def test_draws_of_several_modes_have_no_responsibilities_and_a_report(others, tmp_path):
    fits = {name: make(2) for name, make in others.items()}
    draws = draws_fit(2).params.reshaped(CHAINS * DRAWS)[None]
    estimate = ApproximateDraws(draws[0, 0], draws, is_aligned=False)
    modes = replace(variational_fit(2), method=bg.Pathfinder(), estimate=estimate)
    write_report(tmp_path / "report.html", *compared(fits | {"modes": modes}, 2))
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "The draws of Pathfinder, K = 3 have components that are not aligned" in page.texts["responsibilities"]


@pytest.mark.slow
def test_the_engines_stand_beside_each_other(tmp_path):
    apart = {"em": point_fit(2, 2), "vb": variational_fit(2, 2), "nuts": draws_fit(2, 2)}
    write_report(tmp_path / "report.html", *compared(apart, 2))
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    said = page.texts["intervals"]
    table = bg.compare_intervals({"em": apart["em"], "vb": apart["vb"], "nuts": bg.relabel(apart["nuts"])}).table
    for fit in apart:
        row = table.loc[("mean[1, waiting]", fit)]
        assert f"{row.lower:.4g} to {row.upper:.4g}" in said and "left out" not in said


@pytest.mark.slow
def test_engines_that_cannot_follow_a_component_say_why(tmp_path):
    draws, rng = draws_fit(2, 2), np.random.default_rng(0)
    p, X = draws.params, data(2).to_numpy()
    means = X.mean(0) + X.std(0) * rng.normal(0, 0.1, p.means.shape)
    alike = bg.MixtureParams.trusted(np.full_like(p.weights, 0.5), means, p.precision_chol[:, :, [0, 0]])
    doubtful = replace(draws, estimate=replace(draws.estimate, params=alike))
    with pytest.warns(bg.NotConvergedWarning):
        early = bg.fit(bg.GaussianMixture(2), data(2), bg.EM(max_iter=1), rng=0)
    for fits in ({"nuts": doubtful, "vb": variational_fit(2, 2)}, {"nuts": doubtful, "em": early}):
        write_report(tmp_path / "report.html", *compared(fits, 2))
        said = Page((tmp_path / "report.html").read_text(encoding="utf-8")).texts["intervals"]
        assert "nuts is left out: its components overlap so much" in said
        assert ("em is left out: the fit is not at an optimum" in said) == ("em" in fits)
        assert ("As numbers" in said) == ("vb" in fits)


def test_a_failed_fit_is_named_with_its_reason_and_not_shown(tmp_path):
    good, reason = point_fit(2, 2), "the chains ran away"
    bad = replace(good, estimate=NoEstimate(reason), status=Status(Outcome.FAILED, reason))
    comparison, fits, _ = compared({"good": good, "bad": bad}, 2)
    write_report(tmp_path / "report.html", comparison, fits)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert reason in page.texts["comparison"]
    assert "bad" not in page.texts["origin"]
    with pytest.raises(ArgumentError, match="usable"):
        write_report(tmp_path / "none.html", comparison, {"bad": bad})
    assert not (tmp_path / "none.html").exists()


def test_the_figures_show_the_fewest_components_that_predict_alike():
    fits = {f"em-K{k}": point_fit(2, k) for k in (1, 2, 3)}
    comparison = bg.compare(fits, folds=2, rng=0)
    pointwise = np.full(len(data(2)), -5.0)
    for ahead, expected in ((3.0, 2), (5.0, 3), (-5.0, 2)):
        for name, total in (("em-K1", -90.0), ("em-K2", 0.0), ("em-K3", ahead)):
            score = comparison.scores[name]["elpd_kfold"]
            moved = pointwise + total / len(pointwise)
            comparison.scores[name]["elpd_kfold"] = replace(score, value=moved.sum(), pointwise=moved)
        choice = choose(comparison, fits)
        assert choice.model == f"K={expected}" and f"K={expected}" in choice.reason
        assert list(choice.fits) == [f"em-K{expected}"] and set(choice.others) == {
            f"K={k}" for k in (1, 2, 3) if k != expected
        }


def test_the_models_have_their_probabilities():
    values = {"bridge": {"one": (-10.0, 0.0), "two": (-8.0, 0.1), "three": (-9.0, 0.2)}, "chib": {"two": (-8.1, 0.3)}}
    kinds = [f"log_evidence_{method}" for method in values]
    given = {"chib": values["chib"] | {"one": (-10.0, 0.0)}, "bridge": values["bridge"]}
    scores = {
        name: {
            f"log_evidence_{method}": Score(f"log_evidence_{method}", *given[method].get(name, (np.nan, np.nan)))
            for method in values
        }
        for name in values["bridge"]
    }
    rows = {
        name: Row("Gibbs", k, "full", 3 * k, 1.0, Status(Outcome.CONVERGED, "Converged."))
        for k, name in enumerate(scores, 1)
    }
    table = probabilities_table(Comparison(rows, scores, tuple(kinds), 50))
    assert table.columns == ("fit", *kinds)
    cells = {row[0].text: row[1:] for row in table.rows}
    bridge, chib = (np.exp([given[method][name][0] for name in given[method]]) for method in values)
    assert [cells[name][0].text for name in given["bridge"]] == [f"{p:.3f}" for p in bridge / bridge.sum()]
    assert [cells[name][1].text for name in ("two", "one")] == [f"{p:.3f}" for p in chib / chib.sum()]
    assert cells["three"][1].text == "n/a" and cells["two"][0].is_best and cells["two"][1].is_best
    assert cells["one"][0].difference == "\N{MINUS SIGN}2.00 ± 0.10" and "all equally probable" in table.footnotes[0]
    assert probabilities_table(Comparison(rows, scores, (), 50)) is None


def test_differences_stand_beside_the_best_of_their_column(whole):
    comparison = whole[0]
    for estimand in ESTIMANDS:
        table = tables.score_table(comparison, estimand)
        for j, kind in enumerate(table.columns[1:], 1):
            if not COLUMNS[kind].has_differences:
                continue
            expected, digits = comparison.differences(kind), COLUMNS[kind].digits
            column = {row[0].text: row[j] for row in table.rows}
            assert [name for name, cell in column.items() if cell.is_best] == [expected.index[0]]
            for name in expected.index[1:]:
                assert column[name].difference.startswith(numbers.fixed(expected.at[name, "diff"], digits))
                assert column[name].text.removesuffix(" exact") == numbers.fixed(expected.at[name, "value"], digits)


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [(-1141.24, 1, "−1141.2"), (-0.04, 1, "0.0"), (0.0, 2, "0.00"), (2.25, 1, "2.2"), (float("nan"), 1, "")],
)
def test_fixed_numbers(value, digits, expected):
    assert numbers.fixed(value, digits) == expected


def test_other_numbers():
    assert numbers.with_error(-3.21, 1.26) == "−3.2 ± 1.3"
    assert numbers.with_error(-3.21, float("nan")) == "−3.2"
    assert numbers.whole(12345.6) == "12\N{THIN SPACE}346"
    assert numbers.significant(0.00012345, 3) == "0.000123"
    assert [numbers.duration(s) for s in (0.034, 12.43, 185.2)] == ["0.03\xa0s", "12.4\xa0s", "3\xa0min\xa005\xa0s"]
