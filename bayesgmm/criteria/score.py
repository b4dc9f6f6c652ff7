"""`Score`, one number of one fit, and `COLUMNS`: what each kind of score estimates."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

PREDICTION = "out-of-sample log predictive density"
EVIDENCE = "log evidence"
CLUSTERING = "clustering"
ESTIMANDS = (PREDICTION, EVIDENCE, CLUSTERING)


@dataclass(frozen=True, eq=False)
class Score:
    """One criterion of one fit, in nats, higher is better.

    Parameters
    ----------
    kind : str
        One of `COLUMNS`.
    value : float
        NaN where the criterion does not apply; `notes` says why.
    se : float
        Standard error of `value`: 0 where it is computed without error, NaN where it is not known.
    pointwise : (n,) array or None
        Contributions of the points, whose sum is `value`.
    notes : tuple of str
        What a reader of this number must know.
    reliability : (n,) array or None
        Pareto k of PSIS, or the posterior variances of WAIC.
    limit : float
        A point above this in `reliability` makes the score unreliable.
    is_ranked : bool
        False where the number is shown, and must not be compared with others.
    n_recomputed : int or None
        Number of points of `elpd_loo` that were not done by importance sampling from the posterior; None elsewhere.
    bar : str
        Why it is not ranked, which is one of `notes`.
    mc_se : float
        Of a sum over points, the standard error that other random numbers leave with these points; NaN where it is not
        known.  `se` is that of other points.
    """

    kind: str
    value: float
    se: float = np.nan
    pointwise: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    reliability: np.ndarray | None = None
    limit: float = np.inf
    is_ranked: bool = True
    n_recomputed: int | None = None
    bar: str = ""
    mc_se: float = np.nan

    @classmethod
    def summed(cls, kind: str, pointwise: np.ndarray) -> Score:
        """The sum of pointwise values with its standard error ``sqrt(n) sd`` (divisor n - 1).

        Vehtari, Gelman and Gabry (2017), Statistics and Computing 27, 1413-1432, doi:10.1007/s11222-016-9696-4.
        """
        return cls(kind, float(pointwise.sum()), sum_error(pointwise), pointwise)

    @classmethod
    def missing(cls, kind: str, reason: str) -> Score:
        """What stands in the place of a number that there is not."""
        return cls(kind, np.nan, notes=(reason,), is_ranked=False, bar=reason)

    @property
    def estimand(self) -> str:
        return COLUMNS[self.kind].estimand

    @property
    def is_missing(self) -> bool:
        return bool(np.isnan(self.value))

    @property
    def is_exact(self) -> bool:
        """Whether the value is a number of these data and this fit that no sampling or simulation makes uncertain."""
        return self.se == 0.0

    @property
    def n_unreliable(self) -> int | None:
        """Number of points that make the score unreliable; None where nothing measures that."""
        return None if self.reliability is None else int((self.reliability > self.limit).sum())

    def minus(self, other: Score) -> tuple[float, float]:
        """Difference of two scores of one kind, and its standard error from the paired pointwise differences.

        Errors of scores that are no sums over points are those of independent simulations.
        """
        if self.pointwise is None or other.pointwise is None:
            return self.value - other.value, float(np.hypot(self.se, other.se))
        return self.value - other.value, sum_error(self.pointwise - other.pointwise)

    def barred(self, reason: str) -> Score:
        """The same score, shown and not ranked."""
        return replace(self.noted(reason), is_ranked=False, bar=reason)

    def noted(self, *notes: str) -> Score:
        """The same score with more notes."""
        return replace(self, notes=self.notes + notes)


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
    """

    estimand: str
    note: str
    suffixes: tuple[str, ...] = ("", "_se", "_diff", "_diff_se")
    is_approximate: bool = False

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

