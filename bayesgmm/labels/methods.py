"""The methods of relabelling, by name.  Each gives the order of every draw's components."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesgmm.labels.databased import data_based
from bayesgmm.labels.ecr import ecr, ecr_iterative
from bayesgmm.labels.pra import pra
from bayesgmm.labels.relabel_input import Material
from bayesgmm.labels.stephens import stephens


@dataclass(frozen=True)
class Relabelling:
    """A method, and what it cannot do without: of each group at least one.

    Parameters
    ----------
    orders : callable
        Takes the `Material`, returns (draws, K).
    needs : tuple of tuple of str
    """

    orders: Callable[[Material], np.ndarray]
    needs: tuple[tuple[str, ...], ...]


MEMBERSHIPS = ("responsibilities", "allocations")
METHODS = {
    "ecr": Relabelling(ecr, (MEMBERSHIPS,)),
    "ecr-iterative": Relabelling(ecr_iterative, (MEMBERSHIPS,)),
    "stephens": Relabelling(stephens, (("responsibilities",),)),
    "pra": Relabelling(pra, (("parameters",), (*MEMBERSHIPS, "pivot"))),
    "data-based": Relabelling(data_based, (("X",), MEMBERSHIPS)),
}
