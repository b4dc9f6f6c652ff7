"""What may be the path of a file or a folder: checked before anything is opened, with errors that name it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bayesgmm.errors import ArgumentError, DataError, shown


def checked_path(path: Any, name: str = "path") -> Path:
    """A path that the system can hold.

    Raises
    ------
    ArgumentError
        It is no text and no path object.
    DataError
        It holds a character that no path has, or is too long.
    """
    if not isinstance(path, (str, os.PathLike)) or isinstance(found := os.fspath(path), bytes):
        raise ArgumentError(f"{name}={shown(path)} must be a path: a text, or a pathlib.Path.")
    if "\0" in found:
        raise DataError(f"{name}={found!r} holds a NUL character, which no path has.")
    try:
        os.fsencode(found)
        Path(found).exists()
    except UnicodeEncodeError:
        raise DataError(f"{name}={found!r} holds half a character, which no path has.") from None
    except OSError as error:
        raise DataError(f"{name}={shown(found)} cannot be a path here ({error.strerror or error}).") from None
    return Path(found)


def check_is_file(path: Path) -> None:
    """Raise a DataError where something is there that is no ordinary file."""
    if path.is_dir():
        raise DataError(f"{str(path)!r} is a folder: give the path of a file in it.")
    if path.exists() and not path.is_file():
        raise DataError(f"{str(path)!r} is a device or a pipe, and no file: give the path of a file.")
