"""The data with the components: ellipses in two and more dimensions, density curves in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.checks import whole_number
from bayesgmm.core.density import log_density
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import ArgumentError
from bayesgmm.plots.canvas import (
    INK,
    MARKERS,
    PALE,
    VECTOR_LIMIT,
    colour,
    flat_draws,
    limits,
    name_of,
    new_figure,
    points_of,
    tidy,
)
from bayesgmm.plots.views import View, views_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

    from bayesgmm.result.fit import Fit


def plot_components(
    *fits: Fit,
    X: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    n_draws: int = 50,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Show the data with the components of one or more fits, side by side.

    A point fit shows each component in its own colour with its number.  A fit that holds draws shows every
    component of `n_draws` of them, without numbers, since "component 1" means different things in different
    draws; a variational fit shows draws of its q, whose components keep their numbers.  An ellipse holds 90% of
    its component, and is fainter where the component's weight is small.  One column is shown as a histogram
    with density curves, up to four columns as pairs, more on the first two principal axes of the standardised
    columns.

    Parameters
    ----------
    *fits : Fit
        At least one; all of the same columns.
    X : (n, d) array or frame, optional
        The data to show; the first fit's own where not given.
    labels : (n,) array, optional
        Known groups, shown by colour and marker of the points.
    n_draws : int
        How many draws, evenly spread over the chains.
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure
        One column of axes per fit.

    Raises
    ------
    ArgumentError
        No fit is given, or labels and data disagree.
    NotApplicableError
        A fit has no result, or neither it nor the call has data.
    """
    if not fits:
        raise ArgumentError("plot_components needs at least one fit.")
    n_draws = whole_number(n_draws, "n_draws")
    values = points_of(fits[0], X)
    groups = None if labels is None else np.asarray(labels)
    if groups is not None and groups.shape != (len(values),):
        raise ArgumentError(f"labels have shape {groups.shape} and there are {len(values)} points.")
    names = fits[0].feature_names
    views = [] if len(names) == 1 else views_of(values, names)
    side = 1 + max((view.row for view in views), default=0)
    if figure is None:
        figure = new_figure(len(fits) * (3.9 if side == 1 else 2.0 * side), 3.3 if side == 1 else 1.9 * side)
    for part, fit in zip(figure.subfigures(1, len(fits), squeeze=False)[0], fits, strict=True):
        part.suptitle(_title(fit, n_draws), fontsize=10.5, color=INK)
        if views:
            _panels(part, fit, values, groups, views, side, n_draws)
        else:
            _curves(tidy(part.subplots()), fit, values[:, 0], n_draws)
    return figure


def _title(fit: Fit, n_draws: int) -> str:
    what = {"draws": f": {n_draws} posterior draws", "variational": f": {n_draws} draws of q"}
    return name_of(fit) + what.get(fit.kind, ": point estimate")


def _shown(fit: Fit, n_draws: int) -> MixtureParams:
    return fit.params.reshaped(1) if fit.kind == "point" else flat_draws(fit, n_draws)


def _panels(part, fit: Fit, values: np.ndarray, groups, views: list[View], side: int, n_draws: int) -> None:
    axes = part.subplots(side, side, squeeze=False, sharex="col", sharey="row")
    for ax in axes.flat:
        ax.set_axis_off()
    params = _shown(fit, n_draws)
    is_numbered = fit.kind != "draws" and fit.estimate.is_aligned
    for view in views:
        ax = tidy(axes[view.row, view.column])
        ax.set_axis_on()
        _scatter(ax, view.points(values), groups)
        _ellipses(ax, view, params, is_numbered=is_numbered, is_coloured=groups is None)
        if view.row == side - 1:
            ax.set_xlabel(view.labels[0])
        if view.column == 0:
            ax.set_ylabel(view.labels[1])
    if groups is not None:
        handles, names = axes[-1, 0].get_legend_handles_labels()
        axes[0, -1].legend(handles, names, fontsize=8, frameon=False, loc="best" if side == 1 else "upper right")


