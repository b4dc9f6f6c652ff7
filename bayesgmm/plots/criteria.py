"""The criteria against the number of components, one panel per estimand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.criteria.columns import COLUMNS, ESTIMANDS
from bayesgmm.plots.canvas import GREY, INK, TITLE, new_figure, tidy
from bayesgmm.result.engines import colour_of, marker_of, place_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

    from bayesgmm.comparison import Comparison

STEP, SPREAD = 0.08, 0.5  # by which error bars at one number of components are moved apart, and at most in all
NEAR = 5.0  # nats below the best that are always in view


@dataclass(frozen=True, eq=False)
class Series:
    """One column of one method (and covariance, and model) over the numbers of components."""

    column: str
    method: str
    model: str
    covariance: str
    names: tuple[str, ...]
    sizes: np.ndarray

    def label(self, has_covariances: bool) -> str:
        by = f"{self.method} {self.model}".strip()
        return f"{self.column}, {by}" + (f" {self.covariance}" if has_covariances else "")


def plot_criteria(comparison: Comparison, figure: FigureBase | None = None) -> FigureBase:
    """Show every criterion against the number of components, one panel per estimand.

    The upper row has the values with their standard errors.  The lower row has, for each column, the differences
    to its best fit with standard errors of the *paired* differences, which are what a choice of K rests on; a
    value far below the best is written at the panel's foot.  Columns of different estimands never share a panel.

    Parameters
    ----------
    comparison : Comparison
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure
        Three rows of axes (values, differences, legends); its columns are the estimands that have values.
    """
    panels = _panels(comparison)
    if figure is None:
        figure = new_figure(1.6 + (3.4 if len(panels) < 4 else 2.8) * len(panels), 6.4)
    # The third row holds the legends, so that they never hide a value.
    axes = figure.subplots(3, len(panels), squeeze=False, height_ratios=(1, 1, 0.45))
    for (title, unit, all_series), (upper, lower, foot) in zip(panels, axes.T, strict=True):
        _values(tidy(upper), comparison, all_series)
        upper.set_title(title, fontsize=TITLE)
        upper.set_ylabel(unit)
        if COLUMNS[all_series[0].column].has_differences:
            _differences(tidy(lower), comparison, all_series)
            lower.set_xlabel("number of components K")
        else:
            lower.set_axis_off()
            upper.set_xlabel("number of components K")
        foot.set_axis_off()
        foot.legend(
            *upper.get_legend_handles_labels(), loc="upper center", fontsize=8, frameon=False, labelcolor=INK,
            ncols=1 + (len(all_series) > 5), columnspacing=1.0,
        )  # fmt: skip
    return figure


def _panels(comparison: Comparison) -> list[tuple[str, str, list[Series]]]:
    """(title, unit, series) of every panel: an index of agreement has another unit than nats and its own panel."""
    panels = []
    for estimand in ESTIMANDS:
        columns = [kind for kind in comparison.columns if COLUMNS[kind].estimand == estimand and COLUMNS[kind].look]
        in_nats = [kind for kind in columns if COLUMNS[kind].has_differences]
        others = [kind for kind in columns if not COLUMNS[kind].has_differences]
        for kinds, unit, title in ((in_nats, "nats", estimand), (others, "index", "agreement with the labels")):
            series = [one for kind in kinds for one in _series(comparison, kind)]
            if series:
                panels.append((title, unit, series))
    return panels


def _series(comparison: Comparison, column: str) -> list[Series]:
    lines: dict[tuple[str, str, str], list[str]] = {}
    for name, row in comparison.rows.items():
        score = comparison.scores[name][column]
        is_shown = score.is_ranked or not COLUMNS[column].has_differences
        if np.isfinite(score.value) and is_shown and row.size > 0:  # a row from elsewhere has no place on the axis
            lines.setdefault((row.method, row.model, row.covariance), []).append(name)
    series = []
    for (method, model, covariance), names in sorted(lines.items(), key=lambda item: place_of(item[0][0])):
        names.sort(key=lambda name: comparison.rows[name].size)
        sizes = np.array([comparison.rows[name].size for name in names])
        series.append(Series(column, method, model, covariance, tuple(names), sizes))
    return series


def _style(series: Series) -> dict:
    look = COLUMNS[series.column].look
    assert look is not None  # only such columns make series
    ink = colour_of(series.method)
    return {
        "marker": marker_of(series.model, look.marker), "linestyle": look.line, "color": ink, "capsize": 0,
        "markersize": 5, "linewidth": 1.1, "elinewidth": 0.9, "markerfacecolor": ink if look.is_filled else "white",
    }  # fmt: skip


def _values(ax: Axes, comparison: Comparison, all_series: list[Series]) -> None:
    has_covariances = len({one.covariance for one in all_series} - {"-"}) > 1
    for one, shift in zip(all_series, _shifts(len(all_series)), strict=True):
        scores = [comparison.scores[name][one.column] for name in one.names]
        values = np.array([score.value for score in scores])
        errors = np.nan_to_num([score.se for score in scores])
        ax.errorbar(one.sizes + shift, values, yerr=errors, label=one.label(has_covariances), **_style(one))
    _whole_numbers(ax, all_series)


def _differences(ax: Axes, comparison: Comparison, all_series: list[Series]) -> None:
    tables = {one.column: comparison.differences(one.column) for one in all_series}
    rows = [tables[one.column].loc[list(one.names)] for one in all_series]
    floor = -1.25 * _in_view(-np.concatenate([row["diff"].to_numpy() for row in rows]))
    for one, row, shift in zip(all_series, rows, _shifts(len(all_series)), strict=True):
        errors = np.nan_to_num(row["diff_se"].to_numpy())
        ax.errorbar(one.sizes + shift, row["diff"].to_numpy(), yerr=errors, **_style(one))
    for size in sorted({int(size) for one in all_series for size in one.sizes}):
        below = [
            diff
            for one, row in zip(all_series, rows, strict=True)
            for diff in row["diff"].to_numpy()[one.sizes == size]
            if diff < floor
        ]
        if below:
            low, high = round(max(below)), round(min(below))
            text = (f"{low}" if low == high else f"{low}\nto {high}").replace("-", "\N{MINUS SIGN}")
            ax.annotate(f"{text}\n\u25be", (size, floor), ha="center", va="bottom", fontsize=7.5, color=INK, zorder=6)
    ax.axhline(0.0, color=GREY, linewidth=0.8, zorder=0)
    ax.set_ylim(floor, -0.12 * floor)
    ax.set_ylabel("nats from the column's best")
    _whole_numbers(ax, all_series)


def _in_view(behind: np.ndarray) -> float:
    """How far below the best the panel reaches; values far below all others are left out."""
    depth = NEAR
    for value in np.sort(behind):
        if value > 3 * depth:
            break
        depth = max(depth, float(value))
    return depth


def _shifts(n: int) -> np.ndarray:
    return min(SPREAD, STEP * (n - 1)) * (np.linspace(-0.5, 0.5, n) if n > 1 else np.zeros(1))


def _whole_numbers(ax: Axes, all_series: list[Series]) -> None:
    sizes = np.concatenate([one.sizes for one in all_series])
    ax.set_xticks(np.unique(sizes))
    ax.set_xlim(sizes.min() - 0.5, sizes.max() + 0.5)
