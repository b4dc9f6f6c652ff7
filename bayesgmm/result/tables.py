"""`summary`: rows of component parameters where components mean something, else label-invariant rows."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.checks import truth
from bayesgmm.core.forms import DIAGONAL
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import NotApplicableError
from bayesgmm.result.alignment import Alignment
from bayesgmm.result.diagnostics import SamplerDiagnostics, diagnose, invariant_quantities
from bayesgmm.result.estimates import UNALIGNED, Draws
from bayesgmm.result.own_data import own_rows
from bayesgmm.result.stacked import StackedEstimate

if TYPE_CHECKING:
    import pandas as pd

    from bayesgmm.result.fit import Fit

INTERVAL = (0.05, 0.95)
MIN_PRESENT = 10  # draws of a chain, below which R-hat means nothing


def summary(fit: Fit, components: bool | None) -> pd.DataFrame:
    """The table of ``Fit.summary``."""
    if isinstance(fit.estimate, StackedEstimate):
        return fit.estimate.table()
    is_unaligned = not fit.estimate.is_aligned and fit.model.n_components > 1
    components = not is_unaligned if components is None else truth(components, "components", also="None")
    if components and is_unaligned:
        raise NotApplicableError(UNALIGNED)
    return _component_rows(fit) if components else _invariant_rows(fit)


def _invariant_rows(fit: Fit) -> pd.DataFrame:
    import pandas as pd

    if isinstance(fit.diagnostics, SamplerDiagnostics):
        return pd.DataFrame([asdict(q) for q in fit.diagnostics.quantities]).set_index("name")
    rows, draws = own_rows(fit, "label-invariant rows need"), fit.estimate.draws()
    quantities = invariant_quantities(draws, rows.values, fit.pointwise.total())
    if draws.draw_shape[1] > 1:
        return pd.DataFrame([asdict(q) for q in diagnose(quantities).quantities]).set_index("name")[["mean", "sd"]]
    return pd.DataFrame({"mean": {name: float(v.mean()) for name, v in quantities.items()}}).rename_axis("name")


def _component_rows(fit: Fit) -> pd.DataFrame:
    import pandas as pd

    draws = fit.estimate.draws()
    columns = component_values(draws, fit.feature_names)
    if isinstance(fit.estimate, Draws):
        return _sampled_rows(columns, fit.estimate.alignment)
    if draws.draw_shape == (1, 1):
        return pd.DataFrame({"estimate": {name: float(v[0, 0]) for (_, name), v in columns.items()}}).rename_axis(
            "parameter"
        )
    rows = {name: {"mean": v.mean(), "sd": v.std(ddof=1), **_interval(v)} for (_, name), v in columns.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")


def _sampled_rows(columns: dict[tuple[int, str], np.ndarray], alignment: Alignment | None) -> pd.DataFrame:
    """Component rows of Markov chains: with R-hat and effective sizes, and with what is known of the alignment.

    A component that is empty in some draws is summed up over the draws that have it.
    """
    import pandas as pd

    rows = {}
    for (k, name), values in columns.items():
        present = values if alignment is None else present_draws(values, alignment.is_occupied[..., k])
        if present is None:
            continue
        found = diagnose({name: present}).quantities[0]
        rows[name] = {"mean": found.mean, "sd": found.sd, **_interval(present), "mcse": found.mcse,
                      "ess_bulk": found.ess_bulk, "ess_tail": found.ess_tail, "rhat": found.rhat}  # fmt: skip
        if alignment is not None:
            rows[name]["ambiguity"] = float(alignment.per_component[k])
        if alignment is not None and not alignment.is_occupied.all():
            rows[name]["occupied"] = float(alignment.occupied[k])
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")


def present_draws(values: np.ndarray, is_occupied: np.ndarray) -> np.ndarray | None:
    """(chain, fewer draws) values of the draws that have the component, chains cut to the shortest.

    Where a chain would have fewer than `MIN_PRESENT`, all of them stand in one chain; None where that is too few too.
    """
    kept = [chain[mask] for chain, mask in zip(values, is_occupied, strict=True)]
    shortest = min(len(chain) for chain in kept)
    if shortest >= MIN_PRESENT:
        return np.stack([chain[:shortest] for chain in kept])
    together = np.concatenate(kept)
    return together[None] if len(together) >= MIN_PRESENT else None


def _interval(values: np.ndarray) -> dict[str, float]:
    return {f"q{100 * level:g}": q for level, q in zip(INTERVAL, np.quantile(values, INTERVAL), strict=True)}


def component_values(draws: MixtureParams, names: tuple[str, ...]) -> dict[tuple[int, str], np.ndarray]:
    """(chain, draw) values of every weight, mean, standard deviation and correlation, by component and name."""
    covariances = draws.covariances
    sd = np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))
    values = {}
    for k in range(draws.n_components):
        values[k, f"weight[{k}]"] = draws.weights[..., k]
        for i, name in enumerate(names):
            values[k, f"mean[{k}, {name}]"] = draws.means[..., k, i]
        for i, name in enumerate(names):
            values[k, f"sd[{k}, {name}]"] = sd[..., k, i]
        if draws.form is DIAGONAL:
            continue
        for i, first in enumerate(names):
            for j, second in enumerate(names[:i]):
                correlation = covariances[..., k, i, j] / (sd[..., k, i] * sd[..., k, j])
                values[k, f"correlation[{k}, {second}, {first}]"] = correlation
    return values
