"""How the grid goes on, on stderr: a bar for the cell at work, a line for every one that has ended."""

from __future__ import annotations

import sys
import time

from bayesgmm.data.writing import printable
from bayesgmm.report.numbers import duration
from bayesgmm.result.status import Outcome, Status

MARKS = {
    Outcome.CONVERGED: ("done", "green"),
    Outcome.NOT_CONVERGED: ("check", "yellow"),
    Outcome.COLLAPSED: ("check", "yellow"),
    Outcome.INTERRUPTED: ("stopped", "yellow"),
    Outcome.FAILED: ("failed", "red"),
}


class GridProgress:
    """A `Watcher` that draws bars on a terminal and writes plain lines elsewhere.

    Parameters
    ----------
    names : list of str
        Of the cells, in the order in which they run.
    folds : int
        A cell is this many refits and one fit of work.
    """

    def __init__(self, names: list[str], folds: int):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._console = Console(file=sys.stderr, highlight=False, soft_wrap=not sys.stderr.isatty())
        self._width = max(map(len, names))
        self._n_cells, self._n_done, self._work = len(names), 0, 1 + folds
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.fields[note]}"), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(), console=self._console,
            transient=True, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._whole = self._bars.add_task(f"{'grid':{self._width}}", total=len(names), note="")
        self._cell = None

    def __enter__(self) -> GridProgress:
        self._bars.start()
        return self

    def __exit__(self, *error) -> None:
        self._bars.stop()

    def begin(self, name: str) -> None:
        self._begun = time.perf_counter()
        note = f"{self._n_done + 1} of {self._n_cells}"
        self._bars.update(self._whole, note=note)
        self._cell = self._bars.add_task(f"{name:{self._width}}", total=self._work, note="fit")

    def fitting(self, done: int, total: int, note: str) -> None:
        self._bars.update(self._cell, completed=done / max(total, 1), note=f"fit: {done} of {total} {note}")

    def scoring(self, done: int, total: int, note: str) -> None:
        share = done / max(total, 1)
        self._bars.update(self._cell, completed=1 + share * (self._work - 1), note=note.partition(": ")[2] or note)

    def end(self, name: str, status: Status) -> None:
        from rich.text import Text

        self._n_done += 1
        word, style = MARKS[status.outcome]
        seconds = duration(time.perf_counter() - self._begun)
        line = Text(f"{name:{self._width}}  ")
        line.append(f"{word:7}", style=style)
        line.append(f"  {seconds:>8}  {printable(status.sentence)}")
        self._console.print(line)
        if self._cell is not None:
            self._bars.remove_task(self._cell)
        self._bars.update(self._whole, completed=self._n_done)

    def say(self, sentence: str) -> None:
        from rich.text import Text

        self._console.print(Text(printable(sentence)))
