"""Information criteria of point estimates, halved and with their sign changed: higher is better."""

from __future__ import annotations

import numpy as np

from bayesgmm.criteria.score import Score
from bayesgmm.errors import NotApplicableError
from bayesgmm.result.fit import Fit
from bayesgmm.result.status import Outcome

COLLAPSED = "at a suspicious optimum the likelihood can be as high as one likes, so this is left out of comparisons: "

AT_MODE = (
    "at a MAP estimate: the log likelihood at the mode of the posterior stands in the place of the maximum (for BIC: "
    "Fraley and Raftery 2007), so that it depends on the prior, and is below that of EM"
)

POWER = (
    "the weights of the rows are no whole numbers: the likelihood is raised to a power row by row, and the number of "
    "points is the sum of the weights"
)


def aic(fit: Fit, X: np.ndarray) -> Score:
    """-AIC/2, the log likelihood at the point estimate less its number of parameters.

    Akaike (1974), IEEE Transactions on Automatic Control 19, 716-723, doi:10.1109/TAC.1974.1100705.

    Raises
    ------
    NotApplicableError
        The fit is not a point estimate.
    """
    return summed("aic", fit, X, fit.n_parameters)


def aicc(fit: Fit, X: np.ndarray) -> Score:
    """-AICc/2: `aic` with its small-sample correction, less p (p + 1) / (n - p - 1) for p parameters and n points.

    Hurvich and Tsai (1989), Biometrika 76, 297-307, doi:10.1093/biomet/76.2.297.

    Raises
    ------
    NotApplicableError
        The fit is not a point estimate, or n is at most p + 1.
    """
    need_point(fit, "aicc")
    n, p = _n_points(fit, X), fit.n_parameters
    if n - p - 1 <= 0:
        raise NotApplicableError(
            f"AICc divides by n - p - 1, and with {n} points and {p} parameters there is nothing left: fewer "
            "components or a simpler covariance."
        )
    return summed("aicc", fit, X, p + p * (p + 1) / (n - p - 1))


def bic(fit: Fit, X: np.ndarray) -> Score:
    """-BIC/2 (mclust's BIC / 2), an approximation of the log evidence.

    Schwarz (1978), Annals of Statistics 6, 461-464, doi:10.1214/aos/1176344136.  At the mode of a posterior: Fraley and
    Raftery (2007), Journal of Classification 24, 155-181, doi:10.1007/s00357-007-0004-5.

    Raises
    ------
    NotApplicableError
        The fit is not a point estimate.
    """
    need_point(fit, "bic")
    return guarded(fit, Score("bic", _likelihood(fit, X) - _half_p_log_n(fit, X), 0.0))


def icl(fit: Fit, X: np.ndarray) -> Score:
    """-ICL/2 (mclust's ICL / 2): `bic` plus the log responsibilities of the MAP allocation.

    Biernacki, Celeux and Govaert (2000), IEEE PAMI 22, 719-725, doi:10.1109/34.865189.

    Raises
    ------
    NotApplicableError
        The fit is not a point estimate.
    """
    need_point(fit, "icl")
    certainty = float(np.log(fit.responsibilities(X).max(1)).sum())
    return guarded(fit, Score("icl", _likelihood(fit, X) - _half_p_log_n(fit, X) + certainty, 0.0))


def summed(kind: str, fit: Fit, X: np.ndarray, penalty: float) -> Score:
    """The log likelihood less a penalty, by points where these have a log density each by their values alone."""
    need_point(fit, kind)
    if _is_plain(fit):
        return guarded(fit, Score.summed(kind, fit.log_density(X) - penalty / len(X)))
    return guarded(fit, Score(kind, fit.log_likelihood - penalty, 0.0))


def need_point(fit: Fit, kind: str) -> None:
    """Raise a NotApplicableError where a fit is no point estimate, which every information criterion needs."""
    if fit.kind != "point":
        raise NotApplicableError(
            f"{kind} is defined at a point estimate (EM or MAP), and this fit is of kind {fit.kind!r}."
        )


def guarded(fit: Fit, score: Score) -> Score:
    """The score with what its reader must know of the fit; not ranked at a suspicious optimum."""
    if getattr(fit.method, "is_regularised", False):
        score = score.noted(AT_MODE)
    if fit.status.outcome is not Outcome.COLLAPSED:
        return score
    return score.barred(COLLAPSED + fit.status.sentence)


def _is_plain(fit: Fit) -> bool:
    return not fit.is_restricted and bool((fit.facts.weights == np.round(fit.facts.weights)).all())


def _likelihood(fit: Fit, X: np.ndarray) -> float:
    """With what is known of rows; by the densities of the points where nothing is, as a fit of a stream needs it."""
    return float(fit.log_density(X).sum()) if _is_plain(fit) else fit.log_likelihood


def _n_points(fit: Fit, X: np.ndarray) -> float:
    return len(X) if _is_plain(fit) else fit.n_obs


def _half_p_log_n(fit: Fit, X: np.ndarray) -> float:
    return 0.5 * fit.n_parameters * float(np.log(_n_points(fit, X)))
