"""`intervals`: how sure a fit is of each parameter, by the way that suits its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.checks import as_seed, fraction, instance, one_of, whole_number
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import NotApplicableError
from bayesgmm.result.alignment import Alignment
from bayesgmm.result.estimates import UNALIGNED
from bayesgmm.result.fit import Fit
from bayesgmm.result.method import Progress, silent
from bayesgmm.result.own_data import own_data, own_rows
from bayesgmm.result.status import Outcome, Status
from bayesgmm.result.tables import present_draws
from bayesgmm.uncertainty.bootstrap import MIN_REPLICATES, SAMPLES, bootstrap
from bayesgmm.uncertainty.information import delta_method, observed_information
from bayesgmm.uncertainty.quantities import Row, families_of, percentile, quantities_of, values_of, wald

if TYPE_CHECKING:
    import pandas as pd

DEFAULTS = {"point": "information", "draws": "posterior", "variational": "posterior"}
AMBIGUOUS = 0.05  # of an alignment: above, a component's quantiles are partly another component's


@dataclass(frozen=True, eq=False)
class Intervals:
    """Estimates of the parameters of a fit with their standard errors and intervals.

    Attributes
    ----------
    fit : Fit
    method : str
        "information", "ordinary", "parametric", "weighted" or "posterior".
    level : float
    rows : tuple of Row
    draws : MixtureParams or None
        The replicates or posterior draws behind the intervals, with leading axes; None for "information".
    status : Status
        How many replicates or draws there are, what was left out, and what to distrust.
    """

    fit: Fit
    method: str
    level: float
    rows: tuple[Row, ...]
    draws: MixtureParams | None
    status: Status

    @property
    def table(self) -> pd.DataFrame:
        """One row per component parameter, named as in ``fit.summary()``: estimate, se, lower, upper.

        Variances and covariances follow the standard deviations and correlations.  For draws the estimate is their
        mean and the standard error their standard deviation.
        """
        import pandas as pd

        rows = {row.quantity.name(): (row.estimate, row.se, row.lower, row.upper) for row in self.rows}
        columns = ["estimate", "se", "lower", "upper"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("parameter")

    def __repr__(self) -> str:
        return f"<{100 * self.level:g}% intervals of {self.fit!r} by {self.method!r}: {self.status}>"

    def _repr_html_(self) -> str:
        return self.table.to_html(float_format=lambda value: f"{value:.4g}")


def intervals(
    fit: Fit,
    method: str | None = None,
    level: float = 0.9,
    replicates: int = 999,
    rng: np.random.Generator | int | None = None,
    progress: Progress = silent,
) -> Intervals:
    """Standard errors and intervals of the weights, means, standard deviations, correlations and (co)variances.

    Of a fit by `EM` or `MAP`, "information" takes the curvature of the log likelihood (of the log posterior for `MAP`)
    at the optimum, exact gradients of it differenced in unconstrained coordinates, and carries it by the delta method
    to each parameter.  Intervals are symmetric on the logit scale for weights, the log scale for standard deviations
    and variances, Fisher's z for correlations, and as they are for means and covariances.

    The bootstraps estimate again from replicated data, from the optimum on, align the components of each replicate to
    those of the fit by the points that they share, and take quantiles: "ordinary" draws the points with replacement
    (mclust's "bs"), "parametric" draws points from the fitted mixture ("pb"), "weighted" gives the points weights
    n Dirichlet(1, ..., 1), the weighted likelihood bootstrap ("wlbs").  For `MAP` the prior stays as it is.
    Replicates at a suspicious optimum are left out, and `status` counts them.  An interrupt keeps what there is.

    Of a fit with draws, and of a variational fit, it is quantiles of the draws ("posterior").

    Parameters
    ----------
    fit : Fit
    method : {"information", "ordinary", "parametric", "weighted", "posterior"}, optional
        By default "information" for a point fit and "posterior" for others.
    level : float
        Of each interval by itself, between 0 and 1.
    replicates : int
        Of a bootstrap, at least 20.
    rng : numpy Generator, int seed or None
        Of a bootstrap; the same seed gives the same replicates, whatever the number of threads.
    progress : callable
        ``progress(done, total, note)``.

    Returns
    -------
    Intervals

    Raises
    ------
    ArgumentError
        An argument is out of range.
    NotApplicableError
        The method does not suit this kind of fit, the fit is not at a sound optimum, its information is singular, its
        labels are not aligned, or it has no data with it.  The sentence says what to do.

    References
    ----------
    Basford, Greenway, McLachlan and Peel (1997), Computational Statistics 12, 1-17.
    Newton and Raftery (1994), JRSS B 56, 3-48, doi:10.1111/j.2517-6161.1994.tb01956.x.
    O'Hagan, Murphy, Scrucca and Gormley (2019), Computational Statistics 34, 1779-1813,
    doi:10.1007/s00180-019-00897-9.
    """
    instance(fit, "fit", Fit)
    level = fraction(level, "level")
    if fit.kind == "none":
        _ = fit.params  # raises with the reason of the failure
    name = _checked_method(fit, method)
    if name == "posterior":
        return _of_draws(fit, level)
    own_rows(fit, "its standard errors come from")
    fit.check_data()
    if name == "information":
        return _by_information(fit, level)
    own_data(fit, "replicates are made of")
    whole_number(replicates, "replicates", MIN_REPLICATES)
    found = bootstrap(fit, SAMPLES[name], int(replicates), as_seed(rng), progress)
    families, quantities = families_of(fit.params), quantities_of(fit.params, fit.feature_names)
    estimates, values = values_of(fit.params, families), values_of(found.params, families)
    return Intervals(fit, name, level, percentile(quantities, estimates, values, level), found.params, found.status)


METHODS: tuple[str, ...] = ("information", *SAMPLES, "posterior")


def _checked_method(fit: Fit, method: str | None) -> str:
    if method is not None:
        one_of(method, "method", METHODS, also="None")
    if fit.kind not in DEFAULTS:
        raise NotApplicableError(
            f"a fit of kind {fit.kind!r} has no parameters of its own to give intervals of: ask its members, "
            "fit.estimate.members."
        )
    name = DEFAULTS[fit.kind] if method is None else method
    if (name == "posterior") == (fit.kind == "point"):
        able = "'information' and the bootstraps" if fit.kind == "point" else "'posterior'"
        raise NotApplicableError(f"method={name!r} does not suit a fit of kind {fit.kind!r}; {able} can: leave it out.")
    return name


def _by_information(fit: Fit, level: float) -> Intervals:
    coordinates, information = observed_information(fit)
    families, quantities = families_of(fit.params), quantities_of(fit.params, fit.feature_names)
    errors = delta_method(coordinates, information, families)
    if fit.model.n_components == 1:
        errors[0] = 0.0  # one weight, which is 1
    what = f"the observed information of {coordinates.size} parameters and {fit.n_obs} points"
    status = Status(Outcome.CONVERGED, f"From {what}; right where there are many points for each parameter.")
    return Intervals(fit, "information", level, wald(quantities, values_of(fit.params, families), errors, level),
                     None, status)  # fmt: skip


def _of_draws(fit: Fit, level: float) -> Intervals:
    if not fit.estimate.is_aligned and fit.model.n_components > 1:
        raise NotApplicableError(UNALIGNED)
    draws = fit.estimate.draws()
    alignment: Alignment | None = getattr(fit.estimate, "alignment", None)
    values = values_of(draws, families_of(draws))
    rows: list[Row] = []
    for q, quantity in enumerate(quantities_of(draws, fit.feature_names)):
        column = values[..., q]
        if alignment is not None and not alignment.is_occupied.all():
            column = present_draws(column, alignment.is_occupied[..., quantity.component])
        if column is not None:
            flat = column.reshape(-1, 1)
            rows += percentile([quantity], flat.mean(0), flat, level)
    return Intervals(fit, "posterior", level, tuple(rows), draws, _told(fit, alignment))


def _told(fit: Fit, alignment: Alignment | None) -> Status:
    n = int(np.prod(fit.estimate.draws().draw_shape))
    sentence = f"Quantiles of {n} draws" + (" of q, which is narrower than the posterior as a rule."
                                             if fit.kind == "variational" else ".")  # fmt: skip
    if not fit.status.is_converged:
        sentence += f" {fit.status.sentence}"
    if alignment is not None and alignment.overall > AMBIGUOUS:
        sentence += f" Labels are ambiguous ({alignment.overall:.2g}), and intervals mix the components that overlap."
    return Status(fit.status.outcome, sentence)
