"""The normal-inverse-Wishart prior of means and covariances, in every covariance structure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.core.covariance import CovarianceStructure
from bayesgmm.core.params import as_numbers, is_positive_definite
from bayesgmm.errors import ArgumentError, shown
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
            mean=_numbers(center if self.mean is None else self.mean, "mean"),
            mean_precision=_numbers(self.mean_precision, "mean_precision"),
            dof=_dof((3 if is_product else n_features + 2) if self.dof is None else self.dof, structure, n_features),
            scale=_numbers(default * shrink if self.scale is None else self.scale, "scale"),
        )
        _check_mean(resolved, n_components, n_features)
        _check_scale(np.asarray(resolved.scale), structure, n_components, n_features)
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
            np.array(np.broadcast_to(np.asarray(self.scale), structure.compact_shape(n_components, n_features)), float),
        )


def _numbers(value: ArrayLike, name: str) -> np.ndarray:
    numbers = as_numbers(value, f"NormalInverseWishart: {name}")
    if not np.isfinite(numbers).all():
        raise ArgumentError(f"NormalInverseWishart({name}=...) must be finite.")
    return numbers


def _dof(value: float, structure: CovarianceStructure, n_features: int) -> float:
    dof, lowest = _numbers(value, "dof"), 0 if structure.is_diagonal else n_features - 1
    if dof.ndim or dof <= lowest:
        raise ArgumentError(
            f"NormalInverseWishart(dof={shown(value)}): with covariance={structure.name!r} and {n_features} columns it "
            f"must be one number above {lowest}."
        )
    return float(dof)


def _check_mean(prior: NormalInverseWishart, n_components: int, n_features: int) -> None:
    mean, precision = np.asarray(prior.mean), np.asarray(prior.mean_precision)
    if mean.shape not in ((n_features,), (n_components, n_features)):
        raise ArgumentError(
            f"NormalInverseWishart(mean=...) has shape {mean.shape}; it must be ({n_features},), one mean for all "
            f"components, or ({n_components}, {n_features}), one each."
        )
    if precision.shape not in ((), (n_components,)) or (precision <= 0).any():
        raise ArgumentError(
            f"NormalInverseWishart(mean_precision={shown(precision.tolist())}): it must be one positive number, or one "
            f"for each of the {n_components} components."
        )


def _check_scale(scale: np.ndarray, structure: CovarianceStructure, n_components: int, n_features: int) -> None:
    compact = structure.compact_shape(n_components, n_features)
    allowed = [compact[1:], compact] + ([()] if structure.is_diagonal else [])
    if scale.shape not in allowed:
        shapes = " or ".join(str(shape) if shape else "one number" for shape in allowed)
        raise ArgumentError(
            f"NormalInverseWishart(scale=...) has shape {scale.shape}; with covariance={structure.name!r}, "
            f"{n_components} components and {n_features} columns it must be {shapes}."
        )
    if structure.is_diagonal:
        if (scale <= 0).any():
            raise ArgumentError("NormalInverseWishart(scale=...) holds variances: they must be positive.")
        return
    for matrix in scale.reshape(-1, n_features, n_features):
        if np.abs(matrix - matrix.T).max() > 1e-8 * np.abs(matrix).max() or not is_positive_definite(matrix):
            raise ArgumentError("NormalInverseWishart(scale=...) must be symmetric and positive definite.")
