"""How `compare` and `search` show that they go on: one line that is written over, on a terminal and in a notebook."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bayesgmm.checks import truth
from bayesgmm.result.method import Progress, silent

BAR = 20  # characters


@contextmanager
def watched(progress: Progress | bool | None, doing: str = "comparing") -> Iterator[Progress]:
    """What is to be called as the work goes on; the line is taken away at the end, however that comes.

    Raises
    ------
    ArgumentError
        `progress` is neither a callable nor True, False or None.
    """
    if progress is None:
        progress = _in_notebook() or _is_terminal(sys.stderr)
    if not callable(progress):
        progress = truth(progress, "progress", also="a function of (done, total, note)")
    if progress is True:
        line = _Line(_notebook_writer() if _in_notebook() else _terminal_writer(sys.stderr), doing)
        try:
            yield line
        finally:
            line.clear()
    else:
        yield progress or silent


class _Line:
    """A `Progress` that keeps one line up to date."""

    def __init__(self, write: Callable[[str], None], doing: str):
        self._write, self._doing = write, doing

    def __call__(self, done: int, total: int, note: str) -> None:
        n_full = BAR * done // max(total, 1)
        # A name may come from a file: what does not print could act in a terminal.
        safe = "".join(char if char.isprintable() else "?" for char in note)
        self._write(f"{self._doing} [{'#' * n_full}{'.' * (BAR - n_full)}] {done} of {total}  {safe}")

    def clear(self) -> None:
        self._write("")


def _terminal_writer(stream: Any) -> Callable[[str], None]:
    length = 0

    def write(text: str) -> None:
        nonlocal length
        text = text[: shutil.get_terminal_size().columns - 1]  # a line that wraps cannot be written over
        stream.write("\r" + text.ljust(length) + ("" if text else "\r"))
        stream.flush()
        length = len(text)

    return write


def _notebook_writer() -> Callable[[str], None]:
    from IPython.display import display  # pyright: ignore[reportMissingImports] -- there, where this runs

    handle: Any = display({"text/plain": ""}, raw=True, display_id=True)
    return lambda text: handle.update({"text/plain": text}, raw=True)


def _is_terminal(stream: Any) -> bool:
    return hasattr(stream, "isatty") and not getattr(stream, "closed", False) and stream.isatty()


def _in_notebook() -> bool:
    """Whether Python runs under Jupyter; IPython on a terminal is a terminal."""
    ipython = sys.modules.get("IPython")  # a notebook has imported it
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")
