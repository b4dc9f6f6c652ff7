"""Which fits the report shows at length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bayesgmm.comparison import doubt, model_names
from bayesgmm.comparison.verdict import LEADING, SMALL_DIFFERENCE, verdict
from bayesgmm.models import GaussianMixture

if TYPE_CHECKING:
    from bayesgmm.comparison import Comparison
    from bayesgmm.result.fit import Fit


@dataclass(frozen=True, eq=False)
class Choice:
    """The model that the figures show, the reason, and its usable fits.

    Parameters
    ----------
    model : str
        What it is called, such as K=3, or K=3 full where there are several covariances.
    reason : str
        A sentence.
    fits : dict of str to Fit
        Draws first, then point and variational fits.
    others : dict of str to dict of str to Fit
        Usable fits of other models.
    """

    model: str
    reason: str
    fits: Mapping[str, Fit]
    others: Mapping[str, Mapping[str, Fit]]

    def of_kind(self, *kinds: str) -> dict[str, Fit]:
        """The chosen fits of some kinds."""
        return {name: fit for name, fit in self.fits.items() if fit.kind in kinds}


def choose(comparison: Comparison, fits: Mapping[str, Fit]) -> Choice:
    """The fewest components that predict within a small difference of the best."""
    usable = {name: fit for name, fit in fits.items() if fit.kind in ("draws", "point", "variational")}
    kinds = ("draws", "point", "variational")
    ordered = dict(sorted(usable.items(), key=lambda item: kinds.index(item[1].kind)))
    names = model_names(comparison.rows)
    models = {names[name]: fit.model for name, fit in ordered.items()}
    labels = sorted(models, key=lambda k: (not isinstance(models[k], GaussianMixture), models[k].n_components))
    by_model = {k: {name: fit for name, fit in ordered.items() if names[name] == k} for k in labels}
    label, reason = _chosen(comparison, labels)
    return Choice(label, reason, by_model.pop(label), by_model)


def _chosen(comparison: Comparison, labels: list[str]) -> tuple[str, str]:
    """One of the labels, which begin with the fewest components; models with an unknown number come last."""
    found = next((v for column in LEADING if (v := verdict(comparison, column)) is not None), None)
    if found is None:
        return labels[0], f"The figures show {labels[0]}."
    alike = {rival.model: rival.name for rival in found.rivals if rival.behind <= SMALL_DIFFERENCE}
    best = next((label for label in labels if label == found.model or label in alike), labels[0])
    told = "; ".join([f"{found.column}, {found.name!r}", *found.remarks])
    if best == found.model:
        return best, f"The figures show {best}, which predicts new points best ({told})."
    how = doubt(comparison.rows[alike[best]]) if best in alike else ""
    return best, (
        f"The figures show {best}{f' ({how})' if how else ''}, the fewest components that predict new points as well "
        f"as the best, {found.model}, to within {SMALL_DIFFERENCE:.0f} nats ({told})."
    )
