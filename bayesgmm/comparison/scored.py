"""`Scored`: the scores of several fits, what may be ranked, and the differences to the best."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.comparison.row import Row
from bayesgmm.criteria.columns import COLUMNS, PREDICTION
from bayesgmm.criteria.score import Score
from bayesgmm.errors import ArgumentError

if TYPE_CHECKING:
    import pandas as pd

    from bayesgmm.result.fit import Fit


@dataclass(frozen=True, eq=False)
class Scored:
    """Fits and their scores, on which the words, the weights and the probabilities of a `Comparison` stand.

    The attributes are those of `Comparison`.
    """

    rows: dict[str, Row]
    scores: dict[str, dict[str, Score]]
    columns: tuple[str, ...]
    n_obs: int
    fits: dict[str, Fit] = field(default_factory=dict)

    @property
    def notes(self) -> dict[str, str]:
        """What each column estimates, and how far to trust it."""
        return {kind: COLUMNS[kind].note for kind in self.columns}

    @property
    def reasons(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """``reasons[fit][column]``: why there is no number, or what to know about the one there is."""
        return {
            name: {kind: score.notes for kind, score in scores.items() if score.notes}
            for name, scores in self.scores.items()
        }

    def ranked(self, column: str) -> dict[str, Score]:
        """The scores of a column that may be compared, best first."""
        if column not in self.columns or not COLUMNS[column].has_differences:
            known = ", ".join(kind for kind in self.columns if COLUMNS[kind].has_differences)
            raise ArgumentError(f"column={column!r} has no differences; those that have are {known}.")
        scores = {name: scores[column] for name, scores in self.scores.items()}
        usable = {name: score for name, score in scores.items() if score.is_ranked and np.isfinite(score.value)}
        return dict(sorted(usable.items(), key=lambda item: -item[1].value))

    def differences(self, column: str) -> pd.DataFrame:
        """Differences to the best fit of one column, best first.

        Returns
        -------
        DataFrame
            With columns ``value``, ``diff`` (zero or negative) and ``diff_se``: ``sqrt(n)`` times the standard
            deviation of the paired pointwise differences, and NaN where a score is no sum over points.

        Raises
        ------
        ArgumentError
            There is no such column, or it has no differences.
        """
        import pandas as pd

        ranked = self.ranked(column)
        rows = {}
        for name, score in ranked.items():
            diff, se = score.minus(next(iter(ranked.values())))
            rows[name] = {"value": score.value, "diff": diff, "diff_se": se}
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "diff", "diff_se"])
        return frame.rename_axis("fit")

    def shown(self, estimand: str) -> tuple[list[str], list[str]]:
        """The fits and the columns of an estimand that have something to show.

        Every fit stands among the predictions, since all can predict; elsewhere those with a number.
        """
        known = [kind for kind in self.columns if COLUMNS[kind].estimand == estimand]
        kinds = [kind for kind in known if any(not scores[kind].is_missing for scores in self.scores.values())]
        names = [
            name for name, row in self.rows.items()
            if any(not self.scores[name][kind].is_missing for kind in kinds)
            or (kinds and estimand == PREDICTION and not row.is_baseline)
        ]  # fmt: skip
        return names, kinds
