"""What one column of a `Comparison` favours: the best model, its rivals, and what makes that doubtful."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from bayesgmm.comparison.row import Row, model_names
from bayesgmm.comparison.scored import Scored
from bayesgmm.criteria.columns import COLUMNS
from bayesgmm.result.status import Outcome

# Below 4 nats the models predict alike and the normal approximation of the error is not to be trusted: Sivula,
# Magnusson, Matamoros and Vehtari (2020), "Uncertainty in Bayesian leave-one-out cross-validation based model
# comparison", arXiv:2008.10296, which also finds the errors too small for fewer than 100 points.
SMALL_DIFFERENCE = 4.0
SMALL_SAMPLE = 100
CLEAR, FAINT = 4.0, 2.0  # standard errors
LEADING = ("elpd_kfold", "elpd_holdout", "elpd_loo", "elpd_waic", "aic")
DOUBTS = {
    Outcome.NOT_CONVERGED: "not converged",
    Outcome.INTERRUPTED: "interrupted before its end",
    Outcome.COLLAPSED: "at a suspicious optimum",
    Outcome.FAILED: "without a result",
}


class Edge(Enum):
    """The end of the numbers of components tried at which the best one stands."""

    LARGEST = "largest"
    SMALLEST = "smallest"


@dataclass(frozen=True)
class Rival:
    """The best fit of another model: how far behind, in nats (positive), with its standard error."""

    model: str
    name: str
    behind: float
    se: float

    @property
    def is_told_apart(self) -> bool:
        return self.behind > SMALL_DIFFERENCE and self.behind > FAINT * self.se

    @property
    def is_clear(self) -> bool:
        return self.is_told_apart and self.behind > CLEAR * self.se

    def __str__(self) -> str:
        return f"{self.model} ({self.behind:.1f} ± {self.se:.1f} nats behind)"


@dataclass(frozen=True)
class Verdict:
    """The model that one column favours, mostly by its K, and the others in the order of their best fits.

    Attributes
    ----------
    column : str
    model : str
        Its K, and its covariance where several were compared.
    name : str
        Of its best fit.
    doubt : str
        How that fit ended, in a few words; empty where it has converged.
    rivals : tuple of Rival
    tried : tuple of int
        The numbers of components that the column ranks, of finite mixtures with the covariance of the best, or with
        any where that was fitted with one number only.
    edge : Edge or None
        Whether the best one is the last of these; a single component, or one for each known class, is no edge.
    beyond : tuple of int
        Numbers of components past that edge that were fitted and that the column does not rank; all others, where it
        ranks one only.
    higher : tuple of str
        Fits that stand higher and are not ranked, the highest first.
    is_full : bool
        Whether the best fit's number of components is unknown and most probably the largest that it may be.
    """

    column: str
    model: str
    name: str
    doubt: str
    rivals: tuple[Rival, ...]
    tried: tuple[int, ...] = ()
    edge: Edge | None = None
    beyond: tuple[int, ...] = ()
    higher: tuple[str, ...] = ()
    is_full: bool = False

    @property
    def remarks(self) -> tuple[str, ...]:
        """What belongs into the sentence that names the best fit, in a few words each."""
        found = (
            self.doubt,
            "" if self.edge is None else f"the {self.edge.value} K {'ranked' if self.beyond else 'tried'}",
            "all of its components hold points" if self.is_full else "",
            "no other K is ranked" if self.edge is None and self.beyond else "",
            "an unranked fit stands higher" if self.higher else "",
        )
        return tuple(remark for remark in found if remark)


def verdict(comparison: Scored, column: str) -> Verdict | None:
    """What one column favours; None where it has scores of fewer than two models, or must be silent: `missed`."""
    if column not in comparison.columns:
        return None
    ranked, names = comparison.ranked(column), model_names(comparison.rows)
    best_of: dict[str, str] = {}
    for name in ranked:
        best_of.setdefault(names[name], name)
    if len(best_of) < 2 or missed(comparison, column):
        return None
    (model, best), *others = best_of.items()
    rivals = []
    for other, name in others:
        behind, se = ranked[best].minus(ranked[name])
        rivals.append(Rival(other, name, behind, se))
    tried, edge, beyond = _range(comparison, column, best)
    return Verdict(
        column, model, best, doubt(comparison.rows[best]), tuple(rivals), tried, edge, beyond,
        unranked_above(comparison, column, ranked[best].value), comparison.rows[best].is_full,
    )  # fmt: skip


def missed(comparison: Scored, column: str) -> str:
    """The model that the bridge favours, where Chib's column does not rank it; empty otherwise.

    What Chib's identity then favours is the best of those that it happens to suit.
    """
    if column != "log_evidence_chib" or "log_evidence_bridge" not in comparison.columns:
        return ""
    names, bridge = model_names(comparison.rows), comparison.ranked("log_evidence_bridge")
    best = names[next(iter(bridge))] if bridge else ""
    return "" if best in {names[name] for name in comparison.ranked(column)} else best


def doubt(row: Row) -> str:
    """How a fit ended, where that makes its numbers doubtful."""
    return DOUBTS.get(row.status.outcome, "")


def unranked_above(comparison: Scored, column: str, value: float) -> tuple[str, ...]:
    """The fits with a higher score in the column that must not be compared, the highest first."""
    if not COLUMNS[column].has_differences:
        return ()
    scores = {name: scores[column] for name, scores in comparison.scores.items()}
    above = [name for name, one in scores.items() if not one.is_ranked and np.isfinite(one.value) and one.value > value]
    return tuple(sorted(above, key=lambda name: -scores[name].value))


def _range(comparison: Scored, column: str, best: str) -> tuple[tuple[int, ...], Edge | None, tuple[int, ...]]:
    rows, ranked = comparison.rows, comparison.ranked(column)
    row = rows[best]
    finite = [name for name, one in rows.items() if _is_finite(one)]
    alike = [name for name in finite if rows[name].covariance == row.covariance]
    if len({rows[name].n_components for name in alike}) == 1:
        alike = finite
    tried = tuple(sorted({rows[name].n_components for name in alike if name in ranked}))
    if not _is_finite(row):
        return tried, None, ()
    k, fitted = row.n_components, sorted({rows[name].n_components for name in alike})
    if len(tried) == 1:
        return tried, None, tuple(other for other in fitted if other != k)
    if k == tried[-1]:
        return tried, Edge.LARGEST, tuple(other for other in fitted if other > k)
    if k == tried[0] > row.fewest:
        return tried, Edge.SMALLEST, tuple(other for other in fitted if other < k)
    return tried, None, ()


def _is_finite(row: Row) -> bool:
    """Whether it is a mixture with a given number of components."""
    return not row.is_baseline and not row.model and row.n_components > 0
