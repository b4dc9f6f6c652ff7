"""`ConjugateMixture`: weights and components together, the prior and the variational posterior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.core.params import LOG_2PI, ComponentScores, MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.priors.conjugate import ConjugateComponents


@dataclass(frozen=True, eq=False)
class ConjugateMixture:
    """A distribution over `MixtureParams` that is conjugate given the assignment.

    Parameters
    ----------
    weights : Dirichlet, StickBreaking, UnknownConcentration or StickPosterior
        A Dirichlet has one concentration per component.  `UnknownConcentration` is a prior and `StickPosterior` its
        posterior; the others are both.
    components : ConjugateComponents
    """

    weights: Any  # what is asked of it, it must be able to answer
    components: ConjugateComponents

    def update(self, stats: SufficientStatistics) -> ConjugateMixture:
        """The posterior given the statistics of the assigned points."""
        return ConjugateMixture(self.weights.update(stats.counts), self.components.update(stats))

    def mode(self) -> MixtureParams:
        """Joint mode in (weights, means, covariances)."""
        means, covariances = self.components.mode()
        structure = self.components.structure
        factor = structure.expand(structure.form.factor(covariances), *means.shape)
        return MixtureParams.trusted(self.weights.mode(), means, factor)

    def expected_scores(self) -> ComponentScores:
        """``E[log weight_k + log N(x; mean_k, Sigma_k)]``: scores for the sweep, and no density."""
        components = self.components
        log_weight = self.weights.expected_log() + 0.5 * components.expected_log_det()
        log_weight -= 0.5 * components.n_features * (LOG_2PI + 1.0 / components.mean_precision)
        return ComponentScores(log_weight, components.mean, components.expected_factor())

    def sample(self, rng: np.random.Generator, n_draws: int) -> MixtureParams:
        """`n_draws` independent mixtures."""
        means, factor = self.components.sample(rng, n_draws)
        return MixtureParams.trusted(self.weights.sample(rng, n_draws), means, factor)

    def log_density(self, params: MixtureParams) -> float:
        """Log density at one mixture, in (weights, means, covariances)."""
        return self.weights.log_density(params.weights) + self.components.log_density(
            params.means, params.precision_chol
        )

    def kl(self, prior: ConjugateMixture) -> float:
        """Kullback-Leibler divergence KL(self || prior)."""
        return self.weights.kl(prior.weights) + self.components.kl(prior.components)

    def log_marginal(self, stats: SufficientStatistics) -> float:
        """Log joint probability of the data and one hard labelling of it, parameters integrated out."""
        return self.weights.log_marginal(stats.counts) + self.components.log_marginal(stats)
