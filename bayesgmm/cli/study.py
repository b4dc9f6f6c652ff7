"""One run of the command: check, fit the grid, print, write."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.cli.grid import Cell, run_grid
from bayesgmm.cli.interrupts import Interrupts
from bayesgmm.cli.kept import Kept
from bayesgmm.cli.options import method_of, models_of
from bayesgmm.cli.output import prepare_folder, write_results
from bayesgmm.cli.progress import GridProgress
from bayesgmm.cli.terminal import print_results
from bayesgmm.criteria.predictive import make_folds
from bayesgmm.data import as_matrix
from bayesgmm.errors import ArgumentError, NotApplicableError
from bayesgmm.fitting import check_applicable
from bayesgmm.models import Model
from bayesgmm.result.method import Method
from bayesgmm.rows import Known, Rows

if TYPE_CHECKING:
    import pandas as pd

NO_RESULT, INTERRUPTED = 1, 130


@dataclass(frozen=True, eq=False)
class Study:
    """What is asked for."""

    table: pd.DataFrame
    labels: np.ndarray | None
    known: Known
    name: str
    sizes: tuple[int, ...]
    methods: tuple[str, ...]
    models: tuple[str, ...]
    truncation: int
    covariances: tuple[str, ...]
    folds: int
    seed: int
    draws: int | None
    tune: int | None
    out: Path
    command: str

    def cells(self) -> tuple[list[Cell], list[str]]:
        """The grid, cheapest methods first, so that an early end leaves most of the picture; and what is left out.

        Raises
        ------
        ArgumentError
            No method can fit any of the models.
        """
        cells, left_out, fewest = [], [], self._fewest_components()
        for name, covariance in product(self.methods, self.covariances):
            method, without = method_of(name, self.draws, self.tune), []
            of = f" with {covariance}" if len(self.covariances) > 1 else ""
            for kind in self.models:
                models = models_of(kind, self.sizes, self.truncation, covariance)
                if fewest and kind != "finite":
                    left_out.append(f"{name}{of} for {kind} (known labels need components that keep their numbers)")
                    continue
                too_few = ", ".join(str(k) for k in self.sizes if k < fewest)
                if too_few:
                    left_out.append(f"{name}{of} with K={too_few} (the known labels have {fewest} classes)")
                models = {end: model for end, model in models.items() if model.n_components >= fewest}
                if models and is_applicable(next(iter(models.values())), method):
                    middle = f"-{covariance}" if of else ""
                    cells += [Cell(f"{name}{middle}-{end}", model, method) for end, model in models.items()]
                elif models:
                    without.append(kind)
            left_out += [f"{name}{of} for {' and '.join(without)}"] if without else []
        if not cells:
            raise ArgumentError(f"There is nothing to fit, since all was left out: {'; '.join(left_out)}.")
        return cells, left_out

    def _fewest_components(self) -> int:
        """As many as there are classes of known labels; 0 where there are none."""
        if self.known.labels is None:
            return 0
        n = len(self.table)
        _, classes = self.known.checked(n, n)  # there are no more classes than rows
        return 0 if classes is None else len(classes)


def run_study(study: Study, source: str | None = None) -> int:
    """Run it and return the exit code.

    Raises
    ------
    DataError, ArgumentError
        The data or an option cannot be used; raised before any fitting.
    """
    data, cells, left_out = _check(study)
    with Interrupts() as interrupts:
        with GridProgress([cell.name for cell in cells], study.folds) as progress:
            progress.say(f"Read {len(data.values)} rows of {', '.join(data.feature_names)}.")
            if left_out:
                progress.say(f"Left out, since the methods cannot fit such models: {'; '.join(left_out)}.")
            kept = Kept(study.out / "fits", study.labels, study.folds, study.seed, progress.say)
            results = run_grid(
                cells, data, study.known, study.labels, study.folds, study.seed, progress, interrupts, kept
            )
        if results is None:
            progress.say("No cell ended with a result, so nothing is written.")
            return INTERRUPTED if interrupts.is_raised else NO_RESULT
        facts = {"data": study.name if source is None else f"{study.name}: {source}", "command": study.command}
        facts |= {"seed": str(study.seed), "folds": str(study.folds)}
        print_results(results.comparison)
        is_written = write_results(study.out, results, study.labels, study.name, facts, progress.say)
    if interrupts.is_raised:
        progress.say(f"Interrupted: {len(results.comparison_names)} of {len(cells)} cells are in the results.")
        return INTERRUPTED
    return 0 if is_written and results.fits else NO_RESULT


def _rows(study: Study) -> Rows:
    """The data with their weights; of what labels name, each cell asks its own model."""
    data = as_matrix(study.table, n_min=2)
    return Rows.of(data, *Known(study.known.sample_weight).checked(len(data.values), 1))


def _check(study: Study) -> tuple[Rows, list[Cell], list[str]]:
    """Everything that can be known to be wrong before the first fit."""
    data, (cells, left_out) = _rows(study), study.cells()
    cells[0].model.resolve(data)  # larger models may fail for want of points, which is a matter of their own cells
    if study.folds:
        make_folds(int(data.n_obs), study.folds, study.seed)
    prepare_folder(study.out)
    return data, cells, left_out


def is_applicable(model: Model, method: Method) -> bool:
    """Whether the method can fit such a model."""
    try:
        check_applicable(model, method)
    except NotApplicableError:
        return False
    return True
