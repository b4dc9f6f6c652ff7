"""How many components hold a point, which hold none, and whether a Dirichlet process was cut off too early."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from bayesgmm.core import density
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import NotApplicableError
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, MixtureOfFiniteMixtures
from bayesgmm.result.diagnostics import StreamDiagnostics
from bayesgmm.result.estimates import UNALIGNED, Draws, PointEstimate
from bayesgmm.result.own_data import own_rows
from bayesgmm.result.status import Status
from bayesgmm.result.unknowns import concentrations
from bayesgmm.rows import Rows

if TYPE_CHECKING:
    import pandas as pd

    from bayesgmm.result.fit import Fit

MAX_DRAWS, CELLS = 1000, 1e7  # of draws whose responsibilities are computed, and of these in all
TOO_OFTEN = 0.05
MANY_EMPTY = 0.25  # share of components that a sparse prior expects empty, from which on their number is a bound
NO_POINT = 0.5  # fewer points than this, in expectation, are none


@dataclass(frozen=True)
class Truncation:
    """What the cutting off of a Dirichlet process after T sticks does to a fit.

    Parameters
    ----------
    truncation : int
        T.
    bound : float
        On the L1 error of the prior predictive of as many points as the fit has, ``4 n (alpha / (1 + alpha))^(T-1)``
        and at most 2, averaged over the posterior of the concentration alpha.
    last_weight : float
        Posterior mean of the last stick's weight.
    last_occupied : float or None
        Posterior probability that the last stick holds a point; None for a fit without its data.
    last_points : float
        Posterior mean of the number of points that the last stick holds.  Without the data: what `StochasticVB` has
        counted as it read, and otherwise a lower bound from the last weight w, the mean of ``(n + alpha) w - alpha``.

    References
    ----------
    Ishwaran and James (2001), JASA 96, 161-173, doi:10.1198/016214501750332758, theorem 2.
    """

    truncation: int
    bound: float
    last_weight: float
    last_occupied: float | None
    last_points: float

    @property
    def is_too_small(self) -> bool:
        """Whether the last stick holds a point with a probability above 5 %; without data, half a point or more.

        The last stick stands for all that would follow it.  While it is empty, the partition of the data is one that
        the whole process can have too; so this probability is how much of the posterior the truncation may have
        changed.  A weight of 1 % on the last stick is seen by it as soon as there are more than five points.
        """
        if self.last_occupied is None:
            return self.last_points >= NO_POINT
        return self.last_occupied > TOO_OFTEN

    def __str__(self) -> str:
        if self.last_occupied is not None:
            holds = f"holds a point in {_percent(self.last_occupied)} of the draws"
        else:
            holds = (
                "holds no point" if self.last_points < NO_POINT else f"holds some {_rounded(self.last_points)} points"
            )
        advice = ": raise truncation." if self.is_too_small else "."
        return (
            f"The last of {self.truncation} sticks has {_percent(self.last_weight)} of the weight and {holds}{advice} "
            f"The truncation moves the prior of the data by at most {self.bound:.2g} (L1 distance, of 2)."
        )


def _percent(share: float) -> str:
    return "less than 0.01 %" if 0.0 < share < 1e-4 else f"{_rounded(100.0 * share)} %"


def _rounded(value: float) -> str:
    """To two digits, and from 10 on to a whole number."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.2g}"


def occupied(fit: Fit) -> pd.DataFrame:
    """The table of ``Fit.occupied``."""
    import pandas as pd

    counts = {"n_occupied": _occupied_draws(fit)}
    if isinstance(fit.model, MixtureOfFiniteMixtures) and isinstance(fit.estimate, Draws):
        counts["n_components"] = fit.estimate.sample_stats["n_components"]
    largest = fit.model.n_components
    shares = {name: np.bincount(v.ravel(), minlength=largest + 1)[1:] / v.size for name, v in counts.items()}
    return pd.DataFrame(shares, index=pd.RangeIndex(1, largest + 1, name="count"))


