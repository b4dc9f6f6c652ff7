"""The command line, end to end: results, failures, interrupts, bad input."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import bayesgmm as bg
from bayesgmm.cli import app, grid
from bayesgmm.cli.interrupts import Interrupts
from bayesgmm.cli.options import parse_components, parse_methods
from bayesgmm.errors import ArgumentError

PACKAGE_PARENT = Path(bg.__file__).parents[1]


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def table():
    """Two clusters in two columns, and their names."""
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal((0, 0), 1, (30, 2)), rng.normal((8, 5), 1, (20, 2))])
    return pd.DataFrame(X, columns=["length", "width"]).assign(kind=["left"] * 30 + ["right"] * 20)


@pytest.fixture(scope="module")
def csv(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "points.csv"
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def result(csv, tmp_path_factory):
    """One run of a small grid: its output and its folder."""
    out = tmp_path_factory.mktemp("run") / "out"
    options = ("--components", "1:2", "--methods", "vb,em", "--label-column", "kind", "--folds", 2, "--seed", 3)
    return run("compare", csv, *options, "--out", out), out


# ---- a run ----


def test_a_run_writes_everything(result):
    ended, out = result
    assert ended.exit_code == 0, ended.output
    names = [f"{cell}.{end}" for cell in ("em-K1", "em-K2", "vb-K1", "vb-K2") for end in ("json", "nc")]
    assert sorted(path.name for path in out.iterdir()) == ["comparison.csv", "comparison.json", "fits", "report.html"]
    assert sorted(path.name for path in (out / "fits").iterdir()) == names
    assert "Report:" in ended.stderr and "report.html" in ended.stderr


def test_the_fits_load_and_are_those_that_the_library_makes(result, table):
    _, out = result
    fit = bg.load(out / "fits" / "em-K2.nc")
    again = bg.fit(bg.GaussianMixture(2), table[["length", "width"]], bg.EM(), rng=3)
    np.testing.assert_array_equal(fit.params.means, again.params.means)
    assert fit.feature_names == ("length", "width") and fit.seed == 3
    assert bg.load(out / "fits" / "vb-K1.nc").elbo < 0


def test_the_numbers_are_those_of_the_library(result, table):
    _, out = result
    fits = {name: bg.load(out / "fits" / f"{name}.nc") for name in ("em-K1", "em-K2", "vb-K1", "vb-K2")}
    expected = bg.compare(fits, folds=2, labels=table["kind"], rng=3).table.drop(columns="seconds")
    found = pd.read_csv(out / "comparison.csv", index_col="fit")
    assert list(found.index) == list(expected.index)
    pd.testing.assert_frame_equal(found.drop(columns="seconds"), expected, check_dtype=False)
    content = json.loads((out / "comparison.json").read_text())
    assert content["fits"]["vb-K2"]["elbo"] == pytest.approx(fits["vb-K2"].elbo)
    assert content["fits"]["em-K1"]["elbo"] is None and content["reasons"]["em-K1"]["elbo"]
    assert content["run"]["seed"] == "3" and content["conclusions"]
    assert content["provenance"]["vb-K2"]["options"]["n_init"] == 10
    assert content["provenance"]["vb-K2"]["prior"]["scale"] == fits["vb-K2"].model.prior.scale.tolist()
    assert content["provenance"]["vb-K2"]["data_sha256"] == fits["vb-K2"].provenance["data_sha256"]


def test_stdout_is_the_table_and_what_follows_in_a_hundred_plain_columns(result):
    ended, out = result
    lines = ended.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert "\033" not in ended.output
    for word in ("elpd_kfold", "elpd_loo", "aic", "bic", "elbo", "icl", "ari", "kmeans K=2"):
        assert word in ended.stdout
    for sentence in json.loads((out / "comparison.json").read_text())["conclusions"]:
        assert sentence in " ".join(ended.stdout.split())
    values = pd.read_csv(out / "comparison.csv", index_col="fit")
    row = next(line for line in lines if line.startswith(" vb-K2") and "±" in line)
    assert f"{values.at['vb-K2', 'elpd_kfold']:.1f}".replace("-", "\N{MINUS SIGN}") in row


def test_every_cell_reports_on_stderr(result):
    ended, _ = result
    lines = [line for line in ended.stderr.splitlines() if " done " in line]
    assert [line.split()[0] for line in lines] == ["em-K1", "em-K2", "vb-K1", "vb-K2"]
    assert all("Converged after" in line for line in lines)


def test_the_report_names_the_data_and_the_labels(result):
    _, out = result
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "<title>Gaussian mixtures: points.csv</title>" in text
    assert "given labels agree best" in text


@pytest.mark.slow
def test_a_second_run_says_that_it_replaces_the_first(csv, tmp_path):
    options = ("--methods", "em", "--folds", 0, "--out", tmp_path)
    assert "Replaced" not in run("compare", csv, "--columns", "length,width", "--components", "1,2", *options).stderr
    again = run("compare", csv, "--columns", "width", "--components", "1", *options)
    said = " ".join(again.stderr.split())
    assert f"Replaced comparison.csv, comparison.json, report.html of an earlier run in {tmp_path}" in said
    assert "taken up" not in said  # other columns are other data
    assert "em-K2.nc" in again.stderr
    assert bg.load(tmp_path / "fits" / "em-K1.nc").feature_names == ("width",)


@pytest.mark.slow
def test_a_run_that_is_started_again_takes_up_what_is_there(csv, tmp_path, monkeypatch):
    """After a kill between two cells the fits made so far are taken up, with their scores: the result is the same."""
    options = ("--columns", "length,width", "--components", "1:2", "--folds", 2)
    whole = run("compare", csv, *options, "--methods", "em,vb", "--out", tmp_path / "whole")
    run("compare", csv, *options, "--methods", "em", "--out", tmp_path / "cut")
    before = (tmp_path / "cut" / "fits" / "em-K2.nc").read_bytes()
    fit_once, compare = grid.fit_once, grid.compare

    def fit_no_em(model, data, method, *others):
        return 1 / 0 if isinstance(method, bg.EM) else fit_once(model, data, method, *others)

    def score_no_em(fits, **options):
        return 1 / 0 if any(name.startswith("em") for name in fits) else compare(fits, **options)

    monkeypatch.setattr(grid, "fit_once", fit_no_em)
    monkeypatch.setattr(grid, "compare", score_no_em)
    again = run("compare", csv, *options, "--methods", "em,vb", "--out", tmp_path / "cut")
    assert "2 fits of the same data, options and versions were there" in " ".join(again.stderr.split())
    assert (tmp_path / "cut" / "fits" / "em-K2.nc").read_bytes() == before
    tables = [pd.read_csv(tmp_path / name / "comparison.csv").drop(columns="seconds") for name in ("whole", "cut")]
    pd.testing.assert_frame_equal(*tables)
    assert whole.exit_code == again.exit_code == 0


@pytest.mark.parametrize("changed", [("--seed", 1), ("--covariance", "tied"), ("--columns", "width"), "damage"])
@pytest.mark.few(1)
def test_what_was_made_otherwise_is_not_taken_up(changed, csv, tmp_path):
    options = ("--components", "2", "--methods", "em", "--folds", 0, "--columns", "length,width", "--out", tmp_path)
    run("compare", csv, *options)
    if changed == "damage":
        path = tmp_path / "fits" / "em-K2.nc"
        path.write_bytes(path.read_bytes()[:-200])
        changed = ()
    again = run("compare", csv, *options, *changed)
    assert again.exit_code == 0 and "taken up" not in again.stderr


@pytest.mark.slow
def test_scores_that_were_changed_by_hand_are_made_again(csv, tmp_path):
    options = ("--components", "2", "--methods", "em", "--folds", 0, "--columns", "length,width", "--out", tmp_path)

    def table():
        assert run("compare", csv, *options).exit_code == 0
        return pd.read_csv(tmp_path / "comparison.csv").drop(columns="seconds")

    right, path = table(), tmp_path / "fits" / "em-K2.json"
    text, place = path.read_text(), '"value": -'
    path.write_text(text.replace(place, f"{place}9", 1))
    pd.testing.assert_frame_equal(table(), right)


def test_text_from_the_data_does_nothing_in_a_terminal_or_a_spreadsheet(table, tmp_path):
    path = tmp_path / "points.csv"
    numbers = table[["length", "width"]].set_axis(["=1+1", "\x1b[31mred"], axis=1)
    numbers.to_csv(path, index=False)
    ended = run("compare", path, "--components", "1", "--methods", "em", "--folds", 0, "--out", tmp_path)
    assert ended.exit_code == 2 and "\x1b" not in ended.output and r"\x1b[31mred" in ended.stderr
    bad = run("compare", path, "--columns", "\x1b[2J", "--out", tmp_path)
    assert bad.exit_code == 2 and "\x1b" not in bad.output


@pytest.mark.parametrize("form", ["csv without header", "parquet", "semicolons"])
@pytest.mark.few(1)
def test_other_files(form, table, tmp_path):
    numbers = table[["length", "width"]]
    path = tmp_path / ("points.parquet" if form == "parquet" else "points.csv")
    if form == "parquet":
        numbers.to_parquet(path)
    else:
        numbers.to_csv(path, index=False, header=form == "semicolons", sep=";" if form == "semicolons" else ",")
    ended = run("compare", path, "--components", 2, "--methods", "map", "--folds", 0, "--out", tmp_path / "out")
    assert ended.exit_code == 0, ended.output
    names = ("x0", "x1") if form == "csv without header" else ("length", "width")
    fit = bg.load(tmp_path / "out" / "fits" / "map-K2.nc")
    assert fit.feature_names == names
    np.testing.assert_allclose(fit.X, numbers.to_numpy(), rtol=1e-12)


@pytest.mark.slow
def test_samplers_in_the_grid(csv, tmp_path):
    options = ("--components", 1, "--methods", "nuts,gibbs", "--draws", 150, "--tune", 150, "--folds", 0)
    ended = run("compare", csv, "--columns", "length,width", *options, "--out", tmp_path)
    assert ended.exit_code == 0, ended.output
    assert "warned" not in ended.stderr
    for name in ("nuts-K1", "gibbs-K1"):
        fit = bg.load(tmp_path / "fits" / f"{name}.nc")
        assert fit.params.draw_shape == (4, 150)
        assert fit.diagnostics.max_rhat < 1.1  # the constant sum of squared weights does not make it NaN
    assert "Rank histograms" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_models_with_an_unknown_number_of_components(csv, tmp_path):
    options = ("--components", 2, "--methods", "em,vb,gibbs", "--models", "finite,dp,mfm", "--truncation", 4)
    sampling = ("--draws", 120, "--tune", 60, "--folds", 0, "--out", tmp_path)
    ended = run("compare", csv, "--columns", "length,width", *options, *sampling)
    assert ended.exit_code == 0, ended.output
    read, left_out, *rest = ended.stderr.splitlines()
    assert read == "Read 50 rows of length, width."
    assert left_out == "Left out, since the methods cannot fit such models: em for dp and mfm; vb for mfm."
    found = pd.read_csv(tmp_path / "comparison.csv", index_col="fit")
    cells = ["em-K2", "vb-K2", "vb-dp-T4", "gibbs-K2", "gibbs-dp-T4", "gibbs-mfm-M4"]
    assert [name for name in found.index if not name.startswith("kmeans")] == cells
    assert list(found.loc[["gibbs-K2", "gibbs-dp-T4", "gibbs-mfm-M4"], "n_components"]) == [2, 4, 4]
    for name in ("gibbs-dp-T4", "gibbs-mfm-M4"):
        fit = bg.load(tmp_path / "fits" / f"{name}.nc")
        assert found.at[name, "n_occupied"] == fit.occupied()["n_occupied"].idxmax()
        assert found.at[name, "model"] == fit.model.label
        assert f"kmeans K={int(found.at[name, 'n_occupied'])}" in found.index  # and none with four
    assert np.isnan(found.at["gibbs-K2", "n_occupied"])
    assert "DP (T=4)" in " ".join(ended.stdout.split()) and "of 4" in ended.stdout
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "DP (T = 4)" in text or "DP (T=4)" in text


def test_nothing_that_can_be_fitted_is_one_line(csv, tmp_path):
    options = ("--columns", "length,width", "--methods", "em,map", "--models", "dp", "--out", tmp_path / "out")
    assert_one_line(
        run("compare", csv, *options), "There is nothing to fit, since all was left out: em for dp; map for dp"
    )
    options = ("--columns", "length,width", "--models", "infinite", "--out", tmp_path / "out")
    assert_one_line(run("compare", csv, *options), "there is no model 'infinite'; there are finite, dp, mfm")
    assert not (tmp_path / "out").exists()


# ---- cells that fail ----


@pytest.mark.slow
def test_a_cell_that_fails_keeps_its_row_and_spares_the_others(csv, tmp_path, monkeypatch):
    original = bg.VB.run

    def fail(self, model, data, rng, progress):
        if model.n_components == 1:
            raise RuntimeError("a bug in\nthe method")
        return original(self, model, data, rng, progress)

    monkeypatch.setattr(bg.VB, "run", fail)
    options = ("--columns", "length,width", "--components", "1:2", "--methods", "em,vb", "--folds", 0)
    ended = run("compare", csv, *options, "--out", tmp_path)
    assert ended.exit_code == 0
    found = pd.read_csv(tmp_path / "comparison.csv", index_col="fit")
    assert found.at["vb-K1", "status"] == "RuntimeError: a bug in the method"
    assert np.isnan(found.at["vb-K1", "elbo"]) and np.isfinite(found.at["vb-K2", "elbo"])
    assert list(found.index[:4]) == ["em-K1", "em-K2", "vb-K1", "vb-K2"]
    assert "a bug in the method" in ended.stdout and "failed" in ended.stderr
    assert "a bug in the method" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not (tmp_path / "fits" / "vb-K1.nc").exists()


def test_more_components_than_points_are_the_matter_of_their_cells(table, tmp_path):
    path = tmp_path / "few.csv"
    table[["length", "width"]].iloc[::9].to_csv(path, index=False)
    ended = run("compare", path, "--components", "1,9", "--methods", "em", "--folds", 0, "--out", tmp_path / "out")
    assert ended.exit_code == 0
    found = pd.read_csv(tmp_path / "out" / "comparison.csv", index_col="fit")
    assert found.at["em-K9", "status"].startswith("9 components need at least 9 points")


def test_a_grid_without_any_result_ends_with_one(csv, tmp_path, monkeypatch):
    def fail(self, model, data, rng, progress):
        raise RuntimeError("nothing works")

    monkeypatch.setattr(bg.EM, "run", fail)
    ended = run("compare", csv, "--columns", "length", "--methods", "em", "--folds", 0, "--out", tmp_path)
    assert ended.exit_code == 1 and "nothing works" in ended.stderr
    assert list((tmp_path / "fits").iterdir()) == []


def test_a_report_that_fails_does_not_cost_the_other_files(csv, tmp_path, monkeypatch):
    monkeypatch.setattr("bayesgmm.cli.output.write_report", lambda *arguments: 1 / 0)
    options = ("--columns", "length,width", "--components", 1, "--methods", "em", "--folds", 0)
    ended = run("compare", csv, *options, "--out", tmp_path)
    assert ended.exit_code == 1 and "The report could not be made (ZeroDivisionError" in ended.stderr
    assert (tmp_path / "comparison.csv").exists() and (tmp_path / "fits" / "em-K1.nc").exists()


# ---- interrupts ----


@pytest.mark.parametrize("where", ["before a restart", "after a restart", "in a fold"])
@pytest.mark.few(1)
def test_ctrl_c_ends_the_grid_and_writes_what_is_done(where, csv, tmp_path, monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    original, refits = bg.VB.run, []

    def interrupted(self, model, data, rng, progress):
        refits.append(len(data.values))

        def press_in_time(done, total, note):
            is_now = {"before a restart": done == 0, "after a restart": done == 1, "in a fold": len(refits) == 3}
            if is_now[where]:
                os.kill(os.getpid(), signal.SIGINT)

        return original(self, model, data, rng, press_in_time)

    monkeypatch.setattr(bg.VB, "run", interrupted)
    options = ("--columns", "length,width", "--components", "1:2", "--methods", "em,vb", "--folds", 3)
    ended = run("compare", csv, *options, "--out", tmp_path)
    assert ended.exit_code == 130, ended.output
    found = pd.read_csv(tmp_path / "comparison.csv", index_col="fit")
    cells = [name for name in found.index if not name.startswith("kmeans")]
    assert cells == (["em-K1", "em-K2"] if where == "before a restart" else ["em-K1", "em-K2", "vb-K1"])
    assert f"{len(cells)} of 4 cells" in ended.stderr
    assert found.loc[["em-K1", "em-K2"], "elpd_kfold"].notna().all()
    if where != "before a restart":  # the fit is there, and its refits are not
        assert ("Interrupted" in found.at["vb-K1", "status"]) == (where == "after a restart")
        assert np.isnan(found.at["vb-K1", "elpd_kfold"]) and np.isfinite(found.at["vb-K1", "elpd_loo"])
        reasons = json.loads((tmp_path / "comparison.json").read_text())["reasons"]
        assert "interrupted" in reasons["vb-K1"]["elpd_kfold"][0]
    assert (tmp_path / "report.html").exists()
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_that_a_method_has_caught_is_remembered():
    with Interrupts() as interrupts:
        interrupts.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()


def test_sigterm_is_heard_as_ctrl_c_is():
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.is_raised
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_ctrl_c_exits_at_once():
    script = """
        import os, signal
        from bayesgmm.cli.interrupts import Interrupts
        with Interrupts():
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                print("once", flush=True)
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except BaseException:
                pass
            print("still here")
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(PACKAGE_PARENT)},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (130, "once\n")


