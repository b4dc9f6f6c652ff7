"""What the methods that approximate the posterior of a flat vector share: starts, weights, the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.methods.vb import VB
from bayesgmm.models import DirichletProcessMixture, GaussianMixture
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.result.approximation import PARETO_K_LIMIT, ApproximationDiagnostics
from bayesgmm.result.arviz import array_stats
from bayesgmm.result.estimates import NoEstimate, VariationalPosterior
from bayesgmm.result.method import MethodResult, silent
from bayesgmm.result.status import Outcome, Status
from bayesgmm.rows import Rows

MIN_MASS = 1e-12  # a weight that underflows to 0 has no unconstrained coordinate


@dataclass(frozen=True, eq=False)
class Weighing:
    """Draws of q against the posterior.

    Parameters
    ----------
    log_weights : (n_draws,) array
        Pareto smoothed, and normalised.
    pareto_k : float
    elbo, elbo_se : float
    """

    log_weights: np.ndarray
    pareto_k: float
    elbo: float
    elbo_se: float

    @classmethod
    def of(cls, log_ratio: np.ndarray) -> Weighing:
        """From log p - log q at the draws of q; -inf where p is zero."""
        finite = np.isfinite(log_ratio)
        lowest = log_ratio[finite].min() - 100.0 if finite.any() else 0.0  # of no weight, but a number
        # ArviZ takes minus the log ratios, as it is made for log likelihoods in leave-one-out.
        log_weights, pareto_k = array_stats().psislw(-np.where(finite, log_ratio, lowest))
        elbo_se = log_ratio.std(ddof=1) / np.sqrt(len(log_ratio)) if finite.all() else np.inf
        return cls(np.asarray(log_weights), float(pareto_k), float(log_ratio.mean()), float(elbo_se))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """The matrices are so small that threads would only wait for one another, and could change the last bits."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield


def variational_start(
    model: GaussianMixture | DirichletProcessMixture, data: Rows, n_init: int, rng: np.random.Generator
) -> ConjugateMixture:
    """The conjugate variational posterior with the best evidence bound of `n_init` starts."""
    found = VB(n_init=n_init, moves=0).run(model, data, rng, silent)
    if found.status.outcome is Outcome.INTERRUPTED:
        raise KeyboardInterrupt
    if not isinstance(found.estimate, VariationalPosterior):
        raise FloatingPointError(found.status.sentence)
    return found.estimate.posterior


def flat_draws(coordinates: Any, posterior: ConjugateMixture, rng: np.random.Generator, n_draws: int) -> np.ndarray:
    """(n_draws, n_dim) flat vectors of draws from a conjugate posterior."""
    params = posterior.sample(rng, n_draws)
    weights = np.maximum(params.weights, MIN_MASS)
    params.weights[:] = weights / weights.sum(-1, keepdims=True)
    return np.array([coordinates.flatten(params[s], rng) for s in range(n_draws)])


def failed(reason: str) -> MethodResult:
    """Of a fit without a usable result."""
    nothing = ApproximationDiagnostics(np.inf, -np.inf, np.inf, 0, ())
    return MethodResult(NoEstimate(reason), Status(Outcome.FAILED, reason), nothing, np.empty(0))


def verdict(diagnostics: ApproximationDiagnostics, trouble: str, is_interrupted: bool, done: str) -> Status:
    """Converged, or what speaks against the approximation and what to do about it."""
    notes = [trouble] if trouble else []
    if not diagnostics.is_reliable:
        notes.append(
            f"The approximation is far from the posterior: its Pareto k-hat is {diagnostics.pareto_k:.2f} (limit "
            f"{PARETO_K_LIMIT}). Do not trust its uncertainties: use Gibbs or NUTS."
        )
    if is_interrupted:
        return Status(Outcome.INTERRUPTED, " ".join(notes))
    if notes:
        return Status(Outcome.NOT_CONVERGED, " ".join(notes))
    return Status(
        Outcome.CONVERGED,
        f"{done} The approximation is close to the posterior where it has mass (Pareto k-hat "
        f"{diagnostics.pareto_k:.2f}, ELBO {diagnostics.elbo:.2f} with a standard error of {diagnostics.elbo_se:.2f}); "
        "of modes that it does not reach this says nothing.",
    )
