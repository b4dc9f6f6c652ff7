"""How the columns of one covariance relate: correlated, each with a variance of its own, or all with the same one.

That decides the transformation group of a covariance structure, the spread of the data within it, and of what the
Wishart matrices of its law are about.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from bayesgmm.core.forms import DIAGONAL, TRIANGULAR, Form
from bayesgmm.core.matrices import is_regular


class Columns(Protocol):
    """What depends on how columns relate; n is their number.

    Attributes
    ----------
    form : Form
    have_ranges : bool
        Whether the range of each column moves with the data under every map of the group.
    """

    form: Form
    have_ranges: bool

    def n_kept(self, n: int) -> int:
        """Columns of the compact array."""
        ...

    def n_together(self, n: int) -> int:
        """Columns whose spread one Wishart matrix says."""
        ...

    def residuals_per_point(self, n: int) -> int:
        """How many scalar (or D-vector) residuals of a point inform one Wishart matrix."""
        ...

    def scale_shape(self, n: int) -> tuple[int, ...]:
        """Shape of the scale of a prior, as it is given and shown."""
        ...

    def pool(self, moments: np.ndarray) -> np.ndarray:
        """Sums over the columns that have one variance."""
        ...

    def typical(self, spread: np.ndarray) -> np.ndarray:
        """The one entry of a compact array that says the spread of the data."""
        ...

    def within_group(self, spread: np.ndarray) -> np.ndarray:
        """The spread that is nearest to one of the data within the group."""
        ...

    def is_singular(self, spread: np.ndarray) -> bool:
        """Whether the data's spread has no inverse within the group."""
        ...

    def are_enough(self, n_rows: int, n: int) -> bool:
        """Whether the number of rows alone lets the spread have an inverse."""
        ...


class Correlated:
    """A whole matrix; affine maps."""

    form = TRIANGULAR
    have_ranges = False

    def n_kept(self, n: int) -> int:
        return n

    def n_together(self, n: int) -> int:
        return n

    def residuals_per_point(self, n: int) -> int:
        return 1

    def scale_shape(self, n: int) -> tuple[int, ...]:
        return (n, n)

    def pool(self, moments: np.ndarray) -> np.ndarray:
        return moments

    def typical(self, spread: np.ndarray) -> np.ndarray:
        return spread

    def within_group(self, spread: np.ndarray) -> np.ndarray:
        return spread

    def is_singular(self, spread: np.ndarray) -> bool:
        # Exactly dependent columns leave rounding only, some eps per column; 1e-13 is a thousand times that.
        return not is_regular(spread, 1e-13 * len(spread))

    def are_enough(self, n_rows: int, n: int) -> bool:
        return n_rows > n


class Separate:
    """Every column its own variance; a scale and a shift of each."""

    form = DIAGONAL
    have_ranges = True

    def n_kept(self, n: int) -> int:
        return n

    def n_together(self, n: int) -> int:
        return 1

    def residuals_per_point(self, n: int) -> int:
        return 1

    def scale_shape(self, n: int) -> tuple[int, ...]:
        return (n,)

    def pool(self, moments: np.ndarray) -> np.ndarray:
        return moments

    def typical(self, spread: np.ndarray) -> np.ndarray:
        return spread

    def within_group(self, spread: np.ndarray) -> np.ndarray:
        return spread

    def is_singular(self, spread: np.ndarray) -> bool:
        return not (spread > 0).all()

    def are_enough(self, n_rows: int, n: int) -> bool:
        return True


class Alike:
    """One variance for all columns; a scale, a rotation and a shift."""

    form = DIAGONAL
    have_ranges = False

    def n_kept(self, n: int) -> int:
        return 1

    def n_together(self, n: int) -> int:
        return n

    def residuals_per_point(self, n: int) -> int:
        return n

    def scale_shape(self, n: int) -> tuple[int, ...]:
        return ()

    def pool(self, moments: np.ndarray) -> np.ndarray:
        return moments.sum(-1, keepdims=True)

    def typical(self, spread: np.ndarray) -> np.ndarray:
        return spread.mean(-1, keepdims=True)

    def within_group(self, spread: np.ndarray) -> np.ndarray:
        return np.broadcast_to(spread.mean(-1, keepdims=True), spread.shape)

    def is_singular(self, spread: np.ndarray) -> bool:
        return not spread.mean() > 0

    def are_enough(self, n_rows: int, n: int) -> bool:
        return True


CORRELATED: Columns = Correlated()
SEPARATE: Columns = Separate()
ALIKE: Columns = Alike()
