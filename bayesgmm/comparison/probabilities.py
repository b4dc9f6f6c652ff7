"""Posterior probabilities of the models of a `Comparison`, from their log evidences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from bayesgmm.comparison.scored import Scored
from bayesgmm.comparison.verdict import doubt
from bayesgmm.convert import to_json
from bayesgmm.core.params import as_numbers
from bayesgmm.criteria.columns import COLUMNS, EVIDENCE
from bayesgmm.criteria.score import Score
from bayesgmm.errors import ArgumentError, NotApplicableError, shown

if TYPE_CHECKING:
    import pandas as pd


def model_probabilities(comparison: Scored, column: str, prior: Mapping[str, float] | None) -> pd.DataFrame:
    """The table of ``Comparison.model_probabilities``."""
    import pandas as pd

    groups = _models(comparison, _evidences(comparison, column))
    pooled = _largest if COLUMNS[column].is_approximate else _pooled
    estimates = {names[0]: pooled([score for _, score in found]) for names, found in groups}
    value, se = np.array(list(estimates.values())).T
    prior_mass = _prior(prior, [names for names, _ in groups])
    probability = softmax(value + np.log(prior_mass))
    best = int(value.argmax())
    factor_se = np.hypot(se, se[best])
    factor_se[best] = 0.0
    frame = pd.DataFrame(
        {
            "probability": probability, "probability_se": _probability_error(probability, se), "log_evidence": value,
            "log_evidence_se": se, "log_bayes_factor": value - value[best], "log_bayes_factor_se": factor_se,
            "prior": prior_mass, "n_fits": [len(names) for names, _ in groups],
            "doubt": [_doubts(comparison, names) for names, _ in groups],
        },
        index=pd.Index(list(estimates), name="fit"),
    )  # fmt: skip
    frame.attrs["fits"] = {names[0]: names for names, _ in groups}
    frame.attrs["note"] = COLUMNS[column].note
    frame.attrs["notes"] = {name: score.notes for _, found in groups for name, score in found if score.notes}
    return frame.sort_values("log_evidence", ascending=False, kind="stable")


def _evidences(comparison: Scored, column: str) -> dict[str, Score]:
    """The scores of a column that are evidences of models."""
    known = [kind for kind in comparison.columns if COLUMNS[kind].estimand == EVIDENCE]
    usable = [kind for kind in known if COLUMNS[kind].has_differences]
    if not isinstance(column, str) or column not in COLUMNS or column not in comparison.columns:
        raise ArgumentError(f"column={shown(column)} is no column of this comparison; its evidences: {_any(usable)}.")
    if COLUMNS[column].estimand != EVIDENCE:
        raise ArgumentError(
            f"column={column!r} estimates the {COLUMNS[column].estimand}, and model probabilities come from evidences "
            f"only: {_any(usable)}. What predicts best is weighted by weights()."
        )
    if column not in usable:
        raise ArgumentError(
            f"column={column!r} is shown and not ranked, so that it ranks no models: take {_any(usable)}."
        )
    found = comparison.ranked(column)
    if not found:
        raise NotApplicableError(f"no fit of this comparison has a {column} that may be compared; .reasons says why.")
    return {name: found[name] for name in comparison.scores if name in found}


def _models(comparison: Scored, scores: dict[str, Score]) -> list[tuple[tuple[str, ...], list[tuple[str, Score]]]]:
    """(names, scores) of each model: two engines that fit the same model, prior included, are not two models."""
    groups: dict[str, list[tuple[str, Score]]] = {}
    for name, score in scores.items():
        groups.setdefault(model_key(comparison, name), []).append((name, score))
    return [(tuple(name for name, _ in found), found) for found in groups.values()]


def model_key(comparison: Scored, name: str) -> str:
    """What is equal for fits of one model; by the row's words where the comparison does not hold the fit."""
    if name in comparison.fits:
        return to_json(comparison.fits[name].model)
    return f"{comparison.rows[name].label}, {comparison.rows[name].covariance}"


def _doubts(comparison: Scored, names: tuple[str, ...]) -> str:
    """Which of the fits behind an evidence ended badly, and how; empty where none did."""
    found = {name: how for name in names if (how := doubt(comparison.rows[name]))}
    return "; ".join(f"{name} {how}" if len(names) > 1 else how for name, how in found.items())


def _pooled(scores: list[Score]) -> tuple[float, float]:
    """One evidence and its error from the estimates of several engines.

    They are weighted by their inverse variances, and where they disagree by more than their errors the error is raised
    by Birge's ratio.
    """
    value, se = (np.array([getattr(score, part) for score in scores]) for part in ("value", "se"))
    if (se == 0).any():
        return float(value[se == 0].mean()), 0.0
    precision = se**-2
    mean = float(precision @ value / precision.sum())
    excess = float(precision @ (value - mean) ** 2) / max(1, len(value) - 1)
    return mean, float(np.sqrt(max(1.0, excess) / precision.sum()))


def _largest(scores: list[Score]) -> tuple[float, float]:
    """Of BIC and bounds: the higher likelihood, the better bound.  How far that is from the evidence is not known."""
    return max(score.value for score in scores), np.nan


def _probability_error(probability: np.ndarray, se: np.ndarray) -> np.ndarray:
    """Standard deviations to first order: ``dp_i = p_i sum_j (1[i = j] - p_j) dl_j``, the errors being independent."""
    slope = probability[:, None] * (np.eye(len(probability)) - probability)
    return np.sqrt((slope**2) @ se**2)


def _prior(prior: Mapping[str, float] | None, groups: list[tuple[str, ...]]) -> np.ndarray:
    if prior is None:
        return np.full(len(groups), 1.0 / len(groups))
    if not isinstance(prior, Mapping):
        raise ArgumentError(f"prior={shown(prior)} must be a dict from the names of fits to prior probabilities.")
    unknown = set(prior) - {name for names in groups for name in names}
    if unknown:
        raise ArgumentError(f"prior names {sorted(map(str, unknown))}, which have no evidence here.")
    mass = []
    for names in groups:
        given: list[float] = [prior[name] for name in names if name in prior]
        if len(given) != 1:
            first, *others = names
            same = f"{_any([first, *others])} are fits of one model: it must be named once" if others else ""
            raise ArgumentError(f"prior must have one number for {first!r}{'; ' + same if same else ''}.")
        mass += given
    values = as_numbers(mass, "prior")
    if not np.isfinite(values).all() or (values <= 0).any():
        raise ArgumentError(f"prior={shown(prior)}: prior probabilities must be positive numbers.")
    return values / values.sum()


def _any(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
