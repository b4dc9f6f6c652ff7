"""The input boundary: what is accepted becomes one form, what is not raises one sentence that helps."""

import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import xarray as xr

from bayesgmm.data import as_matrix, check_enough_points, data_hash, explain_singular
from bayesgmm.errors import DataError


class Raising:
    """An object whose conversion fails."""

    def __init__(self, error):
        self.error = error

    def __array__(self, *_, **__):
        if self.error is not None:
            raise self.error


class Deaf:
    """An object that cannot even be asked what it has."""

    def __getattr__(self, name):
        raise RuntimeError("never")

    def __repr__(self):
        raise RuntimeError("never")


class BrokenStream:
    def __arrow_c_stream__(self, requested_schema=None):
        raise OSError("broken")


PLAIN = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])
AS_INTEGERS = PLAIN.astype(int)

ACCEPTED = {
    "float64": PLAIN,
    "fortran order": np.asfortranarray(PLAIN),
    "every other row": np.repeat(PLAIN, 2, axis=0)[::2],
    "big endian": PLAIN.astype(">f8"),
    "long double": PLAIN.astype(np.longdouble),
    "half": PLAIN.astype(np.float16),
    "integers": AS_INTEGERS,
    "bytes": AS_INTEGERS.astype(np.uint8),
    "list": PLAIN.tolist(),
    "tuple of arrays": tuple(PLAIN),
    "objects": PLAIN.astype(object),
    "decimals": [[decimal.Decimal(int(x)) for x in row] for row in PLAIN],
    "masked, none missing": np.ma.masked_array(PLAIN),
    "matrix in columns": pd.DataFrame(PLAIN),
    "pandas mixed": pd.DataFrame({"a": AS_INTEGERS[:, 0], "b": PLAIN[:, 1].astype(np.float32)}),
    "pandas nullable": pd.DataFrame({"a": AS_INTEGERS[:, 0], "b": PLAIN[:, 1]}).convert_dtypes(),
    "pandas arrow": pd.DataFrame({"a": AS_INTEGERS[:, 0], "b": PLAIN[:, 1]}).convert_dtypes(dtype_backend="pyarrow"),
    "pandas sparse": pd.DataFrame(PLAIN).astype(pd.SparseDtype(float, 0.0)),
    "pandas objects": pd.DataFrame(PLAIN).astype(object),
    "polars": pl.DataFrame({"a": AS_INTEGERS[:, 0], "b": PLAIN[:, 1]}),
    "arrow": pa.table({"a": AS_INTEGERS[:, 0], "b": PLAIN[:, 1]}),
    "arrow decimal": pa.table({"a": [decimal.Decimal(int(x)) for x in PLAIN[:, 0]], "b": PLAIN[:, 1]}),
    "xarray": xr.DataArray(PLAIN),
    "xarray objects": xr.DataArray(PLAIN.astype(object)),
    "xarray variable": xr.Variable(("row", "column"), PLAIN),
    "polars decimal": pl.DataFrame({"a": PLAIN[:, 0], "b": PLAIN[:, 1]}).cast(pl.Decimal(10, 2)),
}


@pytest.mark.parametrize("X", ACCEPTED.values(), ids=ACCEPTED)
def test_every_accepted_form_is_the_same_matrix(X):
    values = as_matrix(X).values
    assert values.dtype == np.float64 and values.dtype.isnative
    assert values.flags.c_contiguous and values.flags.writeable and type(values) is np.ndarray
    assert np.array_equal(values, PLAIN)


@pytest.mark.parametrize(
    "X",
    [
        PLAIN.astype(np.float32),
        PLAIN.astype(">f4"),
        pd.DataFrame(PLAIN.astype(np.float32)),
        pd.DataFrame(PLAIN).astype("Float32"),
        pd.DataFrame(PLAIN).astype("float[pyarrow]"),
        pl.DataFrame(PLAIN.astype(np.float32)),
    ],
    ids=["numpy", "big endian", "pandas", "nullable", "arrow", "polars"],
)
def test_single_precision_is_kept(X):
    values = as_matrix(X).values
    assert values.dtype == np.float32 and values.flags.c_contiguous and np.array_equal(values, PLAIN)


def test_truths_are_ones_and_zeros():
    expected = np.array([[1.0, 0.0], [0.0, 0.0]])
    truths = expected.astype(bool)
    for X in (truths, pd.DataFrame(truths), pd.DataFrame(truths).astype("boolean"), pl.DataFrame(truths)):
        assert np.array_equal(as_matrix(X).values, expected)


