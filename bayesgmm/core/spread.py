"""The data's own mean and spread."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.forms import Form
from bayesgmm.core.params import ComponentScores
from bayesgmm.core.sweep import sweep


def moments(X: np.ndarray, form: Form) -> tuple[np.ndarray, np.ndarray]:
    """Column means (D,) and covariance (D, D), or variances (D,); divisor n - 1.

    Two sweeps: the second is centred at the means that the first one found.  What leaves the range of float64 is
    infinite or NaN.
    """
    factor = np.zeros((1, *form.shape(X.shape[1])))
    center = np.array(X[:1], float)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(2):
            stats = sweep(X, ComponentScores(np.zeros(1), center, factor))
            center = stats.means()
        return center[0], stats.scatter()[0] / max(len(X) - 1, 1)
