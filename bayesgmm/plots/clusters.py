"""A point partition and the posterior around it: the ordered similarity matrix, and the credible ball."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy
from numpy.typing import ArrayLike

from bayesgmm.checks import whole_number
from bayesgmm.errors import ArgumentError
from bayesgmm.partitions.partition import LOSSES, Partition
from bayesgmm.plots.canvas import GREY, INK, PALE, TITLE, colour, even_rows, new_figure, tidy
from bayesgmm.plots.partition import show_matrix, similarity_order, strip

if TYPE_CHECKING:
    from matplotlib.figure import FigureBase


def plot_partition(
    partition: Partition,
    labels: ArrayLike | None = None,
    max_points: int = 400,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Show the similarity matrix in the order of the point partition, and each point's uncertainty above it.

    Parameters
    ----------
    partition : Partition
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
        `max_points` is below 2, or labels and points disagree in number.
    """
    _check(partition)
    n = len(partition.labels)
    max_points = whole_number(max_points, "max_points", 2)
    groups = None if labels is None else np.asarray(labels)
    if groups is not None and groups.shape != (n,):
        raise ArgumentError(f"labels have shape {groups.shape} and there are {n} points.")
    rows = even_rows(n, max_points)
    rows = rows[_order(partition, rows)]
    figure = figure or new_figure(5.4, 5.7)  # the matrix is square, and room is left above it and below
    ax = tidy(figure.subplots())
    above = ax.inset_axes((0, 1.03, 1, 0.18))  # as wide as the matrix, which is square
    show_matrix(ax, partition.similarity[np.ix_(rows, rows)], "probability of the same cluster")
    ends = np.flatnonzero(np.diff(partition.labels[rows])) + 0.5
    for end in ends:
        for line in (ax.axhline, ax.axvline):
            line(end, color=INK, linewidth=0.6)
    ax.set_xlabel("points, cluster by cluster")
    tidy(above).bar(np.arange(len(rows)), partition.uncertainty[rows], width=1.0, color=GREY, rasterized=True)
    above.set_xlim(ax.get_xlim())
    above.set_xticks([])
    above.set_ylabel(f"loss{_unit(partition)}")
    loss, count = LOSSES[partition.loss].name, partition.n_clusters
    subsample = f", an even subsample of {len(rows)} of {n} points" if len(rows) < n else ""
    above.set_title(f"{count} cluster{'s' if count > 1 else ''} by {loss}{subsample}", fontsize=TITLE)
    if groups is not None:
        strip(ax, groups[rows])
    return figure


def plot_credible_ball(
    partition: Partition, level: float = 0.95, max_points: int = 400, figure: FigureBase | None = None
) -> FigureBase:
    """Show how far the posterior's partitions are from the point partition, and what is at the edge of the ball.

    On the left the distances of the draws and the radius of the ball; on the right the point partition and the
    ball's bounds as strips over the points, their clusters coloured after those that they share most points with.

    Parameters
    ----------
    partition : Partition
    level : float
    max_points : int
        With more points than this an even subsample of so many is shown, and the title says so.
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure

    Raises
    ------
    ArgumentError
        `level` is not in (0, 1], or `max_points` is below 2.

    References
    ----------
    Wade and Ghahramani (2018), Bayesian Analysis 13, 559-626, doi:10.1214/17-BA1073.
    """
    max_points = whole_number(max_points, "max_points", 2)
    _check(partition)
    ball, n = partition.credible_ball(level), len(partition.labels)
    figure = figure or new_figure(8.6, 2.8)
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    tidy(left).hist(partition.distance, bins=30, weights=partition.allocations.weights, color=PALE)
    left.axvline(ball.radius, color=INK, linewidth=1.2)
    left.set_title(f"{ball.probability:.0%} of the draws within {ball.radius:.3g}", fontsize=TITLE)
    left.set_xlabel(f"distance from the point partition{_unit(partition)}")
    left.set_ylabel("probability")
    rows = even_rows(n, max_points)
    rows = rows[_order(partition, rows)]
    shown = {
        "point partition": partition.labels,
        "fewest clusters": ball.upper[0],
        "most clusters": ball.lower[0],
        "farthest": ball.horizontal[0],
    }
    _strips(tidy(right), shown, rows)
    subsample = f"an even subsample of {len(rows)} of {n} points" if len(rows) < n else f"{n} points"
    right.set_title(f"bounds of the {level:.0%} ball, {subsample}", fontsize=TITLE)
    return figure


def _check(partition: Partition) -> None:
    if not isinstance(partition, Partition):
        raise ArgumentError(f"{type(partition).__name__} is no Partition: pass bg.partition(fit).")


def matched(labels: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The same partition, its clusters named after those of `reference` that they share most points with.

    Clusters that find no partner have names above all of the reference's.
    """
    table = np.zeros((labels.max() + 1, reference.max() + 1))
    np.add.at(table, (labels, reference), 1)
    names = np.full(len(table), -1)
    own, theirs = scipy.optimize.linear_sum_assignment(-table)
    have_points = table[own, theirs] > 0
    names[own[have_points]] = theirs[have_points]
    new = np.flatnonzero(names < 0)
    names[new] = table.shape[1] + np.arange(len(new))
    return names[labels]


def _strips(ax, partitions: dict[str, np.ndarray], rows: np.ndarray) -> None:
    from matplotlib.colors import to_rgba

    reference = next(iter(partitions.values()))
    codes = [matched(labels, reference)[rows] for labels in partitions.values()]
    ax.imshow(
        np.array([[to_rgba(colour(code)) for code in strip_codes] for strip_codes in codes]),
        aspect="auto", interpolation="nearest", rasterized=True,
    )  # fmt: skip
    for edge in np.arange(len(codes) - 1) + 0.5:
        ax.axhline(edge, color="white", linewidth=4)
    counts = [int(labels.max()) + 1 for labels in partitions.values()]
    ax.set_yticks(range(len(codes)), [f"{name} ({count})" for name, count in zip(partitions, counts, strict=True)])
    ax.tick_params(length=0)
    ax.set_xlabel("points, cluster by cluster of the point partition")


def _order(partition: Partition, rows: np.ndarray) -> np.ndarray:
    """Rows by cluster, and within a cluster so that similar ones stand together."""
    position = np.argsort(similarity_order(partition.similarity[np.ix_(rows, rows)]))
    return np.lexsort((position, partition.labels[rows]))


def _unit(partition: Partition) -> str:
    unit = LOSSES[partition.loss].unit.strip()
    return f" ({unit})" if unit else ""
