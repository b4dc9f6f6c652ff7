"""Automatic differentiation variational inference: the best normal distribution of the unconstrained parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayesgmm.checks import one_of, positive, real_number, store, whole_numbers
from bayesgmm.families.family import Capability
from bayesgmm.methods.approximation import (
    Weighing,
    failed,
    flat_draws,
    one_blas_thread,
    variational_start,
    verdict,
)
from bayesgmm.models import DirichletProcessMixture, GaussianMixture
from bayesgmm.priors.independent import COMPONENTS_PRIORS
from bayesgmm.result.approximation import ApproximateDraws, ApproximationDiagnostics
from bayesgmm.result.method import MethodResult, Progress
from bayesgmm.rows import Rows

ADVI_KINDS = ("mean-field", "full-rank")
START_DRAWS = 500
MIN_ITER = 100  # fewer, left by an interrupt, have not moved


@dataclass(frozen=True)
class ADVI:
    """Draws from the normal distribution of the unconstrained parameters that is nearest to the posterior.

    Nearest in Kullback-Leibler divergence from the approximation q, found by stochastic gradients (PyMC's `ADVI` and
    `FullRankADVI`, on the density of ``pymc_model(model, X)``).  The optimiser starts at the mean and the deviations
    of the variational posterior of `VB`, and so finds one of the posterior's modes.  What it finds is of q and not
    corrected: `diagnostics` has the Pareto k-hat of q, which is also in the status.

    Parameters
    ----------
    kind : {"mean-field", "full-rank"}
        Independent coordinates, or a full covariance matrix.
    n_iter : int
        Steps of the optimiser, each with one draw of q.
    draws : int
        Draws of q that the fit holds.
    learning_rate : float
        Of Adam at the first step, in standard deviations of the start; it falls to zero.
    tol : float
        In nats.  The fit has converged if the ELBO rose by no more between the last two quarters of the steps,
        beyond twice the standard error of that.
    n_init : int
        Starts of `VB`, of which the best is taken.

    Raises
    ------
    ArgumentError
        An option is out of range.

    References
    ----------
    Kucukelbir, Tran, Ranganath, Gelman and Blei (2017), Journal of Machine Learning Research 18(14), 1-45.  Yao,
    Vehtari, Simpson and Gelman (2018), ICML, PMLR 80, 5581-5590: the diagnostic.  Dhaka, Catalina, Andersen,
    Magnusson, Huggins and Vehtari (2020), NeurIPS 33: averaged iterates.
    """

    models: ClassVar[tuple[type, ...]] = (GaussianMixture, DirichletProcessMixture)
    priors: ClassVar = COMPONENTS_PRIORS
    needs: ClassVar[tuple[Capability, ...]] = ("conjugate", "coordinates")

    kind: str = "mean-field"
    n_iter: int = 10_000
    draws: int = 1000
    learning_rate: float = 0.02
    tol: float = 0.1
    n_init: int = 10

    def __post_init__(self):
        one_of(self.kind, "kind", ADVI_KINDS)
        whole_numbers(self, {"n_iter": MIN_ITER, "draws": 100, "n_init": 1})
        store(self, learning_rate=positive(self.learning_rate, "learning_rate"))
        store(self, tol=real_number(self.tol, "tol", least=0))

    def run(
        self,
        model: GaussianMixture | DirichletProcessMixture,
        data: Rows,
        rng: np.random.Generator,
        progress: Progress,
    ) -> MethodResult:
        """Fit q, draw from it, and weigh the draws."""
        from bayesgmm.flat.posterior import FlatPosterior
        from bayesgmm.ppl.variational import log_densities, run_advi

        posterior = FlatPosterior.of(model, data)
        try:
            vb = variational_start(model, data, self.n_init, rng)
            begin = flat_draws(posterior.coordinates, vb, rng, START_DRAWS)
            with one_blas_thread():
                q, history = run_advi(
                    posterior, self.kind, begin.mean(0), begin.std(0), self.n_iter, self.learning_rate,
                    int(rng.integers(2**31)), lambda step: progress(step, self.n_iter, "steps"),
                )  # fmt: skip
        except (FloatingPointError, np.linalg.LinAlgError) as error:
            return failed(f"ADVI stopped with an error: {str(error).strip().splitlines()[0]}")
        is_interrupted = len(history) < self.n_iter
        if len(history) < MIN_ITER:
            raise KeyboardInterrupt
        with one_blas_thread():
            x = q.draw(rng, self.draws)
            log_q = q.log_density(x)
        log_ratio = log_densities(posterior, x) - log_q
        found = Weighing.of(log_ratio)
        params = posterior.coordinates.expand(np.vstack([q.mean[None], x]))
        estimate = ApproximateDraws(params[0], params[1:][None], is_aligned=True, log_ratio=log_ratio)
        diagnostics = ApproximationDiagnostics(found.pareto_k, found.elbo, found.elbo_se, len(history), (found.elbo,))
        trouble = self._trouble(history, is_interrupted)
        status = verdict(diagnostics, trouble, is_interrupted, f"Converged after {len(history)} steps.")
        return MethodResult(estimate, status, diagnostics, np.append(history, found.elbo))

    def _trouble(self, history: np.ndarray, is_interrupted: bool) -> str:
        """Whether the ELBO was still rising, as a sentence."""
        if is_interrupted:
            return f"Interrupted after {len(history)} of {self.n_iter} steps."
        quarter = len(history) // 4
        last, before = history[-quarter:], history[-2 * quarter : -quarter]
        rise, error = last.mean() - before.mean(), np.sqrt((last.var() + before.var()) / quarter)
        if rise <= self.tol + 2.0 * error:
            return ""
        return (
            f"The ELBO was still rising after {self.n_iter} steps, by {rise:.2f} nats over the last quarter (tol "
            f"{self.tol:g}): raise n_iter."
        )
