"""Tables whose columns have names: pandas, polars, Arrow and xarray, told apart without importing any of them."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from bayesgmm.errors import DataError


@dataclass(frozen=True, eq=False)
class Frame:
    """A table, column by column.

    Parameters
    ----------
    names : tuple of str
    is_named : bool
        Whether somebody gave the names; otherwise they only count the columns.
    n_rows : int
    columns : iterator of (type, array or None)
        Each column's type and its numbers, missing ones as NaN; None where it does not hold numbers.
    """

    names: tuple[str, ...]
    is_named: bool
    n_rows: int
    columns: Iterator[tuple[Any, np.ndarray | None]]


def as_frame(X: Any) -> Frame | None:
    """X as a frame, or None where it is no table with names.

    Raises
    ------
    DataError
        It is a relative of a table that cannot be taken as one; the message says what to pass.
    """
    for library, read in READERS.items():
        if library in _libraries(X):
            return read(X)
    if hasattr(X, "__arrow_c_stream__") and not hasattr(X, "__array_interface__"):
        return _of_stream(X)
    if isinstance(X, Mapping):
        raise DataError("X is a dict, whose columns may differ in length: pass pandas.DataFrame(X).")
    if isinstance(X, (list, tuple)) and X and isinstance(X[0], Mapping):
        raise DataError("X is a list of dicts: pass pandas.DataFrame(X).")
    if isinstance(X, (set, frozenset)):
        raise DataError("X is a set, which has no order: pass a list of rows.")
    if isinstance(X, Iterator):
        raise DataError("X is an iterator, which can be read once only: pass numpy.array(list(X)).")
    return None


def as_float(item: Any) -> float | None:
    """A Python number as a float: infinite beyond its range, None where it is no real number."""
    if not isinstance(item, (numbers.Real, Decimal, np.bool_)):
        return None
    number: Any = item  # a `Real` has no order to a type checker
    try:
        return float(number)
    except OverflowError:
        return np.inf if number > 0 else -np.inf
    except (TypeError, ValueError):
        return None


def numbers_of_objects(column: np.ndarray) -> np.ndarray | None:
    """Python objects as floats, missing ones as NaN; None where one of them is not a number."""
    values = np.full(len(column), np.nan)
    for i, item in enumerate(column):
        if item is None or type(item).__name__ in ("NAType", "NaTType"):
            continue
        number = as_float(item)
        if number is None:
            return None
        values[i] = number
    return values


def _libraries(X: Any) -> set[str]:
    """Where the classes of X come from, those that it inherits from too; by name, so that nothing is imported."""
    return {kind.__module__.partition(".")[0] for kind in type(X).__mro__}


def _of_pandas(X: Any) -> Frame | None:
    if not hasattr(X, "columns"):
        if not hasattr(X, "to_frame"):
            return None  # one of its arrays
        raise DataError(_one_column(X, "pandas"))
    is_counted = type(X.columns).__name__ == "RangeIndex" and X.columns.start == 0 and X.columns.step == 1
    return Frame(tuple(map(str, X.columns)), not is_counted, len(X), _pandas_columns(X))


def _pandas_columns(X: Any) -> Iterator[tuple[Any, np.ndarray | None]]:
    from pandas.api import types

    for j in range(X.shape[1]):
        column = X.iloc[:, j]
        if types.is_complex_dtype(column.dtype):
            yield column.dtype, None
        elif types.is_numeric_dtype(column.dtype):  # bool and the nullable dtypes among them
            dtype = np.float32 if str(column.dtype).lower().startswith(("float32", "float[pyarrow]")) else np.float64
            yield column.dtype, column.to_numpy(dtype=dtype, na_value=np.nan)
        else:
            yield column.dtype, numbers_of_objects(column.to_numpy()) if column.dtype == object else None


def _of_polars(X: Any) -> Frame:
    if type(X).__name__ == "LazyFrame":
        raise DataError("X is a polars LazyFrame: pass X.collect().")
    if not hasattr(X, "columns"):
        raise DataError(_one_column(X, "polars"))
    return Frame(tuple(X.columns), True, len(X), _polars_columns(X))


def _polars_columns(X: Any) -> Iterator[tuple[Any, np.ndarray | None]]:
    import polars as pl  # pyright: ignore[reportMissingImports] -- there, where the frame came from

    for column in X.get_columns():
        if column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
            wanted = pl.Float32 if column.dtype == pl.Float32 else pl.Float64
            yield column.dtype, column.cast(wanted).to_numpy()  # null becomes NaN
        else:
            yield column.dtype, None


def _one_column(X: Any, library: str) -> str:
    name = getattr(X, "name", None)
    column = f"frame[[{name!r}]]" if name not in (None, "") else "X.to_frame()"
    return f"X is a single {library} column, which is one-dimensional: pass {column}, which is a table."


def _of_arrow(X: Any) -> Frame:
    if not hasattr(X, "column_names"):
        raise DataError(f"X is a pyarrow {type(X).__name__}, which is no table: pass pyarrow.table({{'name': X}}).")
    return Frame(tuple(X.column_names), True, X.num_rows, _arrow_columns(X))


def _arrow_columns(X: Any) -> Iterator[tuple[Any, np.ndarray | None]]:
    from pyarrow import types

    for column in X.columns:
        kind = column.type
        known = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_null)
        if not any(is_kind(kind) for is_kind in known):
            yield kind, None
        else:
            values = column.to_pandas()  # null becomes NaN, or None among objects
            dtype = np.float32 if types.is_float32(kind) else np.float64
            yield kind, numbers_of_objects(values.to_numpy()) if values.dtype == object else values.to_numpy(dtype)


def _of_stream(X: Any) -> Frame:
    """Other libraries' tables, which they hand over as Arrow's."""
    import pyarrow as pa

    return _of_arrow(pa.table(X))


def _of_xarray(X: Any) -> Frame | None:
    if type(X).__name__ == "Dataset":
        raise DataError("X is an xarray Dataset, which holds several arrays: pass X.to_dataframe(), if it is a table.")
    if not hasattr(X, "ndim"):
        raise DataError(f"X is an xarray {type(X).__name__}, which is no table: pass one of its arrays.")
    if X.ndim != 2:
        return None  # said as of any array
    coordinates = getattr(X, "coords", {})  # asked for one that is not there, they make one that counts
    coordinate = coordinates[X.dims[1]] if X.dims[1] in coordinates else None
    names = tuple(f"x{j}" for j in range(X.shape[1])) if coordinate is None else tuple(map(str, coordinate.values))
    values = X.values
    if values.dtype.kind not in "biufO":
        return None
    return Frame(names, coordinate is not None, len(values), _array_columns(values))


def _array_columns(values: np.ndarray) -> Iterator[tuple[Any, np.ndarray | None]]:
    for column in values.T:
        yield values.dtype, numbers_of_objects(column) if values.dtype == object else column


def unreadable(X: Any, error: Exception) -> str:
    """The sentence for an object whose own conversion failed."""
    return f"X, a {type(X).__name__}, cannot be turned into a table ({said(error)}): pass a NumPy array."


def said(error: Exception) -> str:
    """What another library's error says, in one line of moderate length."""
    reason = " ".join(str(error).split())[:150].rstrip(".")
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__


READERS: dict[str, Callable[[Any], Frame | None]] = {
    "pandas": _of_pandas, "polars": _of_polars, "pyarrow": _of_arrow, "xarray": _of_xarray,
}  # fmt: skip