# ---- bad input ----


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--components", "0"], "at least 1 component"),
        (["--components", "5:2"], "write 2:5"),
        (["--components", "few"], "such as 1:6"),
        (["--components", "1:2:3"], "such as 1:6"),
        (["--components", ""], "such as 1:6"),
        (["--components=-1"], "at least 1 component"),
        (["--components", "1:100000"], "shorter range"),
        (["--methods", "em,gibs"], "'gibs'; there are em, online, map, vb, svb, pathfinder, gibbs, nuts, advi"),
        (["--covariance", "diag", "--columns", "length"], "'diag'"),
        (["--columns", "length,weight"], "no column 'weight'"),
        (["--label-column", "group"], "no column 'group'"),
        (["--folds", "1", "--columns", "length"], "folds=1"),
        (["--folds", "51", "--columns", "length"], "folds=51"),
        (["--draws", "2", "--methods", "nuts", "--columns", "length"], "draws=2"),
        ([], "text in column 'kind'"),
    ],
)
def test_bad_options_are_one_line_and_exit_two(options, expected, csv, tmp_path):
    ended = run("compare", csv, *options, "--out", tmp_path / "out")
    assert_one_line(ended, expected)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "There is no file"),
        ("", "is empty"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2\n3,x\n4,5\n", "'x' in row 1"),
        ("a,b\n1,2\n3,\n4,5\n5,1\n", "Row 1 (counted from 0) of column 'b' is NaN"),
        ("a,b\n1,2\n3,inf\n4,5\n5,1\n", "Row 1 (counted from 0) of column 'b' is infinity"),
        ("a,b\n1,2\n3,4,5\n4,5\n", "Line 3"),
        ("a,b\n1,2\n3,2\n4,2\n5,2\n", "constant"),
        ("a,b\n1,1\n3,3\n4,4\n5,5\n", "equal"),
        ("a,b\n1,2\n", "At least 2 points"),
    ],
)
def test_bad_files_are_one_line_and_exit_two(content, expected, tmp_path):
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_text(content)
    assert_one_line(run("compare", path, "--components", 1, "--folds", 0, "--out", tmp_path / "out"), expected)


