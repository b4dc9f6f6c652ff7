"""Is what a fit predicts calibrated?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesgmm.assessment.calibration import LEVEL, LooPit, PredictiveCheck, loo_pit, posterior_predictive_check
from bayesgmm.checks import fraction
from bayesgmm.plots.canvas import GREY, INK, PALE, TITLE, name_of, new_figure, tidy
from bayesgmm.result.engines import colour_of

if TYPE_CHECKING:
    from matplotlib.figure import FigureBase

    from bayesgmm.result.fit import Fit

MAX_COLUMNS = 12


def plot_loo_pit(
    fit: Fit, level: float = LEVEL, pit: LooPit | None = None, figure: FigureBase | None = None
) -> FigureBase:
    """Show how far the LOO-PIT values of each column are from uniform.

    The line is their empirical distribution function less that of the uniform one; of a calibrated fit it stays, from
    end to end, inside the band with probability `level`.  A fit that is too narrow crosses zero downwards, one that
    is too wide upwards; one with a shift stays on one side.

    Parameters
    ----------
    fit : Fit
        With draws, and its data.
    level : float
        Simultaneous probability of the band, between 0 and 1.
    pit : LooPit, optional
        Of ``bg.loo_pit(fit)``, where it is at hand.
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure
        One panel per column, at most the first twelve.

    Raises
    ------
    ArgumentError
        `level` is not between 0 and 1.
    NotApplicableError
        Of a point fit, or of a fit without its data.

    References
    ----------
    Säilynoja, Bürkner and Vehtari (2022), Statistics and Computing 32, 32, doi:10.1007/s11222-022-10090-6.
    """
    level = fraction(level, "level")
    pit = loo_pit(fit) if pit is None else pit
    names = pit.feature_names[:MAX_COLUMNS]
    figure, axes = _grid(figure, len(names))
    for j, ax in enumerate(axes):
        grid, ecdf, lower, upper = pit.band(j, level)
        label = f"{level:.0%} band of a calibrated fit"
        ax.fill_between(grid, lower - grid, upper - grid, color=PALE, alpha=0.6, step="mid", linewidth=0, label=label)
        ink = colour_of(type(fit.method).__name__)
        ax.step(grid, ecdf - grid, where="mid", color=ink, linewidth=1.3, label=name_of(fit))
        ax.axhline(0.0, color=GREY, linewidth=0.8, linestyle="--")
        ax.set_xlim(0, 1)
        ax.set_title(names[j], fontsize=TITLE)
        ax.set_xlabel("LOO-PIT")
        ax.set_ylabel("ECDF - uniform")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=8, frameon=False, labelcolor=INK)
    return figure


def plot_predictive_check(
    fit: Fit, check: PredictiveCheck | None = None, figure: FigureBase | None = None
) -> FigureBase:
    """Show the discrepancies of replicated data less those of the data, under the same draws.

    Zero well inside a histogram is a fit that makes data like these; its p-value is the share to the right of zero.

    Parameters
    ----------
    fit : Fit
        With its data.
    check : PredictiveCheck, optional
        Of ``bg.posterior_predictive_check(fit)``, where it is at hand.
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure
        One panel per discrepancy.

    Raises
    ------
    NotApplicableError
        The fit has no result, or was saved without its data.
    """
    check = posterior_predictive_check(fit) if check is None else check
    figure, axes = _grid(figure, len(check.observed))
    ink = colour_of(type(fit.method).__name__)
    for ax, (name, observed) in zip(axes, check.observed.items(), strict=True):
        difference = check.replicated[name] - observed
        ax.hist(difference, bins=30, color=ink, alpha=0.55, edgecolor="white", linewidth=0.4)
        ax.locator_params(axis="x", nbins=5)
        ax.axvline(0.0, color=INK, linewidth=1.2, linestyle="--")
        ax.set_title(f"{name} (p = {check.p_values[name]:.2f})", fontsize=TITLE)
        ax.set_xlabel("replicated - observed")
        ax.set_ylabel("draws")
    return figure


def _grid(figure: FigureBase | None, n_panels: int) -> tuple[FigureBase, list]:
    across = min(n_panels, 3)
    down = -(-n_panels // across)
    figure = figure or new_figure(max(5.0, 3.2 * across), 2.5 * down + 0.4)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for ax in axes[n_panels:]:
        ax.remove()
    return figure, [tidy(ax) for ax in axes[:n_panels]]
