"""The log evidence log p(X): the variational lower bound.  (-BIC/2, of the same estimand, is in `information`.)"""

from __future__ import annotations

import numpy as np

from bayesgmm.criteria.score import Score
from bayesgmm.result.fit import Fit


def elbo(fit: Fit, X: np.ndarray) -> Score:
    """The evidence lower bound of a variational fit.

    Raises
    ------
    NotApplicableError
        The fit is not variational.
    """
    return Score("elbo", fit.elbo)
