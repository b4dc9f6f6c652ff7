"""Files that are whole or not there, and text from data that does nothing where it is shown."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from bayesgmm.data.paths import check_is_file, checked_path
from bayesgmm.errors import DataError

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is computed by spreadsheets


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` once the body has ended without an error.

    A full disk or a kill meanwhile leaves the file that was there before as it was.

    Raises
    ------
    DataError
        `path` is a folder or a device, or there is no folder to hold it, or it cannot be written to.
    """
    target = checked_path(path)
    check_is_file(target)
    if not target.parent.is_dir():
        raise DataError(f"There is no folder {str(target.parent)!r}: make it before saving there.")
    target = target.resolve()  # what a link points to is replaced, and not the link
    new = target.with_name(f".{target.name[:100]}.{uuid4().hex[:8]}.new")
    try:
        new.touch(exist_ok=False)
    except OSError as error:
        raise DataError(
            f"{str(path)!r} cannot be written ({error.strerror or error}): choose another folder."
        ) from None
    try:
        yield new
        with open(new, "r+b") as file:
            os.fsync(file.fileno())
        if target.exists():
            new.chmod(target.stat().st_mode & 0o777)
        os.replace(new, target)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        new.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole_file(path) as new:
        new.write_text(text, encoding="utf-8")


def printable(text: str) -> str:
    r"""The text with its control characters spelled out, as ``\x1b``: a terminal would obey them."""
    return "".join(c if _is_shown(c) else c.encode("unicode_escape").decode() for c in text)


def _is_shown(char: str) -> bool:
    return char.isprintable() or char == "\n" or unicodedata.category(char) == "Zs"  # spaces that do not break


def spreadsheet_cell(value: object) -> object:
    """A text cell that spreadsheets show instead of computing it; other values as they are.

    OWASP, "CSV injection": a quote before it makes it text.
    """
    if not isinstance(value, str):
        return value
    is_formula = value.startswith(FORMULA) and len(value) > 1  # a dash alone is no formula
    return f"'{printable(value)}" if is_formula else printable(value)


def _not_written(path: str | Path, error: OSError) -> DataError:
    return DataError(f"{str(path)!r} cannot be written ({error.strerror or error}): choose another folder.")
