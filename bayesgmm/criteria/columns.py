"""`COLUMNS`: every criterion, what it estimates, what computes it, and how it is drawn; one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from bayesgmm.criteria.baseline import no_inertia
from bayesgmm.criteria.clustering import ari
from bayesgmm.criteria.evidence import elbo, elbo_orders, log_evidence
from bayesgmm.criteria.information import aic, aicc, bic, icl
from bayesgmm.criteria.predictive import elpd_holdout, elpd_kfold, elpd_loo, elpd_waic
from bayesgmm.criteria.score import Score
from bayesgmm.result.fit import Fit

PREDICTION = "out-of-sample log predictive density"
EVIDENCE = "log evidence"
CLUSTERING = "clustering"
ESTIMANDS = (PREDICTION, EVIDENCE, CLUSTERING)


@dataclass(frozen=True, eq=False)
class Asked:
    """What a fit is scored with.

    Parameters
    ----------
    X : (n, d) array
        The points of the fit.
    new : (m, d) array or None
        Points that no fit has seen.
    groups : (n,) array or None
        Known groups of the points.
    held_out : list of arrays
        The points of each fold.
    seed : int
        Of refits.
    workers : int
        Processes of the refits.
    on_fold, on_refit : callable
        Told of progress.
    """

    X: np.ndarray
    new: Any  # what is not given is not asked for
    groups: Any
    held_out: list[np.ndarray]
    seed: int
    workers: int
    on_fold: Callable[[int], None]
    on_refit: Callable[[int, int], None]


@dataclass(frozen=True)
class Look:
    """How a column is drawn over the numbers of components."""

    marker: str
    is_filled: bool
    line: str


@dataclass(frozen=True)
class Column:
    """What a kind of score is.

    Parameters
    ----------
    estimand : str
        Scores of different estimands are never compared.
    note : str
        For a reader of the table.
    suffixes : tuple of str
        The columns that it fills in a table.
    is_approximate : bool
        Whether it differs from its estimand by more than its standard error tells, as BIC and the ELBO do, which may be
        exact numbers and are no exact evidences.
    of : callable
        The score of a fit, or a NotApplicableError, whose words then stand in its place.
    is_asked : callable
        Whether there is what it needs beside the fit.
    takes_labels, takes_powers : bool
        Whether it is right for rows of whose components something is known, and for weights that are no whole numbers.
    look : Look or None
        None where it is not drawn.
    """

    estimand: str
    note: str
    suffixes: tuple[str, ...] = ("", "_se", "_diff", "_diff_se")
    is_approximate: bool = False
    _: KW_ONLY
    of: Callable[[Fit, Asked], Score]
    is_asked: Callable[[Asked], bool] = lambda asked: True
    takes_labels: bool = False
    takes_powers: bool = False
    look: Look | None = None

    @property
    def has_differences(self) -> bool:
        return "_diff" in self.suffixes

    @property
    def digits(self) -> int:
        """Decimals to show: errors of simulated evidences are hundredths of a nat, and an index ends at 1."""
        return 2 if self.estimand == EVIDENCE else 1 if self.has_differences else 3


SIMULATED = ("", "_se", "_diff", "_diff_se", "_mc_se")
COUNTED = ("", "_se", "_diff", "_diff_se", "_unreliable")
RECOMPUTED = (*COUNTED, "_recomputed", "_mc_se")
SINGULAR = (
    "A mixture with more components than the data have is a singular model, for which its penalty is not justified "
    "(Watanabe 2009): take it as a convention."
)

COLUMNS: dict[str, Column] = {
    "elpd_holdout": Column(
        PREDICTION,
        "Log predictive density of the new points X_new; its standard error is that of sampling such points.",
        of=lambda fit, asked: elpd_holdout(fit, asked.new),
        is_asked=lambda asked: asked.new is not None,
        takes_labels=True,
        takes_powers=True,
        look=Look("D", True, "-"),
    ),
    "elpd_kfold": Column(
        PREDICTION,
        "Every point predicted by the same method fitted to the other folds, the same folds for all fits and the prior "
        "constants kept: the one score that every fit has. It describes fits to slightly fewer points.",
        SIMULATED,
        of=lambda fit, asked: elpd_kfold(fit, asked.X, asked.held_out, asked.seed, asked.on_fold, asked.workers),
        is_asked=lambda asked: len(asked.held_out) > 0,
        look=Look("o", True, "-"),
    ),
    "elpd_loo": Column(
        PREDICTION,
        "Leave-one-out by Pareto-smoothed importance sampling. Points whose Pareto k is above min(1 - 1/log10(S), 0.7) "
        "for S draws are computed again, from labels with the parameters integrated out or by refits without the "
        "point, and counted as recomputed; those left are counted as unreliable. For VB and ADVI draws of q are "
        "weighed by the posterior over q, where q is near enough; else it is of q, uncorrected, errs where q is too "
        "narrow, and is not ranked.",
        RECOMPUTED,
        of=lambda fit, asked: elpd_loo(fit, asked.X, on_refit=asked.on_refit),
        takes_labels=True,
        look=Look("s", False, "--"),
    ),
    "elpd_waic": Column(
        PREDICTION,
        "Watanabe's criterion, which LOO supersedes. Points whose log density has a posterior variance above 0.4 are "
        "counted as unreliable. For VB, ADVI and Pathfinder it is of q, uncorrected, and not ranked.",
        COUNTED,
        of=lambda fit, asked: elpd_waic(fit, asked.X),
        takes_labels=True,
        look=Look("^", False, ":"),
    ),
    "aic": Column(
        PREDICTION,
        f"-AIC/2: the log likelihood at the point estimate less the number of parameters. {SINGULAR}",
        of=lambda fit, asked: aic(fit, asked.X),
        takes_labels=True,
        takes_powers=True,
        look=Look("v", False, "-."),
    ),
    "aicc": Column(
        PREDICTION,
        "-AICc/2: aic less p (p + 1) / (n - p - 1), which matters below some 40 points for each of the p parameters. "
        "The correction is exact for linear regression, and a convention here.",
        of=lambda fit, asked: aicc(fit, asked.X),
        takes_labels=True,
        takes_powers=True,
        look=Look("v", True, ":"),
    ),
    "log_evidence_bridge": Column(
        EVIDENCE,
        "Bridge sampling from the draws, made symmetric over all orders of the labels. Its standard error is that of "
        "the simulation. As any evidence, it depends on the prior.",
        of=lambda fit, asked: log_evidence(fit, "bridge"),
        takes_labels=True,
        look=Look("D", True, "-"),
    ),
    "log_evidence_chib": Column(
        EVIDENCE,
        "Chib's identity at one mixture, over all orders of the labels: another way to the same number, to be held "
        "against log_evidence_bridge. It is given only where at least 100 effective labellings share in it, from "
        "at least 100 effective draws.",
        of=lambda fit, asked: log_evidence(fit, "chib"),
        takes_labels=True,
        look=Look("^", False, ":"),
    ),
    "bic": Column(
        EVIDENCE,
        "-BIC/2: the log likelihood at the point estimate less (number of parameters)/2 log n; at a MAP estimate as in "
        f"Fraley and Raftery (2007). {SINGULAR} It is exact: a number of these data.",
        is_approximate=True,
        of=lambda fit, asked: bic(fit, asked.X),
        takes_labels=True,
        takes_powers=True,
        look=Look("o", True, "-"),
    ),
    "elbo": Column(
        EVIDENCE,
        "The evidence lower bound of VB, with every normaliser. It is about one of the K! orders of the labels, so "
        "that up to log K! nats are missing for the others; how much more is missing is not known. That of VB "
        "is exact; that of ADVI and Pathfinder is a mean over draws of q, with its Monte Carlo error.",
        is_approximate=True,
        of=lambda fit, asked: elbo(fit, asked.X),
        takes_labels=True,
        takes_powers=True,
        look=Look("s", False, "--"),
    ),
    "elbo_orders": Column(
        EVIDENCE,
        "The ELBO plus log K! for the orders of the labels that q leaves out: closer where components are well apart, "
        "and no bound where they overlap or are empty. Not ranked.",
        ("", "_se"),
        of=lambda fit, asked: elbo_orders(fit, asked.X),
        takes_labels=True,
    ),
    "log_evidence_exact": Column(
        EVIDENCE,
        "The sum over all labellings, where they can be enumerated; with one component it is a closed form.",
        of=lambda fit, asked: log_evidence(fit, "exact"),
        look=Look("*", True, "-"),
    ),
    "icl": Column(
        CLUSTERING,
        "-ICL/2: bic plus the log probabilities of the points' most probable components, so that overlap "
        "costs. It is exact: a number of these data.",
        of=lambda fit, asked: icl(fit, asked.X),
        look=Look("o", True, "-"),
    ),
    "ari": Column(
        CLUSTERING,
        "Adjusted Rand index (1: the same partition, 0: as by chance) of the given labels and the most probable "
        "components; for draws its mean over draws, with the posterior standard deviation in the place of an error.",
        ("", "_se"),
        of=lambda fit, asked: ari(fit, asked.X, asked.groups),
        is_asked=lambda asked: asked.groups is not None,
        takes_labels=True,
        look=Look("o", True, "-"),
    ),
    "inertia": Column(
        CLUSTERING,
        "Of k-means alone, and lower is tighter: the sum of squared distances to the centres with every column divided "
        "by its standard deviation. It always falls with K.",
        ("", "_se"),
        of=no_inertia,
    ),
}
