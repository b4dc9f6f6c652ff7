"""The precision factors of a chart: their whitening, coordinates and metric, in either form of their arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from bayesgmm.core.forms import DIAGONAL, TRIANGULAR, Form
from bayesgmm.core.matrices import invert_triangular


class ChartFactors(Protocol):
    """What a chart asks of factors; `root` is (K,), of the components' weights, and `share` (R, 1)."""

    def white(self, factor: np.ndarray) -> np.ndarray:
        """Factors in whitened coordinates."""
        ...

    def in_data_units(self, white: np.ndarray) -> np.ndarray:
        """The inverse of `white`."""
        ...

    def points(self, white: np.ndarray) -> np.ndarray:
        """Whitened rows in data units."""
        ...

    def parts(self, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Diagonals of compact factors, and the coefficients, in units of their column's diagonal."""
        ...

    def joined(self, diagonal: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """The inverse of `parts`."""
        ...

    def shaped(self, coefficients: np.ndarray, n_rows: int) -> np.ndarray:
        """Those of a vector (..., p) as `joined` takes them."""
        ...

    def stretch_means(self, means: np.ndarray, root: np.ndarray, factor: np.ndarray) -> np.ndarray:
        """Changes of whitened means in the metric."""
        ...

    def shrink_means(self, means: np.ndarray, root: np.ndarray, factor: np.ndarray) -> np.ndarray:
        """The inverse of `stretch_means`."""
        ...

    def stretch(self, coefficients: np.ndarray, share: np.ndarray, factor: np.ndarray) -> list[np.ndarray]:
        """Changes of the coefficients of compact factors in the metric, where there are any."""
        ...

    def shrink(self, coefficients: np.ndarray, share: np.ndarray, factor: np.ndarray) -> list[np.ndarray]:
        """The inverse of `stretch`."""
        ...


@dataclass(frozen=True, eq=False)
class TriangularFactors:
    """Factors (..., D, D), of which each column is a regression on those before it."""

    whitening: np.ndarray

    @cached_property
    def _unwhitening(self) -> np.ndarray:
        return invert_triangular(self.whitening[None])[0]

    def white(self, factor: np.ndarray) -> np.ndarray:
        return self._unwhitening @ factor

    def in_data_units(self, white: np.ndarray) -> np.ndarray:
        return self.whitening @ white

    def points(self, white: np.ndarray) -> np.ndarray:
        return white @ self._unwhitening

    def parts(self, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        diagonal = TRIANGULAR.diagonal(factor)
        return diagonal, np.triu(factor / diagonal[:, None, :], 1)

    def joined(self, diagonal: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        return (coefficients + np.eye(diagonal.shape[-1])) * diagonal[:, None, :]

    def shaped(self, coefficients: np.ndarray, n_rows: int) -> np.ndarray:
        return coefficients.reshape(*coefficients.shape[:-1], n_rows, *self.whitening.shape)

    def stretch_means(self, means: np.ndarray, root: np.ndarray, factor: np.ndarray) -> np.ndarray:
        return root[:, None] * (means[..., None, :] @ factor)[..., 0, :]

    def shrink_means(self, means: np.ndarray, root: np.ndarray, factor: np.ndarray) -> np.ndarray:
        return TRIANGULAR.unwhiten(factor, means / root[:, None])

    def stretch(self, coefficients: np.ndarray, share: np.ndarray, factor: np.ndarray) -> list[np.ndarray]:
        scaled = coefficients * TRIANGULAR.diagonal(factor)[:, None, :]
        return [np.sqrt(0.5) * share[..., None] * (invert_triangular(factor) @ scaled)]

    def shrink(self, coefficients: np.ndarray, share: np.ndarray, factor: np.ndarray) -> list[np.ndarray]:
        diagonal = TRIANGULAR.diagonal(factor)
        back = factor @ (coefficients * np.sqrt(2.0) / share[..., None]) / diagonal[:, None, :]
        return [np.triu(back, 1)]


@dataclass(frozen=True, eq=False)
class DiagonalFactors:
    """Factors (..., D) or (..., 1), which have no coefficients."""

    whitening: np.ndarray

    @cached_property
    def _unwhitening(self) -> np.ndarray:
        return 1.0 / self.whitening

    def white(self, factor: np.ndarray) -> np.ndarray:
        return factor / self.whitening

    def in_data_units(self, white: np.ndarray) -> np.ndarray:
        return white * self.whitening

    def points(self, white: np.ndarray) -> np.ndarray:
        return white * self._unwhitening

    def parts(self, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return factor, np.zeros(0)

    def joined(self, diagonal: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        return diagonal

    def shaped(self, coefficients: np.ndarray, n_rows: int) -> np.ndarray:
        return coefficients

    def stretch_means(self, means: np.ndarray, root: np.ndarray, factor: np.ndarray) -> np.ndarray:
        return root[:, None] * factor * means

    def shrink_means(self, means: np.ndarray, root: np.ndarray, factor: np.ndarray) -> np.ndarray:
        return means / (root[:, None] * factor)

    def stretch(self, coefficients: np.ndarray, share: np.ndarray, factor: np.ndarray) -> list[np.ndarray]:
        return []

    def shrink(self, coefficients: np.ndarray, share: np.ndarray, factor: np.ndarray) -> list[np.ndarray]:
        return []


FACTORS: dict[Form, Callable[[np.ndarray], ChartFactors]] = {TRIANGULAR: TriangularFactors, DIAGONAL: DiagonalFactors}
