"""One process at a time in a folder: the operating system gives the lock back when a process ends, however it ends."""

from __future__ import annotations

from pathlib import Path
from typing import IO

NAME = "lock"


class InUse(Exception):
    """Somebody else holds the lock."""


def lock(folder: Path) -> IO[bytes] | None:
    """Hold the folder until the returned file is closed; None where files there cannot be locked.

    Raises
    ------
    InUse
        It is held by another process, or by another fit of this one.
    """
    path = folder / NAME
    try:
        file = path.open("ab" if not path.exists() else "rb")
    except OSError:  # a folder that cannot be written in is not changed by anybody
        return None
    try:
        _lock(file)
    except InUse:
        file.close()
        raise
    except OSError:  # a file system without locks
        file.close()
        return None
    return file


def _lock(file: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # pyright: ignore[reportAttributeAccessIssue]
        except OSError as error:
            raise InUse from error
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InUse from error
