"""The Bartlett factors of a mixture's precisions, in either form of their arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bayesgmm.core.forms import DIAGONAL, TRIANGULAR, Form
from bayesgmm.core.matrices import invert_triangular


class BartlettFactors(Protocol):
    """What `Bartlett` asks of its factors; A stands for their compact array, whose diagonals are (R, C)."""

    @property
    def n_upper(self) -> int:
        """Entries above the diagonals of all factors."""
        ...

    def filled(self, diagonal: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """A with the diagonals (..., R, C) and what is above them, (..., n_upper)."""
        ...

    def in_data_units(self, bartlett: np.ndarray) -> np.ndarray:
        """Compact precision factors."""
        ...

    def points(self, standardized: np.ndarray) -> np.ndarray:
        """``W^-T z`` of rows z."""
        ...

    def of_compact(self, factor: np.ndarray) -> np.ndarray:
        """A of compact precision factors in data units."""
        ...

    def parts(self, bartlett: np.ndarray) -> dict[str, np.ndarray]:
        """The free variables of A."""
        ...

    def scale_root_diagonal(self) -> np.ndarray:
        """Diagonal of ``C^-T`` in data units, of the first component: `root` without the whitening."""
        ...

    def scale_of_ratio(self, ratio: np.ndarray) -> np.ndarray:
        """A scale in data units, of the factor of its ratio to its expectation."""
        ...


@dataclass(frozen=True, eq=False)
class TriangularFactors:
    """(R, D, D) upper triangular matrices.

    Parameters
    ----------
    whitening : (D, D) array
    root : (R, D, D) array
        Whitened precision factors are ``root @ A``.
    """

    whitening: np.ndarray
    root: np.ndarray

    @property
    def n_upper(self) -> int:
        n_features = len(self.whitening)
        return len(self.root) * n_features * (n_features - 1) // 2

    def filled(self, diagonal: np.ndarray, upper: np.ndarray) -> np.ndarray:
        lead, n_rows = diagonal.shape[:-2], len(self.root)
        bartlett, index = np.zeros((*lead, *self.root.shape)), np.arange(len(self.whitening))
        bartlett[..., *np.triu_indices(len(index), 1)] = upper.reshape(*lead, n_rows, self.n_upper // n_rows)
        bartlett[..., index, index] = diagonal
        return bartlett

    def in_data_units(self, bartlett: np.ndarray) -> np.ndarray:
        return self.whitening @ self.root @ bartlett

    def points(self, standardized: np.ndarray) -> np.ndarray:
        return standardized @ invert_triangular(self.whitening)

    def of_compact(self, factor: np.ndarray) -> np.ndarray:
        return invert_triangular(self.whitening @ self.root) @ factor

    def parts(self, bartlett: np.ndarray) -> dict[str, np.ndarray]:
        upper = bartlett[:, *np.triu_indices(len(self.whitening), 1)]
        return {"bartlett_square": TRIANGULAR.diagonal(bartlett) ** 2, "bartlett_upper": upper}

    def scale_root_diagonal(self) -> np.ndarray:
        return np.diag(self.root[0]) * np.diag(self.whitening)

    def scale_of_ratio(self, ratio: np.ndarray) -> np.ndarray:
        half = invert_triangular(self.whitening @ self.root[0]).T @ ratio
        return half @ half.T


@dataclass(frozen=True, eq=False)
class EntryFactors:
    """(R, C) numbers.

    Parameters
    ----------
    whitening : (D,) array
    root : (R, C) array
        Whitened precision factors are ``root * A``.
    """

    whitening: np.ndarray
    root: np.ndarray
    n_upper = 0

    def filled(self, diagonal: np.ndarray, upper: np.ndarray) -> np.ndarray:
        return diagonal

    def in_data_units(self, bartlett: np.ndarray) -> np.ndarray:
        return self.root * bartlett * self.whitening[: self.root.shape[1]]

    def points(self, standardized: np.ndarray) -> np.ndarray:
        return standardized / self.whitening

    def of_compact(self, factor: np.ndarray) -> np.ndarray:
        return factor / self.whitening[: factor.shape[-1]] / self.root

    def parts(self, bartlett: np.ndarray) -> dict[str, np.ndarray]:
        return {"bartlett_square": bartlett**2}

    def scale_root_diagonal(self) -> np.ndarray:
        return self.root[0] * self.whitening[: self.root.shape[1]]

    def scale_of_ratio(self, ratio: np.ndarray) -> np.ndarray:
        return ratio * self.scale_root_diagonal() ** -2


FACTORS: dict[Form, Callable[[np.ndarray, np.ndarray], BartlettFactors]] = {
    TRIANGULAR: TriangularFactors,
    DIAGONAL: EntryFactors,
}
