"""Covariance structures: objects with the same few primitives, each stored as compactly as it is.

A structure's covariances live in one *compact* array that broadcasts to all components:

=============  ==================  ======================  ====================
structure      compact shape       residuals per point     transformation group
=============  ==================  ======================  ====================
`Full`         (K, D, D)           1 vector                affine
`Tied`         (1, D, D)           1 vector                affine
`Diagonal`     (K, D)              1 per column            scale, shift per column
`Spherical`    (K, 1)              D                       one scale, rotation, shift
`Isotropic`    (1, 1)              D                       one scale, rotation, shift
=============  ==================  ======================  ====================

Everything else (maximum likelihood, conjugate updates, densities, NUTS) is written once, on these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayesgmm.core.matrices import by_stacks, invert_triangular, precision_chol_of, stacks
from bayesgmm.errors import ArgumentError, shown


@dataclass(frozen=True)
class CovarianceStructure:
    """Base of the structures: the primitives in terms of four facts.

    Attributes
    ----------
    name : str
        Short name accepted by ``covariance=``.
    mclust : str
        The same structure's name in mclust, for D > 1.
    is_diagonal : bool
        Moments and factors are stored as diagonals, so a sweep costs K D a point and not K D^2.
    is_shared : bool
        All components have one covariance.
    is_round : bool
        All columns have one variance.
    """

    name: ClassVar[str]
    mclust: ClassVar[str]
    is_diagonal: ClassVar[bool] = False
    is_shared: ClassVar[bool] = False
    is_round: ClassVar[bool] = False

    def compact_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Shape of the compact array."""
        rows = 1 if self.is_shared else n_components
        columns = 1 if self.is_round else n_features
        return (rows, columns) if self.is_diagonal else (rows, columns, columns)

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Number of free covariance parameters."""
        shape = self.compact_shape(n_components, n_features)
        return shape[0] * (shape[1] if self.is_diagonal else shape[1] * (shape[1] + 1) // 2)

    def residuals_per_point(self, n_features: int) -> int:
        """How many scalar (or D-vector) residuals of a point inform one entry of the compact array."""
        return n_features if self.is_round else 1

    def too_few_points(self, n_features: int) -> float:
        """Points up to which a component with a covariance of its own passes through them, rather than describes them.

        That is so where they have no more values than its mean and covariance have parameters, where they are no more
        than its covariance matrix has columns, so that the scatter has no inverse, and where they are two, which may
        be as near to each other as they like.  A shared covariance is that of all points: there a component must only
        not be empty.
        """
        if self.is_shared:
            return 0.5
        values_needed = n_features + self.n_parameters(1, n_features)
        return max(2.0, values_needed / n_features, 0.0 if self.is_diagonal else n_features)

    def sharing(self, n_components: int) -> int:
        """How many components use one covariance."""
        return n_components if self.is_shared else 1

    def pool(self, moments: np.ndarray) -> np.ndarray:
        """Sum per-component second moments, (K, D, D) or (K, D), into the compact shape."""
        if self.is_round:
            moments = moments.sum(1, keepdims=True)
        return moments.sum(0, keepdims=True) if self.is_shared else moments

    def pool_counts(self, counts: np.ndarray) -> np.ndarray:
        """(K,) or (1,) number of points behind each covariance."""
        return counts.sum(keepdims=True) if self.is_shared else counts

    def expand(self, compact: np.ndarray, n_components: int, n_features: int) -> np.ndarray:
        """Copy a compact array (leading axes allowed) out to every component and column."""
        tail = (n_components, n_features) if self.is_diagonal else (n_components, n_features, n_features)
        # A copy even where nothing is repeated: a broadcast array is read-only, and Numba compiles anew for those.
        return np.array(np.broadcast_to(compact, compact.shape[: -len(tail)] + tail), order="C")

    def compact(self, expanded: np.ndarray) -> np.ndarray:
        """The compact array behind an expanded one, (K, D, D) or (K, D)."""
        return expanded[tuple(slice(size) for size in self.compact_shape(*expanded.shape[:2]))]

    def factor(self, compact: np.ndarray) -> np.ndarray:
        """Compact precision factors: P = C^-T, or 1 / standard deviation."""
        return 1.0 / np.sqrt(compact) if self.is_diagonal else precision_chol_of(compact)

    def whitening(self, spread: np.ndarray) -> np.ndarray:
        """Precision factor of the data's spread, (D, D) covariance or (D,) variances, within the group.

        In the coordinates ``P^T x`` every transformation of the group has become a rotation and a
        shift, so whatever is measured there is equivariant.
        """
        if not self.is_diagonal:
            return precision_chol_of(spread)
        return 1.0 / np.sqrt(np.full_like(spread, spread.mean()) if self.is_round else spread)

    def clipped_factor(self, compact: np.ndarray, whitening: np.ndarray, floor: float) -> np.ndarray:
        """Compact precision factors of covariances, their whitened eigenvalues clipped to at least `floor`.

        Applied to the unconstrained maximum it is the exact maximum under the constraint, because the
        Gaussian likelihood is, for fixed eigenvectors, unimodal in each eigenvalue.
        """
        if self.is_diagonal:
            lowest = floor * whitening**-2
            return self.factor(np.maximum(compact, lowest[:1] if self.is_round else lowest))
        return by_stacks(lambda stack: self._clipped(stack, whitening, floor), compact)

    def _clipped(self, compact: np.ndarray, whitening: np.ndarray, floor: float) -> np.ndarray:
        white = whitening.T @ compact @ whitening
        try:  # a Cholesky factor costs a tenth of the eigenvalues, and clipping is rare
            np.linalg.cholesky(white - floor * np.eye(len(whitening)))
        except np.linalg.LinAlgError:
            values, vectors = np.linalg.eigh(white)
            white = (vectors * np.maximum(values, floor)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
        # Factored in whitened coordinates: in the data's own, nearly dependent columns and a component at the
        # floor can make a covariance that has no Cholesky factor in float64.
        return whitening @ self.factor(white)

    def narrowest(self, factors: np.ndarray, whitening: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Smallest variance of each component relative to the data's, and the combination of columns that has it.

        `factors` are expanded precision factors, (K, D, D) or (K, D).  Returns (K,) ratios and (K, D) unit
        vectors a: in component k, ``a^T x`` has that ratio of the data's own variance of ``a^T x``, and no
        other combination has a smaller one.
        """
        if self.is_diagonal:
            variances = (whitening / factors) ** 2
            components, axis = np.arange(len(variances)), variances.argmin(1)
            directions = np.zeros(variances.shape)
            directions[components, axis] = 1.0
            return variances[components, axis], directions
        deviations, combinations = np.empty(len(factors)), np.empty(factors.shape[:2])
        for stack in stacks(factors):
            half = invert_triangular(factors[stack]) @ whitening  # white covariance = half^T half
            _, singular, vectors = np.linalg.svd(half)
            deviations[stack], combinations[stack] = singular[:, -1], vectors[:, -1, :]
        combinations = combinations @ whitening.T
        return deviations**2, combinations / np.linalg.norm(combinations, axis=1, keepdims=True)


