"""`Cell`: one model of a search, and the fit of it or the reason why there is none."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.errors import BayesGMMError, NotApplicableError
from bayesgmm.fitting import fit
from bayesgmm.models import GaussianMixture
from bayesgmm.result.fit import Fit
from bayesgmm.result.method import Method
from bayesgmm.result.status import Outcome
from bayesgmm.rows import Known


@dataclass(frozen=True, eq=False)
class Cell:
    """One model of a search.

    Parameters
    ----------
    n_components : int
    covariance : str
    fit : Fit or None
    reason : str
        Why there is no fit; empty where there is one.
    """

    n_components: int
    covariance: str
    fit: Fit | None
    reason: str = ""

    @property
    def is_usable(self) -> bool:
        return self.fit is not None and self.fit.kind == "point"

    @property
    def is_ranked(self) -> bool:
        """At a suspicious optimum the likelihood can be as high as one likes."""
        return self.fit is not None and self.is_usable and self.fit.status.outcome is not Outcome.COLLAPSED

    @property
    def is_interrupted(self) -> bool:
        return self.fit is not None and self.fit.status.outcome is Outcome.INTERRUPTED

    @property
    def sentence(self) -> str:
        return self.reason if self.fit is None else self.fit.status.sentence

    def value(self, criterion: str) -> float:
        """Its "bic" or "icl" in nats; NaN where there is none."""
        if self.fit is None or not self.is_usable:
            return float("nan")
        try:
            return self.fit.bic() if criterion == "bic" else self.fit.icl()
        except NotApplicableError:  # ICL goes by the values alone, and labels or fractions of points are more
            return float("nan")


def made(data: Any, model: GaussianMixture, method: Method, seed: tuple[int, ...], known: Known) -> Cell:
    """The cell of a model; one that fails says why, and ends nothing."""
    name = model.covariance.name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the status of each cell says what to distrust
            found = fit(
                model, data, method, np.random.default_rng(seed), throw=False, sample_weight=known.sample_weight,
                labels=known.labels, components_of=known.components_of,
            )  # fmt: skip
    except BayesGMMError as error:
        return Cell(model.n_components, name, None, str(error))
    except (ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
        return Cell(model.n_components, name, None, f"{type(error).__name__}: {error}")
    return Cell(model.n_components, name, found)
