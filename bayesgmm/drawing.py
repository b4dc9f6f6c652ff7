"""What every picture shares, whichever part draws it: figures without global state, colours, tidy axes, limits."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

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


def new_axes(width: float, height: float) -> Axes:
    """The only axes of a new figure, which show that figure in a notebook."""
    return new_figure(width, height).add_subplot(axes_class=_axes_class())


@cache
def _figure_class() -> type:
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        """A figure that shows itself in a notebook also where pyplot was never imported."""

        def _repr_png_(self) -> bytes:
            return _as_png(self)

    return NotebookFigure


@cache
def _axes_class() -> type:
    from matplotlib.axes import Axes

    class NotebookAxes(Axes):
        """Axes that show their figure in a notebook."""

        def _repr_png_(self) -> bytes:
            return _as_png(self.figure)

    return NotebookAxes


def _as_png(figure: Any) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def tidy(ax: Axes) -> Axes:
    """Take away the frame that carries no data."""
    ax.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(GREY)
    ax.tick_params(colors=GREY, labelcolor=INK, labelsize=8)
    for axis in (ax.xaxis, ax.yaxis):
        label: Any = axis.label
        label.set_size(9)
    return ax


def even_rows(n: int, n_max: int) -> np.ndarray:
    """At most `n_max` of n row numbers, evenly spaced."""
    return np.arange(n) if n <= n_max else np.linspace(0, n - 1, n_max).round().astype(int)


def limits(values: np.ndarray, margin: float = 0.12) -> tuple[float, float]:
    """The range of the data with a margin on either side."""
    low, high = float(values.min()), float(values.max())
    pad = margin * (high - low) or 0.5 * (abs(low) or 1.0)
    return low - pad, high + pad
