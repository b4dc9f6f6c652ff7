"""How the evidence, the prediction and the number of components move with the prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.plots.canvas import COLOURS, GREY, INK, TITLE, new_figure, tidy

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

    from bayesgmm.comparison.sensitivity import PriorSensitivity

LOOKS = {"scale": (COLOURS[0], "o", 0.97), "mean_precision": (COLOURS[1], "s", 1.03)}


def plot_prior_sensitivity(sensitivity: PriorSensitivity, figure: FigureBase | None = None) -> FigureBase:
    """Show the log evidence, LOO and the number of occupied components against the factor of each prior constant.

    Filled marks are refits, hollow ones the fit's own draws with importance weights where these are reliable; where the
    two part, the weights are at the end of what they can do.  Bars are standard errors of the evidence, and intervals
    of the number of components that hold 90 % of its posterior.  LOO has no bars: its errors are those of these data,
    which are the same under every prior.

    Parameters
    ----------
    sensitivity : PriorSensitivity
        Of `bayesgmm.prior_sensitivity`.
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure
        Three panels.
    """
    if figure is None:
        figure = new_figure(10.5, 3.6)
    table = _with_bound(sensitivity.table)
    what = "evidence lower bound" if "elbo" in table else "log evidence"
    axes = figure.subplots(1, 3)
    _lines(axes[0], table, "log_evidence_change", "nats from the fit's own prior", what)
    _lines(axes[1], table, "elpd_loo", "nats", "leave-one-out prediction")
    _lines(axes[2], table, "n_occupied_mean", "components", "occupied components")
    _intervals(axes[2], sensitivity)
    axes[0].axhline(0.0, color=GREY, linewidth=0.8, zorder=0)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=8, frameon=False, labelcolor=INK)
    return figure


def _with_bound(table: pd.DataFrame) -> pd.DataFrame:
    """Of a variational fit the bound stands for the evidence."""
    if "elbo" not in table:
        return table
    own = table.xs(1.0, level="factor")["elbo"].iloc[0]
    return table.assign(log_evidence_change=table["elbo"] - own, log_evidence_change_se=0.0)


def _lines(ax: Axes, table: pd.DataFrame, column: str, unit: str, title: str) -> None:
    tidy(ax)
    for constant, (ink, marker, shift) in LOOKS.items():
        if constant not in table.index.get_level_values(0):
            continue
        part = table.xs(constant, level="constant")
        x = shift * part.index.to_numpy(float)
        if column in part:
            has_bars = column == "log_evidence_change"
            bars = np.nan_to_num(part[f"{column}_se"].to_numpy(float)) if has_bars else None
            ax.errorbar(
                x, part[column].to_numpy(float), yerr=bars, color=ink, marker=marker, markersize=5, linewidth=1.2,
                label=f"{constant}, refitted",
            )  # fmt: skip
        weighted = f"weighted_{column}"
        if weighted in part and part[weighted].notna().any():
            ax.plot(
                x, part[weighted].to_numpy(float), color=ink, marker=marker, markersize=8, markerfacecolor="none",
                linestyle=":", linewidth=1.0, label=f"{constant}, weighted",
            )  # fmt: skip
    ax.set_xscale("log", base=2)
    factors = np.unique(table.index.get_level_values("factor").to_numpy(float))
    ax.set_xticks(factors, [f"{factor:g}" for factor in factors])
    ax.minorticks_off()
    ax.set_xlim(factors[0] / 1.3, factors[-1] * 1.3)
    ax.set_xlabel("factor of the prior's constant")
    ax.set_ylabel(unit)
    ax.set_title(title, fontsize=TITLE)


def _intervals(ax: Axes, sensitivity: PriorSensitivity) -> None:
    for (constant, factor), shares in sensitivity.occupied.items():
        ink, _, shift = LOOKS[constant]
        low, high = np.searchsorted(shares.cumsum(), (0.05, 0.95)) + 1
        ax.vlines(shift * factor, low, high, color=ink, linewidth=1.0)
    low, high = ax.get_ylim()
    ax.set_ylim(np.floor(low) - 0.2, np.ceil(high) + 0.2)
    ax.yaxis.get_major_locator().set_params(integer=True)  # pyright: ignore[reportCallIssue]
