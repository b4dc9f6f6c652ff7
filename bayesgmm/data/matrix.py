"""`as_matrix`: anything that looks like a table of numbers, as one C-contiguous float matrix."""

from __future__ import annotations

import hashlib
import numbers
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from bayesgmm.errors import DataError


@dataclass(frozen=True, eq=False)
class DataMatrix:
    """Checked data.

    Parameters
    ----------
    values : (n, d) array of float64 or float32
        C-contiguous, writable, finite.
    feature_names : tuple of str
        The d column names; x0, x1, ... where the data have none.
    """

    values: np.ndarray
    feature_names: tuple[str, ...]


def as_matrix(X: Any, *, n_min: int = 1, first_row: int = 0) -> DataMatrix:
    """Check data and bring them into the one form that the rest of the package sees.

    Parameters
    ----------
    X : array, pandas or polars frame, or list of rows; (n, d)
        float32 stays float32, every other number becomes float64, True and False become 1 and 0.
        A C-contiguous writable float array is not copied.
    n_min : int
        The fewest rows that are accepted.
    first_row : int
        What errors call the first row, where X is a chunk of something longer.

    Returns
    -------
    DataMatrix

    Raises
    ------
    DataError
        The data are not a two-dimensional table of finite numbers.  Rows are counted from 0.
    """
    kind = _frame_kind(X)
    if kind == "pandas":
        values, names = _from_columns(_pandas_columns(X), len(X), X.columns)
    elif kind == "polars":
        values, names = _from_columns(_polars_columns(X), len(X), X.columns)
    else:
        values = _from_array(X)
        names = tuple(f"x{j}" for j in range(values.shape[1]))
    _check_names(names)
    _check_shape(values, n_min)
    _check_finite(values, names, first_row)
    return DataMatrix(values, names)


def check_enough_points(n: int, n_components: int) -> None:
    """Raise DataError where there are fewer points than components."""
    if n < n_components:
        raise DataError(
            f"{n_components} components need at least {n_components} points and there {_are(n, 'point')}: "
            "ask for fewer components or give more data."
        )


def data_hash(values: np.ndarray) -> str:
    """SHA-256 (hex) of the shape, the dtype and the bytes in C order."""
    values = np.ascontiguousarray(values)
    digest = hashlib.sha256(f"{values.shape} {values.dtype.str}\n".encode())
    digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _frame_kind(X: Any) -> str | None:
    # By the module's name, so that neither library is imported for the sake of asking.
    library = type(X).__module__.partition(".")[0]
    if library not in ("pandas", "polars"):
        return None
    if type(X).__name__ == "LazyFrame":
        raise DataError("X is a polars LazyFrame: pass X.collect().")
    if not hasattr(X, "columns"):
        name = getattr(X, "name", None)
        column = f"frame[[{name!r}]]" if name not in (None, "") else "X.to_frame()"
        raise DataError(f"X is a single {library} column, which is one-dimensional: pass {column}, which is a table.")
    return library


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
            yield column.dtype, _numbers_of_objects(column.to_numpy()) if column.dtype == object else None


def _polars_columns(X: Any) -> Iterator[tuple[Any, np.ndarray | None]]:
    import polars as pl

    for column in X.get_columns():
        if column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
            wanted = pl.Float32 if column.dtype == pl.Float32 else pl.Float64
            yield column.dtype, column.cast(wanted).to_numpy()  # null becomes NaN
        else:
            yield column.dtype, None


def _from_columns(columns: Iterable[tuple[Any, Any]], n: int, labels: Iterable) -> tuple[np.ndarray, tuple[str, ...]]:
    names = tuple(str(label) for label in labels)
    dtypes, arrays = zip(*columns, strict=True) if names else ((), ())
    _refuse_columns([(name, dtype) for name, dtype, array in zip(names, dtypes, arrays, strict=True) if array is None])
    is_single = bool(arrays) and all(array.dtype == np.float32 for array in arrays)
    values = np.empty((n, len(names)), np.float32 if is_single else np.float64)
    for j, array in enumerate(arrays):
        values[:, j] = array
    return values, names


def _from_array(X: Any) -> np.ndarray:
    if hasattr(X, "tocsr") and hasattr(X, "nnz"):
        raise DataError("X is a sparse matrix: pass X.toarray(), if it fits in memory.")
    if np.ma.isMaskedArray(X) and X.dtype.kind in "biuf":
        X = X.astype(np.float32 if X.dtype.type is np.float32 else np.float64).filled(np.nan)
    try:
        array = np.asarray(X)
    except ValueError:
        raise DataError(f"X is not a rectangular table: {_first_ragged_row(X)}.") from None
    _check_dimensions(array)
    if array.dtype.kind not in "biuf":
        array = _numbers_of_other_arrays(array)
    # Writable, because Numba would compile every kernel again for read-only arrays.
    dtype = np.float32 if array.dtype.type is np.float32 else np.float64
    with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinity, which is reported as such
        return np.require(array, dtype=dtype, requirements=["C", "A", "W"])


