"""Pivotal reordering: each draw's parameters come as near as they can to those of a pivot draw.

References
----------
Marin, Mengersen and Robert (2005), Handbook of Statistics 25, 459-507, doi:10.1016/S0169-7161(05)25016-2.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesgmm.labels.matching import match_until_settled
from bayesgmm.labels.memberships import from_responsibilities
from bayesgmm.labels.relabel_input import Material


def pra(material: Material) -> np.ndarray:
    """Orders with the smallest distance to the pivot's parameters, each in units of its spread within components.

    Units thus do not matter, and what all components share counts for little.  That spread is known when draws are
    aligned; it begins as the spread over all components.  The parameters of empty components are NaN, and have no say.
    """
    assert material.parameters is not None
    spread = np.nanstd(material.parameters, (0, 1))
    scaled = (material.parameters - np.nanmean(material.parameters, (0, 1))) / np.where(spread > 0, spread, 1.0)
    # A parameter stands where the other methods have a point: the nearest order has the largest inner product.
    scaled = np.nan_to_num(scaled).transpose(0, 2, 1)
    pivot = scaled[material.pivot_draw()]

    def in_units(mean: np.ndarray) -> np.ndarray:
        """The total variance is one, and what is not between components is within; of it a little, for the rounding."""
        return pivot / np.maximum(1.0 - mean.var(1, keepdims=True), 1e-9)

    memberships = replace(from_responsibilities(scaled), groups=material.groups)
    return match_until_settled(memberships, pivot, in_units, material.max_iter)