COLUMNS = {
    "elpd_holdout": Column(
        PREDICTION,
        "Log predictive density of the new points X_new; its standard error is that of sampling such points.",
    ),
    "elpd_kfold": Column(
        PREDICTION,
        "Every point predicted by the same method fitted to the other folds, the same folds for all fits and the prior "
        "constants kept: the one score that every fit has. It describes fits to slightly fewer points.",
        SIMULATED,
    ),
    "elpd_loo": Column(
        PREDICTION,
        "Leave-one-out by Pareto-smoothed importance sampling. Points whose Pareto k is above min(1 - 1/log10(S), 0.7) "
        "for S draws are computed again, from labels with the parameters integrated out or by refits without the "
        "point, and counted as recomputed; those left are counted as unreliable. For VB and ADVI draws of q are "
        "weighed by the posterior over q, where q is near enough; else it is of q, uncorrected, errs where q is too "
        "narrow, and is not ranked.",
        RECOMPUTED,
    ),
    "elpd_waic": Column(
        PREDICTION,
        "Watanabe's criterion, which LOO supersedes. Points whose log density has a posterior variance above 0.4 are "
        "counted as unreliable. For VB, ADVI and Pathfinder it is of q, uncorrected, and not ranked.",
        COUNTED,
    ),
    "aic": Column(
        PREDICTION, f"-AIC/2: the log likelihood at the point estimate less the number of parameters. {SINGULAR}"
    ),
    "aicc": Column(
        PREDICTION,
        "-AICc/2: aic less p (p + 1) / (n - p - 1), which matters below some 40 points for each of the p parameters. "
        "The correction is exact for linear regression, and a convention here.",
    ),
    "log_evidence_bridge": Column(
        EVIDENCE,
        "Bridge sampling from the draws, made symmetric over all orders of the labels. Its standard error is that of "
        "the simulation. As any evidence, it depends on the prior.",
    ),
    "log_evidence_chib": Column(
        EVIDENCE,
        "Chib's identity at one mixture, over all orders of the labels: another way to the same number, to be held "
        "against log_evidence_bridge. It is given only where at least 100 effective labellings share in it, from "
        "at least 100 effective draws.",
    ),
    "bic": Column(
        EVIDENCE,
        "-BIC/2: the log likelihood at the point estimate less (number of parameters)/2 log n; at a MAP estimate as in "
        f"Fraley and Raftery (2007). {SINGULAR} It is exact: a number of these data.",
        is_approximate=True,
    ),
    "elbo": Column(
        EVIDENCE,
        "The evidence lower bound of VB, with every normaliser. It is about one of the K! orders of the labels, so "
        "that up to log K! nats are missing for the others; how much more is missing is not known. That of VB "
        "is exact; that of ADVI and Pathfinder is a mean over draws of q, with its Monte Carlo error.",
        is_approximate=True,
    ),
    "elbo_orders": Column(
        EVIDENCE,
        "The ELBO plus log K! for the orders of the labels that q leaves out: closer where components are well apart, "
        "and no bound where they overlap or are empty. Not ranked.",
        ("", "_se"),
    ),
    "log_evidence_exact": Column(
        EVIDENCE, "The sum over all labellings, where they can be enumerated; with one component it is a closed form."
    ),
    "icl": Column(
        CLUSTERING,
        "-ICL/2: bic plus the log probabilities of the points' most probable components, so that overlap "
        "costs. It is exact: a number of these data.",
    ),
    "ari": Column(
        CLUSTERING,
        "Adjusted Rand index (1: the same partition, 0: as by chance) of the given labels and the most probable "
        "components; for draws its mean over draws, with the posterior standard deviation in the place of an error.",
        ("", "_se"),
    ),
    "inertia": Column(
        CLUSTERING,
        "Of k-means alone, and lower is tighter: the sum of squared distances to the centres with every column divided "
        "by its standard deviation. It always falls with K.",
        ("", "_se"),
    ),
}


def sum_error(pointwise: np.ndarray) -> float:
    """Standard error of a sum of n exchangeable values."""
    n = len(pointwise)
    return float(np.sqrt(n) * pointwise.std(ddof=1)) if n > 1 else np.nan