def _check_dimensions(array: np.ndarray) -> None:
    if array.dtype.names:
        raise DataError("X is a structured array: pass np.column_stack([X[name] for name in X.dtype.names]).")
    if array.ndim == 1 and array.size == 0:
        raise DataError("X is empty: it must have at least one row and one column.")
    if array.ndim == 1:
        raise DataError(
            "X is one-dimensional and must be (rows, columns): pass X.reshape(-1, 1) if it is one column, "
            "X.reshape(1, -1) if it is one row."
        )
    if array.ndim != 2:
        what = f"has {array.ndim} dimensions" if array.ndim else f"is no table but {array.dtype.type.__name__}"
        raise DataError(f"X {what} (shape {array.shape}) and must have two dimensions: (rows, columns).")


def _numbers_of_other_arrays(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "O":
        _refuse_columns([(f"x{j}", array.dtype) for j in range(array.shape[1])], is_whole=True)
    columns = [_numbers_of_objects(array[:, j]) for j in range(array.shape[1])]
    _refuse_columns([(f"x{j}", array.dtype) for j, column in enumerate(columns) if column is None])
    return np.column_stack(columns) if columns else np.empty(array.shape)


def _numbers_of_objects(column: np.ndarray) -> np.ndarray | None:
    """Python objects as floats, missing ones as NaN; None where one of them is not a number."""
    missing = np.array([item is None or type(item).__name__ in ("NAType", "NaTType") for item in column], bool)
    if not all(isinstance(item, (numbers.Real, Decimal, np.bool_)) for item in column[~missing]):
        return None
    values = np.full(len(column), np.nan)
    values[~missing] = [float(item) for item in column[~missing]]
    return values


def _refuse_columns(refused: list[tuple[str, Any]], is_whole: bool = False) -> None:
    if not refused:
        return
    kind = getattr(refused[0][1], "kind", None)
    what = "complex numbers" if kind == "c" else "dates or times" if kind in ("M", "m") else "text or objects"
    if is_whole:
        raise DataError(f"X holds {what} (dtype {refused[0][1]}): pass an array of real numbers.")
    is_one = len(refused) == 1
    shown = [f"{name!r} ({dtype})" for name, dtype in refused[:5]] + ([] if len(refused) <= 5 else ["..."])
    raise DataError(
        f"{'Column' if is_one else 'Columns'} {', '.join(shown)} of X {'does' if is_one else 'do'} not hold real "
        f"numbers: leave {'it' if is_one else 'them'} out, or turn {'it' if is_one else 'them'} into numbers first."
    )


def _check_names(names: tuple[str, ...]) -> None:
    repeated = next((name for name, count in Counter(names).items() if count > 1), None)
    if repeated is not None:
        raise DataError(f"Two columns of X are called {repeated!r}: rename one of them.")


def _check_shape(values: np.ndarray, n_min: int) -> None:
    n, d = values.shape
    if d == 0:
        raise DataError("X has no columns: it must have at least one.")
    if n == 0:
        raise DataError("X has no rows: it must have at least one.")
    if n < n_min:
        raise DataError(f"At least {n_min} points are needed and there {_are(n, 'point')}: give more data.")


def _check_finite(values: np.ndarray, names: tuple[str, ...], first_row: int) -> None:
    is_finite = np.isfinite(values)
    if is_finite.all():
        return
    row, column = np.argwhere(~is_finite)[0]
    what = "NaN" if np.isnan(values[row, column]) else "infinity"
    n_bad, n_rows = int((~is_finite).sum()), int((~is_finite).any(1).sum())
    rest = "" if n_bad == 1 else f" (the first of {n_bad} such entries, in {n_rows} {'row' if n_rows == 1 else 'rows'})"
    raise DataError(
        f"Row {first_row + row} (counted from 0) of column {names[column]!r} is {what}{rest}: drop or impute "
        "rows with missing or infinite values first."
    )


def _first_ragged_row(rows: Any) -> str:
    try:
        lengths = [len(row) for row in rows]
        row = next(i for i, length in enumerate(lengths) if length != lengths[0])
    except (TypeError, StopIteration):
        return "its rows must all be lists of numbers of one length"
    return f"row {row} (counted from 0) has {lengths[row]} entries and the first has {lengths[0]}"


def _are(n: int, thing: str) -> str:
    return f"is 1 {thing}" if n == 1 else f"are {n} {thing}s"
