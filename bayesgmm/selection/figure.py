"""The picture of a search: a criterion against the number of components, a line for each family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.drawing import new_axes
from bayesgmm.families.named import FOURTEEN, as_structure
from bayesgmm.selection.cell import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A colour for each orientation and a marker for each pair of volume and shape, so that fourteen lines are told apart.
COLOURS = {"I": "#0072B2", "E": "#D55E00", "V": "#009E73", "": "#5B5B9F"}
MARKERS = {"EI": "o", "VI": "s", "EE": "D", "VE": "^", "EV": "v", "VV": "P", "E": "o", "V": "s"}


def plot_search(cells: Sequence[Cell], criterion: str, ax: Axes | None) -> Axes:
    """Draw it."""
    axes = new_axes(8.0, 4.5) if ax is None else ax
    for name in sorted({cell.covariance for cell in cells}, key=_place):
        mine = [cell for cell in cells if cell.covariance == name and cell.is_usable]
        if not mine:
            continue
        code = as_structure(name).mclust
        ink, marker = COLOURS[code[2:]], MARKERS[code[:2]]
        ranked = [cell.value(criterion) if cell.is_ranked else np.nan for cell in mine]
        sizes = [cell.n_components for cell in mine]
        label = code if name == code else f"{code} ({name})"
        axes.plot(sizes, ranked, color=ink, marker=marker, markersize=5, linewidth=1.0, label=label)
    best = max((cell for cell in cells if cell.is_ranked), key=lambda cell: cell.value(criterion), default=None)
    if best is not None:
        axes.plot(best.n_components, best.value(criterion), "o", markersize=13, markerfacecolor="none", color="#243447")
        axes.set_title(f"best: K={best.n_components} {best.covariance}", loc="left", fontsize=9.5)
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="number of components", ylabel=f"{criterion} (nats, higher is better)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7.5, ncols=2, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return axes


def _place(name: str) -> int:
    code = as_structure(name).mclust
    return FOURTEEN.index(code) if code in FOURTEEN else len(FOURTEEN)
