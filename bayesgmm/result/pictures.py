"""The pictures of `Fit.plot`: classes, their uncertainty, the density, pairs of columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.drawing import (
    COLOURS,
    GREY,
    INK,
    MARKERS,
    PALE,
    TITLE,
    VECTOR_LIMIT,
    colour,
    limits,
    new_axes,
    new_figure,
    tidy,
)
from bayesgmm.errors import ArgumentError, shown
from bayesgmm.result.estimates import Draws
from bayesgmm.result.mixture import Mixture
from bayesgmm.result.own_data import points_to_show
from bayesgmm.result.regions import plot_density

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

    from bayesgmm.result.fit import Fit

Columns = Sequence[str | int] | str | int | None

MOST_DRAWS = 200  # that a density of draws is the mean of; its Monte Carlo error is thinner than a line
MOST_PAIRS = 6  # columns of a picture of pairs
RADIUS = float(np.sqrt(-2.0 * np.log(0.1)))  # standard deviations: nine tenths of a component in a plane


def plot_fit(fit: Fit, what: str, X: ArrayLike | None, columns: Columns, ax: Axes | None) -> Any:
    """The picture of that name."""
    if what == "pairs":
        if ax is not None:
            raise ArgumentError("what='pairs' makes a figure of its own with many axes, and takes no ax=.")
        return _pairs(fit, X, columns)
    values, whole = points_to_show(fit, X, "see them"), Mixture(_law(fit), fit.feature_names)
    names = list(fit.feature_names[:2]) if columns is None else columns
    part = whole.marginal(names)
    places = [fit.feature_names.index(name) for name in part.feature_names]
    if len(places) > 2:
        raise ArgumentError(f"columns={shown(columns)} must be one column or two; what='pairs' shows more.")
    return PICTURES[what](fit, values, places, part, ax)


def _law(fit: Fit) -> Any:
    estimate = fit.estimate
    return estimate.draws().spaced(MOST_DRAWS).pooled() if isinstance(estimate, Draws) else estimate.law()


def _classification(fit: Fit, values: np.ndarray, places: list[int], part: Mixture, ax: Axes | None) -> Axes:
    labels = fit.predict(values)
    axes = tidy(new_axes(5.2, 3.8) if ax is None else ax)
    if len(places) == 1:
        _strips(axes, values[:, places[0]], labels, fit.params.n_components)
    else:
        _scatter(axes, values[:, places], labels)
        _ellipses(axes, fit, places)
        _frame(axes, values[:, places], part.feature_names)
    axes.set_xlabel(part.feature_names[0])
    return axes


def _uncertainty(fit: Fit, values: np.ndarray, places: list[int], part: Mixture, ax: Axes | None) -> Axes:
    doubt = 1.0 - fit.responsibilities(values).max(1)
    axes = tidy(new_axes(5.6, 3.8) if ax is None else ax)
    axes.set_xlabel(part.feature_names[0])
    if len(places) == 1:
        axes.vlines(values[:, places[0]], 0.0, doubt, color=COLOURS[0], linewidth=1.0)
        axes.plot(values[:, places[0]], np.zeros(len(values)), "|", color=GREY, markersize=6)
        axes.set(ylabel="uncertainty of the class", ylim=(-0.02, max(0.1, 1.08 * float(doubt.max()))))
        return axes
    from matplotlib.colors import LinearSegmentedColormap

    order = np.argsort(doubt)  # the doubtful ones on top
    inks = LinearSegmentedColormap.from_list("doubt", [PALE, COLOURS[1], "#5A1E00"])
    most = max(0.5, float(doubt.max()))
    marks = axes.scatter(
        *values[order][:, places].T, c=doubt[order], s=8 + 70 * doubt[order] / most, cmap=inks, vmin=0.0, vmax=most,
        linewidths=0, rasterized=len(values) > VECTOR_LIMIT,
    )  # fmt: skip
    bar: Any = axes.figure.colorbar(marks, ax=axes, label="uncertainty of the class", shrink=0.85)
    bar.outline.set_visible(False)
    _ellipses(axes, fit, places)
    _frame(axes, values[:, places], part.feature_names)
    return axes


def _density(fit: Fit, values: np.ndarray, places: list[int], part: Mixture, ax: Axes | None) -> Axes:
    own = fit.sample_weight  # where they are whole, the values stand there as often as they say
    weights = own if own is not None and values is fit.X else None
    return plot_density(part, values[:, places], ax, weights)


PICTURES: dict[str, Callable[[Any, np.ndarray, list[int], Mixture, Any], Any]] = {
    "classification": _classification, "uncertainty": _uncertainty, "density": _density,
}  # fmt: skip
NAMES = (*PICTURES, "pairs")


def _pairs(fit: Fit, X: ArrayLike | None, columns: Columns) -> FigureBase:
    values = points_to_show(fit, X, "see them")
    labels = fit.predict(values)
    whole = Mixture(fit.estimate.law(), fit.feature_names)
    names = whole.marginal(list(fit.feature_names[:MOST_PAIRS]) if columns is None else columns).feature_names
    places = [fit.feature_names.index(name) for name in names]
    side = len(places)
    figure = new_figure(1.6 * side + 1.0, 1.5 * side + 0.8)
    axes = figure.subplots(side, side, squeeze=False)
    for i, row in enumerate(places):
        for j, column in enumerate(places):
            ax = axes[i, j]
            if j > i:
                ax.set_axis_off()
                continue
            tidy(ax)
            if i == j:
                _histograms(ax, values[:, row], labels, fit.params.n_components)
            else:
                _scatter(ax, values[:, [column, row]], labels)
                _ellipses(ax, fit, [column, row])
                _frame(ax, values[:, [column, row]], ("", ""))
            ax.set_xlabel(names[j] if i == side - 1 else "")
            ax.set_ylabel(names[i] if j == 0 and i > 0 else "")
    shown_columns = "" if side == len(fit.feature_names) else f" ({side} of {len(fit.feature_names)} columns)"
    figure.suptitle(f"classes of {fit.params.n_components} components{shown_columns}", fontsize=TITLE, color=INK)
    return figure


def _histograms(ax: Axes, x: np.ndarray, labels: np.ndarray, k: int) -> None:
    parts = [x[labels == c] for c in range(k)]
    ax.hist(parts, bins=20, stacked=True, color=[colour(c) for c in range(k)], alpha=0.8)
    ax.set_yticks([])


def _strips(ax: Axes, x: np.ndarray, labels: np.ndarray, k: int) -> None:
    """A row of marks for each class, and one for all of them below."""
    ax.plot(x, np.full(len(x), -1.0), "|", color=GREY, markersize=9)
    for c in range(k):
        mine = x[labels == c]
        ax.plot(mine, np.full(len(mine), float(c)), "|", color=colour(c), markersize=12)
    ax.set_yticks(range(-1, k), ["all", *map(str, range(k))])
    ax.set(ylabel="component", ylim=(-1.6, k - 0.4))


def _scatter(ax: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    size, alpha = (16, 0.85) if len(points) < 500 else (6, 0.5)
    for c in np.unique(labels):
        ax.scatter(
            *points[labels == c].T, s=size, alpha=alpha, color=colour(c), marker=MARKERS[c % len(MARKERS)],
            linewidths=0, rasterized=len(points) > VECTOR_LIMIT,
        )  # fmt: skip


def _ellipses(ax: Axes, fit: Fit, places: list[int]) -> None:
    """An ellipse that holds nine tenths of each component, and its mean; of draws, at their posterior means."""
    plane = fit.params.marginal(places)
    over_draws = tuple(range(len(plane.draw_shape)))
    angle = np.linspace(0.0, 2.0 * np.pi, 73)
    circle = RADIUS * np.column_stack([np.cos(angle), np.sin(angle)])
    means, covariances = plane.means.mean(over_draws), plane.covariances.mean(over_draws)
    emptied = fit.emptied() if fit.X is not None else ()
    for c, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        if c in emptied:  # where it lies is the prior's, and nothing of the data's
            continue
        ax.plot(*(mean + circle @ np.linalg.cholesky(covariance).T).T, color=colour(c), linewidth=1.3, zorder=3)
        ax.plot(*mean, "+", color=INK, markersize=8, zorder=4)


def _frame(ax: Axes, points: np.ndarray, names: Sequence[str]) -> None:
    ax.set(xlim=limits(points[:, 0]), ylim=limits(points[:, 1]), xlabel=names[0], ylabel=names[1])
