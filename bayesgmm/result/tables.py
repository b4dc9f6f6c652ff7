"""`summary`: component rows for point and variational fits, label-invariant rows for draws."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import NotApplicableError
from bayesgmm.result.diagnostics import SamplerDiagnostics, diagnose, invariant_quantities
from bayesgmm.result.estimates import UNALIGNED

if TYPE_CHECKING:
    import pandas as pd

    from bayesgmm.result.fit import Fit

INTERVAL = (0.05, 0.95)


def summary(fit: Fit, components: bool | None) -> pd.DataFrame:
    """The table of ``Fit.summary``."""
    is_unaligned = not fit.estimate.is_aligned and fit.model.n_components > 1
    if components is None:
        components = not is_unaligned
    if components and is_unaligned:
        raise NotApplicableError(UNALIGNED)
    return _component_rows(fit) if components else _invariant_rows(fit)


def _invariant_rows(fit: Fit) -> pd.DataFrame:
    import pandas as pd

    if isinstance(fit.diagnostics, SamplerDiagnostics):
        return pd.DataFrame([asdict(q) for q in fit.diagnostics.quantities]).set_index("name")
    if fit.X is None:
        raise NotApplicableError("this fit was saved without its data, which label-invariant rows need.")
    draws = fit.estimate.draws()
    quantities = invariant_quantities(draws, fit.X)
    if draws.draw_shape[1] > 1:
        return pd.DataFrame([asdict(q) for q in diagnose(quantities).quantities]).set_index("name")[["mean", "sd"]]
    return pd.DataFrame({"mean": {name: float(v.mean()) for name, v in quantities.items()}}).rename_axis("name")


def _component_rows(fit: Fit) -> pd.DataFrame:
    import pandas as pd

    draws = fit.estimate.draws()
    columns = _component_values(draws, fit.feature_names)
    if draws.draw_shape == (1, 1):
        return pd.DataFrame({"estimate": {name: float(v[0, 0]) for name, v in columns.items()}}).rename_axis(
            "parameter"
        )
    rows = {
        name: {
            "mean": v.mean(),
            "sd": v.std(ddof=1),
            **{f"q{100 * level:g}": q for level, q in zip(INTERVAL, np.quantile(v, INTERVAL), strict=True)},
        }
        for name, v in columns.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("parameter")


def _component_values(draws: MixtureParams, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """(chain, draw) values of every weight, mean, standard deviation and correlation."""
    covariances = draws.covariances
    sd = np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))
    values = {}
    for k in range(draws.n_components):
        values[f"weight[{k}]"] = draws.weights[..., k]
        for i, name in enumerate(names):
            values[f"mean[{k}, {name}]"] = draws.means[..., k, i]
        for i, name in enumerate(names):
            values[f"sd[{k}, {name}]"] = sd[..., k, i]
        if draws.is_diagonal:
            continue
        for i, first in enumerate(names):
            for j, second in enumerate(names[:i]):
                correlation = covariances[..., k, i, j] / (sd[..., k, i] * sd[..., k, j])
                values[f"correlation[{k}, {second}, {first}]"] = correlation
    return values
