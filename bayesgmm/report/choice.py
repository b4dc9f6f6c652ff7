"""Which fits the report shows at length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bayesgmm.comparison.verdict import LEADING, SMALL_DIFFERENCE, verdict

if TYPE_CHECKING:
    from bayesgmm.comparison import Comparison
    from bayesgmm.result.fit import Fit


@dataclass(frozen=True, eq=False)
class Choice:
    """The number of components that the figures show, the reason, and the usable fits that have it.

    Parameters
    ----------
    n_components : int
    reason : str
        A sentence.
    fits : dict of str to Fit
        Draws first, then point and variational fits.
    others : dict of int to dict of str to Fit
        Usable fits with other numbers of components.
    """

    n_components: int
    reason: str
    fits: Mapping[str, Fit]
    others: Mapping[int, Mapping[str, Fit]]

    def of_kind(self, *kinds: str) -> dict[str, Fit]:
        """The chosen fits of some kinds."""
        return {name: fit for name, fit in self.fits.items() if fit.kind in kinds}


def choose(comparison: Comparison, fits: Mapping[str, Fit]) -> Choice:
    """The fewest components that predict within a small difference of the best."""
    usable = {name: fit for name, fit in fits.items() if fit.kind != "none"}
    kinds = ("draws", "point", "variational")
    ordered = dict(sorted(usable.items(), key=lambda item: kinds.index(item[1].kind)))
    sizes = sorted({fit.model.n_components for fit in ordered.values()})
    by_size = {k: {name: fit for name, fit in ordered.items() if fit.model.n_components == k} for k in sizes}
    k, reason = _size(comparison, sizes)
    return Choice(k, reason, by_size.pop(k), by_size)


def _size(comparison: Comparison, sizes: list[int]) -> tuple[int, str]:
    found = next((v for column in LEADING if (v := verdict(comparison, column)) is not None), None)
    if found is None:
        return sizes[0], f"The figures show K={sizes[0]}."
    alike = [rival.n_components for rival in found.rivals if rival.behind <= SMALL_DIFFERENCE]
    best = min((k for k in (found.n_components, *alike) if k in sizes), default=sizes[0])
    if best == found.n_components:
        return best, f"The figures show K={best}, which predicts new points best ({found.column})."
    return best, (
        f"The figures show K={best}, the fewest components that predict new points as well as the best, "
        f"K={found.n_components}, to within {SMALL_DIFFERENCE:.0f} nats ({found.column})."
    )
