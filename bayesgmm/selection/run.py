"""`search`: every number of components with every family of covariances, by one method."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.checks import as_seed, one_of, truth, whole_number
from bayesgmm.core.facts import RowFacts
from bayesgmm.data import DataMatrix, as_matrix
from bayesgmm.errors import ArgumentError, FitError, shown
from bayesgmm.families.gaussian import CovarianceStructure
from bayesgmm.families.named import FOURTEEN, as_structure
from bayesgmm.methods.em import EM, MAP
from bayesgmm.models import GaussianMixture
from bayesgmm.result.method import Method, Progress
from bayesgmm.result.progress import watched
from bayesgmm.rows import Known
from bayesgmm.selection.cell import Cell, made
from bayesgmm.selection.found import CRITERIA, Search

ONE_COLUMN = ("E", "V")
FIRST_STARTS = 3
NEAR = 5.0  # nats; what is further below the best has no part in an average either
UNGUARDED = (
    "a process of the search ended at its start. In a script, what calls search with workers= must stand under "
    "`if __name__ == '__main__':`, because every process imports the script"
)


def search(
    X: ArrayLike,
    components: Iterable[int] | int = range(1, 10),
    covariances: str | Iterable[str | CovarianceStructure] = "all",
    method: EM | MAP | None = None,
    criterion: str = "bic",
    thorough: bool = False,
    rng: Any = 0,
    progress: Progress | bool | None = None,
    workers: int = 1,
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    components_of: Mapping[Any, int] | None = None,
) -> Search:
    """Fit every number of components with every family of covariances, and rank them by BIC or ICL.

    Parameters
    ----------
    X : (n, d) array or frame
    components : iterable of int, or int
    covariances : "all", a name, or an iterable of names and families
        "all" are mclust's fourteen models, or its two where there is one column.
    method : EM or MAP
        ``EM()`` where it is not given.
    thorough : bool
        Whether every model has all starts and moves of `method`.  By default every model is first climbed from three
        starts, without moves; those within five nats of the best, and those at a suspicious optimum, are then fitted by
        the whole method, until the best one, and all others as near to it, have been.
    criterion : {"bic", "icl"}
        By which `Search.best`, `Search.top` and `Search.average` go.
    rng : numpy Generator, int seed or None
        The numbers of a fit depend on the seed, its model and its number of starts, and not on what else is searched.
    progress : bool or callable, optional
        As of `compare`.
    workers : int
        Processes; the numbers are the same with any.  Each imports the package anew, which takes some seconds, so that
        more than one pays for long searches.
    sample_weight, labels, components_of
        As of `fit`.

    Returns
    -------
    Search
        A cell that cannot be fitted, or ends at a suspicious optimum, says so in the table and ends nothing.  After an
        interrupt, the cells that are done.

    Raises
    ------
    ArgumentError, DataError
        An argument or the data cannot be used; raised before any fitting.
    FitError
        No cell has a result; the sentence gives the reasons.

    References
    ----------
    Scrucca, Fop, Murphy and Raftery (2016), The R Journal 8, 289-317, doi:10.32614/RJ-2016-021.
    """
    method = EM() if method is None else method
    if not isinstance(method, (EM, MAP)):
        raise ArgumentError(
            f"method={shown(method)} must be EM() or MAP(), since BIC and ICL are defined at a point estimate; "
            "bg.compare ranks other fits."
        )
    one_of(criterion, "criterion", CRITERIA)
    data, seed, workers = as_matrix(X), as_seed(rng), whole_number(workers, "workers")
    first = method if truth(thorough, "thorough") else quicker(method)
    models = [GaussianMixture(k, family) for k in _sizes(components) for family in _families(covariances, data)]
    known = Known(sample_weight, labels, components_of)
    facts, _ = known.checked(len(data.values), max(model.n_components for model in models))
    if criterion == "icl" and not has_icl(facts):
        raise ArgumentError(
            "criterion='icl' is defined for the values alone: not with labels, nor with weights that are no whole "
            "numbers. Use criterion='bic'."
        )
    cells: list[Cell] = []
    with watched(progress, "searching") as report:
        try:
            for cell in _cells(X, models, first, seed, known, workers):
                cells.append(cell)
                if cell.is_interrupted:
                    break
                report(len(cells), len(models), f"K={cell.n_components} {cell.covariance}")
            if first is not method and len(cells) == len(models):
                _refine(cells, models, lambda some: _cells(X, some, method, seed, known, workers), criterion)
        except KeyboardInterrupt:
            pass  # what is done is kept, and the search says how many models are missing
    if not any(cell.is_usable for cell in cells):
        raise FitError(_reasons(cells))
    return Search(tuple(cells), len(models), criterion, seed)


def has_icl(facts: RowFacts) -> bool:
    """Whether rows are so many points of which nothing else is known."""
    is_whole = not len(facts.weights) or bool((facts.weights == np.round(facts.weights)).all())
    return is_whole and not len(facts.classes) and not len(facts.offsets)


def quicker(method: EM | MAP) -> EM | MAP:
    """The method with few starts and no moves; itself where it has no more."""
    if not isinstance(method.init, str) or (method.n_init <= FIRST_STARTS and method.moves == 0):
        return method
    return replace(method, n_init=min(method.n_init, FIRST_STARTS), moves=0)


def _refine(
    cells: list[Cell],
    models: list[GaussianMixture],
    fitted: Callable[[list[GaussianMixture]], Iterator[Cell]],
    criterion: str,
) -> None:
    """Fit the best cells and the suspicious ones anew, in place; a cell never gets worse."""
    done: set[int] = set()
    while True:
        values = [cell.value(criterion) if cell.is_ranked else -math.inf for cell in cells]
        best = max(values)
        # A suspicious optimum of three starts says nothing of the model's sound ones, which may be the best of all.
        near = [
            i for i, cell in enumerate(cells)
            if i not in done and cell.is_usable and (not cell.is_ranked or values[i] >= best - NEAR)
        ]  # fmt: skip
        if not near:
            return
        for i, cell in zip(near, fitted([models[i] for i in near]), strict=False):
            if cell.is_interrupted:
                return
            done.add(i)
            if cell.is_ranked and cell.value(criterion) >= values[i]:
                cells[i] = cell


def _cells(
    X: Any, models: list[GaussianMixture], method: Method, seed: int, known: Known, workers: int
) -> Iterator[Cell]:
    """One cell after the other, in this process or in several."""
    jobs = [(X, model, method, (seed, *_number(model)), known) for model in models]
    if workers == 1:
        yield from (made(*job) for job in jobs)
        return
    pool = ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn"))
    try:
        for future in [pool.submit(made, *job) for job in jobs]:
            yield future.result()
    except BrokenProcessPool:
        raise ArgumentError(UNGUARDED) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _number(model: GaussianMixture) -> tuple[int, int]:
    """What tells models apart in a seed."""
    return model.n_components, int.from_bytes(model.covariance.name.encode(), "big") % 2**32


def _sizes(components: Iterable[int] | int) -> list[int]:
    given = [components] if isinstance(components, (int, np.integer)) else components
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ArgumentError(f"components={shown(components)} must be numbers of components, such as range(1, 10).")
    sizes = sorted({whole_number(k, "components") for k in given})
    if not sizes:
        raise ArgumentError("components must name one number of components at least, and is empty.")
    return sizes


def _families(covariances: str | Iterable[str | CovarianceStructure], data: DataMatrix) -> list[CovarianceStructure]:
    if isinstance(covariances, str) and covariances == "all":
        return [as_structure(name) for name in (ONE_COLUMN if data.values.shape[1] == 1 else FOURTEEN)]
    one = isinstance(covariances, (str, CovarianceStructure))
    if not one and not isinstance(covariances, Iterable):
        raise ArgumentError(f"covariances={shown(covariances)} must be 'all', or names such as ['full', 'VEV'].")
    families = list(dict.fromkeys(as_structure(name) for name in ([covariances] if one else covariances)))
    if not families:
        raise ArgumentError("covariances must name one family at least, and is empty.")
    return families


def _reasons(cells: list[Cell]) -> str:
    """The sentences of cells of which none has a result, each once."""
    if not cells:
        return "The search was interrupted before its first cell was done."
    reasons: dict[str, list[str]] = {}
    for cell in cells:
        reasons.setdefault(cell.sentence, []).append(f"K={cell.n_components} {cell.covariance}")
    parts = [
        f"{', '.join(names[:3])}{' and others' if len(names) > 3 else ''}: {why}" for why, names in reasons.items()
    ]
    count = f"None of the {len(cells)} models" if len(cells) > 1 else "The only model"
    return f"{count} could {'' if len(cells) > 1 else 'not '}be fitted. " + " ".join(parts[:4])
