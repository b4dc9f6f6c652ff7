"""What a model and a method can take of what is known of rows, checked once before any work."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.facts import RowFacts, log_shares, rows_of
from bayesgmm.errors import NotApplicableError
from bayesgmm.models import GaussianMixture, Model
from bayesgmm.result.method import Method

BLOCK_ROWS = 2**16


def check_facts(model: Model, method: Method, facts: RowFacts) -> None:
    """Raise a NotApplicableError where the model or the method has no use for weights, labels or offsets as they are.

    A method says in its attribute ``needs_whole_weights`` that it looks at points one by one, and in
    ``needs_rows_everywhere`` that without a prior it says nothing of a component of no row.
    """
    if getattr(method, "needs_whole_weights", False):
        _check_whole(method, facts)
    if not (len(facts.classes) or len(facts.offsets)):
        return
    if not isinstance(model, GaussianMixture):
        raise NotApplicableError(
            f"labels and offsets need components that keep their numbers, and a {type(model).__name__} gives its "
            "components new ones: use a GaussianMixture, whose n_components may be larger than the number of classes."
        )
    if getattr(method, "needs_rows_everywhere", False):
        _check_reached(facts, model.n_components)


def _check_whole(method: Method, facts: RowFacts) -> None:
    fractions = np.flatnonzero(facts.weights != np.round(facts.weights))
    if len(fractions):
        first = int(fractions[0])
        raise NotApplicableError(
            f"{type(method).__name__} draws a label for each copy of a row, so that weights must be whole numbers, and "
            f"sample_weight is {facts.weights[first]:g} in row {first} (counted from 0): use VB or NUTS, which take "
            "any weights, or whole numbers."
        )


def _check_reached(facts: RowFacts, n_components: int) -> None:
    """Raise where labels and offsets keep every row that has a weight out of a component."""
    reached, n_rows = np.zeros(n_components, bool), max(len(facts.classes), len(facts.offsets))
    for start in range(0, n_rows, BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, n_rows))
        known = log_shares(rows_of(facts, rows), rows.stop - start, n_components) > -np.inf
        reached |= known[facts.weights[rows] > 0.0].any(0) if len(facts.weights) else known.any(0)
    if not reached.all():
        k = int(np.flatnonzero(~reached)[0])
        raise NotApplicableError(
            f"no row can be of component {k}, by its labels or offsets, so that maximum likelihood says nothing of it: "
            f"lower n_components={n_components}, or use MAP, VB, Gibbs or NUTS, whose prior speaks of it."
        )
