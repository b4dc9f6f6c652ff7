"""What a report is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """A figure: an image as a data address, a text for those who cannot see it, a caption for everybody."""

    source: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Cell:
    """An entry of a table.

    Parameters
    ----------
    text : str
    error : str
        Its standard error, where there is one.
    difference : str
        To the best of the column.
    marks : tuple of int
        Of footnotes.
    is_best : bool
        Of its column.
    """

    text: str
    error: str = ""
    difference: str = ""
    marks: tuple[int, ...] = ()
    is_best: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells, the first of each being its name.

    Parameters
    ----------
    caption : str
    columns : tuple of str
    rows : tuple of tuples of Cell
    footnotes : tuple of str
        Their numbers, from 1, are the cells' marks.
    definitions : tuple of (str, str)
        What the columns mean.
    is_text : bool
        Entries are words and stand to the left.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    footnotes: tuple[str, ...] = ()
    definitions: tuple[tuple[str, str], ...] = ()
    is_text: bool = False


@dataclass(frozen=True)
class Fold:
    """What is folded away until a reader opens it."""

    title: str
    parts: tuple[Picture | Table, ...]


@dataclass(frozen=True)
class Section:
    """A chapter of the report: its anchor, heading, sentences, and what is to be seen."""

    anchor: str
    title: str
    sentences: tuple[str, ...] = ()
    parts: tuple[Picture | Table | Fold, ...] = ()
