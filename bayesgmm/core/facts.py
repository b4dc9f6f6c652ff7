"""What is known of a row beside its values, as the compiled sweep takes it: its weight, its label, its offsets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayesgmm.core.kernels.compilation import array_type, inline, inner, tuple_type


class RowFacts(NamedTuple):
    """One entry per row, or empty arrays where nothing of the kind is known.

    A row of class c takes part in the components whose ``allowed[c]`` is zero and in no other: ``allowed`` is added to
    its scores and is -inf there.  So its log-sum-exp is log p(x, class), and that of a row of no class is log p(x).
    """

    weights: np.ndarray  # (n,) or (0,); a weight of 2 counts as the row twice
    classes: np.ndarray  # (n,) or (0,), -1 for a row of no class
    allowed: np.ndarray  # (C, K)
    offsets: np.ndarray  # (n, K) or (0, 0), added to the scores


NO_FACTS = RowFacts(np.empty(0), np.empty(0, np.int64), np.empty((0, 0)), np.empty((0, 0)))
FACTS_TYPE = tuple_type(array_type(float, 1), array_type(np.int64, 1), *[array_type(float, 2)] * 2)


def of_weights(weights: np.ndarray) -> RowFacts:
    """Every row counts as often as its weight says."""
    return NO_FACTS._replace(weights=np.require(weights, float, ["C", "W"]))


def of_labels(labels: np.ndarray, n_components: int) -> RowFacts:
    """Every row belongs to the component that its label names."""
    allowed = np.where(np.eye(n_components, dtype=bool), 0.0, -np.inf)
    return NO_FACTS._replace(classes=np.ascontiguousarray(labels, np.int64), allowed=allowed)


def log_shares(facts: RowFacts, n_rows: int, n_components: int) -> np.ndarray:
    """(n, K) what is added to the scores of each row."""
    logs = np.zeros((n_rows, n_components))
    if len(facts.classes):
        logs += np.where((facts.classes >= 0)[:, None], facts.allowed[facts.classes], 0.0)
    return logs + facts.offsets if len(facts.offsets) else logs


def rows_of(facts: RowFacts, rows: slice) -> RowFacts:
    """The facts of some of the rows."""
    return RowFacts(facts.weights[rows], facts.classes[rows], facts.allowed, facts.offsets[rows])


def groups_of(facts: RowFacts, n_components: int) -> np.ndarray:
    """(K,) a number for each component; those that have one number are told apart by nothing that is known of rows."""
    known = np.concatenate([facts.allowed.reshape(-1, n_components), facts.offsets.reshape(-1, n_components)])
    if not len(known):
        return np.zeros(n_components, np.int64)
    return np.unique(known, axis=1, return_inverse=True)[1].ravel()


@inner
def are_alike(facts, one, two):
    """Whether two components are of one group, in compiled code."""
    for c in range(len(facts.allowed)):
        if facts.allowed[c, one] != facts.allowed[c, two]:
            return False
    for i in range(len(facts.offsets)):
        if facts.offsets[i, one] != facts.offsets[i, two]:
            return False
    return True


@inner
def no_facts():
    """The same in compiled code."""
    return RowFacts(np.empty(0), np.empty(0, np.int64), np.empty((0, 0)), np.empty((0, 0)))


@inline
def restrict_block(facts, start, stop, scores):
    """Add to the scores of the rows start:stop their offsets, and what their classes allow."""
    if len(facts.offsets) > 0:
        for k in range(len(scores)):
            for i in range(stop - start):
                scores[k, i] += facts.offsets[start + i, k]
    if len(facts.classes) > 0:
        for i in range(stop - start):
            c = facts.classes[start + i]
            if c >= 0:
                for k in range(len(scores)):
                    scores[k, i] += facts.allowed[c, k]


@inline
def load_weights(facts, start, stop, weights):
    """The weights of the rows start:stop, where rows have any; elsewhere they stay what they are, ones."""
    if len(facts.weights) > 0:
        for i in range(stop - start):
            weights[i] = facts.weights[start + i]
