"""`Row`: what a row of a comparison is about, and how its model is called beside the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bayesgmm.result.status import Status

BASELINE = "k-means"
NO_COVARIANCE = "-"  # of a row that is no mixture, or of which that is not known


@dataclass(frozen=True)
class Row:
    """What a row of the table is about.

    A model whose number of components is unknown has its own label as `model`, as `n_components` the most that it can
    have, and in `n_occupied` how many hold points with the largest posterior probability, where that is known.  What is
    no mixture has `n_components` 0.  `fewest` is the least number of components that the data can have: known
    classes ask for one each.
    """

    method: str
    n_components: int
    covariance: str
    n_parameters: float
    seconds: float
    status: Status
    model: str = ""
    n_occupied: int | None = None
    fewest: int = 1

    @property
    def label(self) -> str:
        """What it is called where models are compared."""
        return self.model or f"K={self.n_components}"

    @property
    def size(self) -> int:
        """The number of components where rows are put in order."""
        return self.n_components if self.n_occupied is None else self.n_occupied

    @property
    def is_full(self) -> bool:
        """Whether a model with an unknown number of components has most probably as many as it may."""
        return self.n_occupied is not None and self.n_occupied == self.n_components > 1

    @property
    def is_baseline(self) -> bool:
        """Whether it is k-means, which is no model of the data."""
        return self.method == BASELINE

    def facts(self) -> dict[str, Any]:
        """Flat columns of the table."""
        names = ("method", "n_components", "covariance", "n_parameters", "seconds")
        facts = {name: getattr(self, name) for name in names} | {"status": self.status.sentence}
        return facts | {"model": self.label, "n_occupied": float("nan") if self.n_occupied is None else self.n_occupied}


def model_names(rows: Mapping[str, Row]) -> dict[str, str]:
    """What the model of each fit is called: with its covariance where the fits have several."""
    fitted = {name: row for name, row in rows.items() if not row.is_baseline}
    has_several = len({row.covariance for row in fitted.values()} - {NO_COVARIANCE}) > 1
    return {
        name: f"{row.label} {row.covariance}" if has_several and row.covariance != NO_COVARIANCE else row.label
        for name, row in fitted.items()
    }
