"""The normal-inverse-Wishart prior of means and covariances, in every covariance structure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.core.covariance import CovarianceStructure
from bayesgmm.errors import ArgumentError
from bayesgmm.priors.conjugate import ConjugateComponents


@dataclass(frozen=True, eq=False)
class NormalInverseWishart:
    """``mean_k | Sigma_k ~ N(mean, Sigma_k / mean_precision)``, ``Sigma_k ~ IW(dof, scale)``.

    What is left at None gets the data-dependent, unit-equivariant default of Fraley and Raftery (2007)
    when the model meets its data: ``mean`` the column means, ``dof = D + 2``,
    ``scale = cov(X) / K^(2/D)`` (divisor n - 1).  In diagonal structures the variances are
    independent, ``sigma2_kj ~ IG(dof/2, scale_j/2)`` with ``dof = 3`` and the columns' variances in the
    place of cov(X); in round ones (spherical, isotropic) there is one variance,
    ``sigma2 ~ IG(dof/2, scale/2)`` with ``dof = D + 2`` and the mean of the columns' variances.

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
        default = spread.mean(keepdims=True) if structure.is_round else spread
        is_product = structure.is_diagonal and not structure.is_round
        resolved = replace(
            self,
            mean=np.array(center if self.mean is None else self.mean, float),
            mean_precision=np.array(self.mean_precision, float),
            dof=float((3 if is_product else n_features + 2) if self.dof is None else self.dof),
            scale=np.array(default * shrink if self.scale is None else self.scale, float),
        )
        _check(resolved, structure, n_components, n_features)
        return resolved

    def conjugate(self, structure: CovarianceStructure, n_components: int) -> ConjugateComponents:
        """A resolved prior as conjugate hyperparameters, one row per component."""
        mean = np.asarray(self.mean)
        n_features = mean.shape[-1]
        rows = 1 if structure.is_shared else n_components
        return ConjugateComponents(
            structure,
            np.array(np.broadcast_to(mean, (n_components, n_features))),
            np.array(np.broadcast_to(self.mean_precision, (n_components,)), float),
            np.full(rows, self.dof, float),
            np.array(np.broadcast_to(self.scale, structure.compact_shape(n_components, n_features)), float),
        )


def _check(prior: NormalInverseWishart, structure: CovarianceStructure, n_components: int, n_features: int) -> None:
    mean, precision, scale = (np.asarray(v) for v in (prior.mean, prior.mean_precision, prior.scale))
    if mean.shape not in ((n_features,), (n_components, n_features)) or not np.isfinite(mean).all():
        raise ArgumentError(
            f"NormalInverseWishart(mean=...) has shape {mean.shape}; it must be finite, ({n_features},) or "
            f"({n_components}, {n_features})."
        )
    if precision.shape not in ((), (n_components,)) or not np.isfinite(precision).all() or (precision <= 0).any():
        raise ArgumentError(
            "NormalInverseWishart(mean_precision=...) must be positive: one number, or one per component."
        )
    lowest_dof = 0 if structure.is_diagonal else n_features - 1
    if not (np.isfinite(prior.dof) and prior.dof > lowest_dof):
        raise ArgumentError(
            f"NormalInverseWishart(dof={prior.dof:g}): with {structure.name} it must be above {lowest_dof}."
        )
    compact = structure.compact_shape(n_components, n_features)
    try:
        full = np.broadcast_to(scale, compact)
    except ValueError:
        raise ArgumentError(
            f"NormalInverseWishart(scale=...) has shape {scale.shape}; with {structure.name} it must fit {compact}."
        ) from None
    if structure.is_diagonal:
        is_positive = np.isfinite(full).all() and (full > 0).all()
    else:
        is_symmetric = scale.ndim >= 2 and np.abs(full - np.swapaxes(full, 1, 2)).max() <= 1e-8 * np.abs(full).max()
        is_positive = is_symmetric and np.isfinite(full).all() and np.linalg.eigvalsh(full).min() > 0
    if not is_positive:
        raise ArgumentError("NormalInverseWishart(scale=...) must be finite, symmetric and positive definite.")
