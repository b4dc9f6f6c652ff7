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
    _need_point(fit, "AIC")
    return _guarded(fit, Score.summed("aic", fit.log_density(X) - fit.n_parameters / len(X)))


def aicc(fit: Fit, X: np.ndarray) -> Score:
    """-AICc/2: `aic` with its small-sample correction, less p (p + 1) / (n - p - 1) for p parameters and n points.

    Hurvich and Tsai (1989), Biometrika 76, 297-307, doi:10.1093/biomet/76.2.297.

    Raises
    ------
    NotApplicableError
        The fit is not a point estimate, or n is at most p + 1.
    """
    _need_point(fit, "AICc")
    n, p = len(X), fit.n_parameters
    if n - p - 1 <= 0:
        raise NotApplicableError(
            f"AICc divides by n - p - 1, and with {n} points and {p} parameters there is nothing left: fewer "
            "components or a simpler covariance."
        )
    penalty = p + p * (p + 1) / (n - p - 1)
    return _guarded(fit, Score.summed("aicc", fit.log_density(X) - penalty / n))


def bic(fit: Fit, X: np.ndarray) -> Score:
    """-BIC/2 (mclust's BIC / 2), an approximation of the log evidence.

    Schwarz (1978), Annals of Statistics 6, 461-464, doi:10.1214/aos/1176344136.  At the mode of a posterior: Fraley and
    Raftery (2007), Journal of Classification 24, 155-181, doi:10.1007/s00357-007-0004-5.

    Raises
    ------
    NotApplicableError
        The fit is not a point estimate.
    """
    _need_point(fit, "BIC")
    return _guarded(fit, Score("bic", _bic(fit, X), 0.0))


def icl(fit: Fit, X: np.ndarray) -> Score:
    """-ICL/2 (mclust's ICL / 2): `bic` plus the log responsibilities of the MAP allocation.

    Biernacki, Celeux and Govaert (2000), IEEE PAMI 22, 719-725, doi:10.1109/34.865189.

    Raises
    ------
    NotApplicableError
        The fit is not a point estimate.
    """
    _need_point(fit, "ICL")
    certainty = float(np.log(fit.responsibilities(X).max(1)).sum())
    return _guarded(fit, Score("icl", _bic(fit, X) + certainty, 0.0))


def _bic(fit: Fit, X: np.ndarray) -> float:
    return float(fit.log_density(X).sum()) - 0.5 * fit.n_parameters * float(np.log(len(X)))


def _need_point(fit: Fit, name: str) -> None:
    if fit.kind != "point":
        raise NotApplicableError(
            f"{name} is defined at a point estimate (EM or MAP), and this fit is of kind {fit.kind!r}."
        )


def _guarded(fit: Fit, score: Score) -> Score:
    if getattr(fit.method, "is_regularised", False):
        score = score.noted(AT_MODE)
    if fit.status.outcome is not Outcome.COLLAPSED:
        return score
    return score.barred(COLLAPSED + fit.status.sentence)


def of_a_power(fit: Fit) -> dict[str, Score]:
    """AIC and BIC of a fit to fractional weights, whose likelihood is one of powers; the notes say so."""
    return {kind: score.noted(POWER) for kind, score in of_known_rows(fit).items()}


def of_known_rows(fit: Fit) -> dict[str, Score]:
    """AIC and BIC by the likelihood that was fitted, with the weights, labels and offsets of its rows."""
    _need_point(fit, "an information criterion")
    p, n = fit.n_parameters, fit.n_obs
    values = {"aic": fit.log_likelihood - p, "bic": fit.log_likelihood - 0.5 * p * float(np.log(n))}
    return {kind: _guarded(fit, Score(kind, value, 0.0)) for kind, value in values.items()}
