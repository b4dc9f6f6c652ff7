"""Chib's identity, with the posterior density averaged over all orders of the components."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from bayesgmm.criteria.evidence.posterior import Posterior
from bayesgmm.result.arviz import array_stats

N_LAWS, N_DRAWS = 4000, 4000
N_PLACES = (
    20  # at which the identity is used: the best of the draws, since a single one has an unlucky density at times
)


def chib(posterior: Posterior, rng: np.random.Generator) -> tuple[float, float, float]:
    """Log evidence, its standard error, and the effective number of labellings that the posterior density rests on.

    ``p(X) = p(X | t) p(t) / p(t | X)`` holds at any mixture t.  The posterior density at t is the mean over draws of
    its density given labels; the inverse is averaged over some t of high density.  Chib (1995), Journal of the American
    Statistical Association 90, 1313-1321, doi:10.1080/01621459.1995.10476635; the orders: Berkhof, van Mechelen and
    Gelman (2003), Statistica Sinica 13, 423-442.

    The density given labels varies from labelling to labelling, the more so the more parameters there are and the more
    the components overlap.  Where a few of them are nearly all of the mean, the sample does not show its own variance,
    and the error is too small; their effective number, ``(sum w)^2 / sum w^2``, does show it.  Labellings that share
    1/S of the posterior are often not among S draws at all, so 1/S is part of the error also where all S are the same.
    """
    law, others = posterior.halves(N_LAWS, N_DRAWS, rng)
    best = np.argsort(-others.log_joint)[:N_PLACES]
    terms = law.log_terms(others.draws[best]) - others.log_joint[best]
    log_inverse = logsumexp(terms, axis=1) - np.log(len(best))
    inverse = np.exp(log_inverse - log_inverse.max())
    if law.is_alike.shape == (1, 1):  # one component: the density given labels is the posterior
        return float(-log_inverse[0]), 0.0, float(len(inverse))
    by_chain, unseen = inverse.reshape(others.shape[0], -1), 1.0 / len(law.laws)
    error = 0.0
    if np.ptp(inverse) > 1e-9:
        error = array_stats().mcse(by_chain, chain_axis=0, draw_axis=1, method="mean") / inverse.mean()
    n_effective = inverse.sum() ** 2 / (inverse**2).sum()
    value = -log_inverse.max() - np.log(inverse.mean())
    return float(value), float(np.hypot(error, unseen)), float(n_effective)
