"""`DataSource`: rows that are read a stretch at a time and checked as they come, in memory or not."""

from __future__ import annotations

import hashlib
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bayesgmm.data.columns import column_order, in_order
from bayesgmm.data.matrix import DataMatrix, as_matrix, data_hash
from bayesgmm.errors import ArgumentError, DataError, shown

PARQUET = (".parquet", ".pq")


@dataclass(frozen=True, eq=False)
class DataSource:
    """Rows of numbers that need not fit in memory; `data_source` makes one.

    Parameters
    ----------
    name : str
        What it is, for a status: "the array", "points.parquet".
    feature_names : tuple of str
    n_obs : int or None
        None where only reading to the end can tell.
    is_repeatable : bool
        Whether the rows can be read more than once.
    stamp : str
        What stands for the SHA-256 of data that are not in memory: something that is known without reading them.
    values : (n, d) array or None
        The data, where they are in memory.
    open : callable
        ``open(n_rows)`` iterates over raw chunks of the rows, of about so many rows where there is a choice.
    put_back : callable
        Takes a list of raw chunks back that were read ahead.
    is_named : bool
        Whether the columns came with their names.
    """

    name: str
    feature_names: tuple[str, ...]
    n_obs: int | None
    is_repeatable: bool
    stamp: str
    values: np.ndarray | None
    open: Callable[[int], Iterator[Any]]
    put_back: Callable[[list[Any]], None] = lambda chunks: None
    is_named: bool = False

    def digest(self) -> str:
        """SHA-256 of data in memory, the stamp of others."""
        return self.stamp if self.values is None else data_hash(self.values)

    def matching(self, feature_names: tuple[str, ...]) -> DataSource:
        """The same rows with their columns in the order of a fit's.

        Raises
        ------
        DataError
            The columns are not those of the fit.
        """
        order = column_order(self.feature_names, self.is_named, feature_names, "X")
        values = self.values
        if order is not None and values is not None:
            values = np.ascontiguousarray(values[:, order])
        return replace(self, feature_names=feature_names, values=values)  # chunks are put in order as they come

    def stretches(self, n_rows: int) -> Iterator[np.ndarray]:
        """Yield the rows in order as arrays of `n_rows` rows, the last one of what is left.

        How the source cuts its chunks makes no difference.

        Raises
        ------
        DataError
            A chunk is no table of finite numbers with these columns; rows are counted from the source's first.
        """
        if self.values is not None:
            yield from (self.values[i : i + n_rows] for i in range(0, len(self.values), n_rows))
            return
        parts: list[np.ndarray] = []
        missing = n_rows
        for rows in self._checked(self.open(n_rows)):
            while len(rows) >= missing:
                yield _joined([*parts, rows[:missing]])
                parts, rows, missing = [], rows[missing:], n_rows
            if len(rows):
                parts.append(rows)
                missing -= len(rows)
        if parts:
            yield _joined(parts)

    def first(self, n_rows: int) -> DataMatrix:
        """The first `n_rows` rows, or all where there are fewer; a source that is read once still has them."""
        if self.values is not None:
            return DataMatrix(self.values[:n_rows], self.feature_names, self.is_named)
        raw, n_read = [], 0
        for chunk in self.open(n_rows):
            raw.append(chunk)
            n_read += _length(chunk)
            if n_read >= n_rows:
                break
        self.put_back(raw)
        rows = list(self._checked(iter(raw)))
        if not rows:
            raise DataError(f"There are no rows in {self.name}: there must be at least one.")
        return DataMatrix(_joined(rows)[:n_rows], self.feature_names, self.is_named)

    def _checked(self, chunks: Iterable[Any]) -> Iterator[np.ndarray]:
        n_before = 0
        for chunk in chunks:
            if _length(chunk) == 0:
                continue
            data = as_matrix(chunk, first_row=n_before)
            chunk_name = f"A chunk of {self.name}, from row {n_before} on,"
            yield in_order(data, self.feature_names, chunk_name, "the first one has")
            n_before += len(data.values)


def data_source(X: Any, columns: Sequence[str] | None = None) -> DataSource:
    """Data for methods that read them a stretch at a time (`OnlineEM`, `StochasticVB`).

    Parameters
    ----------
    X : array, frame, path, paths, iterator of chunks, or a function that returns one
        A numpy.memmap and the path of a ``.npy`` or ``.parquet`` file (or a list of Parquet files, one after the
        other) are read a stretch at a time and never held in memory.  An iterator of arrays or frames is read once;
        a function without arguments that returns such an iterator, as often as needed.
    columns : sequence of str, optional
        The columns of Parquet files to use; all of them where not given.

    Returns
    -------
    DataSource

    Raises
    ------
    DataError
        The data cannot be read, or are no table of finite numbers: what is in memory is checked now, the rest as
        it is read.
    """
    if isinstance(X, DataSource):
        return X
    paths = _paths(X)
    if columns is not None and not (paths and paths[0].suffix.lower() in PARQUET):
        raise ArgumentError(f"columns={shown(columns)} is for Parquet files: select the columns of X itself.")
    if paths:
        return _of_files(paths, columns)
    if isinstance(X, np.memmap):
        return _of_memmap(X, "the memory-mapped array", f"unread: {X.filename}")
    if callable(X) or isinstance(X, Iterator):
        return _of_chunks(X)
    data = X if isinstance(X, DataMatrix) else as_matrix(X)
    return DataSource(
        "the array", data.feature_names, len(data.values), True, "", data.values, _nothing, is_named=data.is_named
    )


