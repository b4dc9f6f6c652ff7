"""Weights of fits for prediction, and their weighted mixture as a fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.checks import as_seed, one_of
from bayesgmm.comparison.scored import Scored
from bayesgmm.core.combination import (
    bootstrapped_pseudo_bma_weights,
    pseudo_bma_weights,
    stacking_weights,
)
from bayesgmm.criteria.columns import COLUMNS, PREDICTION
from bayesgmm.errors import ArgumentError, NotApplicableError, shown
from bayesgmm.result.fit import Fit
from bayesgmm.result.stacking import Stacking, stack_of

if TYPE_CHECKING:
    import pandas as pd

BOOTSTRAPS = 4000
NONE = 1e-8  # a weight below this is an optimiser's way to say zero

METHODS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "stacking": lambda pointwise, rng: stacking_weights(pointwise),
    "pseudo-bma": lambda pointwise, rng: pseudo_bma_weights(pointwise),
    "pseudo-bma+": lambda pointwise, rng: bootstrapped_pseudo_bma_weights(pointwise, BOOTSTRAPS, rng),
}  # fmt: skip


def weights(
    comparison: Scored,
    method: str,
    column: str,
    among: Sequence[str] | None,
    rng: np.random.Generator | int | None,
) -> pd.Series:
    """The weights of ``Comparison.weights``."""
    import pandas as pd

    one_of(method, "method", METHODS)
    pointwise, left_out = _pointwise(comparison, column, among)
    found = METHODS[method](np.stack(list(pointwise.values())), np.random.default_rng(as_seed(rng)))
    found = np.where(found < NONE, 0.0, found)
    series = pd.Series(found / found.sum(), index=pd.Index(list(pointwise), name="fit"), name="weight")
    series.attrs["left_out"] = left_out
    return series


def stacked(
    comparison: Scored,
    method: str,
    column: str,
    among: Sequence[str] | None,
    rng: np.random.Generator | int | None,
) -> Fit:
    """The fit of ``Comparison.stacked``."""
    seed = as_seed(rng)
    found = weights(comparison, method, column, among, seed)
    held = found[found > 0]
    without = [str(name) for name in held.index if name not in comparison.fits]
    if without:
        raise NotApplicableError(
            f"this comparison has the scores of {', '.join(map(repr, without))} and no fit to take a density from: "
            "name the fits that may be stacked in among=[...]."
        )
    names = tuple(str(name) for name in held.index)
    fits = tuple(comparison.fits[name] for name in names)
    how = Stacking(method, column, names, tuple(one.method for one in fits), tuple(float(w) for w in held))
    return stack_of(fits, how, seed)


def _pointwise(
    comparison: Scored, column: str, among: Sequence[str] | None
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The pointwise scores of the fits to be weighted, and why the others are left out."""
    usable = [kind for kind in comparison.columns if _is_predictive(kind)]
    known = f"those that have weights are {', '.join(usable) or 'none'}"
    if not isinstance(column, str) or column not in comparison.columns:
        raise ArgumentError(f"column={shown(column)} is no column of this comparison; {known}.")
    if column not in usable:
        what = COLUMNS[column].estimand
        raise ArgumentError(
            f"column={column!r} ({what}) does not say point by point how new data are predicted, which weights come "
            f"from; {known}."
        )
    names = list(comparison.scores) if among is None else _named(comparison, among)
    found, left_out = {}, {}
    for name in names:
        score = comparison.scores[name][column]
        if score.is_ranked and np.isfinite(score.value) and score.pointwise is not None:
            found[name] = score.pointwise
        else:
            left_out[name] = "; ".join(score.notes) or "it has no pointwise score"
    if among is not None and left_out:
        name, reason = next(iter(left_out.items()))
        raise NotApplicableError(f"{name!r} has no {column} that may be compared: {reason}.")
    if not found:
        raise NotApplicableError(f"no fit of this comparison has a {column} that may be compared; .reasons says why.")
    return found, left_out


def _is_predictive(kind: str) -> bool:
    return COLUMNS[kind].estimand == PREDICTION and kind.startswith("elpd_")


def _named(comparison: Scored, among: Sequence[str]) -> list[str]:
    names = [among] if isinstance(among, str) else list(among)
    unknown = [name for name in names if name not in comparison.scores]
    if not names or unknown or len(set(names)) < len(names):
        what = f"{unknown[0]!r} is not" if unknown else "name each once, and at least one"
        raise ArgumentError(f"among={shown(among)} must be names of this comparison: {what}.")
    return names
