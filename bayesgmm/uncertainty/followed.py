"""The draws of a fit with components that can be followed from one to the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesgmm.errors import NotApplicableError
from bayesgmm.labels import relabel
from bayesgmm.result.estimates import Draws
from bayesgmm.result.fit import Fit
from bayesgmm.uncertainty.intervals import AMBIGUOUS

MAX_DRAWS = 1000  # of each fit: more say no more about a quantile that is drawn, and take longer to align


def followed(fit: Fit) -> Fit:
    """The fit with aligned labels, of many draws some that are evenly spread.

    Raises
    ------
    NotApplicableError
        Its labels are too ambiguous to follow a component.
    """
    if not fit.estimate.is_aligned and fit.model.n_components > 1:
        fit = relabel(_thinned(fit))
    alignment = getattr(fit.estimate, "alignment", None)
    if alignment is not None and alignment.overall > AMBIGUOUS:
        raise NotApplicableError(
            f"its components overlap so much that which is which is not sure (ambiguity {alignment.overall:.2g} after "
            f"relabelling, above {AMBIGUOUS:g})."
        )
    return fit


def _thinned(fit: Fit) -> Fit:
    """At most so many draws, evenly spaced in each chain."""
    if not isinstance(fit.estimate, Draws):
        return fit
    chains, draws = fit.params.draw_shape
    kept = np.linspace(0, draws - 1, min(draws, max(1, MAX_DRAWS // chains))).round().astype(int)
    params = fit.params[np.arange(chains)[:, None], kept]
    stats = {name: values[:, kept] for name, values in fit.estimate.sample_stats.items()}
    return replace(fit, estimate=Draws(params, stats))
