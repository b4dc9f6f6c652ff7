"""`UnspecifiedMixture`: a mixture whose prior is written down elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayesgmm.checks import whole_numbers
from bayesgmm.families.gaussian import Full
from bayesgmm.families.named import as_structure
from bayesgmm.models.finite import GaussianMixture
from bayesgmm.priors.unknown import UnknownPrior
from bayesgmm.rows import Rows


@dataclass(frozen=True, eq=False)
class UnspecifiedMixture(GaussianMixture):
    """A finite mixture of which the likelihood is known and the prior is not, as of another program's draws.

    Parameters
    ----------
    n_components : int
    covariance : {"full", "tied", "diagonal", "shared_diagonal", "spherical", "isotropic"} or CovarianceStructure
    """

    covariance: Any = field(default_factory=Full)
    weights: Any = field(default_factory=UnknownPrior)
    prior: Any = field(default_factory=UnknownPrior)

    def __post_init__(self):
        whole_numbers(self, {"n_components": 1})
        object.__setattr__(self, "covariance", as_structure(self.covariance))

    def resolve(self, data: Rows) -> UnspecifiedMixture:
        return self

    def conjugate(self) -> Any:
        self.prior.conjugate()

    def weight_constants(self) -> dict[str, np.ndarray]:
        return {}
