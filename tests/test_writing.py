"""Files are whole or as they were; text from data does nothing where it is shown."""

import os

import numpy as np
import pandas as pd
import pytest

import bayesgmm as bg
from bayesgmm.data.writing import printable, spreadsheet_cell, whole_file, write_text


def test_what_fails_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as new:
        new.write_text("half of the n")
        1 / 0  # noqa: B018
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_is_one_error_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(bg.DataError, match="a.txt' cannot be written .No space left"), whole_file(path):
        raise OSError(28, "No space left on device")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_link_stays_a_link_and_permissions_stay(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "real.txt").chmod(0o640)
    (tmp_path / "link.txt").symlink_to("real.txt")
    write_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "new"
    assert (tmp_path / "real.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", [".", "missing/a.txt"])
def test_folders_and_missing_folders_are_named(name, tmp_path):
    with pytest.raises(bg.DataError, match="folder"), whole_file(tmp_path / name):
        pass


def test_control_characters_are_spelled_out():
    assert printable("a\x1b[31mb\x07 é 漢\n") == "a\\x1b[31mb\\x07 é 漢\n"
    assert printable("\x9b1m\u202e") == "\\x9b1m\\u202e"
    assert printable("0.09\u00a0s, 1\u202f000") == "0.09\u00a0s, 1\u202f000"  # spaces that keep a line together


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_formulas_are_text(text):
    assert str(spreadsheet_cell(text)).startswith("'")
    assert spreadsheet_cell(-1.5) == -1.5 and spreadsheet_cell("em-K2") == "em-K2"


def test_a_comparison_writes_no_formula(tmp_path):
    X = bg.load_dataset("galaxies").X
    comparison = bg.compare({"=HYPERLINK(1)": bg.fit(bg.GaussianMixture(1), X, bg.EM())}, folds=0)
    comparison.to_csv(tmp_path / "c.csv")
    read = pd.read_csv(tmp_path / "c.csv", index_col=0)
    assert read.index[0] == "'=HYPERLINK(1)" and read["bic"].iloc[0] < 0


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        (None, bg.ArgumentError, "path=None must be a path"),
        (5, bg.ArgumentError, "path=5 must be a path"),
        (b"a", bg.ArgumentError, "must be a path"),
        ("a\0b", bg.DataError, "NUL character"),
        ("a" * 300, bg.DataError, "cannot be a path here"),
        ("\ud800", bg.DataError, "half a character"),
        ("/dev/null", bg.DataError, "device or a pipe"),
    ],
)
def test_what_is_no_path_is_named(path, error, words):
    """When a fit is saved and loaded, and as the folder of a checkpoint; a device is never replaced by a file."""
    fit = bg.fit(bg.GaussianMixture(1), np.arange(5.0)[:, None], bg.EM(), rng=0)
    for use in (fit.save, bg.load):
        with pytest.raises(error, match=words):
            use(path)
    if path is None or path == "/dev/null":  # no checkpoint; a folder is wanted
        return
    with pytest.raises(error, match=words.replace("path=", "checkpoint=")):
        bg.fit(bg.GaussianMixture(1), fit.X, bg.Gibbs(draws=10, chains=2), rng=0, checkpoint=path)
