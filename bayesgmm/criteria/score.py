"""`Score`: one number of one fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Score:
    """One criterion of one fit, in nats, higher is better.

    Parameters
    ----------
    kind : str
        One of `COLUMNS`.
    value : float
        NaN where the criterion does not apply; `notes` says why.
    se : float
        Standard error of `value`: 0 where it is computed without error, NaN where it is not known.
    pointwise : (n,) array or None
        Contributions of the points, whose sum is `value`.
    notes : tuple of str
        What a reader of this number must know.
    reliability : (n,) array or None
        Pareto k of PSIS, or the posterior variances of WAIC.
    limit : float
        A point above this in `reliability` makes the score unreliable.
    is_ranked : bool
        False where the number is shown, and must not be compared with others.
    n_recomputed : int or None
        Number of points of `elpd_loo` that were not done by importance sampling from the posterior; None elsewhere.
    bar : str
        Why it is not ranked, which is one of `notes`.
    mc_se : float
        Of a sum over points, the standard error that other random numbers leave with these points; NaN where it is not
        known.  `se` is that of other points.
    """

    kind: str
    value: float
    se: float = np.nan
    pointwise: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    reliability: np.ndarray | None = None
    limit: float = np.inf
    is_ranked: bool = True
    n_recomputed: int | None = None
    bar: str = ""
    mc_se: float = np.nan

    @classmethod
    def summed(cls, kind: str, pointwise: np.ndarray) -> Score:
        """The sum of pointwise values with its standard error ``sqrt(n) sd`` (divisor n - 1).

        Vehtari, Gelman and Gabry (2017), Statistics and Computing 27, 1413-1432, doi:10.1007/s11222-016-9696-4.
        """
        return cls(kind, float(pointwise.sum()), sum_error(pointwise), pointwise)

    @classmethod
    def missing(cls, kind: str, reason: str) -> Score:
        """What stands in the place of a number that there is not."""
        return cls(kind, np.nan, notes=(reason,), is_ranked=False, bar=reason)

    @property
    def is_missing(self) -> bool:
        return bool(np.isnan(self.value))

    @property
    def is_exact(self) -> bool:
        """Whether the value is a number of these data and this fit that no sampling or simulation makes uncertain."""
        return self.se == 0.0

    @property
    def n_unreliable(self) -> int | None:
        """Number of points that make the score unreliable; None where nothing measures that."""
        return None if self.reliability is None else int((self.reliability > self.limit).sum())

    def minus(self, other: Score) -> tuple[float, float]:
        """Difference of two scores of one kind, and its standard error from the paired pointwise differences.

        Errors of scores that are no sums over points are those of independent simulations.
        """
        if self.pointwise is None or other.pointwise is None:
            return self.value - other.value, float(np.hypot(self.se, other.se))
        return self.value - other.value, sum_error(self.pointwise - other.pointwise)

    def barred(self, reason: str) -> Score:
        """The same score, shown and not ranked."""
        return replace(self.noted(reason), is_ranked=False, bar=reason)

    def noted(self, *notes: str) -> Score:
        """The same score with more notes."""
        return replace(self, notes=self.notes + notes)


def sum_error(pointwise: np.ndarray) -> float:
    """Standard error of a sum of n exchangeable values."""
    n = len(pointwise)
    return float(np.sqrt(n) * pointwise.std(ddof=1)) if n > 1 else np.nan
