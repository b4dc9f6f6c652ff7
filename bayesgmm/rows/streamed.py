"""`StreamedRows`: rows that are read a stretch at a time, with what is known of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.core.facts import NO_FACTS, RowFacts, rows_of
from bayesgmm.data import DataMatrix, DataSource, data_source
from bayesgmm.rows.classes import Classes
from bayesgmm.rows.memory import Rows, digest_of


@dataclass(frozen=True, eq=False)
class StreamedRows:
    """A source of data and what is known of its rows.

    Parameters
    ----------
    source : DataSource
    facts : RowFacts
        In memory, one for each row of the source.
    classes : Classes or None
        What the classes are, where rows have labels.
    """

    source: DataSource
    facts: RowFacts = NO_FACTS
    classes: Classes | None = None

    @classmethod
    def of(cls, data: Any) -> StreamedRows:
        """What `data_source` takes, or rows in memory, or these themselves."""
        if isinstance(data, StreamedRows):
            return data
        if isinstance(data, Rows):
            return cls(data_source(data), data.facts, data.classes)
        return cls(data_source(data))

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.source.feature_names

    @property
    def values(self) -> np.ndarray | None:
        return self.source.values

    @property
    def is_repeatable(self) -> bool:
        return self.source.is_repeatable

    @property
    def n_rows(self) -> int | None:
        """None where only reading to the end can tell."""
        return self.source.n_obs

    @property
    def mean_weight(self) -> float:
        """What one row counts on average."""
        return float(self.facts.weights.mean()) if len(self.facts.weights) else 1.0

    @property
    def n_obs(self) -> float | None:
        """The number of points: of rows, or the sum of their weights."""
        return None if self.n_rows is None else self.n_rows * self.mean_weight

    def digest(self) -> str:
        """As that of the source, and of what is known of the rows where anything is."""
        return digest_of(self.source.digest(), self.facts, self.classes)

    def held(self) -> StreamedRows:
        """Without the rows of weight zero, where the data are in memory; elsewhere they are read and count nothing."""
        if self.values is None or not len(self.facts.weights):
            return self
        whole = Rows(self.values, self.feature_names, self.source.is_named, self.facts, self.classes)
        return StreamedRows.of(whole.held())

    def first(self, n_rows: int) -> Rows:
        """The first rows."""
        return self._with_facts(self.source.first(n_rows), 0)

    def stretches(self, n_rows: int) -> Iterator[Rows]:
        """All rows in order, so many at a time."""
        begin = 0
        for values in self.source.stretches(n_rows):
            yield self._with_facts(DataMatrix(values, self.feature_names), begin)
            begin += len(values)

    def _with_facts(self, data: DataMatrix, begin: int) -> Rows:
        part = slice(begin, begin + len(data.values))
        return Rows.of(data, rows_of(self.facts, part), self.classes)
