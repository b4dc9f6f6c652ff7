"""A fit that goes on: with further data, or with further draws."""

from __future__ import annotations

import time
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm.core.facts import NO_FACTS
from bayesgmm.errors import FitError, NotApplicableError
from bayesgmm.result.diagnostics import StreamDiagnostics
from bayesgmm.result.estimates import Draws
from bayesgmm.result.identified import identified
from bayesgmm.result.method import Progress, Sampler
from bayesgmm.result.occupancy import with_remarks
from bayesgmm.result.own_data import WITHOUT_DATA
from bayesgmm.result.provenance import provenance
from bayesgmm.rows import StreamedRows

if TYPE_CHECKING:
    from bayesgmm.result.fit import Fit


def with_data(fit: Fit, source: StreamedRows, seed: int, progress: Progress) -> Fit:
    """The fit of ``Fit.partial_fit``."""
    resume = getattr(fit.method, "resume", None)
    if resume is None or not isinstance(fit.diagnostics, StreamDiagnostics):
        raise NotApplicableError(
            f"{type(fit.method).__name__} needs all data at once: fit it anew, or use OnlineEM or StochasticVB."
        )
    source = replace(source, source=source.source.matching(fit.feature_names)).held()
    begin = time.perf_counter()
    result = resume(fit, source, np.random.default_rng(seed), progress)
    seconds = fit.seconds + time.perf_counter() - begin
    digest = sha256(f"{fit.provenance['data_sha256']} {source.digest()}".encode()).hexdigest()
    return with_remarks(
        replace(
            fit,
            estimate=result.estimate,
            status=result.status,
            diagnostics=result.diagnostics,
            history=result.history,
            seconds=seconds,
            seed=seed,
            X=None,
            facts=NO_FACTS,
            n_obs=result.diagnostics.n_rows,
            provenance=provenance(digest),
        )
    )


def with_draws(fit: Fit, draws: int | None, progress: Progress) -> Fit:
    """The fit of ``Fit.extend``."""
    method = fit.method
    if not isinstance(method, Sampler) or fit.kind != "draws":
        raise NotApplicableError(_why_it_cannot_go_on(fit))
    if isinstance(fit.estimate, Draws) and not fit.estimate.states:
        raise NotApplicableError(
            "this fit does not know where its chains were (it is stacked, or an earlier version saved it): fit it anew."
        )
    if fit.X is None:
        raise NotApplicableError(f"{WITHOUT_DATA}, and further draws need them: fit it anew.")
    fit.check_data()
    begin = time.perf_counter()
    result = method.extend(fit, draws, fit.rows, progress)
    if not result.status.is_usable:
        raise FitError(result.status.sentence)
    length = None if draws is None else result.estimate.draws().draw_shape[1]
    longer: Any = replace(method if draws is None else method.as_fixed(fit), draws=length)  # pyright: ignore[reportArgumentType]
    return with_remarks(
        replace(
            fit,
            method=longer,
            estimate=identified(result.estimate, fit.rows.facts, fit.model.n_components),
            status=result.status,
            diagnostics=result.diagnostics,
            seconds=fit.seconds + time.perf_counter() - begin,
            provenance=provenance(fit.provenance["data_sha256"]),
        )
    )


def _why_it_cannot_go_on(fit: Fit) -> str:
    name = type(fit.method).__name__
    if fit.kind == "none":
        return f"this fit has no draws to go on from: {fit.status.sentence}"
    if isinstance(fit.diagnostics, StreamDiagnostics):
        return f"{name} has no chains of draws: it goes on with partial_fit, on further data."
    return (
        f"{name} has no chains of draws to go on with: fit anew with other options (such as more iterations or "
        "restarts), or by Gibbs or NUTS for more draws from the posterior."
    )
