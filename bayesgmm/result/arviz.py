"""ArviZ's functions of arrays, imported where they are first used, which takes a while."""

from __future__ import annotations

from typing import Any


def array_stats() -> Any:
    """Effective draws, R-hat, standard errors, Pareto smoothing; its own annotations are too narrow for arrays."""
    from arviz_stats.base.array import array_stats

    return array_stats
