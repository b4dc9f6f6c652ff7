"""The entropy of clusters as components are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.plots.canvas import COLOURS, GREY, INK, TITLE, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import FigureBase

    from bayesgmm.partitions.merging import Merging


def plot_merging(merging: Merging, figure: FigureBase | None = None) -> FigureBase:
    """Show the entropy of the clusters against their number, and how much the clusters merged at each step overlap.

    Parameters
    ----------
    merging : Merging
        Of `bayesgmm.merge_components`.
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure
        Two panels; the circle is the number of `Merging.clusters`, which go by the overlap and not by the order shown.
    """
    from matplotlib.ticker import MaxNLocator

    if figure is None:
        figure = new_figure(8.0, 3.4)
    left, right = (tidy(ax) for ax in figure.subplots(1, 2))
    sizes, chosen = np.arange(merging.n_components, 0, -1), merging.n_clusters
    left.plot(sizes, merging.entropies, "o-", color=COLOURS[0], markersize=5, linewidth=1.2)
    left.plot(
        chosen, merging.entropies[merging.n_components - chosen], "o", markersize=13, markerfacecolor="none", color=INK
    )
    left.set(xlabel="clusters", ylabel="entropy of the shares (nats)")
    left.set_title(repr(merging)[len("<Merging of ") : -1], fontsize=TITLE, color=INK, loc="left")
    are_merged = merging.overlaps >= merging.threshold
    right.vlines(sizes[1:], 0.0, merging.overlaps, color=GREY, linewidth=1.0)
    for ours, label, fill in ((are_merged, "at least the threshold", COLOURS[0]), (~are_merged, "below", "white")):
        right.plot(
            sizes[1:][ours],
            merging.overlaps[ours],
            "o",
            color=COLOURS[0],
            markerfacecolor=fill,
            markersize=6,
            label=label,
        )
    right.axhline(merging.threshold, color=COLOURS[1], linestyle="--", linewidth=1.0, label="threshold")
    right.set(xlabel="clusters after the step", ylabel="overlap of the two", ylim=(0.0, 1.05))
    right.legend(fontsize=8, frameon=False, labelcolor=INK)
    for ax in (left, right):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.set_xlim(0.5, merging.n_components + 0.5)
    return figure
