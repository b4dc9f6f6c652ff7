"""`likelihood_ratio_test`: K components against K + 1, by the parametric bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np

from bayesgmm.checks import as_seed, instance, whole_number
from bayesgmm.core import density
from bayesgmm.core.threads import n_threads, run_in_threads
from bayesgmm.errors import NotApplicableError
from bayesgmm.methods.climbing.beginning import first_parameters
from bayesgmm.methods.climbing.dominance import resolvable
from bayesgmm.methods.climbing.initialize import starts, strict_whitening
from bayesgmm.methods.em import EM
from bayesgmm.models import GaussianMixture
from bayesgmm.result.fit import Fit, fit_once
from bayesgmm.result.method import Progress, silent
from bayesgmm.result.status import Outcome, Status
from bayesgmm.rows import Rows
from bayesgmm.uncertainty.bootstrap import (
    MIN_REPLICATES,
    PER_THREAD,
    check_bootstrap,
    soundness,
)
from bayesgmm.uncertainty.objective import Objective


@dataclass(frozen=True, eq=False)
class LikelihoodRatioTest:
    """K components against K + 1.

    Attributes
    ----------
    fit, alternative : Fit
        With K and K + 1 components.
    statistic : float
        Twice the difference of the maximised log likelihoods, at least 0.
    null : (replicates,) array
        The statistic of data drawn from `fit`.
    status : Status
    """

    fit: Fit
    alternative: Fit
    statistic: float
    null: np.ndarray
    status: Status

    @property
    def p_value(self) -> float:
        """The share of the statistics, the observed one among them, that are at least as large as it."""
        return float((1 + (self.null >= self.statistic).sum()) / (1 + len(self.null)))

    @property
    def p_value_se(self) -> float:
        """Its Monte Carlo standard error."""
        return float(np.sqrt(self.p_value * (1.0 - self.p_value) / (1 + len(self.null))))

    def __repr__(self) -> str:
        k = self.fit.model.n_components
        return (
            f"<likelihood ratio test of K = {k} against {k + 1}: {self.statistic:.2f}, p = {self.p_value:.3g} ± "
            f"{self.p_value_se:.2g}. {self.status}>"
        )


def likelihood_ratio_test(
    fit: Fit,
    replicates: int = 199,
    rng: np.random.Generator | int | None = None,
    progress: Progress = silent,
) -> LikelihoodRatioTest:
    """Parametric-bootstrap likelihood ratio test of K components against K + 1.

    The statistic has no chi-squared distribution, since K components are on the edge of K + 1.  Its distribution is
    found by simulation: data are drawn from `fit`, and both numbers of components are fitted to them with as many
    starts as `fit` had.  Replicates in which every start ends at a suspicious optimum are left out, and counted.

    Parameters
    ----------
    fit : Fit
        By `EM`, with K components and its data.
    replicates : int
        At least 20.  A p-value is a multiple of 1 / (replicates + 1).
    rng : numpy Generator, int seed or None
        The same seed gives the same replicates, whatever the number of threads.
    progress : callable
        ``progress(done, total, note)``; an interrupt keeps the replicates that there are.

    Returns
    -------
    LikelihoodRatioTest

    Raises
    ------
    ArgumentError
        An argument is out of range.
    NotApplicableError
        The fit is not by EM, is not at a sound optimum or has no data with it, or K + 1 components have no sound
        optimum.

    References
    ----------
    McLachlan (1987), Journal of the Royal Statistical Society C 36, 318-324, doi:10.2307/2347790.
    """
    instance(fit, "fit", Fit)
    replicates = whole_number(replicates, "replicates", MIN_REPLICATES)
    method, model = fit.method, fit.model
    if not isinstance(method, EM) or not isinstance(model, GaussianMixture):
        raise NotApplicableError("the likelihood ratio is one of maximum likelihood: use a fit by bg.EM().")
    check_bootstrap(fit)
    fit.check_data()
    seed = as_seed(rng)
    larger = _resolved(model.n_components + 1, fit)
    options = _with_starts(method)
    alternative = fit_once(larger, fit.rows, options, seed)
    outcome = alternative.status.outcome
    if outcome is Outcome.INTERRUPTED:
        raise KeyboardInterrupt
    if outcome is Outcome.COLLAPSED:  # one that has not converged is slow along a ridge, and so are the replicates
        raise NotApplicableError(
            f"K = {larger.n_components} has no sound optimum to compare with: {alternative.status}"
        )
    null, is_interrupted = _null_statistics(fit, options, int(replicates), seed, progress)
    statistic = max(0.0, 2.0 * (alternative.log_likelihood - fit.log_likelihood))
    return LikelihoodRatioTest(
        fit, alternative, statistic, null[np.isfinite(null)], _status(null, int(replicates), is_interrupted)
    )


def _resolved(n_components: int, fit: Fit) -> GaussianMixture:
    return GaussianMixture(n_components, fit.model.covariance).resolve(fit.rows)


def _with_starts(method: EM) -> EM:
    """The method with starts of its own: those that were given to a fit are of K components, and know the answer."""
    if isinstance(method.init, str):
        return method
    defaults = EM()
    return EM(method.max_iter, method.tol, method.param_tol, defaults.n_init, defaults.init, method.floor)


def _null_statistics(fit: Fit, method: EM, replicates: int, seed: int, progress: Progress) -> tuple[np.ndarray, bool]:
    """Statistics of the replicates that were made, NaN where there is no sound optimum, and whether all were made."""
    models = [GaussianMixture(fit.model.n_components + more, fit.model.covariance) for more in (0, 1)]
    objectives = [Objective.maximum_likelihood(model, method, fit.params.n_features) for model in models]
    objectives[0].compile(fit.points, fit.params)
    null, is_done = np.full(replicates, np.nan), np.zeros(replicates, bool)

    def run(r: int) -> None:
        rng = np.random.default_rng([r, seed])
        data = Rows(density.sample(fit.params, len(fit.points), rng)[0], fit.feature_names)
        smaller, larger = (_highest(*pair, method, data, rng) for pair in zip(models, objectives, strict=True))
        null[r], is_done[r] = max(0.0, 2.0 * (larger - smaller)), True

    try:
        for begin in range(0, replicates, step := PER_THREAD * n_threads()):
            progress(begin, replicates, "replicates under the null")
            run_in_threads(run, range(begin, min(begin + step, replicates)))
        progress(replicates, replicates, "replicates under the null")
    except KeyboardInterrupt:
        if np.isfinite(null).sum() < MIN_REPLICATES:
            raise
        return null[is_done], True
    return null, False


def _highest(model: GaussianMixture, objective: Objective, method: EM, data: Rows, rng: np.random.Generator) -> float:
    """The largest log likelihood at a sound optimum, as `EM.run` would find it; NaN where there is none."""
    assert isinstance(method.init, str)
    whitening = strict_whitening(model, data)
    floor = max(method.floor, resolvable(whitening))
    is_sound = soundness(model.covariance, whitening, method.floor)
    best = -np.inf
    made = starts(data, model.covariance, whitening, model.n_components, method.init, rng)
    for stats in islice(made, method.n_init if model.n_components > 1 else 1):  # one component has one optimum
        params, value, _ = objective.climbed(data.values, first_parameters(stats, model.covariance, whitening, floor))
        if value > best and is_sound(params, len(data.values)):
            best = value
    return best if np.isfinite(best) else np.nan


def _status(null: np.ndarray, asked: int, is_interrupted: bool) -> Status:
    n_kept, n_lost = int(np.isfinite(null).sum()), int(np.isnan(null).sum())
    if n_kept < MIN_REPLICATES:
        raise NotApplicableError(
            f"only {n_kept} of {len(null)} replicates have sound optima with both numbers of components: use fewer."
        )
    sentence = f"{n_kept} replicates."
    if n_lost:
        sentence = f"{n_kept} replicates; {n_lost} of {len(null)} had no sound optimum and are left out."
    if is_interrupted:
        sentence = f"Interrupted after {len(null)} of {asked}: {sentence}"
    return Status(Outcome.INTERRUPTED if is_interrupted else Outcome.CONVERGED, sentence)
