"""`read_table`: CSV in its many forms and Parquet give one table; files that are no table say why."""

import numpy as np
import pandas as pd
import pytest

from bayesgmm.data import read_table
from bayesgmm.errors import ArgumentError, DataError
from bayesgmm.rows import as_rows

EXPECTED = np.array([[3.6, 79.0], [1.8, 54.0], [0.1, 74.0]])

FORMS = {
    "comma": "eruptions,waiting\n3.6,79\n1.8,54\n0.1,74\n",
    "comma and blank": "eruptions, waiting\n3.6, 79\n1.8, 54\n0.1, 74\n",
    "semicolon": "eruptions;waiting\n3.6;79\n1.8;54\n0.1;74\n",
    "decimal comma": "eruptions;waiting\n3,6;79,0\n1,8;54,0\n0,1;74,0\n",
    "tab": "eruptions\twaiting\n3.6\t79\n1.8\t54\n0.1\t74\n",
    "blanks": "eruptions   waiting\n  3.6 79\n  1.8   54\n  0.1 74\n",
    "windows": "\ufefferuptions,waiting\r\n3.6,79\r\n1.8,54\r\n0.1,74\r\n",
    "quoted": '"eruptions","waiting"\n"3.6",79\n"1.8",54\n"0.1",74\n',
    "no newline at the end": "eruptions,waiting\n3.6,79\n1.8,54\n0.1,74",
    "blank lines": "\neruptions,waiting\n3.6,79\n\n1.8,54\n0.1,74\n\n",
    "row numbers of pandas": ",eruptions,waiting\n0,3.6,79\n1,1.8,54\n2,0.1,74\n",
    "row numbers of R": '"","eruptions","waiting"\n"1",3.6,79\n"2",1.8,54\n"3",0.1,74\n',
}


def write(tmp_path, text, name="data.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_forms_with_a_header(tmp_path, text):
    table, labels = read_table(write(tmp_path, text))
    assert labels is None and list(table.columns) == ["eruptions", "waiting"]
    assert np.array_equal(as_rows(table).values, EXPECTED)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " ", "  "])
def test_a_file_without_a_header_loses_no_row(tmp_path, delimiter):
    text = "\n".join(delimiter.join(f"{x:g}" for x in row) for row in EXPECTED)
    table, _ = read_table(write(tmp_path, text))
    assert list(table.columns) == ["x0", "x1"]
    assert np.array_equal(as_rows(table).values, EXPECTED)


def test_decimal_commas_without_a_header(tmp_path):
    table, _ = read_table(write(tmp_path, "3,6;79,0\n1,8;54,5\n"))
    assert as_rows(table).values.tolist() == [[3.6, 79.0], [1.8, 54.5]]


def test_labels_without_a_header_do_not_make_the_first_row_one(tmp_path):
    table, labels = read_table(write(tmp_path, "5.1,3.5,setosa\n4.9,3,setosa\n7,3.2,virginica\n"), label_column="x2")
    assert len(table) == 3 and list(labels) == ["setosa", "setosa", "virginica"]


def test_one_column(tmp_path):
    assert as_rows(read_table(write(tmp_path, "velocity\n9.1\n9.3\n"))[0]).values.tolist() == [[9.1], [9.3]]
    assert as_rows(read_table(write(tmp_path, "9.1\n9.3\n"))[0]).values.tolist() == [[9.1], [9.3]]


def test_numbers_are_read_exactly(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 2)) * 10.0 ** rng.integers(-20, 20, size=(2000, 2))
    text = "\n".join(f"{a!r},{b!r}" for a, b in X.tolist())
    assert np.array_equal(as_rows(read_table(write(tmp_path, text))[0]).values, X)


def test_a_column_that_counts_rows_has_a_name_and_stays(tmp_path):
    table, _ = read_table(write(tmp_path, "time,height\n0,3.6\n1,1.8\n2,0.1\n"))
    assert list(table.columns) == ["time", "height"]


def test_columns_and_labels_are_picked_by_name(tmp_path):
    path = write(tmp_path, "a,b,group,c\n1,2,u,x\n3,4,v,y\n")
    table, labels = read_table(path, columns=["b", "a"], label_column="group")
    assert list(table.columns) == ["b", "a"] and list(labels) == ["u", "v"]
    numbers, labels = read_table(path, columns=["a", "b"], label_column="b")
    assert list(numbers.columns) == ["a"] and list(labels) == [2, 4]


