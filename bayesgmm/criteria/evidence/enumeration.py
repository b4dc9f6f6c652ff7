"""The exact evidence, as the sum over all labellings; K = 1 has one of them, and so a closed form."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.special import logsumexp

from bayesgmm.core.facts import log_shares, of_labels
from bayesgmm.core.sweep import sweep
from bayesgmm.errors import NotApplicableError
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.rows import Rows

MAX_LABELLINGS = 100_000  # half a minute


def log_sum_over_labellings(rows: Rows, prior: ConjugateMixture) -> float:
    """log p(X) of n points, and of what is known of their components.

    Raises
    ------
    NotApplicableError
        There are more than `MAX_LABELLINGS` labellings, K to the power of n.
    """
    n, k = len(rows), prior.components.n_components
    known = log_shares(rows.facts, n, k)
    possible = [np.flatnonzero(row > -np.inf) for row in known]
    if sum(np.log(len(labels)) for labels in possible) > np.log(MAX_LABELLINGS):
        raise NotApplicableError(
            f"{n} points have more labellings than the {MAX_LABELLINGS} that can be enumerated: use method='bridge'."
        )
    scores = prior.expected_scores()  # whose means are where the moments are centred

    def log_term(labels: np.ndarray) -> float:
        stats = sweep(rows.values, scores, facts=of_labels(labels, k))
        return prior.log_marginal(stats) + float(known[np.arange(n), labels].sum())

    return float(logsumexp([log_term(np.array(labels)) for labels in product(*possible)]))
