"""The variational lower bound of the log evidence."""

from __future__ import annotations

import numpy as np

from bayesgmm.core.facts import groups_of
from bayesgmm.criteria.evidence.posterior import alike, log_orders
from bayesgmm.criteria.score import Score
from bayesgmm.errors import NotApplicableError
from bayesgmm.models import GaussianMixture
from bayesgmm.result.approximation import ApproximationDiagnostics
from bayesgmm.result.fit import Fit


def elbo(fit: Fit, X: np.ndarray) -> Score:
    """The evidence lower bound of a variational fit.

    Raises
    ------
    NotApplicableError
        The fit is not variational.
    """
    return Score("elbo", fit.elbo, _error(fit))


def elbo_orders(fit: Fit, X: np.ndarray) -> Score:
    """The same plus the log number of the orders of the components, of which q describes one.

    It is the bound of the mixture of q's copies in all orders, if these do not overlap, and above it if they do.

    Raises
    ------
    NotApplicableError
        The fit is not variational, or its model has no interchangeable components.
    """
    bound = fit.elbo
    if not isinstance(fit.model, GaussianMixture):
        raise NotApplicableError("the sticks of a Dirichlet process are not interchangeable.")
    groups = groups_of(fit.facts, fit.model.n_components)
    is_alike = alike(fit.model.conjugate()) & (groups == groups[:, None])
    return Score("elbo_orders", bound + log_orders(is_alike), _error(fit), is_ranked=False)


def _error(fit: Fit) -> float:
    return fit.diagnostics.elbo_se if isinstance(fit.diagnostics, ApproximationDiagnostics) else 0.0
