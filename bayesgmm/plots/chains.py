"""Traces and rank plots of label-invariant quantities: have the chains found the same distribution?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from bayesgmm.errors import ArgumentError, NotApplicableError
from bayesgmm.plots.canvas import GREY, INK, TITLE, VECTOR_LIMIT, colour, new_figure, points_of, readable, tidy
from bayesgmm.result.diagnostics import SamplerDiagnostics, invariant_quantities
from bayesgmm.result.estimates import Draws
from bayesgmm.result.pointwise import pointwise_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import FigureBase

    from bayesgmm.result.fit import Fit

N_BINS = 20


def plot_traces(
    fit: Fit,
    quantities: Sequence[str] | None = None,
    X: ArrayLike | None = None,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Show label-invariant quantities along the draws of each chain.

    Chains that have converged look like the same noise.  Traces of single components would jump whenever labels
    switch and prove nothing, so they are not shown.

    Parameters
    ----------
    fit : Fit
        With posterior draws.
    quantities : sequence of str, optional
        Some of the names in ``fit.diagnostics.quantities``, those of the sampler itself (such as ``n_occupied``)
        included; all of them where not given.
    X : (n, d) array or frame, optional
        The data that the fit was made on, needed only if it was saved without them.
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure
        One panel per quantity.

    Raises
    ------
    ArgumentError
        There is no quantity of that name.
    NotApplicableError
        The fit holds no posterior draws, or there are no data.
    """
    values = _quantities(fit, quantities, X)
    figure, axes = _grid(figure, len(values))
    for ax, (name, chains) in zip(axes, values.items(), strict=True):
        for c, chain in enumerate(chains):
            is_long = chains.size > VECTOR_LIMIT
            ax.plot(chain, color=colour(c), linewidth=0.6, alpha=0.8, label=f"chain {c}", rasterized=is_long)
        ax.set_title(readable(name), fontsize=TITLE)
        ax.set_xlabel("draw")
        ax.set_xlim(0, chains.shape[1] - 1)
    _chain_legend(figure, axes[0])
    return figure


def plot_ranks(
    fit: Fit,
    quantities: Sequence[str] | None = None,
    X: ArrayLike | None = None,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Show how the ranks of each chain's draws, among the draws of all chains, are distributed.

    Chains that explore the same distribution have flat lines near the dashed one; a chain that is too low, too
    high or too narrow tilts or bends.

    Parameters
    ----------
    fit : Fit
        With posterior draws.
    quantities : sequence of str, optional
        Some of the names in ``fit.diagnostics.quantities``, those of the sampler itself (such as ``n_occupied``)
        included; all of them where not given.
    X : (n, d) array or frame, optional
        The data that the fit was made on, needed only if it was saved without them.
    figure : matplotlib Figure or SubFigure, optional

    Returns
    -------
    matplotlib Figure or SubFigure
        One panel per quantity.

    Raises
    ------
    ArgumentError
        There is no quantity of that name.
    NotApplicableError
        The fit holds no posterior draws, or there are no data.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), Bayesian Analysis 16, 667-718, doi:10.1214/20-BA1221.
    """
    values = _quantities(fit, quantities, X)
    figure, axes = _grid(figure, len(values))
    for ax, (name, chains) in zip(axes, values.items(), strict=True):
        heights = rank_histograms(chains)
        edges = np.linspace(0, chains.size, N_BINS + 1)
        for c, height in enumerate(heights):
            ax.stairs(height, edges, color=colour(c), linewidth=1.2, label=f"chain {c}", baseline=None)
        ax.axhline(chains.shape[1] / N_BINS, color=GREY, linewidth=1, linestyle="--")
        ax.set_title(readable(name), fontsize=TITLE)
        ax.set_xlabel("rank among all draws")
        ax.set_ylabel("draws")
        ax.set_xlim(0, chains.size)
        ax.set_ylim(0, max(2.0 * chains.shape[1] / N_BINS, 1.05 * heights.max()))
    _chain_legend(figure, axes[0])
    return figure


def rank_histograms(chains: np.ndarray) -> np.ndarray:
    """(chain, `N_BINS`) counts of the ranks of (chain, draw) values among all of them."""
    ranks = rankdata(chains, method="average").reshape(chains.shape) - 0.5
    edges = np.linspace(0, chains.size, N_BINS + 1)
    return np.stack([np.histogram(chain, edges)[0] for chain in ranks])


def _quantities(fit: Fit, wanted: Sequence[str] | None, X: ArrayLike | None) -> dict[str, np.ndarray]:
    if fit.kind != "draws":
        raise NotApplicableError(f"traces and ranks need the draws of chains, and this fit is of kind {fit.kind!r}.")
    assert isinstance(fit.estimate, Draws) and isinstance(fit.diagnostics, SamplerDiagnostics)
    points, stats = points_of(fit, X), fit.estimate.sample_stats
    pointwise = fit.pointwise if X is None and fit.rows.is_restricted else pointwise_of(fit, points)
    values = invariant_quantities(fit.params, points, pointwise.total())
    values |= {q.name: stats[q.name] for q in fit.diagnostics.quantities if q.name in stats}
    unknown = [name for name in wanted or () if name not in values]
    if unknown:
        raise ArgumentError(f"there is no quantity {unknown[0]!r}; there are {', '.join(values)}.")
    return {name: values[name] for name in wanted or values}


def _grid(figure: FigureBase | None, n_panels: int) -> tuple[FigureBase, list]:
    across = min(n_panels, 2)
    down = -(-n_panels // across)
    figure = figure or new_figure(4.6 * across, 1.9 * down + 0.3)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for ax in axes[n_panels:]:
        ax.remove()
    return figure, [tidy(ax) for ax in axes[:n_panels]]


def _chain_legend(figure: FigureBase, ax) -> None:
    handles, names = ax.get_legend_handles_labels()
    legend = figure.legend(
        handles, names, loc="outside lower center", ncols=min(len(names), 8), fontsize=8, frameon=False, labelcolor=INK
    )
    for line in legend.get_lines():
        line.set_linewidth(2)
