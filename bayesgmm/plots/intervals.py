"""Intervals of several fits beside each other, and a likelihood ratio among those of its null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.errors import ArgumentError
from bayesgmm.plots.canvas import COLOURS, GREY, INK, PALE, TITLE, colour, new_figure, tidy
from bayesgmm.uncertainty import IntervalComparison, Intervals, LikelihoodRatioTest, compare_intervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

    from bayesgmm.result.fit import Fit
    from bayesgmm.uncertainty.quantities import Row

FAMILIES = ("weight", "mean", "sd", "correlation")
TITLES = {"sd": "standard deviation"}
ACROSS, MANY = 3, 12  # panels beside each other; more in all, and correlations are left out unless they are asked for
SPREAD = 0.6  # of the intervals of one component

Panel = tuple[str, tuple[str, ...]]
Numbered = tuple[int, "Row"]  # with the number of the component in the comparison


def plot_intervals(
    entries: IntervalComparison | Mapping[str, Fit | Intervals],
    families: Sequence[str] | None = None,
    level: float = 0.9,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Show the intervals of several fits, one panel per parameter, components below each other.

    A dot is the estimate and the line its interval; each fit has its colour.  Means are shown as differences from the
    first fit's, whose value stands beside the component.

    Parameters
    ----------
    entries : IntervalComparison, or dict of str to Fit or Intervals
    families : sequence of {"weight", "mean", "sd", "correlation", "variance", "covariance"}, optional
        By default the first four; of many columns the first three.
    level : float
        Of the intervals of fits.
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure

    Raises
    ------
    ArgumentError
        A family is none of these, or the fits cannot stand in one table.
    NotApplicableError
        None of the fits has intervals.
    """
    shown = entries if isinstance(entries, IntervalComparison) else compare_intervals(entries, level)
    panels = _panels(shown, families)
    across = min(ACROSS, len(panels))
    down = -(-len(panels) // across)
    k = 1 + max(row.quantity.component for rows in shown.rows.values() for row in rows.values())
    if figure is None:
        figure = new_figure(3.1 * across, down * (0.75 + 0.14 * k * (1 + len(shown.rows))) + 0.4)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    for ax, ((family, columns), rows) in zip(axes, panels.items(), strict=False):
        _draw(tidy(ax), rows, list(shown.rows), k, _origins(family, rows))
        ax.set_title(" of ".join([TITLES.get(family, family), *([", ".join(columns)] * bool(columns))]), fontsize=TITLE)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=min(len(names), 4), fontsize=8, frameon=False, labelcolor=INK
    )
    return figure


def plot_likelihood_ratio(test: LikelihoodRatioTest, figure: FigureBase | None = None) -> FigureBase:
    """Show the statistic of a likelihood ratio test among those of data drawn from the smaller mixture.

    Parameters
    ----------
    test : LikelihoodRatioTest
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure
    """
    if not isinstance(test, LikelihoodRatioTest):
        raise ArgumentError("plot_likelihood_ratio needs the result of bg.likelihood_ratio_test.")
    figure = figure or new_figure(5.2, 3.0)
    ax, k = tidy(figure.subplots()), test.fit.model.n_components
    ax.hist(test.null, bins=int(np.clip(np.sqrt(len(test.null)) * 1.5, 10, 40)), color=PALE, edgecolor="white",
            linewidth=0.5, label=f"{len(test.null)} data sets drawn from K = {k}")  # fmt: skip
    ax.axvline(test.statistic, color=COLOURS[1], linewidth=2, label=f"the data: {test.statistic:.1f}")
    ax.set_xlim(left=0)
    ax.set_xlabel("twice the difference of the log likelihoods (nats)")
    ax.set_ylabel("data sets")
    ax.set_title(f"K = {k} against {k + 1}: p = {test.p_value:.3f} ± {test.p_value_se:.3f}", fontsize=TITLE, color=INK)
    ax.legend(fontsize=8, frameon=False, labelcolor=INK)
    return figure


def _panels(shown: IntervalComparison, families: Sequence[str] | None) -> dict[Panel, dict[str, list[Numbered]]]:
    """Numbered rows by fit of each (family, columns)."""
    present = {row.quantity.family for rows in shown.rows.values() for row in rows.values()}
    unknown = [family for family in families or () if family not in present]
    if unknown:
        raise ArgumentError(f"there is no parameter {unknown[0]!r}; there are {', '.join(sorted(present))}.")
    wanted = tuple(families or FAMILIES)
    panels: dict[Panel, dict[str, list[Numbered]]] = {}
    for name, rows in shown.rows.items():
        for parameter, row in rows.items():
            if row.quantity.family in wanted:
                number = int(parameter.partition("[")[2].rstrip("]").partition(",")[0])
                of_fit = panels.setdefault((row.quantity.family, row.quantity.columns), {}).setdefault(name, [])
                of_fit.append((number, row))
    if families is None and len(panels) > MANY:
        panels = {panel: rows for panel, rows in panels.items() if panel[0] != "correlation"}
    return dict(sorted(panels.items(), key=lambda item: wanted.index(item[0][0])))


def _draw(ax: Axes, rows: dict[str, list[Numbered]], names: list[str], k: int, origins: dict[int, float]) -> None:
    shifts = np.linspace(-0.5, 0.5, len(names)) * SPREAD if len(names) > 1 else [0.0]
    for i, (name, shift) in enumerate(zip(names, shifts, strict=True)):
        found = rows.get(name, [])
        at = [number + shift for number, _ in found]
        ends = ("lower", "estimate", "upper")
        lower, estimates, upper = (
            np.array([getattr(row, end) - origins.get(number, 0.0) for number, row in found]) for end in ends
        )
        ax.hlines(at, lower, upper, color=colour(i), linewidth=1.6)
        ax.plot(estimates, at, "o", color=colour(i), markersize=4, label=name)
    for edge in range(1, k):
        ax.axhline(edge - 0.5, color=GREY, linewidth=0.4)
    ax.set_ylim(k - 0.5, -0.5)
    labels = [f"{number}\n{origins[number]:.4g} +" if number in origins else f"{number}" for number in range(k)]
    ax.set_yticks(range(k), labels)
    ax.set_ylabel("component")


def _origins(family: str, rows: dict[str, list[Numbered]]) -> dict[int, float]:
    """Of means, which lie far apart: by component, the first estimate, from which the others are measured."""
    first: dict[int, float] = {}
    for found in rows.values() if family == "mean" else ():
        for number, row in found:
            first.setdefault(number, row.estimate)
    return first
