"""Independent draws from the exact posterior of a mixture of a handful of points: a method for tests.

All K^n labelings are listed with their probabilities; a draw is a labeling and, given it, the conjugate draw of
the parameters.  No chain, no burn-in, every mode in its right proportion.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import softmax

from bayesgmm import MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.result.diagnostics import SamplerDiagnostics
from bayesgmm.result.estimates import Draws
from bayesgmm.result.method import MethodResult
from bayesgmm.result.status import Outcome, Status


@dataclass(frozen=True)
class ExactPosterior:
    """`chains` x `draws` draws, each kept `repeats` times in a row: autocorrelation of a known strength."""

    draws: int
    chains: int = 1
    repeats: int = 1

    def run(self, model, data, rng, progress):
        prior = model.conjugate()
        labelings = np.array(list(product(range(model.n_components), repeat=len(data.values))))
        stats = [statistics_of(data.values, z, model.n_components, model.covariance.is_diagonal) for z in labelings]
        probabilities = softmax([prior.log_marginal(one) for one in stats])
        counts = rng.multinomial(self.chains * self.draws, probabilities)
        parts = [prior.update(stats[i]).sample(rng, counts[i]) for i in np.flatnonzero(counts)]
        arrays = [np.concatenate([getattr(part, name) for part in parts]) for name in MixtureParams.__slots__]
        order = np.repeat(rng.permutation(self.chains * self.draws), self.repeats)
        params = MixtureParams.trusted(*arrays)[order].reshaped(self.chains, -1)
        status = Status(Outcome.CONVERGED, "Exact.")
        return MethodResult(Draws(params, {}), status, SamplerDiagnostics((), 0, 0), np.empty(0))


def statistics_of(X, labels, n_components, is_diagonal):
    """Statistics of a hard labeling, by NumPy."""
    ones = (labels[:, None] == np.arange(n_components)).astype(float)
    center = np.tile(X.mean(0), (n_components, 1))
    offset = X - X.mean(0)
    second = np.einsum("nk,ni,nj->kij", ones, offset, offset)
    if is_diagonal:
        second = np.diagonal(second, axis1=1, axis2=2)
    return SufficientStatistics(0.0, ones.sum(0), ones.T @ offset, second, center, float(len(X)))
