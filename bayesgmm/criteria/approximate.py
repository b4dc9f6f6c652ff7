"""Leave-one-out of a variational fit: importance sampling from q to the posterior without a point, in one step.

Magnusson, Andersen, Jonasson and Vehtari (2019), "Bayesian leave-one-out cross-validation for large data", ICML, PMLR
97, 4244-4253.  The ratios are ``p(X, theta) / q(theta) / p(x_i | theta)``.  q covers one of the K! orders of the labels
and the posterior all of them, and what is averaged does not depend on the order: so the ratio is taken to q averaged
over the orders, whose draws those of q are but for a renumbering.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from bayesgmm.core.params import MixtureParams
from bayesgmm.criteria.collapsed import has_conjugate_prior, log_density_left_out
from bayesgmm.criteria.evidence.posterior import SymmetricLaw, alike, log_joint
from bayesgmm.criteria.score import Score
from bayesgmm.errors import NotApplicableError
from bayesgmm.models import GaussianMixture
from bayesgmm.result.approximation import ApproximateDraws
from bayesgmm.result.estimates import VariationalPosterior
from bayesgmm.result.fit import Fit
from bayesgmm.result.pointwise import Pointwise, pointwise_of
from bayesgmm.result.smoothing import pareto_k_limit, smoothed

N_DRAWS = 4000
MAX_K_HAT = 0.5  # above it the ratios have no variance, and q is often one mode of several
FEW = 50  # points that are computed from labels in any case, as of a fit with draws


@dataclass(frozen=True, eq=False)
class Proposal:
    """Independent draws of q with what they are worth.

    Parameters
    ----------
    draws : MixtureParams
        With one leading axis.
    pointwise : Pointwise
        Of these draws.
    log_ratio : (S,) array
        log p(X, theta) - log q(theta).
    """

    draws: MixtureParams
    pointwise: Pointwise
    log_ratio: np.ndarray


def proposal_of(fit: Fit, X: np.ndarray) -> Proposal:
    """Draws of the q of a fit to X.

    Raises
    ------
    NotApplicableError
        The ratio is not known, with the reason.
    """
    if isinstance(fit.estimate, ApproximateDraws):
        if fit.estimate.log_ratio is None:
            raise NotApplicableError("the draws are resampled and no longer those of q")
        return Proposal(fit.estimate.sampled[0], pointwise_of(fit, X), fit.estimate.log_ratio)
    if not isinstance(fit.model, GaussianMixture) or not has_conjugate_prior(fit):
        raise NotApplicableError("the correction is made for finite mixtures with a conjugate prior")
    assert isinstance(fit.estimate, VariationalPosterior)
    q, prior = fit.estimate.posterior, fit.model.conjugate()
    draws = q.sample(np.random.default_rng([fit.estimate.seed, 1]), N_DRAWS)
    log_q = SymmetricLaw((q,), alike(prior)).log_density(draws)
    pointwise = Pointwise(lambda: draws, X)
    return Proposal(draws, pointwise, log_joint(prior, draws, pointwise.total()) - log_q)


def corrected_loo(fit: Fit, X: np.ndarray) -> Score:
    """The score, with the Pareto k of each point.

    Raises
    ------
    NotApplicableError
        The ratio of the posterior to q is not known, or its Pareto k is too high: q is too far from the posterior.
    """
    proposal = proposal_of(fit, X)
    finite = np.isfinite(proposal.log_ratio)
    worth = np.where(finite, proposal.log_ratio, proposal.log_ratio[finite].min(initial=0.0) - 100.0)
    k_hat, limit = smoothed(worth)[1], pareto_k_limit(len(worth))
    if k_hat > MAX_K_HAT:
        raise NotApplicableError(
            f"a correction would need a Pareto k-hat of at most {MAX_K_HAT}, and that of q is {k_hat:.2f}"
        )
    pointwise, k = np.empty(len(X)), np.empty(len(X))
    for rows, block in proposal.pointwise.blocks():
        pointwise[rows], k[rows] = _left_out(worth, block)
    note = (
        f"of the posterior, by importance sampling from q (Pareto k-hat {max(k_hat, 0.0):.2f}); modes that q does not"
    )
    notes, n_recomputed = [f"{note} reach are not in it"], 0
    if (k > limit).any() and has_conjugate_prior(fit):
        rows = np.argsort(-k, kind="stable")[: max(FEW, int((k > limit).sum()))]
        rng = np.random.default_rng([fit.seed, len(X)])
        values, shapes = _left_out(worth, log_density_left_out(fit.model, proposal.draws, X, rows, rng))
        better = shapes < k[rows]
        pointwise[rows[better]], k[rows[better]] = values[better], shapes[better]
        n_recomputed = int(better.sum())
        notes.append(f"{n_recomputed} points of the highest Pareto k computed from labels")
    score = Score.summed("elpd_loo", pointwise).noted(*notes)
    return replace(score, reliability=k, limit=limit, n_recomputed=n_recomputed)


def _left_out(log_ratio: np.ndarray, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(m,) log densities of points left out, and the Pareto k of their ratios, from (S, m) log densities."""
    found = np.empty((2, block.shape[1]))
    for j, log_density in enumerate(block.T):
        log_weights, found[1, j] = smoothed(log_ratio - log_density)
        found[0, j] = logsumexp(log_weights + log_density)
    return found[0], found[1]