def emptied(fit: Fit) -> tuple[int, ...]:
    """The components of ``Fit.emptied``."""
    if not fit.estimate.is_aligned and fit.model.n_components > 1:
        raise NotApplicableError(f"{UNALIGNED} occupied() has the posterior of how many components hold a point.")
    if fit.X is None and isinstance(fit.diagnostics, StreamDiagnostics):
        totals = _counted(fit.diagnostics)
    else:
        totals = _totals(fit)
    return tuple(int(k) for k in np.flatnonzero(totals < 0.5))


def truncation(fit: Fit) -> Truncation:
    """The report of ``Fit.truncation``."""
    model = fit.model
    if not isinstance(model, DirichletProcessMixture):
        raise NotApplicableError(f"only a DirichletProcessMixture is cut off, and this is a {type(model).__name__}.")
    draws = _draws(fit)
    alpha = concentrations(fit, model, draws)
    bounds = 4.0 * fit.n_obs * (alpha / (1.0 + alpha)) ** (model.truncation - 1)
    bound, weight = float(np.minimum(bounds, 2.0).mean()), float(draws.weights[..., -1].mean())
    if fit.X is None:
        return Truncation(model.truncation, bound, weight, None, _last_points(fit, weight, float(alpha.mean())))
    last = [resp[:, -1] for resp in _responsibilities(fit, _some(draws, len(_rows(fit))))]
    held = [-np.expm1(np.log1p(-np.minimum(share, 1.0 - 1e-16)).sum()) for share in last]
    return Truncation(
        model.truncation, bound, weight, float(np.mean(held)), float(np.mean([share.sum() for share in last]))
    )


def _last_points(fit: Fit, weight: float, alpha: float) -> float:
    """Points of the last stick, without the data.

    Given N_k points on each stick the last weight is on average ``prod (alpha + N_>k) / (1 + alpha + N_>=k)``, which is
    at most ``(alpha + N_T) / (alpha + n)``.
    """
    if isinstance(fit.diagnostics, StreamDiagnostics):
        return float(_counted(fit.diagnostics)[-1])
    return max(0.0, (fit.n_obs + alpha) * weight - alpha)


def with_remarks(fit: Fit) -> Fit:
    """The same, with what its status should add about components without points."""
    sentence = " ".join([fit.status.sentence, *remarks(fit)])
    return replace(fit, status=Status(fit.status.outcome, sentence))


def remarks(fit: Fit) -> list[str]:
    """What the status adds about components without points; nothing where the prior does not ask for them."""
    if fit.kind not in ("draws", "variational") or not is_sparse(fit):
        return []
    said, is_read = [], fit.X is None and isinstance(fit.diagnostics, StreamDiagnostics)
    is_named = fit.kind == "variational" and fit.estimate.is_aligned and isinstance(fit.model, GaussianMixture)
    if is_read or (is_named and fit.X is not None):
        empty = emptied(fit)
        names = ", ".join(str(k) for k in empty)
        said = [f"The data have emptied {len(empty)} of {fit.model.n_components} components: {names}."] if empty else []
    elif fit.X is not None or _sampled_counts(fit) is not None:
        shares = occupied(fit)
        said = [_most_probable(shares["n_occupied"], "occupied components")]
        if "n_components" in shares:
            said.append(_most_probable(shares["n_components"], "components"))
    if isinstance(fit.model, DirichletProcessMixture):
        said.append(str(truncation(fit)))
    elif (remark := bound_remark(fit)) is not None:
        said.append(remark)
    return said


def _most_probable(shares: pd.Series, words: str) -> str:
    middle = np.searchsorted(shares.cumsum().to_numpy(), (0.05, 0.95)) + 1
    return f"Most probable number of {words}: {shares.idxmax()} ({shares.max():.2f}; 90 %: {middle[0]} to {middle[1]})."