def test_parquet_is_read_whatever_it_is_called(tmp_path):
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5], "group": ["u", "v"]})
    for name in ("data.parquet", "data.bin"):
        frame.to_parquet(tmp_path / name)
        table, labels = read_table(tmp_path / name, label_column="group")
        assert np.array_equal(as_rows(table).values, [[1.0, 0.5], [2.0, 1.5]]) and list(labels) == ["u", "v"]


def test_what_does_not_fit_64_bits_and_missing_values_go_to_the_matrix_check(tmp_path):
    table, _ = read_table(write(tmp_path, "a\n123456789012345678901234567890\n1\n"))
    assert as_rows(table).values[0, 0] == 123456789012345678901234567890.0
    table, _ = read_table(write(tmp_path, "a,b\n1,2\nNA,3\n"))
    with pytest.raises(DataError, match=r"Row 1 .* 'a' is NaN"):
        as_rows(table)


REFUSED = {
    "empty": ("", {}, "data.csv is empty"),
    "blank": ("\n\n", {}, "data.csv is empty"),
    "header only": ("a,b\n", {}, "a header and no rows"),
    "a long row": ("a,b\n1,2\n\n1,2,3\n", {}, "Line 4 of data.csv has 3 fields and line 1 has 2"),
    "a short row": ("a,b\n1,2\n1\n", {}, "Line 3 of data.csv has 1 field and line 1 has 2"),
    "a long row far down": ("a,b\n" + "1,2\n" * 200 + "1,2,3\n", {}, "Line 202 of data.csv has 3 fields and line 1"),
    "a short row far down": ("a,b\n" + "1,2\n" * 200 + "1\n", {}, "Line 202 of data.csv has 1 field and line 1"),
    "a short header": ("a,b\n" + "0,1,2\n" * 3, {}, "Line 2 of data.csv has 3 fields and line 1 has 2"),
    "an open quote": ('a,b\n"1,2\n3,4\n', {}, "Line 3 of data.csv has 1 field"),
    "latin 1": ("a,b\n1,\u00e9\n".encode("latin1"), {}, "not UTF-8 text .byte 0xe9.: save it as UTF-8"),
    "utf 16": ("a,b\n1,2\n".encode("utf-16"), {}, "not UTF-8"),
    "text": (
        "a,b,c\n1,x,u\n2,y,v\n", {},
        "text in columns 'b', 'c' .'x' in row 0 .* use --columns a, or .* --label-column b",
    ),
    "text beside labels": ("a,b,c\n1,x,u\n2,y,v\n", {"label_column": "b"}, "column 'c' .* use --columns a\\.$"),
    "one bad entry": ("a,b\n1,2\n3x,4\n", {}, "'3x' in row 1 of 'a', counted from 0.: correct the file"),
    "only text": ("b\nx\ny\n", {}, "correct the file, or if it holds known groups"),
    "dates": ("a,b\n2020-01-01,1\n2020-01-02,2\n", {}, "'2020-01-01' in row 0 of 'a'"),
    "missing label": ("a,b\n1,x\n2,\n", {"label_column": "b"}, "Label column 'b' .* empty in row 1"),
    "broken Parquet": (b"PAR1 and then nothing", {}, "cannot be read as Parquet"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_files_are_refused_with_a_reason(tmp_path, text, options, message):
    with pytest.raises(DataError, match=message) as caught:
        read_table(write(tmp_path, text), **options)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_missing_files_and_directories(tmp_path):
    with pytest.raises(DataError, match="no file .*nowhere.csv"):
        read_table(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match="is a directory"):
        read_table(tmp_path)


@pytest.mark.parametrize("options", [{"columns": ["a", "z"]}, {"label_column": "z"}])
def test_unknown_columns_are_answered_with_those_there_are(tmp_path, options):
    with pytest.raises(ArgumentError, match="no column 'z'; there are 'a', 'b'"):
        read_table(write(tmp_path, "a,b\n1,2\n"), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["a", "a"]}, "Column 'a' of data.csv is named twice"),
        ({"columns": ["b"], "label_column": "b"}, "no column besides that of the labels, 'b'"),
    ],
)
def test_columns_that_leave_no_table(tmp_path, options, message):
    with pytest.raises(ArgumentError, match=message):
        read_table(write(tmp_path, "a,b\n1,2\n3,4\n"), **options)
