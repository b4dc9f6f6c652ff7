"""What every family of components must say, and what it may be able to do besides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np

from bayesgmm.core.forms import Form
from bayesgmm.core.params import MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.errors import NotApplicableError
from bayesgmm.families.compact import Compact

Capability = Literal["conjugate", "coordinates"]
NEEDS: dict[Capability, str] = {
    "conjugate": "a prior that is conjugate given the labels",
    "coordinates": "unconstrained coordinates of its prior",
}


@dataclass(frozen=True, eq=False)
class Frame:
    """What M steps and starts measure in.

    Parameters
    ----------
    whitening : (D, D) or (D,) array
        Precision factor of the data's spread within the family's own group of transformations.
    floor : float
        Lower bound of the whitened eigenvalues of covariances.
    """

    whitening: np.ndarray
    floor: float


class Family(Protocol):
    """What a component is.

    Attributes
    ----------
    name : str
        Short name accepted by ``covariance=``.
    form : Form
        Of the arrays of moments and factors: what the kernels must know.
    conjugate : Compact or None
        The pieces of which `priors` makes the conjugate law of means and covariances, as MAP, VB, Gibbs and the
        evidence need it; None where there is none.
    coordinates : Compact or None
        The pieces of which `ppl` makes unconstrained coordinates, as NUTS, ADVI, Pathfinder and `pymc_model` need them;
        None where nobody has written any.
    """

    name: ClassVar[str]

    @property
    def form(self) -> Form: ...

    @property
    def conjugate(self) -> Compact | None: ...

    @property
    def coordinates(self) -> Compact | None: ...

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Number of free parameters beside weights and means."""
        ...

    def maximise(self, stats: SufficientStatistics, old: MixtureParams | None, frame: Frame) -> MixtureParams:
        """The M step; `old` is where a step that iterates begins, None where there is no such mixture yet."""
        ...


def capability(family: Family, needed: Capability) -> Compact:
    """What an engine needs of a family.

    Raises
    ------
    NotApplicableError
        The family has no such thing.
    """
    found = family.conjugate if needed == "conjugate" else family.coordinates
    if found is None:
        raise NotApplicableError(f"this needs {NEEDS[needed]}, and covariance={family.name!r} has none; EM needs none.")
    return found
