"""The comparison on stdout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bayesgmm.comparison import conclusions
from bayesgmm.criteria.columns import COLUMNS, ESTIMANDS
from bayesgmm.data.writing import printable
from bayesgmm.report import tables
from bayesgmm.report.content import Cell

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

    from bayesgmm.comparison import Comparison
    from bayesgmm.report.content import Table

WIDTH = 100  # of what is not written to a terminal
N_WITH_DIFFERENCES = 2  # columns of a block that show errors and differences: with more of them a row would not fit
MAX_TITLE = 10
ALWAYS_THERE = ("elpd_kfold", "elpd_holdout")  # every fit has these, so their absence needs its reason here


def print_results(comparison: Comparison) -> None:
    """The table, one block per estimand, and what follows from it."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    console.print()
    console.print(_text_table(tables.fits_table(comparison)))
    for estimand in ESTIMANDS:
        block = tables.score_table(comparison, estimand)
        if block is not None:
            _print_block(console, block)
    for sentence in conclusions(comparison):
        console.print(_plain(sentence))
    console.print()


def _text_table(table: Table) -> RichTable:
    rich_table = _frame(table.caption)
    for name in table.columns:
        is_number = name in ("K", "parameters", "time")
        justify = "right" if is_number else "left"
        rich_table.add_column(name, overflow="fold", no_wrap=name != table.columns[-1], justify=justify)
    for row in table.rows:
        rich_table.add_row(*(_plain(cell.text) for cell in row))
    return rich_table


def _print_block(console: Console, table: Table) -> None:
    from rich.text import Text

    rich_table, notes = _frame(table.caption), _Notes(table.footnotes)
    rich_table.add_column(table.columns[0], no_wrap=True)
    kinds = table.columns[1:]
    wide = [kind for kind in kinds if COLUMNS[kind].has_differences][:N_WITH_DIFFERENCES]
    for kind in kinds:
        # A long name is broken where its words meet, and not where the column ends.
        title = kind if len(kind) <= MAX_TITLE else "\n_".join(kind.split("_"))
        rich_table.add_column(title, justify="right", overflow="fold")
        if kind in wide:
            rich_table.add_column("from best", justify="right", overflow="fold")
    for name, *cells in table.rows:
        entries = [_plain(name.text)]
        for kind, cell in zip(kinds, cells, strict=True):
            entries.append(_entry(cell, notes.marks(cell, kind), has_error=kind in wide))
            if kind in wide:
                entries.append(Text(_difference(cell), style="bold" if cell.is_best else "dim"))
        rich_table.add_row(*entries)
    console.print(rich_table)
    lines = notes.lines
    for line in lines:
        console.print(Text(printable(line), style="dim"))
    if lines:
        console.print()


class _Notes:
    """Footnotes, numbered in the order in which they are needed; what simply does not apply needs none."""

    def __init__(self, footnotes: tuple[str, ...]):
        self._footnotes, self._used = footnotes, []

    def marks(self, cell: Cell, kind: str) -> str:
        if cell.text == tables.NOT_THERE and kind not in ALWAYS_THERE:
            return ""
        marks = list(cell.marks)
        self._used += [mark for mark in marks if mark not in self._used]
        return " ".join(_raised(self._used.index(mark) + 1) for mark in marks)

    @property
    def lines(self) -> list[str]:
        return [f"{_raised(i)} {self._footnotes[mark - 1]}" for i, mark in enumerate(self._used, 1)]


def _raised(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _entry(cell: Cell, marks: str, has_error: bool):
    from rich.text import Text

    if cell.text == tables.NOT_THERE:
        return Text(f"{cell.text}{marks}" if marks else "\N{EN DASH}", style="dim")
    error = f" ± {cell.error}" if has_error and cell.error else ""
    return Text(cell.text + error + marks, style="bold" if cell.is_best else "")


def _difference(cell: Cell) -> str:
    if not cell.is_best:
        return cell.difference
    return f"best, {cell.difference}" if cell.difference else "best"  # how it ended, where that is doubtful


def _frame(title: str) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable

    return RichTable(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )


def _plain(text: str):
    from rich.text import Text

    return Text(printable(text))