def assert_one_line(ended, expected):
    assert ended.exit_code == 2, ended.output
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("bayesgmm: error: ") and expected in line


def test_a_folder_that_cannot_be_written_to_is_found_before_the_work(csv, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    ended = run("compare", csv, "--columns", "length", "--methods", "em", "--out", tmp_path / "file")
    assert_one_line(ended, "choose another folder")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1:3", (1, 2, 3)), ("3", (3,)), ("5,2,2", (2, 5)), ("1:2,6", (1, 2, 6)), (" 2 : 3 ", (2, 3)), ("4:4", (4,))],
)
def test_numbers_of_components(text, expected):
    assert parse_components(text) == expected


def test_methods_run_cheapest_first():
    assert parse_methods("NUTS, em,gibbs,vb") == ("em", "vb", "gibbs", "nuts")
    with pytest.raises(ArgumentError, match="there is no method ''"):
        parse_methods("")


# ---- the rest of the face ----


def test_version_and_help():
    assert run("--version").stdout == f"bayesgmm {bg.__version__}\n"
    assert run().exit_code in (0, 2)  # a bare call shows the help; releases of typer differ in its code
    text = re.sub(r"\033\[[0-9;]*m", "", run("compare", "--help").stdout)
    for option in (
        "--components", "--methods", "--covariance", "--columns", "--label-column", "--out", "--seed", "--folds"
    ):  # fmt: skip
        assert option in text
    assert "demo" in run("--help").stdout


