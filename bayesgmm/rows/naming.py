"""Which components labels and offsets tell apart so clearly that draws do not take the one for the other."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.facts import RowFacts, groups_of

CLEAR = 10.0  # nats: the exchange of two names has a probability of 5e-5 at most where all rows speak against it


def named_groups(facts: RowFacts, n_components: int) -> np.ndarray:
    """As `groups_of`, with those components in one group that labels and offsets hardly tell apart.

    The sum over rows of the differences of two components' offsets bounds the log odds of a naming and its exchange.
    Below `CLEAR` draws may take the one for the other.
    """
    groups, weights = groups_of(facts, n_components), facts.weights
    seen = np.unique(facts.classes[weights > 0] if len(weights) and len(facts.classes) else facts.classes)
    allowed = facts.allowed[seen[seen >= 0]]
    for i in range(n_components):
        for j in range(i):
            if groups[i] != groups[j] and _odds(facts, allowed, i, j) < CLEAR:
                groups[groups == groups[i]] = groups[j]
    return groups


def _odds(facts: RowFacts, allowed: np.ndarray, i: int, j: int) -> float:
    """Sum over rows of the differences of what is added to the scores of two components."""
    if len(allowed) and (allowed[:, i] != allowed[:, j]).any():
        return np.inf
    one, two = (facts.offsets[:, k] if len(facts.offsets) else np.zeros(0) for k in (i, j))
    apart = np.zeros(len(one))
    np.subtract(one, two, out=apart, where=one != two)
    weights = facts.weights if len(facts.weights) and len(apart) else 1.0
    return float((np.where(weights != 0, np.abs(apart), 0.0) * weights).sum())
