"""Which points belong together: co-clustering probabilities and responsibilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.checks import whole_number
from bayesgmm.errors import ArgumentError
from bayesgmm.plots.canvas import INK, TITLE, colour, even_rows, name_of, new_figure, points_of, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

    from bayesgmm.result.fit import Fit


def plot_co_clustering(
    fit: Fit,
    X: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    max_points: int = 400,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Show the probability of each pair of points to come from the same component.

    It does not depend on how components are numbered, so it is an honest picture of a posterior's clustering.
    Points are ordered by average-linkage clustering of these probabilities.

    Parameters
    ----------
    fit : Fit
    X : (n, d) array or frame, optional
        The points; the fit's own where not given.
    labels : (n,) array, optional
        Known groups, shown as a strip of colours along the left side.
    max_points : int
        With more points than this an even subsample of so many is shown, and the title says so.
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure

    Raises
    ------
    ArgumentError
        `max_points` is below 2, or labels and data disagree.
    NotApplicableError
        The fit has no result, or neither it nor the call has data.

    References
    ----------
    Wade and Ghahramani (2018), Bayesian Analysis 13, 559-626, doi:10.1214/17-BA1073.
    """
    from bayesgmm.partitions.similarity import co_clustering

    max_points = whole_number(max_points, "max_points", 2)
    values = points_of(fit, X)
    groups = None if labels is None else np.asarray(labels)
    if groups is not None and groups.shape != (len(values),):
        raise ArgumentError(f"labels have shape {groups.shape} and there are {len(values)} points.")
    rows = even_rows(len(values), max_points)
    similarity = np.asarray(co_clustering(fit, values[rows]))
    order = similarity_order(similarity)
    figure = figure or new_figure(5.4, 4.6)
    ax = tidy(figure.subplots())
    show_matrix(ax, similarity[np.ix_(order, order)], "probability of the same component")
    n = len(values)
    subsample = f"an even subsample of {len(rows)} of {n} points" if len(rows) < n else f"{n} points"
    ax.set_title(f"{name_of(fit)}, {subsample}", fontsize=TITLE)
    ax.set_xlabel("points, ordered so that similar ones stand together")
    if groups is not None:
        strip(ax, groups[rows][order])
    return figure


def show_matrix(ax: Axes, similarity: np.ndarray, label: str) -> None:
    """Draw a matrix of probabilities with its colour bar."""
    image = ax.imshow(similarity, cmap="Blues", vmin=0, vmax=1, interpolation="nearest", rasterized=True)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.85)
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    ax.set_yticks([])


def similarity_order(similarity: np.ndarray) -> np.ndarray:
    """An order of the points in which similar ones stand together."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(similarity) < 3:
        return np.arange(len(similarity))
    distance = np.clip(1.0 - 0.5 * (similarity + similarity.T), 0.0, None)
    np.fill_diagonal(distance, 0.0)
    return leaves_list(linkage(squareform(distance, checks=False), "average", optimal_ordering=True))


def plot_responsibilities(
    fit: Fit, X: ArrayLike | None = None, max_points: int = 1000, figure: FigureBase | None = None
) -> FigureBase:
    """Show how certainly each point belongs to each component, as stacked bars.

    Points are ordered by their most probable component, and within it from certain to doubtful; a fit of one
    column orders them by their value.

    Parameters
    ----------
    fit : Fit
        A point or variational fit; draws have no components that stay the same.
    X : (n, d) array or frame, optional
        The points; the fit's own where not given.
    max_points : int
        With more points than this an even subsample of so many is shown, and the title says so.
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure

    Raises
    ------
    NotApplicableError
        The fit holds draws whose labels are not aligned, or there are no data.
    """
    max_points = whole_number(max_points, "max_points", 2)
    values = points_of(fit, X)
    rows = even_rows(len(values), max_points)
    shares = fit.responsibilities(values[rows])
    is_one_column = values.shape[1] == 1
    best = shares.argmax(1)
    order = np.argsort(values[rows, 0]) if is_one_column else np.lexsort((-shares[np.arange(len(rows)), best], best))
    figure = figure or new_figure(7.5, 2.4)
    ax = tidy(figure.subplots())
    edges, bottom = np.arange(len(rows) + 1), np.zeros(len(rows))
    for k in range(shares.shape[1]):
        top = bottom + shares[order, k]
        ax.stairs(top, edges, baseline=bottom, fill=True, color=colour(k), label=str(k), linewidth=0)
        bottom = top
    n = len(values)
    subsample = f"an even subsample of {len(rows)} of {n} points" if len(rows) < n else f"{n} points"
    ax.set_title(f"{name_of(fit)}, {subsample}", fontsize=TITLE)
    how = f"by {fit.feature_names[0]}" if is_one_column else "by component, then from certain to doubtful"
    ax.set_xlabel(f"points, ordered {how}")
    ax.set_ylabel("responsibility")
    ax.set_xlim(0, len(rows))
    ax.set_ylim(0, 1)
    figure.legend(
        *ax.get_legend_handles_labels(), title="component", loc="outside right upper", fontsize=8, title_fontsize=8,
        frameon=False, labelcolor=INK,
    )  # fmt: skip
    return figure


def strip(ax: Axes, groups: np.ndarray) -> None:
    """Known groups as colours along the left side of a matrix, named below it."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Patch

    names, codes = np.unique(groups, return_inverse=True)
    side = ax.inset_axes((-0.045, 0, 0.03, 1))
    side.imshow(np.array([to_rgba(colour(c)) for c in codes])[:, None], aspect="auto", interpolation="nearest")
    side.set_axis_off()
    handles = [Patch(color=colour(i), label=str(name)) for i, name in enumerate(names)]
    ax.figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
