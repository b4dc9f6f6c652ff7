"""What all pictures share: figures without global state, colours, names, the data of a fit."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm.result.own_data import points_to_show

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

    from bayesgmm.core.params import MixtureParams
    from bayesgmm.result.fit import Fit

# Okabe and Ito's colours, which readers with any form of colour blindness tell apart; their yellow is too pale for
# lines on white.  Wong (2011), Nature Methods 8, 441, doi:10.1038/nmeth.1618.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5C00", "#5B5B9F")
INK = "#243447"
GREY = "#6B7785"
PALE = "#C3CBD3"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
TITLE = 9.5  # points
VECTOR_LIMIT = 1500  # more marks than this make a vector file slow: they are drawn as pixels inside it


def colour(index: int) -> str:
    """The colour of component, chain or group number `index`."""
    return COLOURS[index % len(COLOURS)]


def new_figure(width: float, height: float) -> FigureBase:
    """An empty figure of so many inches that pyplot does not know about."""
    return _figure_class()(figsize=(width, height), layout="constrained")


@cache
def _figure_class() -> type:
    from io import BytesIO

    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        """A figure that shows itself in a notebook also where pyplot was never imported."""

        def _repr_png_(self) -> bytes:
            buffer = BytesIO()
            self.savefig(buffer, format="png", dpi=110)
            return buffer.getvalue()

    return NotebookFigure


def tidy(ax: Axes) -> Axes:
    """Take away the frame that carries no data."""
    ax.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(GREY)
    ax.tick_params(colors=GREY, labelcolor=INK, labelsize=8)
    ax.xaxis.label.set_size(9)
    ax.yaxis.label.set_size(9)
    return ax


def name_of(fit: Fit) -> str:
    """ "NUTS, K = 3"."""
    return f"{type(fit.method).__name__}, {fit.model.label.replace('=', ' = ')}"


def readable(quantity: str) -> str:
    """ "log density at row 7" for the name of a label-invariant quantity."""
    return quantity.replace("_", " ").replace("[", " at ").replace("]", "")


def points_of(fit: Fit, X: Any | None) -> np.ndarray:
    """The (n, d) data to show: those given, else those of the fit."""
    return points_to_show(fit, X, "see them")


def flat_draws(fit: Fit, n_draws: int) -> MixtureParams:
    """At most `n_draws` draws, evenly spread over chains and draws, with one leading axis."""
    draws = fit.estimate.draws()
    total = int(np.prod(draws.draw_shape))
    flat = draws.reshaped(total)
    return flat[even_rows(total, n_draws)]


def even_rows(n: int, n_max: int) -> np.ndarray:
    """At most `n_max` of n row numbers, evenly spaced."""
    return np.arange(n) if n <= n_max else np.linspace(0, n - 1, n_max).round().astype(int)


def limits(values: np.ndarray, margin: float = 0.12) -> tuple[float, float]:
    """The range of the data with a margin on either side."""
    low, high = float(values.min()), float(values.max())
    pad = margin * (high - low) or 0.5 * (abs(low) or 1.0)
    return low - pad, high + pad
