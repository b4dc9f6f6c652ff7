"""The exact evidence, as the sum over all labellings; K = 1 has one of them, and so a closed form."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.special import logsumexp

from bayesgmm.core.facts import of_labels
from bayesgmm.core.sweep import sweep
from bayesgmm.errors import NotApplicableError
from bayesgmm.priors.mixture import ConjugateMixture

MAX_LABELLINGS = 100_000  # half a minute


def log_sum_over_labellings(X: np.ndarray, prior: ConjugateMixture) -> float:
    """log p(X) of (n, d) points.

    Raises
    ------
    NotApplicableError
        There are more than `MAX_LABELLINGS` labellings, K to the power of n.
    """
    n, k = len(X), prior.components.n_components
    if n * np.log(k) > np.log(MAX_LABELLINGS):
        raise NotApplicableError(
            f"{n} points have more labellings than the {MAX_LABELLINGS} that can be enumerated: use method='bridge'."
        )
    scores = prior.expected_scores()  # whose means are where the moments are centred
    labellings = product(range(k), repeat=n)
    return float(
        logsumexp([prior.log_marginal(sweep(X, scores, facts=of_labels(np.array(labels), k))) for labels in labellings])
    )
