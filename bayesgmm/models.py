"""Descriptions of mixture models: frozen, without data and without fit state."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from numbers import Integral

import numpy as np

from bayesgmm.core.covariance import CovarianceStructure, Full, as_structure
from bayesgmm.core.maximise import moments
from bayesgmm.data import DataMatrix, check_enough_points, explain_singular
from bayesgmm.errors import ArgumentError, DataError, shown
from bayesgmm.priors.components import NormalInverseWishart
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.priors.weights import Dirichlet


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A finite Gaussian mixture with conjugate priors.

    ``weights ~ Dirichlet``, ``(mean_k, Sigma_k) ~ normal-inverse-Wishart``; maximum likelihood methods
    use the likelihood alone.

    Parameters
    ----------
    n_components : int
        K, at least 1.
    covariance : {"full", "tied", "diagonal", "spherical", "isotropic"} or CovarianceStructure
    weights : Dirichlet
    prior : NormalInverseWishart
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
    prior: NormalInverseWishart = field(default_factory=NormalInverseWishart)

    def __post_init__(self):
        k = self.n_components
        if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
            raise ArgumentError(f"n_components={shown(k)}: the number of components must be an integer of at least 1.")
        object.__setattr__(self, "n_components", int(k))
        object.__setattr__(self, "covariance", as_structure(self.covariance))
        for name, kind in (("weights", Dirichlet), ("prior", NormalInverseWishart)):
            if not isinstance(getattr(self, name), kind):
                raise ArgumentError(f"{name}={shown(getattr(self, name))} must be an object such as {kind.__name__}().")

    def resolve(self, data: DataMatrix) -> GaussianMixture:
        """The same model with every prior constant given; checks that the data can carry it."""
        check_enough_points(len(data.values), self.n_components)
        if not self.prior.needs_data:
            center, spread = _given_location(self, data.values.shape[1])
        else:
            center, spread = moments(data.values, self.covariance.is_diagonal)
            if self.prior.scale is None:
                check_spread(self.covariance, spread, data)
        return replace(
            self,
            weights=self.weights.resolve(self.n_components),
            prior=self.prior.resolve(self.covariance, self.n_components, center, spread),
        )

    def conjugate(self) -> ConjugateMixture:
        """The prior of a resolved model as a conjugate distribution over `MixtureParams`."""
        return ConjugateMixture(self.weights, self.prior.conjugate(self.covariance, self.n_components))

    def n_parameters(self, n_features: int) -> int:
        """Number of free parameters of the likelihood."""
        k = self.n_components
        return k - 1 + k * n_features + self.covariance.n_parameters(k, n_features)


def is_singular(structure: CovarianceStructure, spread: np.ndarray) -> bool:
    """Whether the data's spread has no inverse within the structure's group."""
    if structure.is_diagonal:
        return not (spread.mean() > 0 if structure.is_round else (spread > 0).all())
    deviations = np.sqrt(np.diag(spread))
    if not (deviations > 0).all():
        return True
    correlation = spread / deviations / deviations[:, None]
    # Exactly dependent columns leave rounding only, some eps per column; 1e-13 is a thousand times that.
    return bool(np.linalg.eigvalsh(correlation)[0] <= 1e-13 * len(spread))


def whitening_of(model: GaussianMixture, data: DataMatrix) -> np.ndarray:
    """Precision factor of the data's spread within the structure's group, (D, D) or (D,).

    Where the spread is singular the resolved prior's scale stands in for it.
    """
    structure, n_features = model.covariance, data.values.shape[1]
    _, spread = moments(data.values, structure.is_diagonal)
    if is_singular(structure, spread):
        shape = structure.compact_shape(model.n_components, n_features)
        typical = np.broadcast_to(np.asarray(model.prior.scale), shape).mean(0, keepdims=True)
        spread = structure.expand(typical, 1, n_features)[0]
    return structure.whitening(spread)


def check_spread(structure: CovarianceStructure, spread: np.ndarray, data: DataMatrix) -> None:
    """Raise a `DataError` that names the columns to blame where the spread is singular."""
    if not np.isfinite(spread).all():
        raise DataError("The data are so large that their squares leave the range of float64: use larger units.")
    if not is_singular(structure, spread):
        return
    reason = explain_singular(data.values, data.feature_names) or "The covariance of the data is singular."
    columns = spread if structure.is_diagonal else np.diag(spread)
    others = "'diagonal', 'spherical' or 'isotropic'" if (columns > 0).all() else "'spherical' or 'isotropic'"
    other = f"choose covariance={others}, or " if (columns > 0).any() and not structure.is_round else ""
    raise DataError(
        f"{reason} Otherwise {other}pass prior=NormalInverseWishart(scale=...) to a method with a prior (MAP, VB, "
        f"NUTS): the starts and the default prior of covariance={structure.name!r} come from the data's own "
        "covariance, which has no inverse."
    )


def _given_location(model: GaussianMixture, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Stand-ins of the right shapes where the prior already has its mean and scale."""
    mean = np.asarray(model.prior.mean, float)
    if mean.shape[-1:] != (n_features,):
        raise ArgumentError(
            f"NormalInverseWishart(mean=...) has shape {mean.shape} and the data {n_features} columns: they must agree."
        )
    ones = np.ones(n_features)
    return ones, ones if model.covariance.is_diagonal else np.diag(ones)
