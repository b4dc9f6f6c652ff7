"""`GaussianMixture`: a finite mixture."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from bayesgmm.checks import whole_numbers
from bayesgmm.data import check_enough_points
from bayesgmm.families.gaussian import CovarianceStructure, Full
from bayesgmm.families.named import as_structure
from bayesgmm.models.checks import check_kinds
from bayesgmm.models.spread import resolved_prior
from bayesgmm.priors.components import NormalInverseWishart
from bayesgmm.priors.independent import COMPONENTS_PRIORS, ComponentsPrior
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.priors.weights import Dirichlet
from bayesgmm.rows import Rows


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A finite Gaussian mixture with conjugate priors.

    ``weights ~ Dirichlet``, ``(mean_k, Sigma_k) ~ normal-inverse-Wishart``; maximum likelihood methods
    use the likelihood alone.

    Parameters
    ----------
    n_components : int
        K, at least 1.
    covariance : {"full", "tied", "diagonal", "shared_diagonal", "spherical", "isotropic"} or CovarianceStructure
        Or one of mclust's fourteen names, such as "VEV", of which EM takes all (docs/notation.md says what they mean).
    weights : Dirichlet
    prior : NormalInverseWishart or IndependentNormalInverseWishart
        Constants left at None are taken from the data once, when the model is fitted, and are kept by
        every refit.

    Raises
    ------
    ArgumentError
        `n_components` is not a positive integer, or an argument is of the wrong type.
    """

    n_components: int
    covariance: CovarianceStructure = field(default_factory=Full)
    weights: Dirichlet = field(default_factory=Dirichlet)
    prior: ComponentsPrior = field(default_factory=NormalInverseWishart)

    def __post_init__(self):
        whole_numbers(self, {"n_components": 1})
        object.__setattr__(self, "covariance", as_structure(self.covariance))
        check_kinds(self, weights=(Dirichlet,), prior=COMPONENTS_PRIORS)

    def resolve(self, data: Rows) -> GaussianMixture:
        """The same model with every prior constant given; checks that the data can carry it."""
        check_enough_points(len(data.values), self.min_points)
        return replace(
            self,
            weights=self.weights.resolve(self.n_components),
            prior=resolved_prior(self.prior, self.covariance, self.n_components, data),
        )

    def conjugate(self) -> ConjugateMixture:
        """The prior of a resolved model as a conjugate distribution over `MixtureParams`."""
        return ConjugateMixture(self.weights, self.prior.conjugate(self.covariance, self.n_components))

    @property
    def min_points(self) -> int:
        """Fewest points that can be fitted."""
        return self.n_components

    @property
    def label(self) -> str:
        """What tables and figures call it."""
        return f"K={self.n_components}"

    def n_parameters(self, n_features: int) -> int:
        """Number of free parameters of the likelihood."""
        k = self.n_components
        return k - 1 + k * n_features + self.covariance.n_parameters(k, n_features)

    def weight_constants(self) -> dict[str, np.ndarray]:
        """Constants of the prior of the weights, by name."""
        return {"concentration": np.asarray(self.weights.concentration, float)}
