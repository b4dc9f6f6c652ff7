"""What stands for a prior that is written down in another program."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesgmm.errors import NotApplicableError

UNKNOWN = (
    "the prior of these draws is not known here (they come from another program): pass model= with that prior to "
    "from_datatree, if it is one that bayesgmm has"
)


@dataclass(frozen=True)
class UnknownPrior:
    """Of weights or of components: it has no constants, and what needs them is refused."""

    @property
    def concentration(self) -> float:
        return np.nan

    def constants(self) -> dict[str, np.ndarray]:
        return {}

    def resolve(self, *arguments: object) -> None:
        raise NotApplicableError(f"{UNKNOWN}.")

    def conjugate(self, *arguments: object) -> None:
        raise NotApplicableError(f"{UNKNOWN}.")
