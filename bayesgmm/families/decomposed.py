"""The eight families whose covariances share some of volume, shape and orientation, and are no compact array.

A covariance is ``v Q diag(a) Q^T``: its volume v, a shape a of product one, and axes Q.  The letters of a name say of
the three in turn whether they are equal (E) in all components, vary (V), or, of the axes, are the columns (I).  The
other six of the fourteen stand in `gaussian`.

Banfield and Raftery (1993), Biometrics 49, 803-821, doi:10.2307/2532201 (the families); Celeux and Govaert (1995),
Pattern Recognition 28, 781-793, doi:10.1016/0031-3203(94)00125-6 (their M steps).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from bayesgmm.core.kernels.common_axes import rotate_to_common_axes
from bayesgmm.core.params import MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.families.columns import CORRELATED, SEPARATE
from bayesgmm.families.family import Frame
from bayesgmm.families.gaussian import CovarianceStructure

MOST_STEPS = 100  # each is an ascent, and the next M step goes on from there
# By this factor a component widens at twice the floor if that decides: by 2 where its volume is its own, and by
# 2^(1 - 1/D), which is 1.41 in two columns, where it is shared.
DECIDED = 1.2
TOL = 1e-11  # of a logarithm of a volume: the log likelihood is flat there, so that its own error is the square


@dataclass(frozen=True)
class Decomposed(CovarianceStructure):
    """Base of the families whose M step is `covariances`; maximum likelihood alone can fit them."""

    fewest_columns = 2  # in one column volume is all there is

    @property
    def conjugate(self) -> None:
        return None

    @property
    def coordinates(self) -> None:
        return None

    @property
    def has_own_volume(self) -> bool:
        return self.mclust[0] == "V"

    @property
    def has_own_shape(self) -> bool:
        return self.mclust[1] == "V"

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Number of free covariance parameters."""
        n_axes = {"I": 0, "E": 1, "V": n_components}[self.mclust[2]]
        n_volumes, n_shapes = (n_components if own else 1 for own in (self.has_own_volume, self.has_own_shape))
        return n_volumes + n_shapes * (n_features - 1) + n_axes * n_features * (n_features - 1) // 2

    def too_few_points(self, n_features: int) -> float:
        """As of the other families, by the parameters that one component has to itself."""
        if not (self.has_own_volume or self.has_own_shape):
            return 0.5
        own = self.n_parameters(2, n_features) - self.n_parameters(1, n_features)
        size = self.form.matrix_size(n_features) if self.has_own_shape and self.mclust[2] == "V" else 1
        return max(2.0, (n_features + own) / n_features, size)

    @property
    def too_few_words(self) -> str:
        if not (self.has_own_volume or self.has_own_shape):
            return "is empty"
        return "holds too few points for a mean and what its covariance has of its own"

    @abstractmethod
    def covariances(self, counts: np.ndarray, spreads: np.ndarray, old: np.ndarray) -> np.ndarray:
        """The M step: the covariances of the family under which points of these (K, ...) spreads are most likely.

        `counts` (K,) may hold zeros; `old` (K, ...) are covariances from which a step that iterates begins.
        """

    def maximise(self, stats: SufficientStatistics, old: MixtureParams | None, frame: Frame) -> MixtureParams:
        """The M step; the spread of each component's points is first widened to the floor."""
        points = np.where(stats.counts > 0, stats.counts, 1.0)  # an emptied component has no scatter
        own = stats.scatter() / self.per_row(points)
        spreads = self._widened(own, frame)
        found = self.covariances(stats.counts, spreads, spreads if old is None else old.spread)
        is_wide = spreads is own and self._is_wide(found, frame)
        factor = self.form.factor(found) if is_wide else self._raised(found, frame)
        if not is_wide and old is not None:  # what the floor did to them may be no ascent
            before, after = (self._criterion(stats.counts, own, one) for one in (old.precision_chol, factor))
            factor = old.precision_chol if before < after else factor
        return MixtureParams.trusted(stats.counts / stats.counts.sum(), stats.means(), factor)

    def _criterion(self, counts: np.ndarray, spreads: np.ndarray, factor: np.ndarray) -> float:
        """Minus twice the expected log likelihood of points, without constants."""
        form = self.form
        traces = form.total(form.traces(spreads, form.precision(factor)))
        return float(counts @ (traces - 2.0 * np.log(form.diagonal(factor)).sum(1)))

    def agreeing(self, factor: np.ndarray) -> np.ndarray:
        spread = self.form.spread(factor)
        return self.form.factor(self.covariances(np.ones(len(spread)), spread, spread))

    @property
    def disagreement(self) -> str:
        words = zip(self.mclust, ("volume", "shape", "orientation"), strict=True)
        equal = [word for letter, word in words if letter == "E"]
        return f"covariances that differ in {' and '.join(equal)}, and those of covariance={self.name!r} do not"

    def admitted(self, params: MixtureParams, frame: Frame) -> MixtureParams:
        """The mixture of the family that is nearest to another one: under which points of that one are most likely."""
        spreads = self._widened(params.spread, frame)
        factor = self._raised(self.covariances(params.weights, spreads, spreads), frame)
        return MixtureParams.trusted(params.weights, params.means, factor)

    def is_at_floor(self, variances: np.ndarray, stats: SufficientStatistics, frame: Frame) -> np.ndarray:
        """(K,) also where a higher floor would make the next step's covariances wider: then the floor decides.

        What components share may keep one wider than the floor though its points lie on a line or at one place; and
        where no step is an ascent the mixture stays what it is, and says nothing of its points.
        """
        points = np.where(stats.counts > 0, stats.counts, 1.0)
        own = stats.scatter() / self.per_row(points)

        def narrowest(floor: float) -> np.ndarray:
            spreads = self._widened(own, Frame(frame.whitening, floor))
            following = self.covariances(stats.counts, spreads, spreads)
            factor = self.form.clipped_factor(following, frame.whitening, 1e-3 * frame.floor)
            return self.form.narrowest(factor, frame.whitening)[0]

        following = narrowest(frame.floor)
        at_floor = super().is_at_floor(np.minimum(variances, following), stats, frame)
        return at_floor | (narrowest(2.0 * frame.floor) > DECIDED * following)

    def _widened(self, spreads: np.ndarray, frame: Frame) -> np.ndarray:
        """Their whitened variances at least the floor; the same array where they are so already."""
        if self._is_wide(spreads, frame):
            return spreads
        return self.form.spread(self.form.clipped_factor(spreads, frame.whitening, frame.floor))

    def _raised(self, covariances: np.ndarray, frame: Frame) -> np.ndarray:
        """Precision factors; a component that is narrower than the floor gets a larger volume where it has its own."""
        if self._is_wide(covariances, frame):
            return self.form.factor(covariances)
        if not self.has_own_volume:
            return self.form.clipped_factor(covariances, frame.whitening, frame.floor)
        factor = self.form.clipped_factor(covariances, frame.whitening, 1e-3 * frame.floor)
        narrowest = self.form.narrowest(factor, frame.whitening)[0]
        return self.form.factor(covariances * self.per_row(np.maximum(frame.floor / narrowest, 1.0)))

    def _is_wide(self, spreads: np.ndarray, frame: Frame) -> bool:
        white = self.form.whitened(spreads, frame.whitening)
        if white.ndim == 2:
            return bool((white >= frame.floor).all())
        try:
            np.linalg.cholesky(white - frame.floor * np.eye(len(frame.whitening)))
        except np.linalg.LinAlgError:
            return False
        return True