@dataclass(frozen=True)
class Full(CovarianceStructure):
    """Every component its own covariance (mclust VVV)."""

    name = "full"
    mclust = "VVV"


@dataclass(frozen=True)
class Tied(CovarianceStructure):
    """One covariance for all components (mclust EEE)."""

    name = "tied"
    mclust = "EEE"
    is_shared = True


@dataclass(frozen=True)
class Diagonal(CovarianceStructure):
    """Every component its own variance per column (mclust VVI)."""

    name = "diagonal"
    mclust = "VVI"
    is_diagonal = True


@dataclass(frozen=True)
class Spherical(CovarianceStructure):
    """Every component one variance for all columns (mclust VII)."""

    name = "spherical"
    mclust = "VII"
    is_diagonal = True
    is_round = True


@dataclass(frozen=True)
class Isotropic(CovarianceStructure):
    """One variance for all components and columns (mclust EII)."""

    name = "isotropic"
    mclust = "EII"
    is_diagonal = True
    is_shared = True
    is_round = True


STRUCTURES = {structure.name: structure for structure in (Full(), Tied(), Diagonal(), Spherical(), Isotropic())}


def as_structure(covariance: str | CovarianceStructure) -> CovarianceStructure:
    """The structure that ``covariance=`` names."""
    if isinstance(covariance, CovarianceStructure):
        return covariance
    if isinstance(covariance, str) and covariance in STRUCTURES:
        return STRUCTURES[covariance]
    names = ", ".join(map(repr, STRUCTURES))
    raise ArgumentError(f"covariance={shown(covariance)} must be one of {names}, or an object such as Full().")
