"""`Search`: the cells of a search, their table, and the best of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from bayesgmm.checks import one_of, positive, whole_number
from bayesgmm.errors import ArgumentError, NotApplicableError, shown
from bayesgmm.families.gaussian import CovarianceStructure
from bayesgmm.families.named import as_structure
from bayesgmm.result.fit import Fit
from bayesgmm.result.stacking import BY_BIC, Stacking, stack_of
from bayesgmm.selection.cell import Cell
from bayesgmm.selection.figure import plot_search

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

CRITERIA = ("bic", "icl")
NOTES = {
    "bic": "-BIC/2 = log L - (p/2) log n, in nats, higher is better",
    "icl": "-ICL/2 = bic + sum of the log responsibilities of the most probable components, higher is better",
    "bic_mclust": "2 log L - p log n, as mclust gives it, higher is better",
    "bic_sklearn": "p log n - 2 log L, as scikit-learn gives it, lower is better",
    "icl_mclust": "twice icl, as mclust gives it, higher is better",
}
FAINT = 1e-3  # weight of a model that adds nothing to an average


@dataclass(frozen=True, eq=False)
class Search:
    """The models that were searched.

    Attributes
    ----------
    cells : tuple of Cell
        One for each model that was tried: `n_components`, `covariance`, `fit` (None where it failed) and `sentence`.
    n_asked : int
        Models that were asked for; more than there are cells after an interrupt.
    criterion : {"bic", "icl"}
    seed : int
    """

    cells: tuple[Cell, ...]
    n_asked: int
    criterion: str
    seed: int

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each model, in the order of the search; ``table.attrs`` says what each criterion is.

        Columns: ``n_components``, ``covariance``, ``log_likelihood``, ``n_parameters``, ``bic`` and ``icl`` in nats,
        ``bic_mclust``, ``bic_sklearn`` and ``icl_mclust`` with those programs' sign and factor, ``is_ranked`` (False at
        a suspicious optimum and where there is no fit), and ``status``, a sentence.
        """
        import pandas as pd

        frame = pd.DataFrame([_row(cell) for cell in self.cells])
        frame.attrs |= NOTES
        return frame

    @property
    def best(self) -> Fit:
        """The fit with the highest criterion among those that are ranked.

        Raises
        ------
        NotApplicableError
            Every model ended at a suspicious optimum.
        """
        return self.top(1)[0]

    def top(self, n: int = 3) -> list[Fit]:
        """The n best fits, the best first; fewer where fewer are ranked."""
        n = whole_number(n, "n")
        return [cell.fit for cell in self._ranked()[:n] if cell.fit is not None]

    def fit(self, n_components: int, covariance: str | CovarianceStructure) -> Fit:
        """The fit of one model.

        Raises
        ------
        ArgumentError
            It was not searched.
        NotApplicableError
            It could not be fitted; the sentence says why.
        """
        family = as_structure(covariance)
        for cell in self.cells:
            if cell.n_components == n_components and self._are_one(as_structure(cell.covariance), family):
                if cell.fit is None:
                    raise NotApplicableError(f"K={n_components} {cell.covariance} has no fit: {cell.reason}")
                return cell.fit
        raise ArgumentError(
            f"n_components={shown(n_components)} with covariance={family.name!r} is no model of this search."
        )

    def average(self, within: float = 5.0) -> Fit:
        """The best models as one fit, weighted by their approximate posterior probabilities.

        Weights are proportional to exp(-BIC/2), with equal prior probabilities of the models.  Models that are one and
        the same, as with one component those of one orientation are, count once.

        Parameters
        ----------
        within : float
            Models further below the best than so many nats are left out: at 5 their weight is at most 0.007.

        References
        ----------
        Hoeting, Madigan, Raftery and Volinsky (1999), Statistical Science 14, 382-417, doi:10.1214/ss/1009212519.
        """
        within = positive(within, "within")
        cells = _different(sorted(self._ranked(), key=lambda cell: -cell.value("bic")))
        cells = [cell for cell in cells if cell.value("bic") >= cells[0].value("bic") - within]
        weights = softmax([cell.value("bic") for cell in cells])
        kept = [(cell, weight) for cell, weight in zip(cells, weights, strict=True) if weight > FAINT]
        total = sum(weight for _, weight in kept)
        names = tuple(f"K={cell.n_components} {cell.covariance}" for cell, _ in kept)
        fits = tuple(cell.fit for cell, _ in kept if cell.fit is not None)
        shares = tuple(float(weight / total) for _, weight in kept)
        how = Stacking(BY_BIC, "bic", names, tuple(one.method for one in fits), shares)
        return stack_of(fits, how, self.seed)

    def plot(self, criterion: str | None = None, ax: Axes | None = None) -> Axes:
        """The criterion against the number of components, a line for each family, with gaps at suspicious optima.

        Parameters
        ----------
        criterion : {"bic", "icl"}, optional
            That of the search where it is not given.
        ax : matplotlib Axes, optional
        """
        which = self.criterion if criterion is None else one_of(criterion, "criterion", CRITERIA, also="None")
        return plot_search(self.cells, which, ax)

    def __repr__(self) -> str:
        what = f"<Search of {len(self.cells)} models"
        left = self.n_asked - len(self.cells)
        what += f" ({left} more were not reached)" if left else ""
        ranked = self._ranked(throw=False)
        if not ranked:
            return f"{what}: none can be ranked, and .table has the reasons>"
        lines = [f"  K={c.n_components} {c.covariance}: {c.value(self.criterion):.2f}" for c in ranked[:3]]
        return "\n".join([f"{what}; {self.criterion} is {NOTES[self.criterion]}:", *lines]) + ">"

    def _are_one(self, one: CovarianceStructure, other: CovarianceStructure) -> bool:
        """Whether two families are the same for these data; in one column those of equal volume are, and the others."""
        n_features = next(cell.fit.params.n_features for cell in self.cells if cell.fit is not None and cell.is_usable)
        return one.name == other.name or (n_features == 1 and one.mclust[0] == other.mclust[0])

    def _ranked(self, throw: bool = True) -> list[Cell]:
        ranked = [cell for cell in self.cells if cell.is_ranked]
        if throw and not ranked:
            raise NotApplicableError(
                "every model failed or ended at a suspicious optimum, so that there is no best one: search fewer "
                "components or simpler covariances; .table has the reasons."
            )
        return sorted(ranked, key=lambda cell: -np.nan_to_num(cell.value(self.criterion), nan=-np.inf))


def _different(cells: list[Cell]) -> list[Cell]:
    """One of each model: those with as many components, parameters and nats are the same under several names."""
    kept: list[Cell] = []
    for cell in cells:
        if not any(_are_same(cell, other) for other in kept):
            kept.append(cell)
    return kept


def _are_same(one: Cell, other: Cell) -> bool:
    if one.fit is None or other.fit is None or one.n_components != other.n_components:
        return False
    nats = [one.fit.log_likelihood, other.fit.log_likelihood]
    return one.fit.n_parameters == other.fit.n_parameters and bool(np.isclose(*nats, rtol=1e-9, atol=1e-6))


def _row(cell: Cell) -> dict:
    found, bic, icl = cell.fit if cell.is_usable else None, cell.value("bic"), cell.value("icl")
    return {
        "n_components": cell.n_components, "covariance": cell.covariance,
        "log_likelihood": np.nan if found is None else found.log_likelihood,
        "n_parameters": np.nan if found is None else found.n_parameters,
        "bic": bic, "icl": icl, "bic_mclust": 2 * bic, "bic_sklearn": -2 * bic, "icl_mclust": 2 * icl,
        "is_ranked": cell.is_ranked, "status": cell.sentence,
    }  # fmt: skip
