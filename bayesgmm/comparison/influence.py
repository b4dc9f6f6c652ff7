"""Whether the prior decides: the posterior beside maximum likelihood, and the evidence under other scales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayesgmm.comparison.priors import log_prior, with_prior
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import BayesGMMError, NotApplicableError
from bayesgmm.methods.em import EM
from bayesgmm.methods.vb import VB
from bayesgmm.models import GaussianMixture, MixtureOfFiniteMixtures
from bayesgmm.priors.components import NormalInverseWishart
from bayesgmm.priors.unknown import UnknownPrior
from bayesgmm.result.estimates import Draws
from bayesgmm.result.fit import Fit, fit_once
from bayesgmm.result.smoothing import pareto_k_limit, smoothed
from bayesgmm.result.status import Outcome
from bayesgmm.uncertainty import compare_intervals
from bayesgmm.uncertainty.followed import followed
from bayesgmm.uncertainty.quantities import Row

# Nats.  A difference above it is "strong" evidence between two models to Kass and Raftery (1995), JASA 90, 773-795,
# doi:10.1080/01621459.1995.10476572; what the choice of a scale can move as far is decided by that choice.
LIMIT = 3.0
WIDEST = 4.0  # factor of the scale, to either side, within which a user's choice could reasonably lie
FACTORS = (1.0 / WIDEST, WIDEST)
# The variances and covariances say the same again.
FAMILIES = ("sd", "mean", "weight", "correlation")
LISTED = 3  # parameters in one sentence
OVERLAP = "the intervals of maximum likelihood and of the posterior overlap for every parameter"


@dataclass(frozen=True)
class PriorInfluence:
    """What of a fit its prior decides.

    Attributes
    ----------
    changes : dict of float to float
        Of the log evidence, or of its bound, by the factor of the prior's scale; without those that are not known.
    apart : tuple of (str, Row, Row)
        Parameters whose intervals by maximum likelihood and under the posterior do not overlap, with both.
    reason : str
        Why maximum likelihood could not be held beside the posterior; empty where it could.
    is_held_up : bool
        Near the posterior the likelihood has no sound optimum at all, since components collapse.
    measure : str
        What the changes are of.
    """

    changes: Mapping[float, float]
    apart: tuple[tuple[str, Row, Row], ...] = ()
    reason: str = ""
    is_held_up: bool = False
    measure: str = "the log evidence"

    @property
    def decides(self) -> bool:
        """Whether the prior decides anything that was looked at."""
        return bool(self.apart) or self.is_held_up or self.moves_evidence

    @property
    def moves_evidence(self) -> bool:
        return any(abs(change) > LIMIT for change in self.changes.values())

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it decides; that it is weak, only where both questions have been answered so."""
        found = []
        if self.apart:
            found.append(_of_parameters(self.apart))
        if self.is_held_up:
            found.append(f"The prior decides the components: {self.reason}.")
        if self.moves_evidence:
            found.append(
                f"The prior decides the evidence: {self._moves}, where {LIMIT:g} nats would be strong "
                "evidence between models."
            )
        if found:
            return tuple(found)
        if self._is_wide and not self.reason:
            return (f"The prior is weak for these data: {OVERLAP}, and {self._moves}, below the limit of {LIMIT:g}.",)
        return (self._open,)

    @property
    def _is_wide(self) -> bool:
        """Whether scales were tried as far as a reasonable choice reaches, to both sides."""
        return bool(self.changes) and min(self.changes) <= 1.0 / WIDEST and max(self.changes) >= WIDEST

    @property
    def _moves(self) -> str:
        sides = [[f for f in sorted(self.changes) if f < 1.0], [f for f in sorted(self.changes) if f > 1.0]]
        told = [max(side, key=lambda factor: abs(self.changes[factor])) for side in sides if side]
        parts = [f"{self.changes[factor]:+.1f} with {_scale(factor)}" for factor in told]
        return f"{self.measure} moves by {' and by '.join(parts)}"

    @property
    def _open(self) -> str:
        """What is not known."""
        known = [] if self.reason else [OVERLAP]
        known += [f"{self._moves}, below the limit of {LIMIT:g}"] if self.changes else []
        unknown = [self.reason] if self.reason else []
        if not self._is_wide:
            unknown.append(f"the evidence with a scale {WIDEST:g} times smaller and larger is not known")
        how = f"known in part only: {' and '.join(known)}, but" if known else "not known:"
        return f"Whether the prior decides is {how} {' and '.join(unknown)}."


def prior_influence(fit: Fit) -> PriorInfluence:
    """What of a fit with draws, or of a variational one, its prior decides, at the cost of some climbs.

    Maximum likelihood is climbed to from the posterior mean, so that it describes the same mode.  For the evidence
    stands VB's bound in that mode where VB applies, and else what importance weights say.

    Raises
    ------
    NotApplicableError
        The fit has no posterior, no known prior or no data.
    """
    if fit.kind not in ("draws", "variational") or fit.X is None or isinstance(fit.model.prior, UnknownPrior):
        raise NotApplicableError("whether a prior decides can be seen at a posterior whose prior and data are known.")
    if isinstance(fit.model.prior, NormalInverseWishart) and not isinstance(fit.model, MixtureOfFiniteMixtures):
        return beside_likelihood(fit, _of_bounds(fit), "VB's bound of the log evidence")
    return beside_likelihood(fit, _weighted(fit) if isinstance(fit.estimate, Draws) else {})


