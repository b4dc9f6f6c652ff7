"""A row for any model at all, from its pointwise log likelihoods."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.checks import positive
from bayesgmm.comparison.row import Row
from bayesgmm.comparison.scored import Scored
from bayesgmm.core.params import as_numbers
from bayesgmm.criteria.pointwise import cautioned, loo_score, waic_score
from bayesgmm.criteria.score import Score
from bayesgmm.errors import ArgumentError, shown
from bayesgmm.result.arviz import array_stats
from bayesgmm.result.status import Outcome, Status

MIN_DRAWS = 25  # a fifth of them are the tail, to which Pareto's distribution is fitted
Table = TypeVar("Table", bound=Scored)
GIVEN = "only the pointwise log likelihoods of this model were given"


def added(
    comparison: Table,
    name: str,
    log_likelihood: ArrayLike,
    method: str,
    model: str | None,
    n_parameters: int | None,
    relative_efficiency: float | None,
) -> Table:
    """The comparison of ``Comparison.add``."""
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"name={shown(name)} must be the name of the new row.")
    if name in comparison.rows:
        raise ArgumentError(f"this comparison has a row {name!r} already: choose another name.")
    values = _checked(log_likelihood, comparison.n_obs)
    flat, shape = values.reshape(-1, comparison.n_obs), values.shape[:2]
    given = relative_efficiency
    r_eff = _relative_efficiency(values) if given is None else positive(given, "relative_efficiency")
    blocks = [(slice(0, comparison.n_obs), flat)]
    found = {
        "elpd_loo": cautioned(loo_score(blocks, comparison.n_obs, shape, r_eff)),
        "elpd_waic": waic_score(blocks, comparison.n_obs),
    }
    scores = {kind: found.get(kind, Score.missing(kind, GIVEN)) for kind in comparison.columns}
    sentence = f"Pointwise log likelihoods of {shape[0]} x {shape[1]} draws, as they were given."
    row = Row(
        str(method), 0, "-", np.nan if n_parameters is None else int(n_parameters), np.nan,
        Status(Outcome.CONVERGED, sentence), name if model is None else str(model),
    )  # fmt: skip
    return replace(
        comparison, rows=_placed(comparison.rows, name, row), scores=_placed(comparison.scores, name, scores)
    )


def _placed(items: dict[str, Any], name: str, item: Any) -> dict[str, Any]:
    """With the new item before the baselines, which stand at the end."""
    fitted = {key: value for key, value in items.items() if not key.startswith("kmeans K=")}
    return fitted | {name: item} | {key: value for key, value in items.items() if key not in fitted}


def _checked(log_likelihood: ArrayLike, n_obs: int) -> np.ndarray:
    """(chain, draw, n) finite numbers."""
    values = as_numbers(log_likelihood, "log_likelihood")
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3:
        raise ArgumentError(
            f"log_likelihood has shape {values.shape}; it must be (chain, draw, n) or (draws, n): sum over the columns "
            "of a point first."
        )
    if values.shape[2] != n_obs:
        hint = ": transpose it" if n_obs in values.shape[:2] else ""
        raise ArgumentError(
            f"log_likelihood has {values.shape[2]} points in its last axis (its shape is {np.shape(log_likelihood)}), "
            f"and this comparison is of {n_obs}{hint}."
        )
    if values.shape[0] * values.shape[1] < MIN_DRAWS:
        raise ArgumentError(
            f"log_likelihood has {values.shape[0] * values.shape[1]} draws; leave-one-out by importance sampling needs "
            f"at least {MIN_DRAWS}, and a thousand to be good."
        )
    if not np.isfinite(values).all():
        chain, draw, row = np.argwhere(~np.isfinite(values))[0]
        raise ArgumentError(
            f"log_likelihood is {values[chain, draw, row]:g} at draw {draw} of chain {chain}, row {row} (counted from "
            "0): every draw must give every point a finite log density."
        )
    return values


def _relative_efficiency(values: np.ndarray) -> float:
    """Effective draws per draw, of the log likelihood of all points together; it sets the length of a tail only."""
    total = values.sum(2)
    if len(total) == 1 or np.ptp(total) == 0:
        return 1.0
    ess = float(array_stats().ess(total, chain_axis=0, draw_axis=1, method="mean"))
    return ess / total.size if np.isfinite(ess) else 1.0
