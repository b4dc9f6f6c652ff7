"""What a run has done already: each fit and its scores, written when they are there and taken up by the next run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from bayesgmm import convert
from bayesgmm.comparison import Comparison, Row
from bayesgmm.criteria.score import Score
from bayesgmm.data.writing import write_text
from bayesgmm.errors import BayesGMMError, DataError
from bayesgmm.fitting import load
from bayesgmm.models import Model
from bayesgmm.result.fit import Fit
from bayesgmm.result.method import Method
from bayesgmm.result.provenance import versions
from bayesgmm.result.status import Outcome, Status
from bayesgmm.rows import Rows

TYPES = {kind.__name__: kind for kind in (Row, Score, Status, Outcome)}


@dataclass(frozen=True, eq=False)
class Kept:
    """The fits and scores in a folder that are those of the same data, options and versions.

    Parameters
    ----------
    folder : Path
        Has ``em-K2.nc`` and ``em-K2.json``, and so on.
    labels : (n,) array or None
    folds : int
    seed : int
    say : callable
        Who is told of what cannot be written.
    """

    folder: Path
    labels: np.ndarray | None
    folds: int
    seed: int
    say: Callable[[str], None]

    def fit(self, name: str, model: Model, method: Method, rows: Rows) -> Fit | None:
        """The fit of an earlier run; None where there is no such fit, or it was cut short."""
        path = self._path(name, "nc")
        if not path.is_file():
            return None
        try:
            fit = load(path)
        except BayesGMMError:
            return None
        is_same = (
            convert.to_json(fit.model) == convert.to_json(model)
            and convert.to_json(fit.method) == convert.to_json(method)
            and fit.seed == self.seed
            and fit.feature_names == rows.feature_names
            and fit.X is not None
            and fit.provenance["data_sha256"] == rows.digest()
            and fit.classes == rows.classes
            and all(fit.provenance.get(name) == version for name, version in versions().items())
        )
        return fit if is_same and fit.status.outcome not in (Outcome.INTERRUPTED, Outcome.FAILED) else None

    def keep_fit(self, name: str, fit: Fit) -> None:
        """Write it; where that fails the run goes on, and says so."""
        self._path(name, "json").unlink(missing_ok=True)  # the scores of another fit
        try:
            fit.save(self._path(name, "nc"))
        except DataError as error:
            self.say(f"{name} could not be kept: {error}")

    def scores(self, name: str, fit: Fit) -> Comparison | None:
        """The scores of that fit by an earlier run; None where there are none, or others were asked for."""
        path = self._path(name, "json")
        try:
            text, _, seal = path.read_text(encoding="utf-8").rpartition("\n")
            if seal != _seal(text):
                return None
            kept = convert.from_json(text, TYPES)
            if kept["identity"] != self._identity(fit):
                return None
            rows, scores = kept["rows"], kept["scores"]
            is_whole = name in rows and all(isinstance(row, Row) for row in rows.values())
            return Comparison(rows, scores, kept["columns"], fit.n_obs, {name: fit}) if is_whole else None
        except Exception:  # a file that is missing or is no longer as it was written: the scores are made again
            return None

    def keep_scores(self, name: str, fit: Fit, part: Comparison) -> None:
        """Write them; where that fails the run goes on, and says so."""
        content = {
            "identity": self._identity(fit), "rows": part.rows, "scores": part.scores, "columns": part.columns,
        }  # fmt: skip
        try:
            text = convert.to_json(content)
            write_text(self._path(name, "json"), f"{text}\n{_seal(text)}")
        except DataError as error:
            self.say(f"The scores of {name} could not be kept: {error}")

    def _identity(self, fit: Fit) -> dict[str, str]:
        labels = "" if self.labels is None else sha256(repr(self.labels.tolist()).encode()).hexdigest()
        facts = {"created": fit.provenance["created"], "data": fit.provenance["data_sha256"], "labels": labels}
        return facts | {"folds": str(self.folds), "seed": str(self.seed)} | versions()

    def _path(self, name: str, suffix: str) -> Path:
        return self.folder / f"{name}.{suffix}"


def _seal(text: str) -> str:
    """The last line of a file: what was changed by hand is not taken up."""
    return sha256(text.encode()).hexdigest()