def all_occupied(fit: Fit) -> float:
    """Posterior probability that every component holds a point, where the prior lets the data choose how many do.

    Above `TOO_OFTEN` the largest number of components cuts the posterior off, as the truncation does of a Dirichlet
    process.  It is 0 for a model that is given its number of components, and where nothing is known of the data.
    """
    model = fit.model
    is_known = isinstance(model, (GaussianMixture, MixtureOfFiniteMixtures)) and model.n_components > 1
    if fit.kind not in ("draws", "variational") or not is_known or not is_sparse(fit):
        return 0.0
    if isinstance(model, GaussianMixture) and _expected_empty(model, fit.n_obs) < MANY_EMPTY * model.n_components:
        return 0.0
    if fit.X is None and isinstance(fit.diagnostics, StreamDiagnostics):
        return float(not emptied(fit))
    if fit.X is None and _sampled_counts(fit) is None:
        return 0.0
    if fit.kind == "variational" and fit.estimate.is_aligned:
        return float(not emptied(fit))
    return float((_occupied_draws(fit) == model.n_components).mean())


def bound_remark(fit: Fit) -> str | None:
    """What to do about a number of components that is too small; None where it is not."""
    share = all_occupied(fit)
    if not share > TOO_OFTEN:
        return None
    name = "max_components" if isinstance(fit.model, MixtureOfFiniteMixtures) else "n_components"
    how_often = f" in {_percent(share)} of the draws" if fit.kind == "draws" else ""
    return (
        f"All {fit.model.n_components} components hold points{how_often}, so that more may be wanted than there are: "
        f"raise {name}."
    )


def _expected_empty(model: GaussianMixture, n_obs: float) -> float:
    """Prior expectation of the number of components without any of so many points."""
    each = np.broadcast_to(np.asarray(model.weights.concentration, float), (model.n_components,))
    rest = each.sum() - each
    if not rest.all():
        return 0.0
    log_empty = gammaln(rest + each) - gammaln(rest) + gammaln(rest + n_obs) - gammaln(rest + each + n_obs)
    return float(np.exp(log_empty).sum())


def is_sparse(fit: Fit) -> bool:
    """Whether the prior expects some components to be empty."""
    if not isinstance(fit.model, GaussianMixture):
        return True
    return fit.model.n_components > 1 and bool((np.asarray(fit.model.weights.concentration) < 1.0).any())


def _occupied_draws(fit: Fit) -> np.ndarray:
    """The number of occupied components, of labels drawn with the parameters or here given them."""
    if (counts := _sampled_counts(fit)) is not None:
        return counts.astype(int)
    draws, rng = _some(_draws(fit), len(_rows(fit))), np.random.default_rng(fit.seed)
    found = []
    for resp in _responsibilities(fit, draws):
        found.append(len(np.unique(density.allocate(resp, rng))))
    return np.array(found)


def _sampled_counts(fit: Fit) -> np.ndarray | None:
    return fit.estimate.sample_stats.get("n_occupied") if isinstance(fit.estimate, Draws) else None


def _counted(seen: StreamDiagnostics) -> np.ndarray:
    """Points of each component, as they were when they were read."""
    return seen.statistics.counts * seen.n_rows


def _totals(fit: Fit) -> np.ndarray:
    """(K,) points of each component."""
    _rows(fit)
    shares, weights = fit.estimate.responsibilities(fit.rows.values), fit.rows.facts.weights
    return weights @ shares if len(weights) else shares.sum(0)


def _responsibilities(fit: Fit, draws: MixtureParams):
    rows = _rows(fit)
    return (rows.responsibilities(draws[s].scores()) for s in range(len(draws.weights)))


def _some(draws: MixtureParams, n_obs: int) -> MixtureParams:
    """Evenly spaced draws, so many that their responsibilities are soon computed; chains end to end."""
    n_draws = int(np.prod(draws.draw_shape))
    wanted = int(np.clip(CELLS / n_obs / draws.n_components, 50, MAX_DRAWS))
    return draws.reshaped(n_draws)[np.linspace(0, n_draws - 1, min(wanted, n_draws)).astype(int)]


def _draws(fit: Fit) -> MixtureParams:
    """In the model's own order of the components, since the last stick is the last one whatever its label."""
    if isinstance(fit.estimate, PointEstimate):
        raise NotApplicableError("a point fit has no posterior; fit by Gibbs, NUTS or VB.")
    return fit.estimate.as_drawn() if isinstance(fit.estimate, Draws) else fit.estimate.draws()


def _rows(fit: Fit) -> Rows:
    if fit.X is not None and not fit.rows.is_whole:
        return fit.rows
    return own_rows(fit, "this is asked about")