def _scatter(ax: Axes, points: np.ndarray, groups: np.ndarray | None) -> None:
    size, alpha = (14, 0.8) if len(points) < 500 else (5, 0.5 if len(points) < 5000 else 0.15)
    style = {"s": size, "alpha": alpha, "linewidths": 0, "rasterized": len(points) > VECTOR_LIMIT}
    if groups is None:
        ax.scatter(*points.T, color="#9AA5B1", zorder=1, **style)
    else:
        for i, group in enumerate(np.unique(groups)):
            rows = groups == group
            ax.scatter(*points[rows].T, color=colour(i), marker=MARKERS[i % len(MARKERS)], label=group, **style)
    ax.set_xlim(limits(points[:, 0]))
    ax.set_ylim(limits(points[:, 1]))


def _ellipses(ax: Axes, view: View, params: MixtureParams, is_numbered: bool, is_coloured: bool) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba

    outlines = view.outlines(params)
    n_draws, k = outlines.shape[:2]
    strength = np.clip(2 * k * params.weights, 0.15, 1.0) * (1.0 if n_draws == 1 else max(0.18, min(0.6, 12 / n_draws)))
    inks = [colour(j) if is_numbered and is_coloured else INK for j in range(k)]
    colours = np.tile([to_rgba(ink) for ink in inks], (n_draws, 1, 1))
    colours[..., 3] = strength
    lines = LineCollection(
        list(outlines.reshape(n_draws * k, -1, 2)), colors=colours.reshape(-1, 4),
        linewidths=1.8 if n_draws == 1 else 0.8, zorder=3, rasterized=n_draws > 1,
    )  # fmt: skip
    ax.add_collection(lines, autolim=False)
    if is_numbered:
        for j, (x, y) in enumerate(view.points(params.means).mean(0)):
            _number(ax, x, y, j, inks[j])


def _number(ax: Axes, x: float, y: float, j: int, ink: str) -> None:
    from matplotlib.patheffects import withStroke

    ax.text(
        x, y, str(j), color=ink, fontsize=11, fontweight="bold", ha="center", va="center", zorder=5, clip_on=True,
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
    )  # fmt: skip


def _curves(ax: Axes, fit: Fit, x: np.ndarray, n_draws: int) -> None:
    from matplotlib.collections import LineCollection

    low, high = limits(x)
    grid = np.linspace(low, high, 400)
    ax.hist(x, bins=bin_count(x), density=True, color=PALE, edgecolor="white", linewidth=0.5, zorder=1)
    params = _shown(fit, n_draws)
    curves = np.exp(log_density(params, grid[:, None]))
    if fit.kind == "point":
        _weighted_components(ax, params[0], grid)
        ax.plot(grid, curves[0], color=INK, linewidth=2.4, zorder=4)
    else:
        lines = [np.column_stack([grid, curve]) for curve in curves]
        ax.add_collection(
            LineCollection(lines, colors=INK, alpha=0.25, linewidths=0.7, zorder=3, rasterized=True), autolim=False
        )
    ax.set_xlim(low, high)
    ax.set_ylim(0, 1.05 * max(curves.max(), ax.get_ylim()[1] / 1.05))
    ax.set_xlabel(fit.feature_names[0])
    ax.set_ylabel("density")


def _weighted_components(ax: Axes, params: MixtureParams, grid: np.ndarray) -> None:
    for j in range(params.n_components):
        one = MixtureParams.trusted(np.ones(1), params.means[[j]], params.precision_chol[[j]])
        curve = params.weights[j] * np.exp(log_density(one, grid[:, None]))
        ax.fill_between(grid, curve, color=colour(j), alpha=0.25, linewidth=0, zorder=2)
        ax.plot(grid, curve, color=colour(j), linewidth=1.1, zorder=5)
        top = int(curve.argmax())
        _number(ax, grid[top], curve[top], j, colour(j))


def bin_count(x: np.ndarray) -> int:
    """Bins half as wide as Freedman and Diaconis' rule, which is meant for one mode, has them."""
    width = np.subtract(*np.percentile(x, [75, 25])) / len(x) ** (1 / 3)
    return int(np.clip(np.ptp(x) / width if width > 0 else 20, 10, 60))
