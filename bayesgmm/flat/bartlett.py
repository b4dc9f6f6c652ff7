"""The coordinates in which a mixture is sampled, by the fast posterior and by the `pm.Model` alike.

They are dimensionless, because data and prior are whitened by the data's spread: moving the data within
the structure's group changes the log density of a point by a constant only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from bayesgmm.core.params import LOG_2PI, MixtureParams
from bayesgmm.families.compact import Compact
from bayesgmm.families.family import capability
from bayesgmm.flat.bartlett_factors import FACTORS, BartlettFactors
from bayesgmm.flat.means import ConjugateMeans, IndependentMeans, means_of
from bayesgmm.flat.scale import DiagonalScale, WishartScale, scale_of
from bayesgmm.flat.weights import SimplexWeights, StickWeights, weights_of
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, moments_of, whitening_of
from bayesgmm.priors.wisharts import WISHARTS
from bayesgmm.rows import Rows


@dataclass(frozen=True, eq=False)
class Bartlett:
    """Coordinates in which a mixture's prior is standard: weights, Bartlett factors, whitened means.

    With the prior's scale ``Psi_0 = C C^T`` a precision factor is ``P = C^-T A``, A upper triangular with
    ``A_ii^2 ~ chi2(dof - D + i)`` for i = 1..D and N(0, 1) above the diagonal; in diagonal structures
    ``scale / variance ~ chi2(dof)``.  Where the scale is unknown Psi_0 is its expectation, and A is so distributed once
    it is multiplied by the ratio of the two (see `WishartScale`).  ``mean = center + W^-T z`` with the whitening W.

    Parameters
    ----------
    structure : Compact
    center : (D,) array
        Column means of the data.
    whitening : (D, D) or (D,) array
        Precision factor W of the data's spread, within the structure's group.
    weights : SimplexWeights or StickWeights
    dof : (R, D) or (R, C) array
        Of the squared Bartlett entries; R and C as in the structure's compact shape.
    root : (R, D, D) or (R, C) array
        ``W^-1 C^-T``: whitened precision factors are ``root @ A``.
    means : ConjugateMeans or IndependentMeans
    scale : WishartScale, DiagonalScale or None
        None where the scale is known.

    References
    ----------
    Bartlett (1933), Proceedings of the Royal Society of Edinburgh 53, 260-283, doi:10.1017/S0370164600015637.
    """

    structure: Compact
    center: np.ndarray
    whitening: np.ndarray
    weights: SimplexWeights | StickWeights
    dof: np.ndarray
    root: np.ndarray
    means: ConjugateMeans | IndependentMeans
    scale: WishartScale | DiagonalScale | None

    @classmethod
    def of(cls, model: GaussianMixture | DirichletProcessMixture, data: Rows) -> Bartlett:
        """The coordinates of a resolved model on its data."""
        structure, n_features = capability(model.covariance, "coordinates"), data.values.shape[1]
        center, _ = moments_of(data, structure.form)
        whitening = whitening_of(model, data)
        prior = model.prior.conjugate(model.covariance, model.n_components)
        root = structure.form.whitened_factor(structure.form.factor(prior.scale), whitening)
        dof = WISHARTS[structure.form].bartlett_dof(prior.dof, prior.scale.shape[-1])
        means = means_of(model, whitened(prior.mean, center, whitening), whitening)
        scale = scale_of(model, n_features)
        return cls(structure, center, whitening, weights_of(model), dof, root, means, scale)

    @property
    def factors(self) -> BartlettFactors:
        """The arithmetic of the Bartlett factors."""
        return FACTORS[self.structure.form](self.whitening, self.root)

    @property
    def mean(self) -> np.ndarray:
        """(K, D) whitened prior means."""
        return self.means.mean

    @property
    def n_components(self) -> int:
        return self.mean.shape[0]

    @property
    def n_features(self) -> int:
        return self.mean.shape[1]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the free variables, in their order in the flat vector."""
        k, d = self.mean.shape
        # A covariance, or a column, that is the only one has no axis.
        equal = self.structure.equal_among
        square = self.dof.shape["components" in equal : 1 if "columns" in equal else None]
        shapes = self.weights.shapes | ({} if self.scale is None else self.scale.shapes) | {"bartlett_square": square}
        if self.n_upper:
            shapes["bartlett_upper"] = (*square[:-1], d * (d - 1) // 2)
        return shapes | {"standardized_means": (k, d)}

    @property
    def n_upper(self) -> int:
        """Entries above the diagonals of all Bartlett factors."""
        return self.factors.n_upper

    @property
    def n_shared(self) -> int:
        """Coordinates before those of the components."""
        return self.weights.n_dim + (0 if self.scale is None else self.scale.n_dim)

    @property
    def n_dim(self) -> int:
        """Length of the flat vector."""
        return self.n_shared + self.dof.size + self.n_upper + self.mean.size

    def log_normaliser(self, n_obs: float) -> float:
        """What the kernels leave out of the joint log density of coordinates and data."""
        half_dof = 0.5 * self.dof
        diagonal = self.structure.form.diagonal(self.whitening)
        bartlett = -np.sum(half_dof * np.log(2.0) + gammaln(half_dof)) - 0.5 * self.n_upper * LOG_2PI
        scale = 0.0 if self.scale is None else self.scale.log_normaliser(self.dof)
        prior = self.weights.log_normaliser() + scale + bartlett + self.means.log_normaliser()
        return float(prior + n_obs * np.log(diagonal).sum())

    def expand(self, flat: np.ndarray) -> MixtureParams:
        """Mixtures in data units, with the leading axes of `flat` (..., n_dim)."""
        k, at = self.n_components, self.n_shared
        weights = self.weights.expand(flat[..., : self.weights.n_dim])
        diagonal = np.exp(0.5 * flat[..., at : at + self.dof.size]).reshape(*flat.shape[:-1], *self.dof.shape)
        standardized = flat[..., flat.shape[-1] - self.mean.size :].reshape(*flat.shape[:-1], *self.mean.shape)
        at += self.dof.size
        bartlett = self.factors.filled(diagonal, flat[..., at : at + self.n_upper])
        factor = self.structure.expand(self.factors.in_data_units(bartlett), k, self.n_features)
        return MixtureParams.trusted(weights, self.center + self.factors.points(standardized), factor)

    def states(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """What the coordinates hold beside the mixtures, with the leading axes of `flat` (..., n_dim)."""
        states = self.weights.states(flat[..., : self.weights.n_dim])
        if self.scale is None:
            return states
        log_ratio = self.scale.log_det(flat[..., self.weights.n_dim : self.n_shared])
        return states | {"scale_log_det": log_ratio - 2.0 * np.log(self.factors.scale_root_diagonal()).sum()}

    def variables(self, params: MixtureParams, rng: np.random.Generator | None = None) -> dict[str, np.ndarray]:
        """The values that one mixture gives to the free variables.

        An unknown scale is drawn given the covariances.  Without a generator it is what they make one expect.
        """
        values = self.weights.variables(params.weights)
        values["standardized_means"] = whitened(params.means, self.center, self.whitening)
        bartlett = self.factors.of_compact(self.structure.compact(params.precision_chol))
        values |= self.factors.parts(bartlett)
        if self.scale is not None:
            values |= self.scale.variables(bartlett, self.dof, rng)
        return {name: values[name].reshape(shape) for name, shape in self.shapes.items()}

    def natural(self, params: MixtureParams, rng: np.random.Generator | None = None) -> dict[str, np.ndarray]:
        """The same of the free variables of the `pm.Model`, which are in the data's units."""
        values = self.variables(params, rng)
        found = {name: values[name] for name in self.weights.shapes.keys() & {"concentration"}}
        if self.n_components > 1 or not found:
            found["weights"] = params.weights
        if self.scale is not None:
            flat = np.concatenate([np.log(values["scale_square"]).ravel(), values.get("scale_lower", np.empty(0))])
            found["scale"] = self.scale_at(flat)
        return found | {"covariances": params.covariances, "means": params.means}

    def scale_at(self, flat: np.ndarray) -> np.ndarray:
        """The unknown scale in data units, of its own coordinates."""
        assert self.scale is not None
        return self.factors.scale_of_ratio(self.scale.factor(flat)).reshape(self.scale.shape)

    def flatten(self, params: MixtureParams, rng: np.random.Generator | None = None) -> np.ndarray:
        """The (n_dim,) unconstrained vector of one mixture, as `variables`; the inverse of `expand`."""
        values = self.variables(params, rng)
        values = {name: value for name, value in values.items() if name not in self.weights.shapes}
        for name in values.keys() & {"scale_square", "bartlett_square"}:
            values[name] = np.log(values[name])
        return np.concatenate([self.weights.flatten(params.weights), *(value.ravel() for value in values.values())])


def whitened(points: np.ndarray, center: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    """Rows in coordinates in which the data have mean zero and unit spread."""
    centered = points - center
    if whitening.ndim == 1:
        return centered * whitening
    return np.einsum("nd,dj->nj", centered, whitening)  # no BLAS: its threads may change the last bits