def test_the_module_is_the_command():
    ended = subprocess.run(
        [sys.executable, "-m", "bayesgmm", "compare", "no-such.csv"], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(PACKAGE_PARENT)},
    )  # fmt: skip
    assert ended.returncode == 2 and ended.stderr.startswith("bayesgmm: error: There is no file")


# ---- weights of rows ----


@pytest.mark.slow
def test_a_column_of_weights_stands_for_repeated_rows(table, tmp_path):
    """Labels are of the rows; scores are those of the rows written as often as their weight says."""
    weights = np.random.default_rng(1).integers(1, 4, len(table))
    table.assign(times=weights).to_csv(tmp_path / "weighted.csv", index=False)
    table.loc[np.repeat(table.index, weights)].to_csv(tmp_path / "repeated.csv", index=False)
    options = ("--components", "2", "--methods", "em", "--label-column", "kind", "--folds", 0)
    ends = {
        name: run("compare", tmp_path / f"{name}.csv", *options, *more, "--out", tmp_path / name)
        for name, more in {"weighted": ("--weights-column", "times"), "repeated": ()}.items()
    }
    assert all(end.exit_code == 0 for end in ends.values()), ends["weighted"].output
    one, other = (pd.read_csv(tmp_path / name / "comparison.csv").set_index("fit").loc["em-K2"] for name in ends)
    for name in ("aic", "bic", "icl", "ari"):
        assert one[name] == pytest.approx(other[name], rel=1e-6)
    kept = bg.load(tmp_path / "weighted" / "fits" / "em-K2.nc")
    assert kept.feature_names == ("length", "width") and kept.n_obs == weights.sum()
    again = run(
        "compare", tmp_path / "weighted.csv", *options, "--weights-column", "times", "--out", tmp_path / "weighted"
    )
    assert "em-K2" in again.output and again.exit_code == 0


