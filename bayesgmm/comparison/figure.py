"""The picture of a `Comparison`."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.criteria.columns import COLUMNS
from bayesgmm.result.engines import colour_of, marker_of, place_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bayesgmm.comparison.scored import Scored

LINES = ("-", "--", "-.", ":")  # one covariance after the other


def plot_differences(comparison: Scored) -> Figure:
    """One panel per column: nats below the best fit against K, one line per method and covariance."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    kinds = [kind for kind in comparison.columns if COLUMNS[kind].has_differences and comparison.ranked(kind)]
    width = min(3, max(1, len(kinds)))
    height = -(-len(kinds) // width) or 1
    figure = Figure(figsize=(4.0 * width, 3.0 * height), layout="constrained")
    line_of = dict(zip(dict.fromkeys(row.covariance for row in comparison.rows.values()), cycle(LINES), strict=False))
    for panel, kind in enumerate(kinds, 1):
        axes = figure.add_subplot(height, width, panel)
        frame = comparison.differences(kind)
        lines: dict[tuple[str, str, str], list[str]] = {}
        for name in (name for name in frame.index if comparison.rows[name].size > 0):  # what is no mixture has none
            row = comparison.rows[name]
            lines.setdefault((row.method, row.model, row.covariance), []).append(name)
        for (method, model, covariance), names in sorted(lines.items(), key=lambda item: place_of(item[0][0])):
            names.sort(key=lambda name: comparison.rows[name].size)
            sizes = [comparison.rows[name].size for name in names]
            errors = np.nan_to_num(frame.loc[names, "diff_se"].to_numpy())
            axes.errorbar(
                sizes, frame.loc[names, "diff"], yerr=errors, color=colour_of(method), marker=marker_of(model, "o"),
                linestyle=line_of[covariance], capsize=3, label=f"{method} {model}".strip() + f", {covariance}",
            )  # fmt: skip
        axes.set(title=kind, xlabel="number of components", ylabel="nats from the best")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.axhline(0.0, color="0.7", linewidth=0.8, zorder=0)
        if lines:
            axes.legend(fontsize="small")
    return figure
