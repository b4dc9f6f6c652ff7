"""`MixtureOfFiniteMixtures`: a finite mixture with a prior on its number of components."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from bayesgmm.checks import whole_numbers
from bayesgmm.errors import ArgumentError, shown
from bayesgmm.families.gaussian import CovarianceStructure, Full
from bayesgmm.families.named import as_structure
from bayesgmm.models.checks import check_kinds
from bayesgmm.models.spread import resolved_shared_prior
from bayesgmm.priors.components import NormalInverseWishart
from bayesgmm.priors.counts import BetaNegativeBinomial, Uniform
from bayesgmm.priors.independent import COMPONENTS_PRIORS, ComponentsPrior
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.priors.weights import Dirichlet
from bayesgmm.rows import Rows


@dataclass(frozen=True, eq=False)
class MixtureOfFiniteMixtures:
    """A Gaussian mixture whose number of components K is unknown.

    ``K ~ components_prior`` on 1, ..., max_components; given K, ``weights ~ Dirichlet(c, ..., c)`` with the same c for
    every K (static), and the components are independent draws of one normal-inverse-Wishart prior.  Of draws from the
    posterior, the components beyond K have weight zero.

    Parameters
    ----------
    max_components : int
        At least 1.
    covariance : {"full", "tied", "diagonal", "shared_diagonal", "spherical", "isotropic"} or CovarianceStructure
        Or mclust's name of one of these.
    weights : Dirichlet
        With one concentration for all components.
    components_prior : BetaNegativeBinomial or Uniform
    prior : NormalInverseWishart or IndependentNormalInverseWishart
        One for all components.  Constants left at None are taken from the data once, when the model is fitted.
    expected_components : int
        Stands for K in the default scale of the prior; `max_components` never does.

    Raises
    ------
    ArgumentError
        An argument is out of range or of the wrong type.

    References
    ----------
    Miller and Harrison (2018), JASA 113, 340-356, doi:10.1080/01621459.2016.1255636.  Fruehwirth-Schnatter,
    Malsiner-Walli and Gruen (2021), Bayesian Analysis 16, 1279-1307, doi:10.1214/21-BA1294.
    """

    max_components: int
    covariance: CovarianceStructure = field(default_factory=Full)
    weights: Dirichlet = field(default_factory=Dirichlet)
    components_prior: BetaNegativeBinomial | Uniform = field(default_factory=BetaNegativeBinomial)
    prior: ComponentsPrior = field(default_factory=NormalInverseWishart)
    expected_components: int = 5

    def __post_init__(self):
        whole_numbers(self, {"max_components": 1, "expected_components": 1})
        object.__setattr__(self, "covariance", as_structure(self.covariance))
        kinds = (BetaNegativeBinomial, Uniform)
        check_kinds(self, weights=(Dirichlet,), prior=COMPONENTS_PRIORS, components_prior=kinds)
        if np.ndim(self.weights.concentration):
            raise ArgumentError(
                f"weights={shown(self.weights)}: with an unknown number of components the Dirichlet must have one "
                "concentration for all of them."
            )

    @property
    def n_components(self) -> int:
        return self.max_components

    def resolve(self, data: Rows) -> MixtureOfFiniteMixtures:
        """The same model with every prior constant given."""
        return replace(self, prior=resolved_shared_prior(self.prior, self.covariance, self.expected_components, data))

    def conjugate(self, n_components: int | None = None) -> ConjugateMixture:
        """The prior of a resolved model *given* a number of components, by default the largest."""
        k = self.max_components if n_components is None else n_components
        return ConjugateMixture(self.weights.resolve(k), self.prior.conjugate(self.covariance, k))

    @property
    def min_points(self) -> int:
        """Fewest points that can be fitted: components may stay empty."""
        return 1

    @property
    def label(self) -> str:
        """What tables and figures call it."""
        return f"MFM (K\N{LESS-THAN OR EQUAL TO}{self.max_components})"

    def n_parameters(self, n_features: int) -> int:
        """Number of free parameters of the likelihood with `max_components` components."""
        k = self.n_components
        return k - 1 + k * n_features + self.covariance.n_parameters(k, n_features)

    def weight_constants(self) -> dict[str, np.ndarray]:
        """Constants of the prior of the weights and of their number, by name."""
        return {
            "concentration": np.asarray(self.weights.concentration, float),
            "log_probability_of_n_components": self.components_prior.log_probability(self.max_components),
        }
