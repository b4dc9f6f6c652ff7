"""What a `Comparison` says about the number of components, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence

from bayesgmm.comparison.row import model_names
from bayesgmm.comparison.scored import Scored
from bayesgmm.comparison.verdict import (
    FAINT,
    LEADING,
    SMALL_DIFFERENCE,
    SMALL_SAMPLE,
    Edge,
    Verdict,
    doubt,
    missed,
    verdict,
)
from bayesgmm.criteria.columns import COLUMNS, EVIDENCE
from bayesgmm.result.status import Outcome

# Nats of the log Bayes factor; Kass and Raftery (1995), JASA 90, 773-795, doi:10.1080/01621459.1995.10476572.
GRADES = ((5.0, "very strong"), (3.0, "strong"), (1.0, "positive"), (0.0, "not worth more than a bare mention"))
MAX_LISTED = 5  # models in one sentence


def conclusions(comparison: Scored) -> list[str]:
    """Which number of components each estimand favours, and how sure that is; one sentence or two for each.

    What failed is named first.  Numbers are compared within a column only.
    """
    failed, cautions = _failures(comparison), _cautions(comparison)
    fitted = {name: row for name, row in comparison.rows.items() if not row.is_baseline and row.status.is_usable}
    names = {model_names(comparison.rows)[name] for name in fitted}
    if len(names) == 1:
        row = next(iter(fitted.values()))
        only = f"Only {row.label} was fitted, so nothing can be said about the number of components."
        if row.model:
            only = f"Only {row.label} was fitted: its status has the posterior of the number of occupied components."
        return [*failed, only, *cautions]
    verdicts = {kind: verdict(comparison, kind) for kind in COLUMNS if COLUMNS[kind].has_differences}
    found = {kind: v for kind, v in verdicts.items() if v is not None}
    words = _Words(comparison)
    sentences = [*words.prediction(found), *words.evidence(found), *words.clustering(found)]
    return [*failed, *sentences, *_edges(found), *_higher(comparison, found), *cautions]


class _Words:
    """The sentences on each estimand."""

    def __init__(self, comparison: Scored):
        self.comparison = comparison
        methods = {row.method for row in comparison.rows.values() if not row.is_baseline}
        self.has_methods = len(methods) > 1

    def best(self, found: Verdict, *remarks: str) -> str:
        """The best model, the method where there are several, and in brackets what to know of it."""
        by = f" by {self.comparison.rows[found.name].method}" if self.has_methods else ""
        told = "; ".join([*remarks, *found.remarks])
        return f"{found.model}{by}" + (f" ({told})" if told else "")

    def prediction(self, found: dict[str, Verdict]) -> list[str]:
        kinds = [kind for kind in LEADING if kind in found]
        if not kinds:
            return []
        lead = found[kinds[0]]
        among = f"Among {_numbers(lead.tried)}, new" if len(lead.tried) > 1 else "New"
        best = f"{among} points are predicted best with {self.best(lead, f'{lead.column}, {lead.name!r}')}"
        n_obs = self.comparison.n_obs
        rough = f"; with {n_obs} points these errors are themselves rough" if n_obs < SMALL_SAMPLE else ""
        sentences = [f"{best}{_how_sure(lead)}{rough}."]
        others = [f"{kind} {self.best(found[kind], *self._source(found[kind]))}" for kind in kinds[1:]]
        if others:
            sentences.append(f"Other scores of the same quantity favour: {', '.join(others)}.")
        return sentences

    def _source(self, found: Verdict) -> tuple[str, ...]:
        n_unreliable = self.comparison.scores[found.name][found.column].n_unreliable
        rough = f"unreliable at {n_unreliable} of {self.comparison.n_obs} points"
        return (repr(found.name), *((rough,) if n_unreliable else ()))

    def evidence(self, found: dict[str, Verdict]) -> list[str]:
        parts = []
        for kind, one in found.items():
            if COLUMNS[kind].estimand == EVIDENCE:
                grade = next(word for least, word in GRADES if one.rivals[0].behind >= least)
                parts.append(f"{kind} favours {self._lead(one)} ({grade})")
        if not parts:
            return []
        chib = "log_evidence_chib"
        without = missed(self.comparison, chib) if chib in self.comparison.columns else ""
        if without and self.comparison.ranked(chib):
            parts.append(f"{chib} favours nothing, since it has no ranked number of {without}")
        caution = "; a column is compared within itself only" if len(parts) > 1 else ""
        return [f"Log evidence: {'; '.join(parts)}{caution}."]

    def clustering(self, found: dict[str, Verdict]) -> list[str]:
        sentences = []
        if "icl" in found:
            sentences.append(f"Clustering: icl, which wants separate components, favours {self._lead(found['icl'])}.")
        if "ari" in self.comparison.columns:
            sentences += self._agreement()
        return sentences

    def _agreement(self) -> list[str]:
        every = self.comparison.scores.items()
        values = {name: scores["ari"].value for name, scores in every if not scores["ari"].is_missing}
        if not values:
            return []
        best = max(values, key=lambda name: values[name])
        how = doubt(self.comparison.rows[best])
        index = f"adjusted Rand index {values[best]:.2f}" + (f"; {how}" if how else "")
        return [f"The given labels agree best with {best!r} ({index})."]

    def _lead(self, one: Verdict) -> str:
        nearest = one.rivals[0]
        error = f" ± {nearest.se:.1f}" if nearest.se >= 0.05 else ""
        return f"{self.best(one)}, by {nearest.behind:.1f}{error} nats over {nearest.model}"


def _how_sure(lead: Verdict) -> str:
    ties = [rival for rival in lead.rivals if not rival.is_told_apart]
    if ties:
        rule = f"less than {SMALL_DIFFERENCE:g} nats or {FAINT:g} standard errors behind"
        return f", but {_listed([str(rival) for rival in ties])} cannot be told apart from it ({rule})"
    # The rival that is hardest to tell apart decides, and it need not be the nearest.
    nearest = min(lead.rivals, key=lambda rival: rival.behind / rival.se if rival.se > 0 else float("inf"))
    sure = "clearly less well" if all(rival.is_clear for rival in lead.rivals) else "less well"
    return f"; {nearest.model} does {sure} ({nearest.behind:.1f} ± {nearest.se:.1f} nats)"


def _edges(found: dict[str, Verdict]) -> list[str]:
    """What to do where the best is the last that was tried, once for the columns that end at the same place."""
    groups: dict[tuple, list[str]] = {}
    for kind, one in found.items():
        if one.edge is not None:
            groups.setdefault((one.model, one.edge, one.tried, one.beyond), []).append(kind)
    sentences = []
    for (model, edge, tried, beyond), kinds in groups.items():
        where = f"{model} is the {edge.value} K of {_numbers(tried)} that {_listed(kinds, len(kinds))} could rank"
        more = "more" if edge is Edge.LARGEST else "fewer"
        if beyond:
            verbs = ("were", "have") if len(beyond) > 1 else ("was", "has")
            advice = f"{_numbers(beyond)} {verbs[0]} tried too, and {verbs[1]} no ranked score there"
        else:
            advice = f"fit {more} components, since the best K may lie beyond"
        sentences.append(f"At the edge of the range tried: {where}; {advice}.")
    return sentences


def _higher(comparison: Scored, found: dict[str, Verdict]) -> list[str]:
    """Which unranked fits stand above the best of a column, and why they are not ranked; once for each reason."""
    groups: dict[str, list[str]] = {}
    names = model_names(comparison.rows)
    for kind, one in found.items():
        if not one.higher:
            continue
        first, *others = one.higher
        score = comparison.scores[first][kind]
        above = score.value - comparison.scores[one.name][kind].value
        more = f", and {len(others)} more" if others else ""
        reason = score.bar or "; ".join(score.notes) or "it may not be compared"
        groups.setdefault(reason, []).append(f"{kind} ({first!r}, {names[first]}, by {above:.1f} nats{more})")
    return [
        f"Unranked fits stand above the best of {_listed(where)}: {reason.rstrip('.')}."
        for reason, where in groups.items()
    ]


def _failures(comparison: Scored) -> list[str]:
    """What has no result, fits with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for name, row in comparison.rows.items():
        if row.status.outcome is Outcome.FAILED:
            reasons.setdefault(row.status.sentence.rstrip("."), []).append(repr(name))
    return [
        f"No result, so not compared: {_listed(names, len(names))} ({reason})." for reason, names in reasons.items()
    ]


def _cautions(comparison: Scored) -> list[str]:
    sentences = []
    for outcome, text in (
        (Outcome.NOT_CONVERGED, "Not converged, so to be read with care"),
        (Outcome.INTERRUPTED, "Interrupted, so to be read with care"),
        (Outcome.COLLAPSED, "At a suspicious optimum, so the information criteria leave it out"),
    ):
        names = [repr(name) for name, row in comparison.rows.items() if row.status.outcome is outcome]
        if names:
            sentences.append(f"{text}: {_listed(names, len(names))}.")
    return sentences


def _numbers(sizes: Sequence[int]) -> str:
    """ "K=3", "K=1 and 2", "K=1 to 6", "K=2, 4 and 8"."""
    if len(sizes) > 2 and sizes[-1] - sizes[0] == len(sizes) - 1:
        return f"K={sizes[0]} to {sizes[-1]}"
    return f"K={_listed([str(size) for size in sizes], len(sizes))}"


def _listed(items: list[str], most: int = MAX_LISTED) -> str:
    if len(items) > most:
        items = [*items[: most - 1], f"{len(items) - most + 1} more"]
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
