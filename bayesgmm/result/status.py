"""How a fit ended, as a value with a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """The ways a fit can end; only a failed one has nothing to show."""

    CONVERGED = "converged"
    NOT_CONVERGED = "not converged"
    COLLAPSED = "collapsed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True)
class Status:
    """An outcome and the sentence that explains it to a person."""

    outcome: Outcome
    sentence: str

    @property
    def is_converged(self) -> bool:
        return self.outcome is Outcome.CONVERGED

    @property
    def is_usable(self) -> bool:
        return self.outcome is not Outcome.FAILED

    def noting(self, remark: str) -> Status:
        """The same outcome, with a further sentence."""
        return Status(self.outcome, f"{self.sentence} {remark}") if remark else self

    def __str__(self) -> str:
        return self.sentence
