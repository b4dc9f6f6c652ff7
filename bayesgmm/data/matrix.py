"""`as_matrix`: anything that looks like a table of numbers, as one C-contiguous float matrix."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.data.frames import Frame, as_frame, numbers_of_objects, said, unreadable
from bayesgmm.errors import DataError, shown


@dataclass(frozen=True, eq=False)
class DataMatrix:
    """Checked data.

    Parameters
    ----------
    values : (n, d) array of float64 or float32
        C-contiguous, writable, finite.
    feature_names : tuple of str
        The d column names; x0, x1, ... where the data have none.
    is_named : bool
        Whether the data came with these names, so that columns can be told apart by them.
    """

    values: np.ndarray
    feature_names: tuple[str, ...]
    is_named: bool = False


def as_matrix(X: Any, *, n_min: int = 1, first_row: int = 0) -> DataMatrix:
    """Check data and bring them into the one form that the rest of the package sees.

    Parameters
    ----------
    X : array, list of rows, or a table of pandas, polars, Arrow or xarray; (n, d)
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
    try:
        values, names, is_named = _read(X)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # whatever another library's object does when it is asked for its numbers
        raise DataError(unreadable(X, error)) from None
    _check_names(names)
    _check_shape(values, n_min)
    _check_finite(values, names, first_row)
    return DataMatrix(values, names, is_named)


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


def hash_of(digest: str, *arrays: np.ndarray) -> str:
    """SHA-256 (hex) of a digest and further arrays."""
    return hashlib.sha256("".join([digest, *map(data_hash, arrays)]).encode()).hexdigest()


def _read(X: Any) -> tuple[np.ndarray, tuple[str, ...], bool]:
    frame = as_frame(X)
    if frame is not None:
        return _from_columns(frame), frame.names, frame.is_named
    values = _from_array(X)
    return values, *_names_of(X, values.shape[1])


def _names_of(X: Any, n_columns: int) -> tuple[tuple[str, ...], bool]:
    """Names where another library's table has them, and whether it has."""
    columns = getattr(X, "columns", None)
    if isinstance(columns, Iterable) and len(names := tuple(map(str, columns))) == n_columns:
        return names, True
    return tuple(f"x{j}" for j in range(n_columns)), False


def _from_columns(frame: Frame) -> np.ndarray:
    arrays, refused = [], []
    columns = iter(frame.columns)
    for name in frame.names:
        try:
            dtype, array = next(columns)
        except MemoryError:
            raise
        except Exception as error:
            raise DataError(
                f"Column {name!r} of X cannot be read as numbers ({said(error)}): leave it out, or turn it into "
                "numbers first."
            ) from None
        arrays.append(array)
        if array is None:
            refused.append((name, dtype))
    _refuse_columns(refused)
    is_single = bool(arrays) and all(array.dtype == np.float32 for array in arrays)
    values = np.empty((frame.n_rows, len(arrays)), np.float32 if is_single else np.float64)
    with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinity, which is reported as such
        for j, array in enumerate(arrays):
            values[:, j] = array
    return values


def _from_array(X: Any) -> np.ndarray:
    if hasattr(X, "tocsr") and hasattr(X, "nnz"):
        raise DataError("X is a sparse matrix: pass X.toarray(), if it fits in memory.")
    if isinstance(X, np.ma.MaskedArray) and X.dtype.kind in "biuf":
        masked: Any = X.astype(np.float32 if X.dtype.type is np.float32 else np.float64)
        X = masked.filled(np.nan)
    try:
        array = np.asarray(X)
    except ValueError:
        if not isinstance(X, (list, tuple)):
            raise
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
        if not array.ndim:
            raise DataError(
                f"X is {shown(array.item())}, and must be a table of rows and columns, such as a NumPy array."
            )
        raise DataError(
            f"X has {array.ndim} dimensions (shape {array.shape}) and must have two dimensions: (rows, columns)."
        )


def _numbers_of_other_arrays(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "O":
        _refuse_columns([(f"x{j}", array.dtype) for j in range(array.shape[1])], is_whole=True)
    columns = [numbers_of_objects(array[:, j]) for j in range(array.shape[1])]
    _refuse_columns([(f"x{j}", array.dtype) for j, column in enumerate(columns) if column is None])
    return np.column_stack([column for column in columns if column is not None]) if columns else np.empty(array.shape)


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
    for name in names:
        _check_text(name)


def _check_text(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(f"The column name {name!r} holds half a character, which no file keeps: rename it.") from None
    if "\0" in name:
        raise DataError(f"The column name {name!r} holds a NUL character, which no file keeps: rename it.")
    if any(unicodedata.category(c) == "Cc" and c not in "\t\n\r" for c in name):
        raise DataError(f"The column name {name!r} holds a control character, which a terminal would obey: rename it.")


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
