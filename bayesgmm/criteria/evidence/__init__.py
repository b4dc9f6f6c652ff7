"""The log evidence log p(X): estimators from draws, the exact sum where it can be made, and the variational bound.

(-BIC/2, of the same estimand, is in `information`.)
"""

from bayesgmm.criteria.evidence.agreement import reconciled
from bayesgmm.criteria.evidence.bound import elbo, elbo_orders
from bayesgmm.criteria.evidence.estimate import log_evidence

__all__ = ["elbo", "elbo_orders", "log_evidence", "reconciled"]