def is_stream(X: Any) -> bool:
    """Whether X is of a kind that only a method that streams can read."""
    return isinstance(X, (DataSource, Iterator)) or callable(X) or bool(_paths(X))


def _nothing(n_rows: int) -> Iterator[Any]:
    return iter(())


def _paths(X: Any) -> list[Path]:
    if isinstance(X, (str, Path)):
        return [Path(X)]
    if isinstance(X, (list, tuple)) and X and all(isinstance(item, (str, Path)) for item in X):
        return [Path(item) for item in X]
    return []


def _of_files(paths: list[Path], columns: Sequence[str] | None) -> DataSource:
    for path in paths:
        if not path.is_file():
            raise DataError(f"There is no file {str(path)!r}: check the path.")
    if all(path.suffix.lower() in PARQUET for path in paths):
        return _of_parquet(paths, columns)
    if len(paths) == 1 and paths[0].suffix.lower() == ".npy":
        try:
            array = np.load(paths[0], mmap_mode="r")
        except ValueError as error:
            raise DataError(f"{paths[0].name} cannot be read as a NumPy array ({error}).") from None
        return _of_memmap(array, paths[0].name, _stamp(paths))
    raise DataError(
        f"{paths[0].name} cannot be read a stretch at a time: give a .npy file or Parquet files, or read the table and "
        "pass it."
    )


def _of_memmap(array: np.ndarray, name: str, stamp: str) -> DataSource:
    as_matrix(array[:1])  # says at once where this is no table
    names = tuple(f"x{j}" for j in range(array.shape[1]))

    def chunks(n_rows: int) -> Iterator[np.ndarray]:
        # np.array reads a stretch into memory of its own, so that no page is read twice and nothing stays mapped.
        return (np.array(array[i : i + n_rows]) for i in range(0, len(array), n_rows))

    return DataSource(name, names, len(array), True, stamp, None, chunks)


def _of_parquet(paths: list[Path], columns: Sequence[str] | None) -> DataSource:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        files = [ParquetFile(path) for path in paths]
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{paths[0].name} cannot be read as Parquet ({str(error).splitlines()[0]}).") from None
    known = files[0].schema_arrow.names
    names = known if columns is None else [str(name) for name in columns]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ArgumentError(f"{paths[0].name} has no column {unknown[0]!r}; there are {', '.join(map(repr, known))}.")
    for path, file in zip(paths, files, strict=True):
        missing = [name for name in names if name not in file.schema_arrow.names]
        if missing:
            raise DataError(
                f"{path.name} has no column {missing[0]!r}, which {paths[0].name} has: all files must have the columns "
                "that are used."
            )
    n_obs = sum(file.metadata.num_rows for file in files)

    def chunks(n_rows: int) -> Iterator[Any]:
        for path in paths:
            with ParquetFile(path, buffer_size=2**20) as file:
                # Asked for all row groups at once, Arrow keeps every one until the end.
                for group in range(file.num_row_groups):
                    for batch in file.iter_batches(min(n_rows, 2**16), row_groups=[group], columns=names):
                        yield batch.to_pandas()[names]

    for file in files:
        file.close()
    name = paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more files"
    return DataSource(name, tuple(names), n_obs, True, _stamp(paths), None, chunks, is_named=True)


class _Once:
    """An iterator of chunks that takes back what was read ahead."""

    def __init__(self, chunks: Iterable[Any]):
        self.chunks = iter(chunks)

    def open(self, n_rows: int) -> Iterator[Any]:
        return self.chunks

    def put_back(self, chunks: list[Any]) -> None:
        self.chunks = itertools.chain(chunks, self.chunks)


def _of_chunks(X: Any) -> DataSource:
    """Of an iterator, or of a function that makes one."""
    is_repeatable = callable(X)
    once = _Once(_called(X) if is_repeatable else X)
    first = next((chunk for chunk in once.chunks if _length(chunk)), None)
    if first is None:
        raise DataError("The iterator of chunks is empty: it must yield at least one row.")
    checked = as_matrix(first)
    names, is_named, stamp = checked.feature_names, checked.is_named, f"unread: {X!r}"
    if is_repeatable:
        return DataSource("the chunks", names, None, True, stamp, None, lambda n_rows: _called(X), is_named=is_named)
    once.put_back([first])
    return DataSource("the stream", names, None, False, stamp, None, once.open, once.put_back, is_named)


def _called(function: Callable[..., Any]) -> Iterator[Any]:
    try:
        inspect.signature(function).bind()
    except TypeError:
        raise DataError(
            f"{shown(function)} cannot be called without arguments: give a function that returns an iterator of chunks."
        ) from None
    except ValueError:  # some builtins do not say what they take
        pass
    chunks = function()
    try:
        return iter(chunks)
    except TypeError:
        raise DataError(f"The function returned {shown(chunks)}: it must return an iterator of chunks.") from None


def _length(chunk: Any) -> int:
    try:
        return len(chunk)
    except TypeError:
        raise DataError(
            f"The iterator yielded {shown(chunk)}: each chunk must be an array or a frame of rows."
        ) from None


def _stamp(paths: list[Path]) -> str:
    """Names, sizes and times of files: enough to tell whether two fits read the same ones."""
    facts = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return "unread: " + hashlib.sha256(repr(facts).encode()).hexdigest()


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
