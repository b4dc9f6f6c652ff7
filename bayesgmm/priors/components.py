"""The normal-inverse-Wishart prior of means and covariances, in every covariance structure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.families.family import capability
from bayesgmm.families.gaussian import CovarianceStructure
from bayesgmm.priors.conjugate import ConjugateComponents
from bayesgmm.priors.constants import Constants


@dataclass(frozen=True, eq=False)
class NormalInverseWishart:
    """``mean_k | Sigma_k ~ N(mean, Sigma_k / mean_precision)``, ``Sigma_k ~ IW(dof, scale)``.

    What is left at None gets the data-dependent, unit-equivariant default of Fraley and Raftery (2007)
    when the model meets its data: ``mean`` the column means, ``dof = D + 2``,
    ``scale = cov(X) / K^(2/D)`` (divisor n - 1).  In diagonal structures the variances are
    independent, ``sigma2_kj ~ IG(dof/2, scale_j/2)`` with ``dof = 3`` and the columns' variances in the
    place of cov(X), in `SharedDiagonal` one such ``sigma2_j`` for all components; in round ones (spherical,
    isotropic) there is one variance, ``sigma2 ~ IG(dof/2, scale/2)`` with ``dof = D + 2`` and the mean of the
    columns' variances.

    Parameters
    ----------
    mean : (D,) or (K, D) array, optional
    mean_precision : float or (K,) array
        kappa0, in numbers of points.
    dof : float, optional
        nu0; above D - 1 for full and tied covariances, above 0 otherwise.
    scale : (D, D), (D,) or scalar by the structure, optionally with a leading K; optional
        Psi0, in squared units of the data.

    References
    ----------
    Fraley and Raftery (2007), Journal of Classification 24, 155-181, doi:10.1007/s00357-007-0004-5.
    """

    mean: ArrayLike | None = None
    mean_precision: ArrayLike = 0.01
    dof: float | None = None
    scale: ArrayLike | None = None

    @property
    def needs_data(self) -> bool:
        """Whether some constant is still to be taken from the data."""
        return self.mean is None or self.scale is None

    @property
    def needs_spread(self) -> bool:
        """Whether some constant comes from a spread of the data that must have an inverse."""
        return self.scale is None

    @property
    def typical_scale(self) -> np.ndarray:
        """A resolved prior's scale."""
        return np.asarray(self.scale)

    def constants(self) -> dict[str, np.ndarray]:
        """The constants of a resolved prior, by name."""
        return {name: np.asarray(value) for name, value in vars(self).items()}

    def resolve(
        self,
        structure: CovarianceStructure,
        n_components: int,
        center: np.ndarray,
        spread: np.ndarray,
    ) -> NormalInverseWishart:
        """The same prior with every constant given.

        Parameters
        ----------
        center : (D,) array
            Column means of the data.
        spread : (D, D) array, or (D,) array for diagonal structures
            Covariance of the data, or its diagonal.
        """
        n_features = len(center)
        shrink = n_components ** (-2.0 / n_features)
        checked = Constants("NormalInverseWishart", structure, n_components, n_features)
        return replace(
            self,
            mean=checked.mean(center if self.mean is None else self.mean),
            mean_precision=checked.mean_precision(self.mean_precision),
            dof=checked.dof(default_dof(structure, n_features) if self.dof is None else self.dof),
            scale=checked.scale(structure.columns.typical(spread) * shrink if self.scale is None else self.scale),
        )

    def conjugate(self, structure: CovarianceStructure, n_components: int) -> ConjugateComponents:
        """A resolved prior as conjugate hyperparameters, one row per component."""
        mean = np.asarray(self.mean)
        n_features = mean.shape[-1]
        law = capability(structure, "conjugate")
        shape = law.compact_shape(n_components, n_features)
        return ConjugateComponents(
            law,
            np.array(np.broadcast_to(mean, (n_components, n_features))),
            np.array(np.broadcast_to(self.mean_precision, (n_components,)), float),
            np.full(shape[0], self.dof, float),
            np.array(np.broadcast_to(np.asarray(self.scale), shape), float),
        )


def default_dof(structure: CovarianceStructure, n_features: int) -> int:
    """Fraley and Raftery's degrees of freedom; 3 is D + 2 for each column by itself."""
    return structure.columns.n_together(n_features) + 2
