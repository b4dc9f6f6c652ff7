"""Covariances that live in one *compact* array, which broadcasts to all components.

Every entry of it is a matrix that may have an inverse Wishart law, so the conjugate algebra and the coordinates of NUTS
are made of these primitives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayesgmm.core.forms import Form
from bayesgmm.families.columns import ALIKE, Columns


@dataclass(frozen=True)
class Compact:
    """The primitives in terms of two facts.

    Attributes
    ----------
    name : str
        Short name accepted by ``covariance=``.
    columns : Columns
        How the columns of one covariance relate.
    is_shared : bool
        All components have one covariance.
    """

    name: ClassVar[str]
    columns: ClassVar[Columns]
    is_shared: ClassVar[bool] = False

    @property
    def form(self) -> Form:
        return self.columns.form

    @property
    def equal_among(self) -> tuple[str, ...]:
        """What have one variance between them: components, columns, both or neither."""
        return ("components",) * self.is_shared + ("columns",) * (self.columns is ALIKE)

    def compact_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Shape of the compact array."""
        return (1 if self.is_shared else n_components, *self.form.shape(self.columns.n_kept(n_features)))

    def residuals_per_point(self, n_features: int) -> int:
        """How many scalar (or D-vector) residuals of a point inform one entry of the compact array."""
        return self.columns.residuals_per_point(n_features)

    def sharing(self, n_components: int) -> int:
        """How many components use one covariance."""
        return n_components if self.is_shared else 1

    def pool(self, moments: np.ndarray) -> np.ndarray:
        """Sum per-component second moments, (..., K, D, D) or (..., K, D), into the compact shape."""
        moments = self.columns.pool(moments)
        return moments.sum(-1 - self.form.n_axes, keepdims=True) if self.is_shared else moments

    def pool_counts(self, counts: np.ndarray) -> np.ndarray:
        """(..., K) or (..., 1) number of points behind each covariance."""
        return counts.sum(-1, keepdims=True) if self.is_shared else counts

    def per_row(self, values: np.ndarray) -> np.ndarray:
        """One value for each covariance, shaped so that it broadcasts with the compact array."""
        return values.reshape(-1, *(1,) * self.form.n_axes)

    def expand(self, compact: np.ndarray, n_components: int, n_features: int) -> np.ndarray:
        """Copy a compact array (leading axes allowed) out to every component and column."""
        tail = (n_components, *self.form.shape(n_features))
        # A copy even where nothing is repeated: a broadcast array is read-only, and Numba compiles anew for those.
        return np.array(np.broadcast_to(compact, compact.shape[: -len(tail)] + tail), order="C")

    def compact(self, expanded: np.ndarray) -> np.ndarray:
        """The compact array behind an expanded one, (..., K, D, D) or (..., K, D)."""
        n_components, n_features = expanded.shape[expanded.ndim - 1 - self.form.n_axes :][:2]
        shape = self.compact_shape(n_components, n_features)
        return expanded[(..., *map(slice, shape))]
