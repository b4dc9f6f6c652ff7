"""What the pictures of this part share beside `drawing`: names, and the data and draws of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm.drawing import (
    COLOURS,
    GREY,
    INK,
    MARKERS,
    PALE,
    TITLE,
    VECTOR_LIMIT,
    colour,
    even_rows,
    limits,
    new_figure,
    tidy,
)
from bayesgmm.result.own_data import points_to_show

if TYPE_CHECKING:
    from bayesgmm.core.params import MixtureParams
    from bayesgmm.result.fit import Fit

__all__ = [
    "COLOURS", "GREY", "INK", "MARKERS", "PALE", "TITLE", "VECTOR_LIMIT", "colour", "even_rows", "flat_draws", "limits",
    "name_of", "new_figure", "points_of", "readable", "tidy",
]  # fmt: skip


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
