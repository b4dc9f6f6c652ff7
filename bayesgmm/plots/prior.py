"""What a prior expects of the data, beside the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.plots.canvas import COLOURS, GREY, INK, TITLE, even_rows, new_figure, tidy
from bayesgmm.plots.components import bin_count
from bayesgmm.plots.density import GRID, MAX_COLUMNS, marginal_densities

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

    from bayesgmm.result.prior import PriorDraws

N_LINES = 15
WIDE = 3.0  # ranges of the data that a panel shows to either side at most
CENTRAL = 0.9  # of the points that the prior predicts, which a panel shows


def plot_prior(prior: PriorDraws, figure: FigureBase | None = None) -> FigureBase:
    """Show the densities that the prior draws for each column, the data, and the number of occupied components.

    Thin lines are mixtures drawn from the prior, the thick one is the mean of them all, the prior predictive density.
    A good prior covers the data and is not many times wider.

    Parameters
    ----------
    prior : PriorDraws
        Of `bayesgmm.sample_prior`.
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure
        One panel per column, at most the first twelve, and one for the number of components that hold a point.
    """
    names = prior.feature_names[:MAX_COLUMNS]
    n_panels = len(names) + 1
    across = min(n_panels, 3)
    down = -(-n_panels // across)
    if figure is None:
        figure = new_figure(3.6 * across, 3.3 if down == 1 else 2.8 * down)
    axes = figure.subplots(down, across, squeeze=False).flat
    for ax in axes[n_panels:]:
        ax.remove()
    for j, name in enumerate(names):
        _column(tidy(axes[j]), prior, j)
        axes[j].set_xlabel(name)
        axes[j].set_ylabel("density")
    _occupied(tidy(axes[len(names)]), prior)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=8, frameon=False, labelcolor=INK)
    return figure


def _column(ax: Axes, prior: PriorDraws, j: int) -> None:
    low, high = np.quantile(prior.X[..., j], [0.5 - CENTRAL / 2, 0.5 + CENTRAL / 2])
    top = 0.0
    if prior.observed is not None:
        x = prior.observed[:, j]
        low, high = _around(float(low), float(high), float(x.min()), float(x.max()))
        heights, _, _ = ax.hist(
            x, bins=bin_count(x), density=True, color=GREY, alpha=0.75, linewidth=0, label="observed", zorder=2
        )
        top = float(np.max(heights))
    grid = np.linspace(low, high, GRID)
    densities = marginal_densities(prior.params[even_rows(len(prior.X), 1000)], j, grid)
    lines = densities[even_rows(len(densities), N_LINES)]
    for i, line in enumerate(lines):
        label = "drawn from the prior" if i == 0 else None
        ax.plot(grid, line, color=COLOURS[5], linewidth=0.7, alpha=0.6, label=label, zorder=1)
    mean = densities.mean(0)
    ax.plot(grid, mean, color=COLOURS[1], linewidth=1.8, label="prior predictive", zorder=3)
    # A narrow component drawn from the prior would squeeze all else against the axis.
    ax.set_ylim(0.0, 1.15 * max(top, float(mean.max()), float(np.median(lines.max(1)))))
    ax.set_xlim(low, high)


def _around(low: float, high: float, smallest: float, largest: float) -> tuple[float, float]:
    """What the prior predicts, with the data in view and not lost in it."""
    wide = WIDE * (largest - smallest)
    low, high = max(low, smallest - wide), min(high, largest + wide)
    margin = 0.05 * (largest - smallest)
    return min(low, smallest - margin), max(high, largest + margin)


def _occupied(ax: Axes, prior: PriorDraws) -> None:
    counts = prior.n_occupied
    sizes = np.arange(1, prior.model.n_components + 1)
    shares = np.bincount(counts, minlength=len(sizes) + 1)[1:] / len(counts)
    ax.bar(sizes, shares, width=0.8, color=GREY)
    ax.set_xlabel(f"occupied components of {prior.X.shape[1]} points")
    ax.set_ylabel("prior probability")
    ax.set_title("number of clusters", fontsize=TITLE)
    ax.set_xticks(sizes if len(sizes) <= 12 else sizes[:: len(sizes) // 10])