@dataclass(frozen=True)
class VEI(Decomposed):
    """Own volumes, one shape, axes along the columns."""

    name = mclust = "VEI"
    columns = SEPARATE

    def covariances(self, counts: np.ndarray, spreads: np.ndarray, old: np.ndarray) -> np.ndarray:
        return _of_one_shape(counts, spreads, _volumes(old))


@dataclass(frozen=True)
class EVI(Decomposed):
    """One volume, own shapes, axes along the columns."""

    name = mclust = "EVI"
    columns = SEPARATE

    def covariances(self, counts: np.ndarray, spreads: np.ndarray, old: np.ndarray) -> np.ndarray:
        return _of_one_volume(counts, spreads)


@dataclass(frozen=True)
class VEE(Decomposed):
    """Own volumes, one shape and orientation."""

    name = mclust = "VEE"
    columns = CORRELATED

    def covariances(self, counts: np.ndarray, spreads: np.ndarray, old: np.ndarray) -> np.ndarray:
        d = spreads.shape[-1]
        volumes = np.exp(np.linalg.slogdet(old)[1] / d)
        for _ in range(MOST_STEPS):
            shape = np.einsum("k,kab->ab", counts / volumes, spreads)
            shape /= np.exp(np.linalg.slogdet(shape)[1] / d)
            before, volumes = volumes, np.einsum("ab,kba->k", np.linalg.inv(shape), spreads) / d
            if _is_settled(before, volumes):
                break
        return volumes[:, None, None] * shape


