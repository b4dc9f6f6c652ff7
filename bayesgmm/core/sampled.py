"""Sweeps in which each point goes whole to one component; Gibbs has a faster one, which also draws the parameters."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.density import log_joint
from bayesgmm.core.params import ComponentScores
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.sweep import sweep


def sampled_sweep(X: np.ndarray, scores: ComponentScores, rng: np.random.Generator) -> SufficientStatistics:
    """As `sweep`, with components drawn with their responsibilities."""
    joint = log_joint(scores, X)
    top = joint.max(1, keepdims=True)
    cumulative = np.cumsum(np.exp(joint - top), axis=1)
    value = float((top + np.log(cumulative[:, -1:])).sum())
    labels = (rng.random((len(X), 1)) * cumulative[:, -1:] >= cumulative).sum(1)
    return labelled_sweep(X, labels, scores, value)


def labelled_sweep(
    X: np.ndarray, labels: np.ndarray, scores: ComponentScores, log_likelihood: float
) -> SufficientStatistics:
    """The statistics of (n,) labels, centred at the means of `scores`."""
    counts, first, second = (np.zeros_like(v) for v in (scores.log_weight, scores.means, scores.precision_chol))
    for k in range(len(counts)):
        one = ComponentScores(scores.log_weight[[k]], scores.means[[k]], scores.precision_chol[[k]])
        part = sweep(X[labels == k], one)
        counts[k], first[k], second[k] = part.counts[0], part.first[0], part.second[0]
    return SufficientStatistics(log_likelihood, counts, first, second, scores.means, float(len(X)))
