"""`FitRecord`: what a fit is, and what follows from its data alone; `Fit` adds what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesgmm.core.facts import NO_FACTS, RowFacts
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import DataError, NotApplicableError
from bayesgmm.models import Model
from bayesgmm.result.estimates import Estimate
from bayesgmm.result.method import Diagnostics, Method
from bayesgmm.result.own_data import FRACTIONS
from bayesgmm.result.status import Status
from bayesgmm.rows import Classes, Rows


@dataclass(frozen=True, eq=False)
class FitRecord:
    """The fields of a `Fit`, whose docstring says what they are."""

    model: Model
    method: Method
    estimate: Estimate
    status: Status
    diagnostics: Diagnostics
    history: np.ndarray
    seconds: float
    seed: int
    X: np.ndarray | None
    n_obs: float
    feature_names: tuple[str, ...]
    provenance: dict[str, str]
    facts: RowFacts = NO_FACTS
    classes: Classes | None = None

    @property
    def kind(self) -> str:
        """ "point", "draws", "variational" or "none"."""
        return self.estimate.kind

    @property
    def params(self) -> MixtureParams:
        """The estimate as a mixture: one, with leading (chain, draw) axes for draws."""
        return self.estimate.params

    @property
    def sample_weight(self) -> np.ndarray | None:
        """(n,) weights of the rows of X; None where there are none."""
        return self.facts.weights if len(self.facts.weights) else None

    @property
    def is_restricted(self) -> bool:
        """Whether anything is known of some row's component: its label, or offsets."""
        return bool(len(self.facts.classes) or len(self.facts.offsets))

    @cached_property
    def rows(self) -> Rows:
        """The data as methods read them: the rows of X that have a weight, with what is known of each."""
        if self.X is None:
            raise NotApplicableError("this fit is without its data: refit it on them.")
        return self.whole.held()

    @cached_property
    def points(self) -> np.ndarray:
        """(n_obs, d) X with every row as often as its weight says.

        Raises
        ------
        NotApplicableError
            The fit is without its data, or a weight is no whole number: then rows stand for no number of points.
        """
        return self.point_rows.values

    @cached_property
    def point_rows(self) -> Rows:
        """The same as rows, with what is known of each."""
        if not self.rows.is_whole:
            raise NotApplicableError(FRACTIONS)
        return self.rows.copies()

    def per_point(self, values: np.ndarray) -> np.ndarray:
        """One value for each row of X, as often as the row's weight says; of fractions, for each row that has any."""
        weights = self.sample_weight
        if weights is None:
            return values
        return np.repeat(values, weights.astype(int), axis=0) if self.rows.is_whole else values[weights > 0]

    @property
    def n_parameters(self) -> int:
        """Number of free parameters of the likelihood."""
        return self.model.n_parameters(len(self.feature_names))

    def check_data(self) -> None:
        """Raise a DataError where X is no longer what the fit was made on."""
        if self.X is not None and self.whole.digest() != self.provenance["data_sha256"]:
            raise DataError("X was changed after this fit was made on it: fit again, or pass a copy of X to fit.")

    @property
    def whole(self) -> Rows:
        """All rows of X, also those of weight zero, with what is known of each."""
        assert self.X is not None
        return Rows(self.X, self.feature_names, True, self.facts, self.classes)
