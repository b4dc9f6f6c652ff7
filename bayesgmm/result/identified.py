"""Draws whose components are told apart by what is known of the rows, so that their labels cannot switch."""

from __future__ import annotations

from dataclasses import replace

from bayesgmm.core.facts import RowFacts
from bayesgmm.result.approximation import ApproximateDraws
from bayesgmm.result.estimates import Draws, Estimate
from bayesgmm.rows.naming import named_groups


def identified(estimate: Estimate, facts: RowFacts, n_components: int) -> Estimate:
    """The same, which knows whether labels or offsets clearly tell every component from the others."""
    is_identified = n_components > 1 and len(set(named_groups(facts, n_components))) == n_components
    if is_identified and isinstance(estimate, Draws):
        return replace(estimate, is_identified=True)
    if is_identified and isinstance(estimate, ApproximateDraws):
        return replace(estimate, is_aligned=True)
    return estimate
