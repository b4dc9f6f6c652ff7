"""Several fits as one predictive distribution, their weighted mixture: what it is, and what it cannot answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from bayesgmm.core.combination import log_mixture
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import NotApplicableError

if TYPE_CHECKING:
    import pandas as pd

    from bayesgmm.result.fit import Fit

NO_DRAWS = (
    "a stack of fits is a weighted mixture of their predictive distributions, and no sample of a posterior: it has no "
    "parameters and no draws. It answers log_density and sample; ask its members, fit.estimate.members, for theirs."
)
NO_COMPONENTS = (
    "the components of stacked fits have nothing to do with each other, so there are no responsibilities: ask the "
    "members, fit.estimate.members, for theirs."
)

STUDENT_MEMBERS = (
    "a variational fit in this stack predicts by Student-t components, and others by Gaussian ones, so that the stack "
    "is no mixture of one kind: ask the members, fit.estimate.members, one by one."
)


@dataclass(frozen=True, eq=False)
class StackedEstimate:
    """The weighted mixture of the predictive distributions of some fits.

    Parameters
    ----------
    names : tuple of str
    members : tuple of Fit
    weights : (m,) array
        Positive, of sum one.
    """

    names: tuple[str, ...]
    members: tuple[Fit, ...]
    weights: np.ndarray
    kind: ClassVar[str] = "stacked"

    @property
    def is_aligned(self) -> bool:
        return True

    @property
    def params(self) -> MixtureParams:
        raise NotApplicableError(NO_DRAWS)

    def draws(self) -> MixtureParams:
        raise NotApplicableError(NO_DRAWS)

    def log_density(self, X: np.ndarray) -> np.ndarray:
        by_member = np.stack([member.estimate.log_density(X) for member in self.members])
        return log_mixture(by_member, self.weights)

    def responsibilities(self, X: np.ndarray) -> np.ndarray:
        raise NotApplicableError(NO_COMPONENTS)

    shares = responsibilities

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        chosen = rng.choice(len(self.members), size=n, p=self.weights)
        points = np.empty((n, len(self.members[0].feature_names)))
        for i, member in enumerate(self.members):
            rows = np.flatnonzero(chosen == i)
            points[rows] = member.estimate.sample(len(rows), rng)
        return points

    def law(self) -> MixtureParams:
        every = [member.estimate.law() for member in self.members]
        laws = [one for one in every if isinstance(one, MixtureParams)]
        if len(laws) < len(every):
            raise NotApplicableError(STUDENT_MEMBERS)
        whole = [one.form.whole(one.precision_chol) for one in laws]
        return MixtureParams.trusted(
            np.concatenate([weight * one.weights for weight, one in zip(self.weights, laws, strict=True)]),
            np.concatenate([one.means for one in laws]),
            np.concatenate(whole),
        )

    def table(self) -> pd.DataFrame:
        """One row for each member: its weight and what it is."""
        import pandas as pd

        rows = [
            {"weight": weight, "method": type(member.method).__name__, "model": member.model.label,
             "covariance": member.model.covariance.name, "status": member.status.sentence}
            for weight, member in zip(self.weights, self.members, strict=True)
        ]  # fmt: skip
        return pd.DataFrame(rows, index=pd.Index(self.names, name="fit"))