def test_a_cell_that_cannot_take_weights_says_so(table, tmp_path):
    table.assign(part=0.5).drop(columns="kind").to_csv(tmp_path / "w.csv", index=False)
    options = ("--components", "1", "--methods", "em,gibbs", "--weights-column", "part", "--folds", 0)
    ended = run("compare", tmp_path / "w.csv", *options, "--out", tmp_path / "out")
    assert ended.exit_code == 0 and "draws a label for each copy" in " ".join(ended.output.split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--weights-column", "group"], "no column 'group'"),
        (["--weights-column", "kind", "--label-column", "kind"], "cannot hold both"),
        (["--weights-column", "length"], "sample_weight is -"),
    ],
)
def test_bad_weights_columns_are_refused(table, tmp_path, options, words):
    table.to_csv(tmp_path / "t.csv", index=False)
    ended = run("compare", tmp_path / "t.csv", "--columns", "length,width", *options, "--out", tmp_path / "out")
    assert ended.exit_code == 2 and words in " ".join(ended.output.split())


# ---- known labels ----


def test_known_labels_are_fitted_with(table, tmp_path):
    known = np.where(np.arange(len(table)) % 3 == 0, table["kind"], "")
    table.assign(known=known).drop(columns="kind").to_csv(tmp_path / "t.csv", index=False)
    options = ("--components", "1:3", "--methods", "em,vb", "--models", "finite,dp", "--folds", 0)
    ended = run("compare", tmp_path / "t.csv", *options, "--known-labels-column", "known", "--out", tmp_path / "out")
    assert ended.exit_code == 0, ended.output
    assert "em with K=1 (the known labels have 2 classes)" in " ".join(ended.output.split())
    names = {path.name for path in (tmp_path / "out" / "fits").glob("*.nc")}
    assert names == {"em-K2.nc", "em-K3.nc", "vb-K2.nc", "vb-K3.nc"}
    kept = bg.load(tmp_path / "out" / "fits" / "em-K2.nc")
    assert kept.classes.names == ("left", "right") and kept.feature_names == ("length", "width")
    labels = np.where(known == "", None, known)
    direct = bg.fit(bg.GaussianMixture(2), table[["length", "width"]], bg.EM(), 0, labels=labels)
    assert kept.log_likelihood == pytest.approx(direct.log_likelihood, rel=1e-9)
    again = run("compare", tmp_path / "t.csv", *options, "--known-labels-column", "known", "--out", tmp_path / "out")
    assert again.exit_code == 0 and "em-K2" in again.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--known-labels-column", "group"], "no column 'group'"),
        (["--known-labels-column", "kind", "--weights-column", "kind"], "cannot hold both"),
        (["--known-labels-column", "none"], "unknown in every row"),
    ],
)
def test_bad_columns_of_known_labels_are_refused(table, tmp_path, options, words):
    table.assign(none="").to_csv(tmp_path / "t.csv", index=False)
    ended = run("compare", tmp_path / "t.csv", "--columns", "length,width", *options, "--out", tmp_path / "out")
    assert ended.exit_code == 2 and words in " ".join(ended.output.split())


