"""Pareto smoothing of importance ratios, as ArviZ does it, and how far to trust it."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from bayesgmm.result.arviz import array_stats

ALIKE = 1e-9  # nats: ratios that differ by rounding alone have no tail


def smoothed(log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
    """(S,) log weights that are normalised, and their Pareto k.

    Vehtari, Simpson, Gelman, Yao and Gabry (2024), Journal of Machine Learning Research 25(72), 1-58.
    """
    if np.ptp(np.sort(log_ratio)[-tail_length(len(log_ratio)) :]) < ALIKE:  # nothing to smooth
        return log_softmax(log_ratio), -np.inf
    log_weights, pareto_k = array_stats().psislw(-log_ratio)  # it is made for log likelihoods, and turns their sign
    return np.asarray(log_weights), float(pareto_k)


def tail_length(n_draws: int, relative_efficiency: float = 1.0) -> int:
    """Number of the largest ratios that are smoothed: appendix H of the same."""
    return int(np.ceil(min(0.2 * n_draws, 3.0 * np.sqrt(n_draws / relative_efficiency))))


def pareto_k_limit(n_draws: int) -> float:
    """Largest Pareto k at which the importance sampling estimate of `n_draws` draws is reliable."""
    return min(1.0 - 1.0 / np.log10(n_draws), 0.7) if n_draws > 1 else 0.0
