"""The engines' table: the order in which pictures show them and the colour of each; and the markers of models."""

from __future__ import annotations

# The first eight colours are Okabe and Ito's, which readers with any form of colour blindness tell apart, with a darker
# yellow: Wong (2011), Nature Methods 8, 441, doi:10.1038/nmeth.1618.
COLOURS = {
    "EM": "#0072B2",
    "MAP": "#E69F00",
    "VB": "#009E73",
    "Gibbs": "#CC79A7",
    "NUTS": "#D55E00",
    "OnlineEM": "#56B4E9",
    "ADVI": "#7A5C00",
    "Pathfinder": "#5B5B9F",
    "StochasticVB": "#7FBF7B",
    "ChainStack": "#8C2D04",
    "Stacking": "#000000",
    "Imported": "#B8860B",
    "k-means": "#6B7785",
}
UNKNOWN = "#243447"  # what is no engine of this package: the colour of text

MARKERS = {"DP": "P", "MFM": "X"}  # by the first word of the label of a model with an unknown number of components


def colour_of(method: str) -> str:
    """The colour of a method's series."""
    return COLOURS.get(method, UNKNOWN)


def place_of(method: str) -> int:
    """Where a method's series stand among the others."""
    return list(COLOURS).index(method) if method in COLOURS else len(COLOURS)


def marker_of(model: str, otherwise: str) -> str:
    """The marker of a model's series, by its label."""
    return MARKERS.get(model.partition(" ")[0], otherwise)