@pytest.mark.slow
def test_several_covariances(tmp_path, csv):
    """Each in the names of its cells; what an engine cannot fit is left out and named."""
    given = ("--components", "1:2", "--methods", "em,vb", "--covariance", "tied,VVV,VEI", "--folds", 0)
    ended = run("compare", csv, *given, "--columns", "length,width", "--out", tmp_path / "out")
    assert ended.exit_code == 0, ended.output
    names = {path.stem for path in (tmp_path / "out" / "fits").glob("*.nc")}
    assert names == {f"em-{one}-K{k}" for one in ("tied", "full", "VEI") for k in (1, 2)} | {
        f"vb-{one}-K{k}" for one in ("tied", "full") for k in (1, 2)
    }
    assert "vb with VEI for finite" in ended.output + ended.stderr


def test_search_prints_and_writes(tmp_path, csv):
    given = ("search", csv, "--columns", "length,width", "--out", tmp_path / "out")
    ended = run(*given, "--components", "1:2", "--covariance", "EEE,VVI")
    assert ended.exit_code == 0, ended.output
    assert "2 log L - p log n, as mclust gives it" in ended.stdout and "diagonal" in ended.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"search.csv", "search.png", "best.nc"}
    assert bg.load(tmp_path / "out" / "best.nc").status.is_converged
    wrong = run(*given, "--covariance", "diag")
    assert wrong.exit_code == 2 and "Here the word is 'diagonal'" in wrong.stderr
