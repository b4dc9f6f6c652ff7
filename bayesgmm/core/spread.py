"""The data's own mean and spread."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.facts import NO_FACTS, RowFacts
from bayesgmm.core.forms import Form
from bayesgmm.core.params import ComponentScores
from bayesgmm.core.sweep import sweep


def moments(X: np.ndarray, form: Form, facts: RowFacts = NO_FACTS) -> tuple[np.ndarray, np.ndarray]:
    """Column means (D,) and covariance (D, D), or variances (D,).

    The divisor is n - 1, where n is the sum of the weights; where rows weigh less than 1 on average, n less that mean,
    so that it stays above zero.

    Two sweeps: the second is centred at the means that the first one found.  What leaves the range of float64 is
    infinite or NaN.
    """
    factor = np.zeros((1, *form.shape(X.shape[1])))
    center = np.array(X[:1], float)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(2):
            stats = sweep(X, ComponentScores(np.zeros(1), center, factor), facts=facts)
            center = stats.means()
        one = min(1.0, stats.n_obs / len(X))
        return center[0], stats.scatter()[0] / (stats.n_obs - one if len(X) > 1 else 1.0)
