"""Two estimates of one evidence, held against each other."""

from __future__ import annotations

from bayesgmm.criteria.score import Score

ALLOWED = 3.0  # standard errors of the difference: right errors are exceeded by one pair of 370
ROUNDING = 1e-3  # nats, which no verdict depends on: the errors of both may be nearly 0


def reconciled(bridge: Score, chib: Score) -> tuple[Score, Score]:
    """Both scores; where they differ by more than their errors allow, Chib's is shown and not ranked.

    The bridge's stands, with a note: its errors held over seeds wherever they were measured, and Chib's did not.
    """
    if bridge.is_missing or chib.is_missing:
        return bridge, chib
    apart, se = chib.minus(bridge)
    if abs(apart) <= max(ALLOWED * se, ROUNDING):
        return bridge, chib
    gap = f"{abs(apart):.2f} nats {'above' if apart > 0 else 'below'}"
    return (
        bridge.noted(f"log_evidence_chib is {gap} it, more than both errors allow: raise draws"),
        chib.barred(f"it is {gap} log_evidence_bridge, more than both errors allow ({se:.2f} nats), so not ranked"),
    )
