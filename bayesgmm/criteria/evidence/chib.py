"""Chib's identity at one mixture, with the posterior density there averaged over all orders of the components."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from bayesgmm.criteria.evidence.posterior import Posterior

N_LAWS, N_DRAWS = 4000, 4000


def chib(posterior: Posterior, rng: np.random.Generator) -> tuple[float, float]:
    """Log evidence and its standard error.

    ``log p(X) = log p(X | t) + log p(t) - log p(t | X)`` holds at any mixture t.  The posterior density at t is the
    mean over draws of its density given labels.  Chib (1995), Journal of the American Statistical Association 90,
    1313-1321, doi:10.1080/01621459.1995.10476635; the orders: Berkhof, van Mechelen and Gelman (2003), Statistica
    Sinica 13, 423-442.
    """
    from arviz_stats.base import array_stats

    law, others = posterior.halves(N_LAWS, N_DRAWS, rng)
    flat = others.reshaped(-1)
    joint = posterior.log_joint(flat)
    best = int(joint.argmax())
    terms = law.log_terms(flat[best : best + 1])[:, 0]
    density = np.exp(terms - terms.max())
    if np.ptp(density) < 1e-9:  # one component: the density given labels is the posterior
        return float(joint[best] - terms[0]), 0.0
    by_chain = density.reshape(others.draw_shape[0], -1)
    error = array_stats.mcse(by_chain, chain_axis=0, draw_axis=1, method="mean")
    return float(joint[best] - logsumexp(terms) + np.log(len(terms))), float(error / density.mean())
