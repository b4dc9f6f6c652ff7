"""The picture of a density: its curve in one column, its highest-density regions in two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.drawing import COLOURS, INK, PALE, VECTOR_LIMIT, limits, new_axes, tidy
from bayesgmm.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayesgmm.result.mixture import Mixture

GRID, LINE = 120, 400  # points of a grid, to a side, and of a curve
REGIONS = (0.95, 0.75, 0.5, 0.25)
SAMPLE = 20_000  # points from which the levels of regions are known to half a percentage point


def plot_density(mixture: Mixture, X: np.ndarray | None, ax: Axes | None, weights: np.ndarray | None = None) -> Axes:
    """The density of one column, or the highest-density regions of two."""
    if len(mixture.feature_names) > 2:
        raise ArgumentError(
            f"a density is drawn of one column or two, and there are {len(mixture.feature_names)}: take .marginal(...) "
            "of the columns to see."
        )
    axes = tidy(new_axes(5.2, 3.8) if ax is None else ax)
    if len(mixture.feature_names) == 2:
        return _regions(mixture, X, axes)
    if X is not None:
        bins = "auto" if weights is None else int(np.clip(np.sqrt(len(X)), 5, 50))
        axes.hist(X[:, 0], bins=bins, weights=weights, density=True, color=PALE, edgecolor="white", linewidth=0.5)
    return _curve(mixture, X, axes)


def _ends(mixture: Mixture, X: np.ndarray | None) -> list[tuple[float, float]]:
    """What part of each column to show: that of the data, or where nearly all of the density lies."""
    if X is not None and len(X):
        return [limits(column) for column in X.T]
    parts = [mixture.marginal(name) for name in mixture.feature_names]
    return [limits(np.asarray(part.quantile([0.002, 0.998]))) for part in parts]


def _levels(mixture: Mixture) -> np.ndarray:
    """Log densities above which `REGIONS` of the probability lie.

    Hyndman (1996), The American Statistician 50, 120-126, doi:10.1080/00031305.1996.10474359.
    """
    heights = mixture.log_density(mixture.sample(SAMPLE, rng=0))
    return np.quantile(heights, [1.0 - region for region in REGIONS])


def _curve(mixture: Mixture, X: np.ndarray | None, ax: Axes) -> Axes:
    (low, high), levels = _ends(mixture, X)[0], _levels(mixture)
    grid = np.linspace(low, high, LINE)
    heights = mixture.log_density(grid[:, None])
    ax.plot(grid, np.exp(heights), color=INK, linewidth=1.8)
    for level, region, alpha in ((levels[0], REGIONS[0], 0.18), (levels[2], REGIONS[2], 0.35)):
        ax.fill_between(
            grid, np.exp(heights), where=(heights >= level).tolist(), color=COLOURS[0], alpha=alpha, linewidth=0,
            label=f"{region:.0%} region",
        )  # fmt: skip
    ax.set(xlabel=mixture.feature_names[0], ylabel="density", xlim=(low, high), ylim=(0.0, None))
    ax.legend(fontsize=8, frameon=False, labelcolor=INK)
    return ax


def _regions(mixture: Mixture, X: np.ndarray | None, ax: Axes) -> Axes:
    ends, levels = _ends(mixture, X), _levels(mixture)
    x, y = (np.linspace(*pair, GRID) for pair in ends)
    heights = mixture.log_density(np.column_stack([np.tile(x, GRID), np.repeat(y, GRID)])).reshape(GRID, GRID)
    inks = ["#DCEAF5", "#A9CCE6", "#5FA2D0", COLOURS[0]]
    ax.contourf(x, y, heights, levels=[*levels, np.inf], colors=inks)
    lines = ax.contour(x, y, heights, levels=levels, colors=INK, linewidths=0.7, linestyles="solid")
    ax.clabel(lines, fmt={level: f"{region:.0%}" for level, region in zip(levels, REGIONS, strict=True)}, fontsize=7)
    if X is not None:
        ax.plot(*X.T, ".", color=INK, markersize=3, alpha=0.5, rasterized=len(X) > VECTOR_LIMIT)
    ax.set(xlabel=mixture.feature_names[0], ylabel=mixture.feature_names[1], xlim=ends[0], ylim=ends[1])
    return ax
