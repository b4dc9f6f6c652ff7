"""The Monte Carlo error of a sum over points that share their draws."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.special import logsumexp

from bayesgmm.result.arviz import array_stats

PART = 2**18  # numbers at a time: copies of a whole block would take more room than the block


def influence(log_ratios: np.ndarray, sign: int = 1, points: np.ndarray | None = None) -> np.ndarray:
    """(S,) what each draw adds, relative to its mean, to ``sum_i log mean_s ratio_is``.

    The logarithms of the ratios are `sign` times the (S, m) array, of which the sum may take some points only.

    The errors of points add up with their signs, since all points have the same draws: to take them as independent is
    too little where the points move together.  Ratios are truncated at sqrt(S) times their mean, so that their
    variance exists: Ionides (2008), Journal of Computational and Graphical Statistics 17, 295-311,
    doi:10.1198/106186008X320456.
    """
    n_draws, n_points = log_ratios.shape
    chosen = np.arange(n_points) if points is None else points
    total, step = np.zeros(n_draws), max(1, PART // n_draws)
    for start in range(0, len(chosen), step):
        part = sign * log_ratios[:, chosen[start : start + step]]
        part -= logsumexp(part, axis=0) - np.log(n_draws)
        relative = np.exp(np.minimum(part, 0.5 * np.log(n_draws)))
        total += (relative / relative.mean(0)).sum(1)
    return total


def error_of_sum(influences: Iterable[np.ndarray], draw_shape: tuple[int, ...]) -> float:
    """Monte Carlo standard error, in nats, from the (S,) influences of parts of the sum on the same draws."""
    total = np.sum(list(influences), axis=0)
    if np.ptp(total) <= 1e-9 * np.abs(total).max():
        return 0.0  # equal but for rounding
    return float(array_stats().mcse(total.reshape(draw_shape), chain_axis=0, draw_axis=1, method="mean"))
