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
    fewest_columns, most_columns : float
        Of data that it can describe.
    """

    mclust: ClassVar[str]
    fewest_columns: ClassVar[int] = 1
    most_columns: ClassVar[float] = np.inf

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

    def agreeing(self, factor: np.ndarray) -> np.ndarray:
        """Precision factors (K, ...) of this form as the family has them; the same but for rounding where they are."""
        return self.expand(self.compact(factor), *factor.shape[:2])

    @property
    def disagreement(self) -> str:
        """What covariances have that are not of this family, in words."""
        return f"different covariances, and covariance={self.name!r} one for all {' and '.join(self.equal_among)}"

    def admitted(self, params: MixtureParams, frame: Frame) -> MixtureParams:
        """A mixture of this form as one of this family, widened to the floor where it is narrower.

        So no step of EM from there goes down.
        """
        white = self.form.whitened_factor(params.precision_chol, frame.whitening)
        # No variance is below the inverse of the trace of a precision.
        if (white.reshape(len(white), -1) ** 2).sum(1).max() * frame.floor <= 1.0:
            return params
        if self.form.narrowest(params.precision_chol, frame.whitening)[0].min() >= frame.floor:
            return params
        factor = self.form.clipped_factor(self.compact(params.spread), frame.whitening, frame.floor)
        return MixtureParams.trusted(params.weights, params.means, self.expand(factor, *params.means.shape))

    def is_at_floor(self, variances: np.ndarray, stats: SufficientStatistics, frame: Frame) -> np.ndarray:
        """(K,) whether the floor decides about a component, by its smallest whitened variance."""
        return variances <= 1.001 * frame.floor  # clipped eigenvalues come back with rounding

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
