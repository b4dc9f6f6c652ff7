"""`Rows`: checked data in memory with what is known of each row, and the passes over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from bayesgmm.core import density
from bayesgmm.core.facts import NO_FACTS, RowFacts, groups_of, of_weights
from bayesgmm.core.forms import DIAGONAL, TRIANGULAR, Form
from bayesgmm.core.params import ComponentScores
from bayesgmm.core.spread import moments
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.sweep import Assign, sweep
from bayesgmm.data import DataMatrix, as_matrix, data_hash
from bayesgmm.data.matrix import hash_of
from bayesgmm.errors import NotApplicableError
from bayesgmm.rows.classes import Classes
from bayesgmm.rows.naming import named_groups

LARGEST_COPIES = 2**33  # bytes


@dataclass(frozen=True, eq=False)
class Rows(DataMatrix):
    """Checked data and what is known of their rows.

    Parameters
    ----------
    values, feature_names, is_named
        As of `DataMatrix`.
    facts : RowFacts
        Weights, classes and offsets of the rows.
    classes : Classes or None
        What the classes are, where rows have labels.
    """

    facts: RowFacts = NO_FACTS
    classes: Classes | None = None

    @classmethod
    def of(cls, data: DataMatrix, facts: RowFacts = NO_FACTS, classes: Classes | None = None) -> Rows:
        """Data, with what is known of them where that is given."""
        if isinstance(data, Rows) and facts is NO_FACTS:
            return data
        return cls(data.values, data.feature_names, data.is_named, facts, classes)

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def n_obs(self) -> float:
        """The number of points: of rows, or the sum of their weights."""
        return float(self.facts.weights.sum()) if len(self.facts.weights) else float(len(self))

    @property
    def mean_weight(self) -> float:
        """What one row counts on average."""
        return self.n_obs / len(self)

    @cached_property
    def is_whole(self) -> bool:
        """Whether every weight is a whole number, so that each row stands for so many equal points."""
        weights = self.facts.weights
        return bool((weights == np.round(weights)).all())

    def total(self, values: np.ndarray) -> float:
        """The sum over points of one value a row."""
        weights = self.facts.weights
        return float((values * weights if len(weights) else values).sum())  # not by BLAS, whose bits depend on threads

    def moments(self, form: Form) -> tuple[np.ndarray, np.ndarray]:
        """Column means (D,) and covariance (D, D), or variances (D,); measured once.

        The divisor is that of the points less one, or less the weight of one row where rows weigh less than a point.
        """
        center, spread = self._variances if form is DIAGONAL else self._covariance
        return center.copy(), spread.copy()

    @cached_property
    def _variances(self) -> tuple[np.ndarray, np.ndarray]:
        return moments(self.values, DIAGONAL, self._weights_alone)

    @cached_property
    def _covariance(self) -> tuple[np.ndarray, np.ndarray]:
        return moments(self.values, TRIANGULAR, self._weights_alone)

    @property
    def _weights_alone(self) -> RowFacts:
        return of_weights(self.facts.weights)

    @property
    def is_restricted(self) -> bool:
        """Whether anything is known of some row's component."""
        return bool(len(self.facts.classes) or len(self.facts.offsets))

    def unrestricted(self) -> Rows:
        """The same rows and weights, of whose components nothing is known."""
        return replace(self, facts=self._weights_alone, classes=None) if self.is_restricted else self

    def groups(self, n_components: int) -> np.ndarray:
        """(K,) a number for each component; of one number are those that nothing known of the rows tells apart."""
        return groups_of(self.facts, n_components)

    def named_groups(self, n_components: int) -> np.ndarray:
        """The same, with those in one group that what is known of the rows hardly tells apart."""
        return named_groups(self.facts, n_components)

    def digest(self) -> str:
        """SHA-256 (hex) of the values, and of what is known of the rows where anything is."""
        return digest_of(data_hash(self.values), self.facts, self.classes)

    def sweep(
        self, scores: ComponentScores, assign: Assign = Assign.SOFT, rng: np.random.Generator | None = None
    ) -> SufficientStatistics:
        """Score every row, assign it, and add up the moments: see `core.sweep`."""
        return sweep(self.values, scores, assign, self.facts, rng)

    def log_joint(self, scores: ComponentScores) -> np.ndarray:
        """(n, K) component scores of every row."""
        return density.log_joint(scores, self.values, self.facts)

    def log_sums(self, scores: ComponentScores) -> np.ndarray:
        """(n,) log-sum-exp of every row's scores, not weighted."""
        return density.log_sums(scores, self.values, self.facts)

    def responsibilities(self, scores: ComponentScores) -> np.ndarray:
        """(n, K) softmax of every row's scores."""
        return density.responsibilities(scores, self.values, self.facts)

    def subset(self, index: np.ndarray | slice) -> Rows:
        """Some of the rows, in this order."""
        weights, classes, allowed, offsets = self.facts
        weights, classes, offsets = (_taken(a, index) if len(a) else a for a in (weights, classes, offsets))
        values, facts = _taken(self.values, index), RowFacts(weights, classes, allowed, offsets)
        return Rows(values, self.feature_names, self.is_named, facts, self.classes)

    def blocks(self, n_rows: int) -> Iterator[Rows]:
        """All rows in order, so many at a time."""
        return (self.subset(slice(start, start + n_rows)) for start in range(0, len(self), n_rows))

    def held(self) -> Rows:
        """Without the rows of weight zero, which are absent."""
        weights = self.facts.weights
        return self.subset(np.flatnonzero(weights)) if len(weights) and not weights.all() else self

    def copies(self) -> Rows:
        """Every row as often as its weight says, which must be a whole number.

        Raises
        ------
        NotApplicableError
            There would be more than `LARGEST_COPIES` bytes of them.
        """
        weights = self.facts.weights
        if not len(weights):
            return self
        n_bytes = self.n_obs * self.values.shape[1] * self.values.itemsize
        if n_bytes > LARGEST_COPIES:
            raise NotApplicableError(
                f"the weights of the rows stand for {self.n_obs:.3g} points, each of which has to be looked at here, "
                f"and they would take {n_bytes / 2**30:.0f} GiB: use EM, MAP, VB or NUTS, with AIC, BIC or the ELBO."
            )
        repeated = self.subset(np.repeat(np.arange(len(self)), weights.astype(int)))
        return replace(repeated, facts=repeated.facts._replace(weights=NO_FACTS.weights))

    def shared(self, shares: np.ndarray) -> Rows:
        """The same rows with a part of each, (n,), and free of their classes and offsets."""
        weights = shares * self.facts.weights if len(self.facts.weights) else shares
        return replace(self, facts=of_weights(weights), classes=None)


def digest_of(whole: str, facts: RowFacts, classes: Classes | None) -> str:
    """The hash of the values with what is known of the rows; the same whatever number of components a class has."""
    offsets = facts.offsets if classes is None else classes.shares_or_offsets(facts.offsets)
    known = [array for array in (facts.weights, facts.classes, offsets) if array.size]
    return hash_of(whole, *known) if known else whole


def as_rows(X: Any, facts: RowFacts = NO_FACTS) -> Rows:
    """Data, checked by `as_matrix`, with what is known of their rows."""
    return Rows.of(as_matrix(X), facts)


def _taken(array: np.ndarray, index: np.ndarray | slice) -> np.ndarray:
    """Some rows of an array; with a mode, `take` does not check each index, which would double its time."""
    return array[index] if isinstance(index, slice) else np.take(array, index, 0, mode="clip")
