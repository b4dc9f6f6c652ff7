"""`read_table`: a CSV or Parquet file as a table of numbers, and a column of labels kept aside."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from bayesgmm.errors import ArgumentError, DataError

if TYPE_CHECKING:
    import pandas as pd

MISSING = {"", "na", "n/a", "nan", "null", "none"}
WHITESPACE = " "  # stands for any run of blanks


def read_table(
    path: str | Path,
    columns: Sequence[str] | None = None,
    label_column: str | None = None,
    left_out: Sequence[str] = (),
) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Read the columns of numbers of a CSV or Parquet file.

    The delimiter of a CSV file (semicolon, tab, comma or blanks) is found out from its first lines; with
    semicolons or tabs, numbers may have decimal commas.  The first line is a header unless it looks like the
    second: numbers where that has numbers, at least one.  Columns without a header are called x0, x1, ...
    A nameless first column that merely counts the rows is left out.

    Parameters
    ----------
    path : str or Path
    columns : sequence of str, optional
        The columns to use; all but `label_column` where not given.
    label_column : str, optional
        A column of known groups.
    left_out : sequence of str
        Columns that are neither, where `columns` is not given.

    Returns
    -------
    table : pandas.DataFrame
    labels : (n,) array, or None

    Raises
    ------
    DataError
        The file cannot be read as a table, or a column that is asked for does not hold numbers.
    ArgumentError
        There is no column of a given name.
    """
    path = Path(path)
    table = _read(path)
    wanted = [str(name) for name in table.columns if name not in left_out] if columns is None else list(columns)
    _check_known(path, table, wanted + ([] if label_column is None else [label_column]))
    repeated = [name for name, count in Counter(wanted).items() if count > 1]
    if repeated:
        raise ArgumentError(f"Column {repeated[0]!r} of {path.name} is named twice: name every column once.")
    if set(wanted) <= {label_column}:
        raise ArgumentError(f"{path.name} has no column besides that of the labels, {label_column!r}, to be fitted.")
    labels = None if label_column is None else _labels(path, table[label_column])
    table = table[[name for name in wanted if name != label_column]]
    _check_numbers(path, table, labels is not None)
    return table, labels


def read_known_labels(path: str | Path, column: str) -> np.ndarray:
    """(n,) labels of a column, None where a cell is empty.

    Raises
    ------
    DataError
        The file cannot be read as a table.
    ArgumentError
        There is no column of that name.
    """
    path = Path(path)
    table = _read(path)
    _check_known(path, table, [column])
    return table[column].astype(object).where(table[column].notna(), None).to_numpy()


def _read(path: Path) -> pd.DataFrame:
    """The file's table, with at least one row."""
    if not path.is_file():
        raise DataError(f"There is no file {str(path)!r}: check the path." if not path.exists() else
                        f"{str(path)!r} is a directory: give a CSV or Parquet file.")  # fmt: skip
    with path.open("rb") as file:
        magic = file.read(4)
    if not magic:
        raise DataError(f"{path.name} is empty.")
    is_parquet = magic == b"PAR1" or path.suffix.lower() in (".parquet", ".pq")
    table = _read_parquet(path) if is_parquet else _read_csv(path)
    if not len(table):
        raise DataError(f"{path.name} holds a header and no rows of data.")
    return table


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    try:
        table = pd.read_parquet(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name} cannot be read as Parquet ({str(error).splitlines()[0]}).") from None
    return table.rename(columns=str)


def _read_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        form = _form_of(path)
        table = pd.read_csv(
            path,
            sep=r"\s+" if form.delimiter == WHITESPACE else form.delimiter,
            header=0 if form.has_header else None,
            names=None if form.has_header else [f"x{j}" for j in range(form.n_columns)],
            decimal="," if form.has_decimal_comma else ".",
            encoding="utf-8-sig",
            skipinitialspace=True,
            low_memory=False,
        )
        if table.iloc[:, -1].isna().any():  # pandas fills lines that are too short
            _check_lengths(path, form.delimiter)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name} is not UTF-8 text (byte 0x{error.object[error.start]:02x}): save it as UTF-8, or as Parquet."
        ) from None
    except (pd.errors.ParserError, csv.Error) as error:
        _check_lengths(path, form.delimiter)
        raise DataError(f"{path.name} cannot be read as CSV ({' '.join(str(error).split())}).") from None
    return _drop_row_numbers(table)


@dataclass(frozen=True)
class _Form:
    delimiter: str
    has_header: bool
    has_decimal_comma: bool
    n_columns: int