def test_good_input_is_not_copied_and_read_only_input_is():
    assert np.shares_memory(as_matrix(PLAIN).values, PLAIN)
    frozen = PLAIN.copy()
    frozen.flags.writeable = False
    assert as_matrix(frozen).values.flags.writeable


def test_names_come_from_the_frame_or_count_from_zero():
    assert as_matrix(PLAIN).feature_names == ("x0", "x1")
    assert as_matrix(pd.DataFrame(PLAIN, columns=["length", 7])).feature_names == ("length", "7")
    assert as_matrix(pl.DataFrame(PLAIN, schema=["u", "v"])).feature_names == ("u", "v")


def with_entry(value, row=1, column=1):
    X = PLAIN.copy()
    X[row, column] = value
    return X


REFUSED = {
    "NaN": (with_entry(np.nan), r"Row 1 \(counted from 0\) of column 'x1' is NaN: drop or impute"),
    "infinity": (with_entry(-np.inf), r"Row 1 .* 'x1' is infinity"),
    "several": (np.full((3, 2), np.nan), r"Row 0 .*'x0' is NaN \(the first of 6 such entries, in 3 rows\)"),
    "single precision NaN": (with_entry(np.nan).astype(np.float32), r"Row 1 .* 'x1' is NaN"),
    "masked": (np.ma.masked_equal(PLAIN, 4.0), r"Row 1 .* 'x1' is NaN"),
    "None": ([[1.0, 2.0], [None, 3.0]], r"Row 1 .* 'x0' is NaN"),
    "too big for float64": (with_entry(1).astype(np.longdouble) * np.longdouble("1e400"), r"is infinity"),
    "pandas NA": (pd.DataFrame({"a": [1, None]}).convert_dtypes(), r"Row 1 .* 'a' is NaN"),
    "pandas NA object": (pd.DataFrame({"a": [1, pd.NA]}, dtype=object), r"Row 1 .* 'a' is NaN"),
    "pandas arrow NA": (pd.DataFrame({"a": [1, None]}).convert_dtypes(dtype_backend="pyarrow"), r"Row 1 .* 'a' is NaN"),
    "polars null": (pl.DataFrame({"a": [1.5, 2.0], "b": [1, None]}), r"Row 1 .* 'b' is NaN"),
    "polars all null": (pl.DataFrame({"a": [None, None]}), r"Row 0 .* 'a' is NaN"),
    "one row or column": (np.ones(4), r"one-dimensional .* X\.reshape\(-1, 1\)"),
    "list of numbers": ([1.0, 2.0], r"X\.reshape\(-1, 1\)"),
    "pandas column": (pd.Series([1.0], name="waiting"), r"frame\[\['waiting'\]\]"),
    "nameless column": (pd.Series([1.0]), r"X\.to_frame\(\)"),
    "polars column": (pl.Series("waiting", [1.0]), r"frame\[\['waiting'\]\]"),
    "three dimensions": (np.ones((2, 2, 2)), r"3 dimensions \(shape \(2, 2, 2\)\)"),
    "a number": (3.0, r"X is 3\.0, and must be a table"),
    "a path": ("data.csv", r"X is 'data.csv', and must be a table"),
    "ragged": ([[1.0, 2.0], [3.0]], r"row 1 \(counted from 0\) has 1 entries and the first has 2"),
    "empty": ([], r"X is empty"),
    "no rows": (np.empty((0, 2)), r"no rows"),
    "no columns": (np.empty((2, 0)), r"no columns"),
    "no frame": (pd.DataFrame(), r"no columns"),
    "frame of no rows": (pd.DataFrame(columns=["a"]), r"no rows"),
    "text": (np.array([["a", "b"]]), r"X holds text"),
    "text among numbers": ([[1.0, "b"], [2.0, "c"]], r"X holds text"),
    "objects": (np.array([[1.0, "b"], [2.0, "c"]], dtype=object), r"Column 'x1' \(object\)"),
    "numbers as text": (pd.DataFrame({"a": ["1.5"]}, dtype=object), r"Column 'a' \(object\)"),
    "pandas text": (pd.DataFrame({"a": [1.0], "who": ["x"], "how": ["y"]}), r"Columns 'who' \(str\), 'how' \(str\)"),
    "category": (pd.DataFrame({"a": pd.Categorical([1, 2])}), r"Column 'a' \(category\)"),
    "dates": (pd.DataFrame({"a": [1.0], "when": pd.to_datetime(["2020-01-01"])}), r"Column 'when' \(datetime"),
    "times": (np.array([[1]], dtype="m8[s]"), r"dates or times"),
    "polars text": (pl.DataFrame({"a": [1.0], "who": ["x"]}), r"Column 'who' \(String\)"),
    "lazy": (pl.LazyFrame({"a": [1.0]}), r"X\.collect\(\)"),
    "complex": (PLAIN.astype(complex), r"complex numbers"),
    "pandas complex": (pd.DataFrame(PLAIN.astype(complex)), r"Columns '0' \(complex128\)"),
    "structured": (np.zeros(3, dtype=[("a", float), ("b", float)]), r"structured array"),
    "sparse": (scipy.sparse.csr_matrix(PLAIN), r"sparse matrix: pass X\.toarray\(\)"),
    "sparse of another kind": (scipy.sparse.dia_array(PLAIN), r"sparse matrix: pass X\.toarray\(\)"),
    "dict": ({"a": [1.0, 2.0], "b": [1.0]}, r"X is a dict, .* pass pandas\.DataFrame\(X\)"),
    "dicts": ([{"a": 1.0}, {"a": 2.0, "b": 3.0}], r"X is a list of dicts: pass pandas\.DataFrame\(X\)"),
    "set": ({1.0, 2.0}, r"X is a set, which has no order"),
    "generator": ((row for row in PLAIN), r"X is an iterator, .* pass numpy\.array\(list\(X\)\)"),
    "xarray data set": (xr.Dataset({"a": ("n", PLAIN[:, 0])}), r"X is an xarray Dataset, .* pass X\.to_dataframe\(\)"),
    "xarray tree": (xr.DataTree(), r"X is an xarray DataTree"),
    "xarray of three dimensions": (xr.DataArray(np.ones((2, 2, 2))), r"3 dimensions"),
    "xarray text": (xr.DataArray(np.array([["a", "b"]])), r"X holds text"),
    "arrow array": (pa.array([1.0, 2.0]), r"X is a pyarrow DoubleArray, which is no table"),
    "arrow text": (pa.table({"a": [1.0], "who": ["x"]}), r"Column 'who' \(string\)"),
    "arrow null": (pa.table({"a": [1.0, None]}), r"Row 1 .* 'a' is NaN"),
    "raises": (
        Raising(RuntimeError("no grad\nhere")),
        r"X, a Raising, .* \(RuntimeError: no grad here\)",
    ),
    "raises ValueError": (
        Raising(ValueError("odd")),
        r"X, a Raising, .* into a table \(ValueError: odd\): pass a",
    ),
    "gives no array": (Raising(None), r"X, a Raising, cannot be turned into a table"),
    "answers nothing": (Deaf(), r"X, a Deaf, cannot be turned into a table \(RuntimeError: never\)"),
    "broken stream": (BrokenStream(), r"X, a BrokenStream, cannot be turned into a table \(OSError: broken\)"),
    "integers beyond float64": ([[10**400, 1], [2, 3]], r"Row 0 .* 'x0' is infinity"),
    "signalling NaN": ([[decimal.Decimal("sNaN"), 1], [2, 3]], r"Column 'x0' \(object\)"),
    "unspeakable objects": ([[Deaf(), 1.0], [2.0, 3.0]], r"X, a list, cannot be turned into a table"),
    "NUL in a name": (pd.DataFrame(PLAIN, columns=["a\0b", "c"]), r"name 'a\\x00b' holds a NUL character"),
    "half a character in a name": (
        pd.DataFrame(PLAIN, columns=pd.Index(["a\ud800", "c"], dtype=object)),
        r"holds half a character",
    ),
    "twice one name": (pd.DataFrame(PLAIN, columns=["a", "a"]), r"Two columns of X are called 'a'"),
}


