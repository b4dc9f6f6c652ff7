"""How several fits are stacked: their models, and the method that refits them and keeps their weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bayesgmm.checks import as_seed
from bayesgmm.core.facts import NO_FACTS
from bayesgmm.errors import NotApplicableError
from bayesgmm.models import Model
from bayesgmm.result.diagnostics import OptimiserDiagnostics, Restart
from bayesgmm.result.estimates import NoEstimate
from bayesgmm.result.fit import Fit, fit_once
from bayesgmm.result.method import MethodResult, Progress
from bayesgmm.result.provenance import provenance
from bayesgmm.result.stacked import StackedEstimate
from bayesgmm.result.status import Outcome, Status
from bayesgmm.rows import Rows

BY_BIC = "model averaging"
OF_BIC = (
    "They are approximate posterior probabilities of the models, proportional to exp(-BIC/2) with equal prior "
    "probabilities."
)
OF_PREDICTION = (
    "They were chosen for the prediction of these data and are no posterior probabilities; a score of the stack on the "
    "same data flatters it a little."
)
MEANINGS = {BY_BIC: OF_BIC}  # all other weights are for prediction


@dataclass(frozen=True)
class SeveralStructures:
    """Stands for the covariance structure where the members of a stack have different ones."""

    name: ClassVar[str] = "several"


@dataclass(frozen=True, eq=False)
class StackedModel:
    """The models of the members of a stack.

    Parameters
    ----------
    members : tuple of models
    """

    members: tuple[Model, ...]

    @property
    def n_components(self) -> int:
        """Of the largest member."""
        return max(member.n_components for member in self.members)

    @property
    def covariance(self) -> Any:
        first = self.members[0].covariance
        same = all(member.covariance.name == first.name for member in self.members)
        return first if same else SeveralStructures()

    @property
    def min_points(self) -> int:
        return max(member.min_points for member in self.members)

    @property
    def label(self) -> str:
        """What tables and figures call it."""
        return f"stack of {len(self.members)}"

    @property
    def prior(self) -> StackedModel:
        return self

    def constants(self) -> dict[str, np.ndarray]:
        """None: each member has its own."""
        return {}

    def weight_constants(self) -> dict[str, np.ndarray]:
        return {}

    def n_parameters(self, n_features: int) -> int:
        """Number of free parameters of the mixture of all members."""
        return len(self.members) - 1 + sum(member.n_parameters(n_features) for member in self.members)


@dataclass(frozen=True, eq=False)
class Stacking:
    """How a stack was made; it refits every member and keeps their weights.

    Parameters
    ----------
    weighting : str
        The method of the weights.
    column : str
        The score that they come from.
    names : tuple of str
    methods : tuple of methods
        Of the members.
    weights : tuple of float
    """

    weighting: str
    column: str
    names: tuple[str, ...]
    methods: tuple[Any, ...]
    weights: tuple[float, ...]

    def run(self, model: Any, data: Rows, rng: np.random.Generator, progress: Progress) -> MethodResult:
        """Fit every member to the data."""
        members = []
        for name, one, method in zip(self.names, model.members, self.methods, strict=True):
            progress(len(members), len(self.names), name)
            member = fit_once(one, data, method, as_seed(rng))
            if member.status.outcome in (Outcome.FAILED, Outcome.INTERRUPTED):
                reason = f"The member {name!r} has no result: {member.status.sentence}"
                status = Status(member.status.outcome, reason)
                return MethodResult(NoEstimate(reason), status, OptimiserDiagnostics((), 0), np.empty(0))
            members.append(member)
        return self.of(tuple(members))

    def of(self, members: tuple[Fit, ...]) -> MethodResult:
        """The stack of fits that are there."""
        named = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(self.names, self.weights, strict=True))
        sentence = f"A stack with the weights {named} ({self.weighting}, by {self.column}). "
        sentence += MEANINGS.get(self.weighting, OF_PREDICTION)
        doubtful = [(name, one) for name, one in zip(self.names, members, strict=True) if not one.status.is_converged]
        sentence += "".join(f" {name}: {one.status.sentence}" for name, one in doubtful)
        status = Status(Outcome.NOT_CONVERGED if doubtful else Outcome.CONVERGED, sentence)
        diagnostics = OptimiserDiagnostics((Restart(float("nan"), 0, not doubtful, ()),), 0)
        estimate = StackedEstimate(self.names, members, np.array(self.weights))
        return MethodResult(estimate, status, diagnostics, np.empty(0))


def stack_of(fits: tuple[Fit, ...], how: Stacking, seed: int) -> Fit:
    """Fits to the same data as one, their weighted mixture.

    Raises
    ------
    NotApplicableError
        Fits have labels or offsets.
    """
    result = how.of(fits)
    if any(one.classes is not None or len(one.facts.offsets) for one in fits):
        raise NotApplicableError(
            "fits with labels or offsets cannot be one fit, since they have these in their likelihoods: ask each of "
            "them, and take weights() for the mean."
        )
    owner = next((one for one in fits if one.X is not None), None)
    X, facts = (None, NO_FACTS) if owner is None else (owner.X, owner.facts)
    model: Any = StackedModel(tuple(one.model for one in fits))
    return Fit(
        model, how, result.estimate, result.status, result.diagnostics,
        result.history, sum(one.seconds for one in fits), seed, X, fits[0].n_obs, fits[0].feature_names,
        provenance(fits[0].provenance["data_sha256"]), facts,
    )  # fmt: skip
