"""`SufficientStatistics`: what one sweep over the data leaves, additive over any partition of the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesgmm.core.forms import Form, form_of


@dataclass(frozen=True, eq=False)
class SufficientStatistics:
    """Moments of the assigned points, centred at fixed points near the component means.

    Centring keeps float64 exact enough at any offset of the data: raw second moments at an offset of
    1e8 spreads lose every digit.

    Parameters
    ----------
    log_likelihood : float
        Sum over points (times their weights) of the log-sum-exp of the scores under a soft assignment,
        of the largest score under a hard one.
    counts : (K,) array
        N_k, the total responsibility of each component.
    first : (K, D) array
        Sum of ``r_nk (x_n - center_k)``.
    second : (K, D, D) array, or (K, D) array
        Sum of ``r_nk (x_n - center_k)(x_n - center_k)^T``, or its diagonal for diagonal structures.
    center : (K, D) array
        The points the moments are centred at.
    n_obs : float
        Number of points, or the sum of the point weights.
    """

    log_likelihood: float
    counts: np.ndarray
    first: np.ndarray
    second: np.ndarray
    center: np.ndarray
    n_obs: float

    @property
    def form(self) -> Form:
        """Whether second moments are whole matrices or diagonals."""
        return form_of(self.second.ndim - 1)

    def __add__(self, other: SufficientStatistics) -> SufficientStatistics:
        """Statistics of two parts of the data, swept with the same scores."""
        if not np.array_equal(self.center, other.center):
            other = other.recentred(self.center)
        return SufficientStatistics(
            self.log_likelihood + other.log_likelihood,
            self.counts + other.counts,
            self.first + other.first,
            self.second + other.second,
            self.center,
            self.n_obs + other.n_obs,
        )

    def scaled(self, factor: float) -> SufficientStatistics:
        """As if every point had `factor` times its weight (a batch that stands for the whole)."""
        return SufficientStatistics(
            self.log_likelihood * factor,
            self.counts * factor,
            self.first * factor,
            self.second * factor,
            self.center,
            self.n_obs * factor,
        )

    def recentred(self, center: np.ndarray) -> SufficientStatistics:
        """The same moments about other points: exact algebra, so keep `center` near the means."""
        shift = self.center - center
        first = self.first + self.counts[:, None] * shift
        second = self.form.recentred(self.second, self.counts, self.first, shift)
        return SufficientStatistics(self.log_likelihood, self.counts, first, second, center, self.n_obs)

    def permuted(self, order: np.ndarray) -> SufficientStatistics:
        """The same statistics with the components in `order`."""
        arrays = (self.counts[order], self.first[order], self.second[order], self.center[order])
        return SufficientStatistics(self.log_likelihood, *arrays, self.n_obs)

    def padded(self, n_components: int) -> SufficientStatistics:
        """The same statistics with further components, which hold nothing, up to `n_components`."""
        more = n_components - len(self.counts)
        counts, first, second, center = (
            np.concatenate([value, np.zeros((more, *value.shape[1:]))])
            for value in (self.counts, self.first, self.second, self.center)
        )
        return SufficientStatistics(self.log_likelihood, counts, first, second, center, self.n_obs)

    def means(self) -> np.ndarray:
        """(K, D) weighted means; the centre where a component holds nothing."""
        return self.center + self.first / _positive(self.counts)[:, None]

    def scatter(self) -> np.ndarray:
        """Second moments about the weighted means, (K, D, D) or (K, D)."""
        return self.form.scatter(self.second, _positive(self.counts), self.first)


def _positive(counts: np.ndarray) -> np.ndarray:
    return np.where(counts > 0, counts, 1.0)
