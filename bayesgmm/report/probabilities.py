"""The posterior probabilities of the models as a table, one column per estimator of the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesgmm.criteria.columns import COLUMNS, EVIDENCE
from bayesgmm.report.content import Cell, Table
from bayesgmm.report.numbers import fixed, with_error
from bayesgmm.report.tables import NOT_THERE

if TYPE_CHECKING:
    import pandas as pd

    from bayesgmm.comparison import Comparison

MEANING = (
    "Of each model, by the name of its first fit, given that one of these models is true, all equally probable "
    "beforehand, and given their priors. An entry is a probability ± the simulation error of the evidence, and below "
    "it the log Bayes factor, in nats, against the best."
)
DIGITS = 3


def probabilities_table(comparison: Comparison) -> Table | None:
    """What each estimator of the evidence says of the models; None where no estimator has two of them."""
    frames = {}
    for kind in comparison.columns:
        is_evidence = COLUMNS[kind].estimand == EVIDENCE and COLUMNS[kind].has_differences
        if is_evidence and not COLUMNS[kind].is_approximate and len(comparison.ranked(kind)) > 1:
            frame = comparison.model_probabilities(kind)
            if len(frame) > 1:
                frames[kind] = frame
    if not frames:
        return None
    names = dict.fromkeys(name for frame in frames.values() for name in frame.index)
    rows = tuple((Cell(name), *(_cell(frame, name) for frame in frames.values())) for name in names)
    return Table("Posterior probabilities of the models", ("fit", *frames), rows, (MEANING,))


def _cell(frame: pd.DataFrame, name: str) -> Cell:
    if name not in frame.index:
        return Cell(NOT_THERE)
    row = frame.loc[name]
    is_best = bool(row["log_bayes_factor"] == 0.0)
    factor = "" if is_best else with_error(row["log_bayes_factor"], row["log_bayes_factor_se"], 2)
    told = "; ".join(part for part in (factor, row["doubt"]) if part)
    return Cell(fixed(row["probability"], DIGITS), fixed(row["probability_se"], DIGITS), told, (), is_best)