@dataclass(frozen=True)
class EVE(Decomposed):
    """One volume, own shapes, one orientation."""

    name = mclust = "EVE"
    columns = CORRELATED

    def covariances(self, counts: np.ndarray, spreads: np.ndarray, old: np.ndarray) -> np.ndarray:
        axes, along = _common_axes(counts, spreads, old, have_one_volume=True)
        return _turned(axes, _of_one_volume(counts, along))


@dataclass(frozen=True)
class VVE(Decomposed):
    """Own volumes and shapes, one orientation: common principal components."""

    name = mclust = "VVE"
    columns = CORRELATED

    def covariances(self, counts: np.ndarray, spreads: np.ndarray, old: np.ndarray) -> np.ndarray:
        return _turned(*_common_axes(counts, spreads, old, have_one_volume=False))


@dataclass(frozen=True)
class EEV(Decomposed):
    """One volume and shape, own orientations."""

    name = mclust = "EEV"
    columns = CORRELATED

    def covariances(self, counts: np.ndarray, spreads: np.ndarray, old: np.ndarray) -> np.ndarray:
        values, axes = np.linalg.eigh(spreads)
        return _turned(axes, np.broadcast_to(counts @ values / counts.sum(), values.shape))


@dataclass(frozen=True)
class VEV(Decomposed):
    """Own volumes, one shape, own orientations."""

    name = mclust = "VEV"
    columns = CORRELATED

    def covariances(self, counts: np.ndarray, spreads: np.ndarray, old: np.ndarray) -> np.ndarray:
        values, axes = np.linalg.eigh(spreads)
        return _turned(axes, _of_one_shape(counts, values, _volumes(np.linalg.eigvalsh(old))))


@dataclass(frozen=True)
class EVV(Decomposed):
    """One volume, own shapes and orientations."""

    name = mclust = "EVV"
    columns = CORRELATED

    def covariances(self, counts: np.ndarray, spreads: np.ndarray, old: np.ndarray) -> np.ndarray:
        volumes = np.exp(np.linalg.slogdet(spreads)[1] / spreads.shape[-1])
        return (counts @ volumes / counts.sum() / volumes)[:, None, None] * spreads


def _volumes(values: np.ndarray) -> np.ndarray:
    """(K,) geometric means of variances (K, D)."""
    return np.exp(np.log(values).mean(1))


def _is_settled(before: np.ndarray, after: np.ndarray) -> bool:
    return bool(np.abs(np.log(after / before)).max() <= TOL)


def _of_one_shape(counts: np.ndarray, values: np.ndarray, volumes: np.ndarray) -> np.ndarray:
    """(K, D) variances of one shape; the problem is convex in the logarithms, and each step exact in its turn."""
    for _ in range(MOST_STEPS):
        shape = (counts / volumes) @ values
        shape /= np.exp(np.log(shape).mean())
        before, volumes = volumes, (values / shape).mean(1)
        if _is_settled(before, volumes):
            break
    return volumes[:, None] * shape


def _of_one_volume(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(K, D) variances of one volume, in closed form."""
    volumes = _volumes(values)
    return (counts @ volumes / counts.sum() / volumes)[:, None] * values


def _common_axes(
    counts: np.ndarray, spreads: np.ndarray, old: np.ndarray, have_one_volume: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Axes (D, D), and the variances (K, D) along them, from the axes of old covariances on."""
    # Covariances of common axes have those of any sum of them. Each has the same part in it whatever its size, but for
    # factors that differ a little, as two variances whose sums were equal would leave their axes open.
    factors = np.linspace(1.0, 2.0, len(old)) / np.trace(old, axis1=1, axis2=2)
    axes = np.ascontiguousarray(np.linalg.eigh(np.einsum("k,kab->ab", factors, old))[1])
    turned = np.ascontiguousarray(axes.T @ spreads @ axes)
    rotate_to_common_axes(turned, counts, axes, have_one_volume)
    return axes, np.diagonal(turned, axis1=1, axis2=2).copy()


def _turned(axes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """``Q diag(a) Q^T`` of axes (D, D) or (K, D, D) and variances (K, D)."""
    return (axes * values[:, None, :]) @ np.swapaxes(axes, -1, -2)


DECOMPOSED = (VEI(), EVI(), VEE(), EVE(), VVE(), EEV(), VEV(), EVV())
