"""A `Comparison` as people read it, on a terminal and in a notebook."""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.comparison.conclusions import conclusions
from bayesgmm.comparison.row import Row
from bayesgmm.comparison.scored import Scored
from bayesgmm.comparison.verdict import doubt
from bayesgmm.criteria.columns import COLUMNS, ESTIMANDS
from bayesgmm.criteria.score import Score

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 120  # of a line; wider blocks go on below
NOT_THERE = "-"
# Every fit can have these, so that their absence needs its reason; that of others is a matter of the kind of fit.
ALWAYS_THERE = ("elpd_kfold", "elpd_holdout")
FACTS = ("method", "K", "covariance", "parameters", "seconds", "status")
LEGEND = (
    "In nats, higher is better: value ± standard error (difference to the best of the column ± its standard error). "
    "Numbers of different columns must not be compared."
)


def as_text(comparison: Scored) -> str:
    """All that applies: the fits, one block for each estimand, the notes once, and what follows from it."""
    notes: list[str] = []
    parts = [_title(comparison), facts(comparison).to_string(), "", wrapped(LEGEND)]
    for estimand in ESTIMANDS:
        cells = formatted(comparison, estimand, notes)
        if not cells.empty:
            parts += ["", estimand.capitalize(), "\n\n".join(_folded(cells))]
    parts += ["", *(wrapped(f"[{i}] {note}") for i, note in enumerate(notes, 1))]
    return "\n".join([*parts, *([""] if notes else []), *map(wrapped, conclusions(comparison))])


def as_html(comparison: Scored) -> str:
    """The same, with what each column means."""
    notes: list[str] = []
    parts = [f"<p>{_title(comparison)}</p>", facts(comparison).to_html(), f"<p>{escape(LEGEND)}</p>"]
    shown = []
    for estimand in ESTIMANDS:
        cells = formatted(comparison, estimand, notes)
        if not cells.empty:
            parts.append(f"<h4>{escape(estimand.capitalize())}</h4>{cells.to_html()}")
            shown += list(cells.columns)
    parts += [f"<div>[{i}] {escape(note)}</div>" for i, note in enumerate(notes, 1)]
    parts += [f"<p>{escape(sentence)}</p>" for sentence in conclusions(comparison)]
    parts += [f"<div><b>{kind}</b>: {escape(COLUMNS[kind].note)}</div>" for kind in shown]
    return "".join(parts)


def _title(comparison: Scored) -> str:
    n_fits = sum(not row.is_baseline for row in comparison.rows.values())
    has_baseline = n_fits < len(comparison.rows)
    what = f"{n_fits} fit{'s' if n_fits > 1 else ''}" + (", with k-means beside them," if has_baseline else "")
    return f"{what} of {comparison.n_obs} points"


def facts(comparison: Scored) -> pd.DataFrame:
    """What each row is, and in a word or two how it ended."""
    import pandas as pd

    rows = {
        name: (
            row.method, size_of(row), row.covariance, "" if np.isnan(row.n_parameters) else f"{row.n_parameters:g}",
            "" if np.isnan(row.seconds) else f"{row.seconds:.2f}", row.status.outcome.value,
        )
        for name, row in comparison.rows.items()
    }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(FACTS))


def size_of(row: Row) -> str:
    """The number of components; where it is unknown, how many are occupied of how many."""
    return str(row.n_components) if row.n_occupied is None else f"{row.n_occupied} of {row.n_components}"


def formatted(comparison: Scored, estimand: str, notes: list[str]) -> pd.DataFrame:
    """The cells of one estimand, "value ± se (difference ± its se)"; the notes that they refer to are added."""
    import pandas as pd

    names, kinds = comparison.shown(estimand)
    cells = {}
    for kind in kinds:
        differences = comparison.differences(kind) if COLUMNS[kind].has_differences else None
        cells[kind] = {}
        for name in names:
            score = comparison.scores[name][kind]
            pair = (np.nan, np.nan)
            if differences is not None and name in differences.index:
                pair = (float(differences.at[name, "diff"]), float(differences.at[name, "diff_se"]))
            text = _cell(score, *pair, doubt(comparison.rows[name]))
            cells[kind][name] = text + _marks(score, kind, notes)
    return pd.DataFrame(cells, index=names)


def _marks(score: Score, kind: str, notes: list[str]) -> str:
    if score.is_missing and kind not in ALWAYS_THERE:
        return ""
    notes += [note for note in score.notes if note not in notes]
    return "".join(f" [{notes.index(note) + 1}]" for note in score.notes)


def _cell(score: Score, diff: float, diff_se: float, how: str) -> str:
    if score.is_missing:
        return NOT_THERE
    digits = COLUMNS[score.kind].digits
    text = f"{score.value:.{digits}f} exact" if score.is_exact else _with_error(score.value, score.se, digits)
    if np.isnan(diff):
        return f"{text} (not ranked)" if COLUMNS[score.kind].has_differences else text
    if diff == 0.0:
        return f"{text} (best, {how})" if how else f"{text} (best)"
    return f"{text} ({_with_error(diff, diff_se, digits)})"


def _with_error(value: float, se: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isnan(se) or se == 0.0 else f"{value:.{digits}f} ± {se:.{digits}f}"


def _folded(cells: pd.DataFrame) -> list[str]:
    """The block in pieces of as many columns as a line holds, each with the rows that have something there."""
    pieces, held = [], []
    for kind in cells.columns:
        if held and max(map(len, cells[[*held, kind]].to_string().splitlines())) > WIDTH:
            pieces.append(held)
            held = []
        held = [*held, kind]
    parts = [cells[kinds] for kinds in [*pieces, held]]
    return [part[(part != NOT_THERE).any(axis=1)].to_string() for part in parts]


def wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)