@pytest.mark.parametrize(("X", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_with_a_reason(X, message):
    with pytest.raises(DataError, match=message) as caught:
        as_matrix(X)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_too_few_rows():
    assert len(as_matrix(PLAIN, n_min=3).values) == 3
    with pytest.raises(DataError, match="At least 4 points are needed and there are 3 points"):
        as_matrix(PLAIN, n_min=4)
    check_enough_points(3, 3)
    with pytest.raises(DataError, match="4 components need at least 4 points and there are 3 points"):
        check_enough_points(3, 4)


def test_hash_sees_values_shape_and_dtype_but_not_memory_order():
    reference = data_hash(PLAIN)
    assert len(reference) == 64
    assert data_hash(np.asfortranarray(PLAIN)) == reference
    others = (PLAIN.reshape(2, 3), PLAIN.astype(np.float32), with_entry(np.nextafter(4.0, 5.0)), PLAIN[::-1])
    assert len({reference, *map(data_hash, others)}) == 5


def columns_of(kind, base, offset):
    """200 rows whose covariance is singular in a known way, moved by `offset` spreads."""
    moved = base + offset
    last = {
        "fine": base[:, 3] + offset,
        "nearly dependent": moved[:, 0] + 1e-5 * base[:, 3],
        "constant": np.full(len(base), 0.1 + offset),
        "equal": moved[:, 1],
        "linear function": 32.0 - 1.8 * moved[:, 1],
        "dependent": 0.3 * moved[:, 0] - 2.0 * moved[:, 2] + offset,
    }[kind]
    return np.column_stack([moved[:, :3], last])


EXPLANATIONS = {
    "fine": None,
    "nearly dependent": None,
    "constant": "Column 'd' is constant",
    "equal": "Columns 'b' and 'd' are equal: drop one of them.",
    "linear function": "Columns 'b' and 'd' are linear functions of each other: drop one of them.",
    "dependent": "Columns 'a', 'c', 'd' are linearly dependent: drop one of them.",
}


@pytest.mark.parametrize("kind", EXPLANATIONS)
@pytest.mark.parametrize("offset", [0.0, -1e3, 1e8])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_singular_covariance_is_explained_at_any_scale_and_offset(kind, offset, scale):
    base = np.random.default_rng(1).normal(size=(200, 4))
    values = columns_of(kind, base, offset) * scale * np.array([1.0, 1e-4, 1.0, 1e4 if kind == "fine" else 1.0])
    if kind == "equal":
        values[:, 3] = values[:, 1]
    explained = explain_singular(values, tuple("abcd"))
    if EXPLANATIONS[kind] is None:
        assert explained is None
    else:
        assert explained is not None and explained.startswith(EXPLANATIONS[kind])


def test_singular_through_few_rows_and_through_several_dependences():
    rng = np.random.default_rng(2)
    assert explain_singular(rng.normal(size=(3, 3)), tuple("abc")).startswith("3 rows do not determine")
    assert explain_singular(rng.normal(size=(1, 2)), tuple("ab")).startswith("1 row does not determine")
    assert explain_singular(rng.normal(size=(4, 3)), tuple("abc")) is None
    X = rng.normal(size=(50, 3))
    X = np.column_stack([X, X[:, 0] + X[:, 1], X[:, 0] - X[:, 1]])
    assert explain_singular(X, tuple("abcde")) == (
        "Columns 'a', 'b', 'd', 'e' take part in 2 linear dependences: drop one column of each."
    )
    X = rng.normal(size=(50, 4))
    X = np.column_stack([X[:, 0], X[:, 1], X[:, 0] + X[:, 1], X[:, 2], X[:, 3], X[:, 2] + X[:, 3]])
    assert explain_singular(X, tuple("abcdef")).startswith(
        "Columns 'a', 'b', 'c', 'd', 'e', 'f' take part in 2 linear dependences"
    )
    assert explain_singular(np.ones((5, 2)), tuple("ab")) == "Columns 'a', 'b' are constant: drop them."


def test_singular_up_to_rounding():
    X = np.random.default_rng(4).normal(size=(100, 3)) + 1e10  # each sum is rounded at 4e-6 of its spread
    dependent = np.column_stack([X[:, :2], X[:, 0] + X[:, 1]])
    assert explain_singular(dependent, tuple("abc")).startswith("Columns 'a', 'b', 'c' are linearly dependent")
    assert explain_singular(X, tuple("abc")) is None
    nearly = np.column_stack([X[:, 0], np.where(np.arange(100) % 2, 0.1 + 0.2, 0.3)])
    assert explain_singular(nearly, tuple("ab")) == "Column 'b' is constant (0.3 in every row): drop it."


def test_singular_in_single_precision():
    X = np.random.default_rng(3).normal(size=(100, 2)).astype(np.float32)
    dependent = np.column_stack([X, X[:, 0] + X[:, 1]])  # each sum rounded to single precision
    assert dependent.dtype == np.float32
    assert explain_singular(dependent, tuple("abc")).startswith("Columns 'a', 'b', 'c' are linearly dependent")
    assert explain_singular(X + np.float32(1e4), tuple("ab")) is None
