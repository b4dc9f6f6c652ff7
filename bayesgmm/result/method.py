"""What a method is to a `Fit`: something that runs, reports how far it is, and may go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from bayesgmm.models import Model
from bayesgmm.result.approximation import ApproximationDiagnostics
from bayesgmm.result.checkpoint import Checkpoint
from bayesgmm.result.diagnostics import OptimiserDiagnostics, SamplerDiagnostics, StreamDiagnostics
from bayesgmm.result.estimates import Estimate
from bayesgmm.result.status import Status
from bayesgmm.rows import Rows

if TYPE_CHECKING:
    from bayesgmm.result.fit import Fit

Diagnostics = OptimiserDiagnostics | SamplerDiagnostics | StreamDiagnostics | ApproximationDiagnostics
Progress = Callable[[int, int, str], None]
"""``progress(done, total, note)``: called by a running method, as often as it likes."""


def silent(done: int, total: int, note: str) -> None:
    """The progress that shows nothing."""


@dataclass(frozen=True, eq=False)
class MethodResult:
    """What a method's ``run`` returns."""

    estimate: Estimate
    status: Status
    diagnostics: Diagnostics
    history: np.ndarray


class Method(Protocol):
    """A method: a frozen dataclass of options that can run a resolved model on checked data."""

    def run(self, model: Any, data: Any, rng: np.random.Generator, progress: Progress) -> MethodResult:
        """Run on a model that it can fit and a `Rows`; a method that has `resume`, also on a `DataSource`."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """A method that runs Markov chains, which can be written down as they go and can go on."""

    @property
    def draws(self) -> int | None:
        """Kept of each chain; None for as many as are enough."""
        ...

    @property
    def tune(self) -> int: ...

    @property
    def chains(self) -> int: ...

    @property
    def has_separate_chains(self) -> bool:
        """Whether each chain can be kept, and run again, by itself, as a checkpoint asks."""
        ...

    def run(
        self,
        model: Model,
        data: Rows,
        rng: np.random.Generator,
        progress: Progress,
        checkpoint: Checkpoint | None = None,
    ) -> MethodResult:
        """Run; what the checkpoint has is not made again."""
        ...

    def extend(self, fit: Fit, draws: int | None, data: Rows, progress: Progress) -> MethodResult:
        """The draws of a fit and `draws` more of each chain, or as many as are enough."""
        ...

    def as_fixed(self, fit: Fit) -> Sampler:
        """The method with the number of draws that a fit of it has."""
        ...
