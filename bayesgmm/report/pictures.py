"""The figures of the report, each with its alternative text and a caption that says how to read it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.assessment.calibration import LooPit, posterior_predictive_check
from bayesgmm.plots import (
    plot_co_clustering,
    plot_components,
    plot_credible_ball,
    plot_criteria,
    plot_density,
    plot_intervals,
    plot_loo_pit,
    plot_partition,
    plot_predictive_check,
    plot_ranks,
    plot_responsibilities,
    plot_traces,
)
from bayesgmm.plots.canvas import name_of, new_figure
from bayesgmm.plots.views import MAX_PAIRS
from bayesgmm.report.content import Picture
from bayesgmm.result.diagnostics import SamplerDiagnostics

if TYPE_CHECKING:
    from matplotlib.figure import FigureBase

    from bayesgmm.comparison import Comparison
    from bayesgmm.partitions.partition import Partition
    from bayesgmm.result.fit import Fit
    from bayesgmm.uncertainty import IntervalComparison

DPI, TRACE_DPI = 140, 110  # of what is drawn as pixels inside a vector figure; noise does not compress
N_TRACES = 4
_EMBEDDED = re.compile(rb"data:image/png;base64,([^\"]+)")


def criteria(comparison: Comparison) -> Picture:
    """Every estimand against K."""
    return _picture(
        lambda: plot_criteria(comparison),
        "Criteria against the number of components, one panel per estimand; the numbers are in the tables below.",
        "Above: each criterion with its standard error; higher is better. Below: how far each fit is from the best one "
        "of the same column, with the standard error of that difference, which is smaller than the errors above "
        "because all fits are judged on the same points. Compare within a line, never between panels.",
    )


def components(fits: list[Fit], labels: np.ndarray | None) -> Picture:
    """The data with the components of at most three fits."""
    d = len(fits[0].feature_names)
    if d == 1:
        kinds = {fit.kind for fit in fits}
        how = "A histogram of the data with the densities of 50 draws as thin lines" if kinds - {"point"} else ""
        areas = "the density of a point estimate as a line over its numbered components"
        how = (
            f"{how}, and {areas}." if how and "point" in kinds else f"{how or 'A histogram of the data with ' + areas}."
        )
    else:
        view = "" if d == 2 else "every pair of columns" if d <= MAX_PAIRS else "first two principal axes"
        how = (
            f"The data{f' ({view})' if view else ''} with ellipses that hold 90% of each component, fainter where its "
            "weight is small. The wider the bundle of a component's ellipses, the less is known about it"
        )
        are_unnamed = any(fit.kind == "draws" and not fit.estimate.is_aligned for fit in fits)
        how += (
            "; draws are not numbered, because which component comes first differs from draw to draw."
            if are_unnamed
            else "."
        )
    names = " beside ".join(name_of(fit) for fit in fits)
    unseen = "" if any(fit.classes is not None for fit in fits) else ", which no method has seen"
    groups = "" if labels is None or d == 1 else f" Points are coloured by the given labels{unseen}."
    return _picture(
        lambda: plot_components(*fits, labels=labels),
        f"The data with the components of {names}.",
        how + groups,
        is_line_art=True,
    )


def density(fits: list[Fit]) -> Picture:
    """The predictive density of every column."""
    which = "The density" if len(fits[0].feature_names) == 1 else "The marginal density of each column"
    return _picture(
        lambda: plot_density(*fits),
        f"{which} under {', '.join(name_of(fit) for fit in fits)} over a histogram of the data.",
        f"{which} that the fits predict for a new point. A band holds the densities of 90% of the draws at each value; "
        "a point estimate has no band, because it does not know how uncertain it is.",
    )


def calibration(fit: Fit, pit: LooPit) -> Picture:
    """Whether each column is predicted with the right spread."""
    return _picture(
        lambda: plot_loo_pit(fit, pit=pit),
        f"Empirical distribution of the leave-one-out probability transforms under {name_of(fit)}, less the uniform.",
        "For each point, the probability that a new point would lie below it, from a fit without the point. Of a "
        "calibrated fit these probabilities are uniform, and the line stays inside the band from end to end.",
    )


def predictive_check(fit: Fit) -> Picture:
    """Whether the fit makes data like these."""
    return _picture(
        lambda: plot_predictive_check(fit, posterior_predictive_check(fit, n_draws=200)),
        f"Histograms of discrepancies of data made by {name_of(fit)}, less those of the data.",
        "Data that the fit makes, held against the data, by the mean and the lowest log density of the points and by "
        "the Kolmogorov distance between points and mixture. Zero well inside a histogram is as it should be; p is the "
        "share to the right of it.",
    )


def co_clustering(fit: Fit, labels: np.ndarray | None) -> Picture:
    """Which points belong together."""
    strip = "" if labels is None else " The strip at the left shows the given labels."
    return _picture(
        lambda: plot_co_clustering(fit, labels=labels),
        f"Matrix of the probabilities under {name_of(fit)} that two points come from the same component.",
        "The probability of each pair of points to come from the same component, points in the same order along both "
        "sides. Dark blocks are clusters that are sure; pale blocks and blurred edges are points whose cluster is in "
        f"doubt.{strip}",
    )


def partition(shown: Partition, labels: np.ndarray | None) -> Picture:
    """Which points belong together, in the order of the point partition."""
    side = "" if labels is None else " The strip at the left shows the given labels."
    return _picture(
        lambda: plot_partition(shown, labels=labels),
        f"Matrix of the probabilities that two points are in one cluster, ordered by {shown.n_clusters} clusters.",
        "The probability of each pair of points to be in one cluster, points in the same order along both sides, lines "
        "between the clusters of the point partition. Above, each point's own part of the expected loss. Dark blocks "
        f"are clusters that are sure; pale blocks and tall bars are points whose cluster is in doubt.{side}",
    )


def credible_ball(shown: Partition) -> Picture:
    """How far the posterior reaches around the point partition."""
    return _picture(
        lambda: plot_credible_ball(shown),
        "Distances of the draws from the point partition, and the bounds of the credible ball as strips of colours.",
        "Left: how far the draws are from the point partition, with the radius of the smallest ball that holds 95% of "
        "them. Right: the point partition, and the draws at the edge of the ball with the fewest and the most clusters "
        "and farthest of all. All of these are credible; the number of clusters is in brackets.",
    )


def responsibilities(fits: list[Fit]) -> Picture:
    """How certainly points belong to components."""

    def draw() -> FigureBase:
        figure = new_figure(7.5, 2.2 * len(fits))
        for part, fit in zip(figure.subfigures(len(fits), 1, squeeze=False)[:, 0], fits, strict=True):
            plot_responsibilities(fit, figure=part)
        return figure

    return _picture(
        draw,
        f"Stacked bars of each point's component probabilities under {', '.join(name_of(fit) for fit in fits)}.",
        "Each point is a thin bar, divided by its probabilities of belonging to each component: one colour from bottom "
        "to top is a certain point, mixed colours are a doubtful one.",
    )


def intervals(together: IntervalComparison) -> Picture:
    """What each engine knows of each parameter."""
    names = ", ".join(together.rows)
    return _picture(
        lambda: plot_intervals(together),
        f"Intervals of every parameter of every component, by {names}, one colour for each.",
        "Dots are estimates and lines their intervals, one panel for each parameter, components below each other in "
        f"the order of {next(iter(together.rows))}. Means are differences from its estimate, which stands beside "
        "the component. Lines of one length are engines that agree on how much the data say.",
    )


def traces(fit: Fit, n_quantities: int = N_TRACES) -> Picture:
    """Label-invariant quantities along the chains."""
    return _picture(
        lambda: plot_traces(fit, telling_quantities(fit)[:n_quantities]),
        f"Traces of label-invariant quantities of {name_of(fit)}, one line per chain.",
        "Quantities that do not depend on the numbering of components, along the draws of each chain. Chains that have "
        "converged overlap like the same noise; one that stays apart or drifts has not.",
        dpi=TRACE_DPI,
        is_line_art=True,
    )


def ranks(fit: Fit) -> Picture:
    """Rank histograms per chain."""
    return _picture(
        lambda: plot_ranks(fit, telling_quantities(fit)),
        f"Rank histograms of label-invariant quantities of {name_of(fit)}, one line per chain.",
        "How the draws of each chain rank among the draws of all chains. Lines that scatter around the dashed one come "
        "from chains that agree; a slope or a bend shows a chain that is too high, too low or too narrow.",
    )


def telling_quantities(fit: Fit) -> list[str]:
    """The log likelihood, the sum of squared weights, and the pointwise log densities with the largest R-hat."""
    assert isinstance(fit.diagnostics, SamplerDiagnostics)
    first, second, *others = fit.diagnostics.quantities
    worst = sorted(others, key=lambda q: -np.nan_to_num(q.rhat, nan=np.inf))[: N_TRACES - 2]
    return [q.name for q in (first, second, *worst)]


def _picture(
    draw: Callable[[], FigureBase], alt: str, caption: str, dpi: int = DPI, is_line_art: bool = False
) -> Picture:
    buffer = BytesIO()
    with _house_style():
        draw().savefig(buffer, format="svg", dpi=dpi, metadata={"Date": None, "Creator": None})
    content = _EMBEDDED.sub(_smaller, buffer.getvalue()) if is_line_art else buffer.getvalue()
    code = base64.b64encode(content).decode("ascii")
    return Picture(f"data:image/svg+xml;base64,{code}", alt, caption)


def _smaller(match: re.Match[bytes]) -> bytes:
    """An image inside a figure with 256 colours, which are plenty for lines of a few: a third of the size."""
    from PIL import Image

    image = Image.open(BytesIO(base64.b64decode(match[1])))
    buffer = BytesIO()
    image.quantize(256, method=Image.Quantize.FASTOCTREE).save(buffer, format="png", optimize=True)
    return b"data:image/png;base64," + base64.b64encode(buffer.getvalue())


@contextmanager
def _house_style() -> Iterator[None]:
    """Matplotlib's own defaults, whatever the reader's are, and put back afterwards."""
    import matplotlib
    from matplotlib import style

    with matplotlib.rc_context({"svg.hashsalt": "bayesgmm"}), style.context("default"):
        yield
