"""`UnspecifiedMixture`: a mixture whose prior is written down elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayesgmm.data import DataMatrix
from bayesgmm.families.gaussian import Full, as_structure
from bayesgmm.models.checks import whole
from bayesgmm.models.finite import GaussianMixture
from bayesgmm.priors.unknown import UnknownPrior


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
        object.__setattr__(self, "n_components", whole(self.n_components, "n_components", "number of components"))
        object.__setattr__(self, "covariance", as_structure(self.covariance))

    def resolve(self, data: DataMatrix) -> UnspecifiedMixture:
        return self

    def conjugate(self) -> Any:
        self.prior.conjugate()

    def weight_constants(self) -> dict[str, np.ndarray]:
        return {}
