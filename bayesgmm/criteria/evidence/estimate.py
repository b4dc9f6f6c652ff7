"""`log_evidence`: the evidence of a fit, by the method that is asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayesgmm.checks import as_seed, one_of
from bayesgmm.criteria.evidence.bridge import bridge
from bayesgmm.criteria.evidence.chib import chib
from bayesgmm.criteria.evidence.enumeration import log_sum_over_labellings
from bayesgmm.criteria.evidence.posterior import Posterior
from bayesgmm.criteria.score import Score
from bayesgmm.errors import NotApplicableError
from bayesgmm.models import GaussianMixture
from bayesgmm.priors.components import NormalInverseWishart
from bayesgmm.priors.unknown import UNKNOWN, UnknownPrior
from bayesgmm.result.diagnostics import SamplerDiagnostics
from bayesgmm.result.estimates import Draws
from bayesgmm.result.fit import Fit
from bayesgmm.result.own_data import own_rows

MIN_DRAWS = 100  # of each chain: half of them make a law, the other half is judged by it
MAX_COMPONENTS = 12  # a sum over the orders takes 2^K K steps
SOURCE_CHAIN = "source_chain"  # a statistic of the draws that `stack_chains` makes, and of no others
USABLE = 100  # effective labellings of Chib's identity: with 11 to 23 its errors were up to 2.5 times those stated
# Nats of standard error: a few draws then carry the mean, and the error itself is too small.  Over 20 seeds the
# bridge's z had a standard deviation of 1.0 at 0.34 nats (K = 5) and of 2.5 at 1.09 (K = 8, overlapping).
UNSURE = 0.7


def log_evidence(fit: Fit, method: str = "bridge", rng: np.random.Generator | int | None = None) -> Score:
    """Log evidence log p(X) of a finite mixture.

    All orders of the components count, whether the sampler has visited them or not.

    Parameters
    ----------
    fit : Fit
        Of a `GaussianMixture` with a `NormalInverseWishart` prior; with draws, unless the sum is exact.
    method : {"bridge", "chib", "exact"}
        Bridge sampling, Chib's identity, or the sum over all labellings, which can be made of some eight points, and
        of any number where K = 1.  The first two use the draws in different ways, so their agreement is evidence that
        each is right; the bridge is usually the more exact, and Chib's is often not usable from five components on.
    rng : numpy Generator, int seed or None
        None takes the fit's own seed, so that the same fit gives the same number.

    Returns
    -------
    Score
        With `value` and `se` in nats.

    Raises
    ------
    ArgumentError
        There is no such method.
    NotApplicableError
        The fit has no draws or too few, or they are stacked; it is without its data, or has another model or
        prior; it has too many components, or too many labellings; Chib's identity rests on too few of them.

    References
    ----------
    Frühwirth-Schnatter (2004), Econometrics Journal 7, 143-167, doi:10.1111/j.1368-423X.2004.00125.x.
    """
    one_of(method, "method", METHODS)
    generator = np.random.default_rng(as_seed(fit.seed if rng is None else rng))
    return METHODS[method](fit, generator)


def by_bridge(fit: Fit, rng: np.random.Generator) -> Score:
    """Bridge sampling."""
    return _estimated("log_evidence_bridge", fit, bridge(_posterior(fit), rng))


def by_chib(fit: Fit, rng: np.random.Generator) -> Score:
    """Chib's identity, where enough labellings share in the posterior density."""
    value, se, n_effective = chib(_posterior(fit), rng)
    if n_effective < USABLE:
        raise NotApplicableError(
            f"Chib's identity is not usable here: its posterior density rests on {n_effective:.0f} effective "
            f"labellings (at least {USABLE} are wanted), and its error cannot be told; take the bridge's evidence."
        )
    # The labellings say nothing of chains that move slowly between modes: over 20 seeds, three clusters with 94 to 213
    # labellings and 9 to 60 effective draws had z with a standard deviation of 1.6.
    slowest = fit.diagnostics.min_ess if isinstance(fit.diagnostics, SamplerDiagnostics) else np.inf
    if se > 0 and slowest < USABLE:  # of one component the number is exact
        raise NotApplicableError(
            f"Chib's identity is not usable here: its labellings come from {slowest:.0f} effective draws (at least "
            f"{USABLE} are wanted), and its error cannot be told; take the bridge's evidence, or raise draws."
        )
    return _estimated("log_evidence_chib", fit, (value, se))


def by_enumeration(fit: Fit, rng: np.random.Generator) -> Score:
    """The exact sum."""
    return Score("log_evidence_exact", log_sum_over_labellings(*_data_and_prior(fit)), 0.0)


METHODS: dict[str, Callable[[Fit, np.random.Generator], Score]] = {
    "bridge": by_bridge, "chib": by_chib, "exact": by_enumeration,
}  # fmt: skip


def _estimated(kind: str, fit: Fit, estimate: tuple[float, float]) -> Score:
    score = Score(kind, *estimate)
    if not fit.status.is_converged:
        score = score.noted("the draws have not converged, and it is no better than they are")
    if score.se > UNSURE:
        size = f"{score.se:.2f} nats, more than {UNSURE:g}"
        score = score.barred(
            f"its standard error is so large ({size}) that a few draws decide, and neither can be trusted, so not "
            "ranked: raise draws"
        )
    return score


def _data_and_prior(fit: Fit):
    model = fit.model
    if fit.kind == "stacked":
        raise NotApplicableError("a stack of fits is no model with a prior, and has no evidence: ask its members.")
    if not isinstance(model, GaussianMixture):
        raise NotApplicableError(
            f"a {type(model).__name__} has no estimate of its evidence here; fit.occupied() gives the posterior of the "
            "number of components."
        )
    if isinstance(model.prior, UnknownPrior):
        raise NotApplicableError(f"{UNKNOWN}.")
    if not isinstance(model.prior, NormalInverseWishart):
        raise NotApplicableError(
            f"the evidence needs a conjugate prior, and this model has {type(model.prior).__name__}."
        )
    return own_rows(fit, "its evidence is about"), model.conjugate()


def _posterior(fit: Fit) -> Posterior:
    if fit.kind == "stacked":
        _ = fit.params  # raises with the reason
    if not isinstance(fit.estimate, Draws):
        raise NotApplicableError("the log evidence is estimated from draws of the posterior: fit by Gibbs or NUTS.")
    if SOURCE_CHAIN in fit.estimate.sample_stats:
        raise NotApplicableError(
            "the draws of stacked chains are no sample of the posterior, which the evidence needs: take the fit whose "
            "chains were stacked, or, where its chains disagree, fit by Gibbs, which crosses modes."
        )
    rows, prior = _data_and_prior(fit)
    if fit.model.n_components > MAX_COMPONENTS:
        raise NotApplicableError(f"the evidence sums over all orders of the components, of at most {MAX_COMPONENTS}.")
    if fit.params.draw_shape[1] < MIN_DRAWS:
        raise NotApplicableError(f"the evidence needs at least {MIN_DRAWS} draws of each chain.")
    return Posterior(prior, fit.pointwise, rows)
