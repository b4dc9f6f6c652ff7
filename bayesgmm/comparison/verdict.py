"""What a `Comparison` says about the number of components, in plain sentences."""

from __future__ import annotations

from dataclasses import dataclass

from bayesgmm.comparison.table import Comparison
from bayesgmm.criteria.score import COLUMNS, EVIDENCE
from bayesgmm.result.status import Outcome

# Below 4 nats the models predict alike and the normal approximation of the error is not to be trusted: Sivula,
# Magnusson, Matamoros and Vehtari (2020), "Uncertainty in Bayesian leave-one-out cross-validation based model
# comparison", arXiv:2008.10296, which also finds the errors too small for fewer than 100 points.
SMALL_DIFFERENCE = 4.0
SMALL_SAMPLE = 100
CLEAR, WEAK = 4.0, 2.0  # standard errors
# Nats of the log Bayes factor; Kass and Raftery (1995), JASA 90, 773-795, doi:10.1080/01621459.1995.10476572.
GRADES = ((5.0, "very strong"), (3.0, "strong"), (1.0, "positive"), (0.0, "not worth more than a bare mention"))
LEADING = ("elpd_kfold", "elpd_holdout", "elpd_loo", "elpd_waic", "aic")


@dataclass(frozen=True)
class Rival:
    """The best fit of another model: how far behind, in nats (positive), with its standard error."""

    model: str
    name: str
    behind: float
    se: float

    @property
    def is_told_apart(self) -> bool:
        return self.behind > SMALL_DIFFERENCE and self.behind > WEAK * self.se

    @property
    def is_clear(self) -> bool:
        return self.is_told_apart and self.behind > CLEAR * self.se

    def __str__(self) -> str:
        return f"{self.model} ({self.behind:.1f} ± {self.se:.1f} nats behind)"


@dataclass(frozen=True)
class Verdict:
    """The model that one column favours, mostly by its K, and the others in the order of their best fits."""

    column: str
    model: str
    name: str
    rivals: tuple[Rival, ...]


def verdict(comparison: Comparison, column: str) -> Verdict | None:
    """What one column favours; None where it has scores of fewer than two models."""
    if column not in comparison.columns:
        return None
    ranked = comparison.ranked(column)
    best_of: dict[str, str] = {}
    for name in ranked:
        best_of.setdefault(comparison.rows[name].label, name)
    if len(best_of) < 2:
        return None
    (model, best), *others = best_of.items()
    rivals = []
    for other, name in others:
        behind, se = ranked[best].minus(ranked[name])
        rivals.append(Rival(other, name, behind, se))
    return Verdict(column, model, best, tuple(rivals))


def conclusions(comparison: Comparison) -> list[str]:
    """Which number of components each estimand favours, and how sure that is; one sentence or two for each.

    Numbers are compared within a column only.
    """
    fitted = {row.label: row for row in comparison.rows.values() if row.method != "k-means"}
    if len(fitted) == 1:
        ((label, row),) = fitted.items()
        only = f"Only {label} was fitted, so nothing can be said about the number of components."
        if row.model:
            only = f"Only {label} was fitted: its status has the posterior of the number of occupied components."
        return [only, *_cautions(comparison)]
    verdicts = {kind: verdict(comparison, kind) for kind in COLUMNS if COLUMNS[kind].has_differences}
    found = {kind: v for kind, v in verdicts.items() if v is not None}
    sentences = [*_prediction(comparison, found), *_evidence(found), *_clustering(comparison, found)]
    return [*sentences, *_cautions(comparison)]


def _prediction(comparison: Comparison, found: dict[str, Verdict]) -> list[str]:
    kinds = [kind for kind in LEADING if kind in found]
    if not kinds:
        return []
    lead = found[kinds[0]]
    best = f"New points are predicted best with {lead.model} ({lead.column}, {lead.name!r})"
    is_small = comparison.n_obs < SMALL_SAMPLE
    rough = f"; with {comparison.n_obs} points these errors are themselves rough" if is_small else ""
    sentences = [f"{best}{_how_sure(lead)}{rough}."]
    others = [
        f"{kind} {found[kind].model} ({found[kind].name!r}{_doubt(comparison, found[kind])})" for kind in kinds[1:]
    ]
    if others:
        sentences.append(f"Other scores of the same quantity favour: {', '.join(others)}.")
    return sentences


def _how_sure(lead: Verdict) -> str:
    ties = [rival for rival in lead.rivals if not rival.is_told_apart]
    if ties:
        return f", but {_listed([str(rival) for rival in ties])} cannot be told apart from it"
    # The rival that is hardest to tell apart decides, and it need not be the nearest.
    nearest = min(lead.rivals, key=lambda rival: rival.behind / rival.se if rival.se > 0 else float("inf"))
    sure = "clearly less well" if all(rival.is_clear for rival in lead.rivals) else "less well"
    return f"; {nearest.model} does {sure} ({nearest.behind:.1f} ± {nearest.se:.1f} nats)"


def _doubt(comparison: Comparison, found: Verdict) -> str:
    n_unreliable = comparison.scores[found.name][found.column].n_unreliable
    return f", unreliable at {n_unreliable} of {comparison.n_obs} points" if n_unreliable else ""


def _evidence(found: dict[str, Verdict]) -> list[str]:
    parts = []
    for kind, one in found.items():
        if COLUMNS[kind].estimand == EVIDENCE:
            nearest = one.rivals[0]
            grade = next(word for least, word in GRADES if nearest.behind >= least)
            parts.append(f"{kind} favours {_lead_over(one)} ({grade})")
    if not parts:
        return []
    caution = "; a column is compared within itself only" if len(parts) > 1 else ""
    return [f"Log evidence: {'; '.join(parts)}{caution}."]


def _clustering(comparison: Comparison, found: dict[str, Verdict]) -> list[str]:
    sentences = []
    if "icl" in found:
        sentences.append(f"Clustering: icl, which wants separate components, favours {_lead_over(found['icl'])}.")
    if "ari" in comparison.columns:
        values = {name: scores["ari"] for name, scores in comparison.scores.items() if not scores["ari"].is_missing}
        if values:
            best = max(values, key=lambda name: values[name].value)
            index = f"adjusted Rand index {values[best].value:.2f}"
            sentences.append(f"The given labels agree best with {best!r} ({index}).")
    return sentences


def _lead_over(one: Verdict) -> str:
    nearest = one.rivals[0]
    error = f" ± {nearest.se:.1f}" if nearest.se >= 0.05 else ""
    return f"{one.model}, by {nearest.behind:.1f}{error} nats over {nearest.model}"


def _cautions(comparison: Comparison) -> list[str]:
    sentences = []
    for outcome, text in (
        (Outcome.FAILED, "No result, so not compared"),
        (Outcome.NOT_CONVERGED, "Not converged, so to be read with care"),
        (Outcome.INTERRUPTED, "Interrupted, so to be read with care"),
        (Outcome.COLLAPSED, "At a suspicious optimum, so aic, bic and icl leave it out"),
    ):
        names = [repr(name) for name, row in comparison.rows.items() if row.status.outcome is outcome]
        if names:
            sentences.append(f"{text}: {_listed(names)}.")
    return sentences


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