def _form_of(path: Path) -> _Form:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(islice(file, 100))
    delimiter = _delimiter(lines)
    records = [fields for _, fields in _records(lines, delimiter)]
    if not records:
        raise DataError(f"{path.name} is empty.")
    if len({len(fields) for fields in records}) > 1:  # with a short header, pandas would make the first column an index
        _check_lengths(path, delimiter)
    decimal = "," if delimiter in (";", "\t") and _has_decimal_comma(records) else "."
    is_number = [[_is_number(field, decimal) for field in fields] for fields in records[:2]]
    return _Form(delimiter, not (is_number[0] == is_number[-1] and any(is_number[0])), decimal == ",", len(records[0]))


def _check_lengths(path: Path, delimiter: str) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        records = _records(file, delimiter)
        first, header = next(records)
        for line, fields in records:
            if len(fields) != len(header):
                raise DataError(
                    f"Line {line} of {path.name} has {len(fields)} {'field' if len(fields) == 1 else 'fields'} and "
                    f"line {first} has {len(header)}: every line must have equally many."
                )


def _records(lines: TextIO | Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of every line that is not blank."""
    if delimiter == WHITESPACE:
        yield from ((i, line.split()) for i, line in enumerate(lines, 1) if line.strip())
        return
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    yield from ((reader.line_num, fields) for fields in reader if any(fields) or len(fields) > 1)


def _delimiter(lines: list[str]) -> str:
    """The delimiter that cuts most of the lines into the same number of fields, more than one."""

    def share(delimiter: str) -> float:
        counts = Counter(len(fields) for _, fields in _records(lines, delimiter))
        n_fields, n_lines = counts.most_common(1)[0] if counts else (1, 0)
        return n_lines / counts.total() if n_fields > 1 else 0.0

    best = max((";", "\t", ",", WHITESPACE), key=share)  # the first of equals: a decimal comma cuts evenly, too
    return best if share(best) > 0.5 else ","


def _has_decimal_comma(records: list[list[str]]) -> bool:
    fields = [field for record in records for field in record if "," in field]
    return bool(fields) and sum(_is_number(field, ",") for field in fields) > len(fields) / 2


def _is_number(field: str, decimal: str) -> bool:
    field = field.strip()
    try:
        float(field.replace(decimal, "."))
    except ValueError:
        return field.lower() in MISSING
    return True


def _drop_row_numbers(table: pd.DataFrame) -> pd.DataFrame:
    # What pandas and R write before the columns unless told not to; as a feature it would spoil any clustering.
    first = table.iloc[:, 0]
    is_nameless = str(table.columns[0]).startswith("Unnamed: 0")
    if is_nameless and table.shape[1] > 1 and first.dtype.kind == "i" and first.iloc[0] in (0, 1):
        if (first.diff().iloc[1:] == 1).all():
            return table.iloc[:, 1:]
    return table


def _check_known(path: Path, table: pd.DataFrame, wanted: list[str]) -> None:
    unknown = [name for name in wanted if name not in table.columns]
    if unknown:
        known = ", ".join(map(repr, table.columns))
        raise ArgumentError(f"{path.name} has no column {', '.join(map(repr, unknown))}; there are {known}.")


def _check_numbers(path: Path, table: pd.DataFrame, has_labels: bool) -> None:
    text = [name for name in table.columns if not _holds_numbers(table[name])]
    if not text:
        return
    entries = [str(entry) for entry in table[text[0]]]
    row = next((i for i, entry in enumerate(entries) if not _is_number(entry, ".")), 0)
    numeric = ",".join(name for name in table.columns if name not in text)
    remedies = ["correct the file"]
    remedies += [f"use --columns {numeric}"] if numeric else []
    remedies += [] if has_labels else [f"if it holds known groups, name it with --label-column {text[0]}"]
    raise DataError(
        f"{path.name} holds text in {'column' if len(text) == 1 else 'columns'} {', '.join(map(repr, text))} "
        f"({entries[row]!r} in row {row} of {text[0]!r}, counted from 0): {', or '.join(remedies)}."
    )


def _holds_numbers(column: pd.Series) -> bool:
    from pandas.api import types

    # Integers beyond 64 bits and decimals come as objects.
    return types.is_numeric_dtype(column.dtype) or (
        column.dtype == object and types.infer_dtype(column) in ("integer", "decimal", "mixed-integer-float", "empty")
    )


def _labels(path: Path, column: pd.Series) -> np.ndarray:
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise DataError(
            f"Label column {column.name!r} of {path.name} is empty in row {missing[0]} (counted from 0): "
            "give every row a label."
        )
    return column.to_numpy()
