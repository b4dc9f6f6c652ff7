"""`DirichletProcessMixture`: a mixture with stick-breaking weights, cut off."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from bayesgmm.checks import positive, store, whole_numbers
from bayesgmm.families.gaussian import CovarianceStructure, Full
from bayesgmm.families.named import as_structure
from bayesgmm.models.checks import check_kinds
from bayesgmm.models.spread import resolved_shared_prior
from bayesgmm.priors.components import NormalInverseWishart
from bayesgmm.priors.concentration import Gamma
from bayesgmm.priors.independent import COMPONENTS_PRIORS, ComponentsPrior
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.priors.sticks import StickBreaking
from bayesgmm.rows import Rows


@dataclass(frozen=True, eq=False)
class DirichletProcessMixture:
    """A Dirichlet process mixture of Gaussians, its stick-breaking cut off after `truncation` sticks.

    ``weight_k = v_k prod_{j<k} (1 - v_j)`` with ``v_k ~ Beta(1, concentration)`` and ``v_T = 1``; the components are
    independent draws of one normal-inverse-Wishart prior.  ``fit.truncation()`` says whether T was large enough.

    A Dirichlet process is a model of a density.  The number of components that its posterior occupies does not
    converge to the number of components of a finite mixture, however many data there are: it keeps small extra ones.
    For that number take `MixtureOfFiniteMixtures`, or a `GaussianMixture` with a sparse Dirichlet.

    Parameters
    ----------
    truncation : int
        T, at least 1.
    covariance : {"full", "tied", "diagonal", "shared_diagonal", "spherical", "isotropic"} or CovarianceStructure
        Or mclust's name of one of these.
    concentration : Gamma or float
        The prior of the concentration alpha, or its value.
    prior : NormalInverseWishart or IndependentNormalInverseWishart
        One for all components.  Constants left at None are taken from the data once, when the model is fitted.
    expected_components : int
        Stands for K in the default scale of the prior; the truncation never does.

    Raises
    ------
    ArgumentError
        An argument is out of range or of the wrong type.

    References
    ----------
    Ishwaran and James (2001), JASA 96, 161-173, doi:10.1198/016214501750332758.  Miller and Harrison (2014), Journal
    of Machine Learning Research 15, 3333-3370: the inconsistency for the number of components.
    """

    truncation: int
    covariance: CovarianceStructure = field(default_factory=Full)
    concentration: Gamma | float = field(default_factory=Gamma)
    prior: ComponentsPrior = field(default_factory=NormalInverseWishart)
    expected_components: int = 5

    def __post_init__(self):
        whole_numbers(self, {"truncation": 1, "expected_components": 1})
        object.__setattr__(self, "covariance", as_structure(self.covariance))
        if not isinstance(self.concentration, Gamma):
            store(self, concentration=positive(self.concentration, "concentration"))
        check_kinds(self, prior=COMPONENTS_PRIORS)

    @property
    def n_components(self) -> int:
        return self.truncation

    def resolve(self, data: Rows) -> DirichletProcessMixture:
        """The same model with every prior constant given."""
        return replace(self, prior=resolved_shared_prior(self.prior, self.covariance, self.expected_components, data))

    def expected_concentration(self) -> float:
        """The concentration, or its prior mean."""
        return self.concentration.mean() if isinstance(self.concentration, Gamma) else self.concentration

    def conjugate(self, concentration: float | None = None) -> ConjugateMixture:
        """The prior of a resolved model *given* a concentration, by default the expected one."""
        alpha = self.expected_concentration() if concentration is None else concentration
        components = self.prior.conjugate(self.covariance, self.truncation)
        return ConjugateMixture(StickBreaking.of(alpha, self.truncation), components)

    @property
    def min_points(self) -> int:
        """Fewest points that can be fitted: components may stay empty."""
        return 1

    @property
    def label(self) -> str:
        """What tables and figures call it."""
        return f"DP (T={self.truncation})"

    def n_parameters(self, n_features: int) -> int:
        """Number of free parameters of the likelihood."""
        k = self.n_components
        return k - 1 + k * n_features + self.covariance.n_parameters(k, n_features)

    def weight_constants(self) -> dict[str, np.ndarray]:
        """Constants of the prior of the weights, by name."""
        if isinstance(self.concentration, Gamma):
            shape, rate = self.concentration.shape, self.concentration.rate
            return {"concentration_shape": np.asarray(shape), "concentration_rate": np.asarray(rate)}
        return {"concentration": np.asarray(self.concentration)}
