"""The Gaussian families: covariance structures, each stored as compactly as it is.

================  ==================  ======================  ======================
structure         compact shape       residuals per point     transformation group
================  ==================  ======================  ======================
`Full`            (K, D, D)           1 vector                affine
`Tied`            (1, D, D)           1 vector                affine
`Diagonal`        (K, D)              1 per column            scale, shift per column
`SharedDiagonal`  (1, D)              1 per column            scale, shift per column
`Spherical`       (K, 1)              D                       one scale, rotation, shift
`Isotropic`       (1, 1)              D                       one scale, rotation, shift
================  ==================  ======================  ======================

Everything else (maximum likelihood, conjugate updates, densities, NUTS) is written once, on the primitives of `Compact`
and of the structure's `Form`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayesgmm.core.forms import DIAGONAL
from bayesgmm.core.params import MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.errors import ArgumentError, shown
from bayesgmm.families.columns import ALIKE, CORRELATED, SEPARATE
from bayesgmm.families.compact import Compact
from bayesgmm.families.family import Frame


@dataclass(frozen=True)
class CovarianceStructure(Compact):
    """Base of the structures.

    Attributes
    ----------
    name : str
        Short name accepted by ``covariance=``.
    mclust : str
        The same structure's name in mclust, for D > 1.
    columns : Columns
        How the columns of one covariance relate.
    is_shared : bool
        All components have one covariance.
    """

    mclust: ClassVar[str]

    @property
    def is_diagonal(self) -> bool:
        """Whether moments and factors are stored as diagonals."""
        return self.form is DIAGONAL

    @property
    def is_round(self) -> bool:
        """Whether all columns have one variance."""
        return "columns" in self.equal_among

    @property
    def conjugate(self) -> Compact | None:
        """Normal-inverse-Wishart: a Wishart matrix for each entry of the compact array."""
        return self

    @property
    def coordinates(self) -> Compact | None:
        """Bartlett's: of each of these Wishart matrices."""
        return self

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Number of free covariance parameters."""
        rows = self.compact_shape(n_components, n_features)[0]
        return rows * self.form.n_entries(self.columns.n_kept(n_features))

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
        return max(2.0, values_needed / n_features, self.form.matrix_size(n_features))

    @property
    def too_few_words(self) -> str:
        """What a component with too few points is, in words."""
        return "is empty" if self.is_shared else "holds too few points for a mean and a covariance of its own"

    def whitening(self, spread: np.ndarray) -> np.ndarray:
        """Precision factor of the data's spread, (D, D) covariance or (D,) variances, within the group.

        In the coordinates ``P^T x`` every transformation of the group has become a rotation and a
        shift, so whatever is measured there is equivariant.
        """
        return self.form.factor(self.columns.within_group(spread))

    def maximise(self, stats: SufficientStatistics, old: MixtureParams | None, frame: Frame) -> MixtureParams:
        """The M step: maximum likelihood under whitened covariance eigenvalues of at least the floor."""
        n_components, n_features = stats.first.shape
        points = self.pool_counts(stats.counts) * self.residuals_per_point(n_features)
        points = np.where(points > 0, points, 1.0)  # an emptied component has no scatter, and sits at the floor
        compact = self.pool(stats.scatter())
        compact /= self.per_row(points)
        factor = self.form.clipped_factor(compact, frame.whitening, frame.floor)
        factor = self.expand(factor, n_components, n_features)
        return MixtureParams.trusted(stats.counts / stats.counts.sum(), stats.means(), factor)


@dataclass(frozen=True)
class Full(CovarianceStructure):
    """Every component its own covariance (mclust VVV)."""

    name = "full"
    mclust = "VVV"
    columns = CORRELATED


@dataclass(frozen=True)
class Tied(CovarianceStructure):
    """One covariance for all components (mclust EEE)."""

    name = "tied"
    mclust = "EEE"
    columns = CORRELATED
    is_shared = True


@dataclass(frozen=True)
class Diagonal(CovarianceStructure):
    """Every component its own variance per column (mclust VVI)."""

    name = "diagonal"
    mclust = "VVI"
    columns = SEPARATE


@dataclass(frozen=True)
class SharedDiagonal(CovarianceStructure):
    """One variance per column for all components (mclust EEI)."""

    name = "shared_diagonal"
    mclust = "EEI"
    columns = SEPARATE
    is_shared = True


@dataclass(frozen=True)
class Spherical(CovarianceStructure):
    """Every component one variance for all columns (mclust VII)."""

    name = "spherical"
    mclust = "VII"
    columns = ALIKE


@dataclass(frozen=True)
class Isotropic(CovarianceStructure):
    """One variance for all components and columns (mclust EII)."""

    name = "isotropic"
    mclust = "EII"
    columns = ALIKE
    is_shared = True


ALL = (Full(), Tied(), Diagonal(), SharedDiagonal(), Spherical(), Isotropic())
STRUCTURES: dict[str, CovarianceStructure] = {structure.name: structure for structure in ALL}


def shared(structure: CovarianceStructure) -> CovarianceStructure:
    """The structure of the same group with one covariance for all components."""
    return next(kind for kind in STRUCTURES.values() if kind.is_shared and kind.columns is structure.columns)


def as_structure(covariance: str | CovarianceStructure) -> CovarianceStructure:
    """The structure that ``covariance=`` names."""
    if isinstance(covariance, CovarianceStructure):
        return covariance
    if isinstance(covariance, str) and covariance in STRUCTURES:
        return STRUCTURES[covariance]
    names = ", ".join(map(repr, STRUCTURES))
    raise ArgumentError(f"covariance={shown(covariance)} must be one of {names}, or an object such as Full().")
