"""The predictive density of every column, with a credible band where the fit holds draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.checks import fraction
from bayesgmm.core.density import log_density
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import ArgumentError
from bayesgmm.plots.canvas import (
    INK,
    PALE,
    flat_draws,
    limits,
    name_of,
    new_figure,
    points_of,
    tidy,
)
from bayesgmm.plots.components import bin_count
from bayesgmm.result.engines import colour_of
from bayesgmm.result.fit import Fit
from bayesgmm.result.stacked import StackedEstimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

GRID = 300
MAX_DRAWS = 2000  # of a band: its 5% and 95% points are then known to half a percentage point of probability
MAX_COLUMNS = 12
DASHES = ("-", "--", "-.", ":")


def plot_density(
    *fits: Fit,
    X: ArrayLike | None = None,
    level: float = 0.9,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Show the predictive density of each column over a histogram of the data.

    The line of a fit with draws (posterior draws, or draws of a variational q) is the mean of their densities;
    the band around it holds the density of `level` of the draws at each point.  A point fit is a line without a
    band: it does not know how uncertain it is.  With several columns each panel shows one column's marginal.

    Parameters
    ----------
    *fits : Fit
        At least one; all of the same columns.
    X : (n, d) array or frame, optional
        The data to show; the first fit's own where not given.
    level : float
        Pointwise posterior probability of the band, between 0 and 1.
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure
        One panel per column, at most the first twelve.

    Raises
    ------
    ArgumentError
        No fit is given, or `level` is not between 0 and 1.
    NotApplicableError
        A fit has no result, or neither it nor the call has data.
    """
    if not fits:
        raise ArgumentError("plot_density needs at least one fit.")
    for fit in fits:
        if not isinstance(fit, Fit):
            raise ArgumentError(f"plot_density takes fits one after the other, and {type(fit).__name__} is none.")
    level = fraction(level, "level")
    values, names = points_of(fits[0], X), fits[0].feature_names[:MAX_COLUMNS]
    across = min(len(names), 2)
    down = -(-len(names) // across)
    if figure is None:
        figure = new_figure(7.5 if across == 1 else 4.6 * across, 3.6 if down == 1 else 2.9 * down)
    axes = figure.subplots(down, across, squeeze=False).flat
    for ax in axes[len(names) :]:
        ax.remove()
    for j, ax in zip(range(len(names)), axes, strict=False):
        x = values[:, j]
        grid = np.linspace(*limits(x), GRID)
        tidy(ax).hist(x, bins=bin_count(x), density=True, color=PALE, edgecolor="white", linewidth=0.5, zorder=1)
        for i, fit in enumerate(fits):
            _draw(ax, fit, grid, _densities(fit, j, grid), level, DASHES[i % len(DASHES)])
        ax.set_xlim(grid[0], grid[-1])
        ax.set_xlabel(names[j])
        ax.set_ylabel("density")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=8, frameon=False, labelcolor=INK)
    return figure


def _densities(fit: Fit, column: int, grid: np.ndarray) -> np.ndarray:
    """(draws, m) density of one column under each draw; of stacked fits, which have no draws, their one mixture."""
    if isinstance(fit.estimate, StackedEstimate):
        of_members = [_densities(member, column, grid).mean(0) for member in fit.estimate.members]
        return fit.estimate.weights[None] @ np.stack(of_members)
    return marginal_densities(flat_draws(fit, MAX_DRAWS), column, grid)


def marginal_densities(params: MixtureParams, column: int, grid: np.ndarray) -> np.ndarray:
    """(draws, m) density of one column at the points of `grid`, for mixtures with one leading axis."""
    variances = params.covariances[..., column, column]
    marginal = MixtureParams.trusted(
        params.weights, params.means[..., column : column + 1], variances[..., None] ** -0.5
    )
    return np.exp(log_density(marginal, grid[:, None]))


def _draw(ax: Axes, fit: Fit, grid: np.ndarray, densities: np.ndarray, level: float, dash: str) -> None:
    ink = colour_of(type(fit.method).__name__)
    name = name_of(fit)
    if len(densities) > 1:
        low, high = np.quantile(densities, [0.5 - level / 2, 0.5 + level / 2], axis=0)
        ax.fill_between(grid, low, high, color=ink, alpha=0.25, linewidth=0, zorder=2)
        name = f"{name}, with {level:.0%} band"
    ax.plot(grid, densities.mean(0), color=ink, linewidth=1.5, linestyle=dash, label=name, zorder=3)