def beside_likelihood(fit: Fit, changes: Mapping[float, float], measure: str = "the log evidence") -> PriorInfluence:
    """The same where the changes of the evidence are known."""
    if not isinstance(fit.model, GaussianMixture):
        reason = "this model has no fixed number of components whose parameters could be held beside others"
        return PriorInfluence(changes, reason=reason, measure=measure)
    try:
        aligned = followed(fit)
        climbed = _climbed(fit, _mean(aligned))
        if climbed.status.outcome is Outcome.COLLAPSED:
            reason = f"without it the likelihood has no sound optimum there ({_plain(climbed.status)})"
            return PriorInfluence(changes, reason=reason, is_held_up=True, measure=measure)
        together = compare_intervals({"likelihood": climbed, "posterior": aligned})
    except BayesGMMError as error:
        reason = f"maximum likelihood could not be held beside the posterior: {_plain(error)}"
        return PriorInfluence(changes, reason=reason, measure=measure)
    if len(together.rows) < 2:
        (missing,) = set(together.reasons) - set(together.rows)
        reason = f"the {missing} has no intervals: {_plain(together.reasons[missing])}"
        return PriorInfluence(changes, reason=reason, measure=measure)
    found = [item for item in together.apart("likelihood", "posterior") if _family(item[0]) in FAMILIES]
    found.sort(key=lambda item: FAMILIES.index(_family(item[0])))
    return PriorInfluence(changes, tuple(found), measure=measure)


def _of_bounds(fit: Fit) -> dict[float, float]:
    """Changes of VB's bound, climbed to from one mode of the fit, with the scale; they follow those of the evidence."""
    method = VB(init=_last_draw(fit), n_init=1, moves=0)
    try:
        bounds = {factor: _bound(fit, method, factor) for factor in (1.0, *FACTORS)}
    except BayesGMMError:
        return {}
    return {factor: bounds[factor] - bounds[1.0] for factor in FACTORS}


def _bound(fit: Fit, method: VB, factor: float) -> float:
    assert fit.X is not None
    model = with_prior(fit.model, "scale", factor)
    return fit_once(model, fit.rows, method, fit.seed).elbo


def _weighted(fit: Fit) -> dict[float, float]:
    """What importance weights of the draws say, where they are reliable."""
    assert isinstance(fit.estimate, Draws)
    draws, found = fit.estimate.as_drawn().reshaped(-1), {}
    for factor in FACTORS:
        log_ratio = log_prior(with_prior(fit.model, "scale", factor), draws) - log_prior(fit.model, draws)
        if smoothed(log_ratio)[1] <= pareto_k_limit(len(log_ratio)):
            found[factor] = float(np.logaddexp.reduce(log_ratio) - np.log(len(log_ratio)))
    return found


def _mean(aligned: Fit) -> MixtureParams:
    """The mixture of the posterior means of the parameters."""
    draws = aligned.estimate.draws()
    flat = draws.reshaped(int(np.prod(draws.draw_shape)))
    return MixtureParams(flat.weights.mean(0), flat.means.mean(0), flat.covariances.mean(0))


def _last_draw(fit: Fit) -> MixtureParams:
    """A mixture in a mode of the posterior; a weight of zero is one from which nothing moves away."""
    draw = fit.estimate.draws().reshaped(-1)[-1]
    weights = np.maximum(draw.weights, np.finfo(float).tiny)
    return MixtureParams.trusted(weights / weights.sum(), draw.means, draw.precision_chol)


def _climbed(fit: Fit, center: MixtureParams) -> Fit:
    """Maximum likelihood from there."""
    return fit_once(fit.model, fit.rows, EM(init=center), fit.seed)


def _family(name: str) -> str:
    return name.partition("[")[0]


def _of_parameters(apart: tuple[tuple[str, Row, Row], ...]) -> str:
    parts = [
        f"{name} is {_interval(ours)} by maximum likelihood and {_interval(theirs)} under this prior"
        for name, ours, theirs in apart[:LISTED]
    ]
    more = f"; and {len(apart) - LISTED} more parameters are apart like these" if len(apart) > LISTED else ""
    return f"The prior decides parameters of components: {'; '.join(parts)}{more}."


def _interval(row: Row) -> str:
    return f"{row.estimate:.3g} ({row.lower:.3g} to {row.upper:.3g})"


def _scale(factor: float) -> str:
    times = factor if factor > 1.0 else 1.0 / factor
    words = "four times" if times == WIDEST else f"{times:.3g} times"
    return f"a scale {words} {'larger' if factor > 1.0 else 'smaller'}"


def _plain(what: object) -> str:
    return " ".join(str(what).split()).rstrip(".")
