"""Normal-inverse-Wishart algebra, written once for all covariance structures.

Each entry of a structure's compact array is a p x p inverse Wishart: p = D for full and tied covariances
and p = 1 (an inverse gamma) for the entries of diagonal and round ones.  Murphy (2007), "Conjugate
Bayesian analysis of the Gaussian distribution", gives the full case; Bishop (2006), chapter 10, its
expectations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from bayesgmm.core.params import LOG_2PI
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.families.compact import Compact
from bayesgmm.priors.wisharts import WISHARTS, Wisharts


@dataclass(frozen=True, eq=False)
class ConjugateComponents:
    """Hyperparameters of the K components, prior or posterior.

    Parameters
    ----------
    structure : Compact
    mean : (K, D) array
    mean_precision : (K,) array
        kappa.
    dof : (K,) array, or (1,) for shared covariances
        nu.
    scale : array in the structure's compact shape
        Psi.
    """

    structure: Compact
    mean: np.ndarray
    mean_precision: np.ndarray
    dof: np.ndarray
    scale: np.ndarray

    @property
    def n_components(self) -> int:
        return self.mean.shape[0]

    @property
    def n_features(self) -> int:
        return self.mean.shape[1]

    @property
    def matrix_size(self) -> int:
        """p: the order of the Wishart matrices."""
        return self.structure.form.matrix_size(self.n_features)

    def update(self, stats: SufficientStatistics) -> ConjugateComponents:
        """The posterior given the statistics of the assigned points."""
        counts, xbar = stats.counts, stats.means()
        precision = self.mean_precision + counts
        offset = xbar - self.mean
        pull = self.mean_precision * counts / precision
        pooled = self.structure.pool(self.structure.form.add_outer(stats.scatter(), pull, offset))
        residuals = self.structure.residuals_per_point(self.n_features) * self.structure.pool_counts(counts)
        return ConjugateComponents(
            self.structure,
            self.mean + (counts / precision)[:, None] * offset,
            precision,
            self.dof + residuals,
            np.add(self.scale, pooled, out=pooled),
        )

    def posterior_at(self, counts: np.ndarray, means: np.ndarray, factor: np.ndarray) -> ConjugateComponents:
        """The posterior after so many points that has these means, and this expected factor (expanded)."""
        structure = self.structure
        residuals = structure.residuals_per_point(self.n_features) * structure.pool_counts(counts)
        dof, spread = self.dof + residuals, structure.form.spread(structure.compact(factor))
        return ConjugateComponents(structure, means, self.mean_precision + counts, dof, structure.per_row(dof) * spread)

    def mode(self) -> tuple[np.ndarray, np.ndarray]:
        """Joint mode in (means, covariances): (K, D) means and compact covariances.

        Each mean that shares a covariance adds its own factor ``|Sigma|^(-1/2)`` to the density, hence
        ``Psi / (nu + D + 2)`` for full covariances.
        """
        p, structure = self.matrix_size, self.structure
        means_sharing = structure.sharing(self.n_components) * structure.residuals_per_point(self.n_features)
        return self.mean, self.scale / structure.per_row(self.dof + p + 1 + means_sharing)

    def expected_log_det(self) -> np.ndarray:
        """(K,) expected log determinants of the precision matrices."""
        return self._by_component(self._expected_log_det_entries())

    def expected_factor(self) -> np.ndarray:
        """Expanded factor F with ``F F^T = E[Lambda_k]``."""
        return self._expand(self.structure.form.factor(self.scale) * self.structure.per_row(np.sqrt(self.dof)))

    def sample(self, rng: np.random.Generator, n_draws: int) -> tuple[np.ndarray, np.ndarray]:
        """(n_draws, K, D) means and expanded precision factors, by the Bartlett decomposition."""
        form = self.structure.form
        square_dof = self._wisharts.bartlett_dof(self.dof, self.scale.shape[-1])
        bartlett = self._wisharts.bartlett(rng, square_dof, n_draws)
        factor = self._expand(form.times(form.factor(self.scale), bartlett))
        noise = form.unwhiten(factor, rng.standard_normal((n_draws, *self.mean.shape)))
        return self.mean + noise / np.sqrt(self.mean_precision)[:, None], factor

    def log_density(self, means: np.ndarray, factor: np.ndarray) -> float:
        """Log density at (means, covariances) given by means (K, D) and an expanded precision factor."""
        offset = means - self.mean
        whitened = self.structure.form.whiten(factor, offset)
        compact = self.structure.compact(factor)
        log_det = self._wisharts.log_dets_of_factor(compact)
        normal = 0.5 * self._by_component(log_det) - 0.5 * self.mean_precision * (whitened**2).sum(1)
        normal += 0.5 * self.n_features * (np.log(self.mean_precision) - LOG_2PI)
        inverse_wishart = 0.5 * (self._dof_entries() + self.matrix_size + 1) * log_det - self.covariance_partition()
        return float(normal.sum() + inverse_wishart.sum() - 0.5 * self._wisharts.trace(self.scale, compact))

    def log_partition(self) -> float:
        """Log normaliser of the joint density of all means and covariances."""
        means = 0.5 * self.n_features * (LOG_2PI - np.log(self.mean_precision))
        return float(means.sum() + self.covariance_partition().sum())

    def log_marginal(self, stats: SufficientStatistics) -> float:
        """Log density of the assigned points with means and covariances integrated out."""
        constant = 0.5 * self.n_features * LOG_2PI * stats.counts.sum()
        return self.update(stats).log_partition() - self.log_partition() - constant

    def kl(self, prior: ConjugateComponents) -> float:
        """Kullback-Leibler divergence KL(self || prior)."""
        factor, offset = self.expected_factor(), self.mean - prior.mean
        whitened = self.structure.form.whiten(factor, offset)
        ratio = prior.mean_precision / self.mean_precision
        means = 0.5 * self.n_features * (ratio - 1.0 - np.log(ratio))
        means += 0.5 * prior.mean_precision * (whitened**2).sum(1)
        dof = self._dof_entries()
        wishart = 0.5 * (dof - prior._dof_entries()) * self._expected_log_det_entries() - 0.5 * dof * self.matrix_size
        wishart += prior.covariance_partition() - self.covariance_partition()
        trace = self._wisharts.trace(prior.scale, self.structure.compact(factor))
        return float(means.sum() + wishart.sum() + 0.5 * trace)

    def _expand(self, compact: np.ndarray) -> np.ndarray:
        return self.structure.expand(compact, self.n_components, self.n_features)

    @property
    def _wisharts(self) -> Wisharts:
        return WISHARTS[self.structure.form]

    def _by_component(self, values: np.ndarray) -> np.ndarray:
        """(K,) totals over the columns of a value per Wishart matrix."""
        return self._wisharts.by_component(values, self.n_components, self.n_features)

    def _dof_entries(self) -> np.ndarray:
        return self._wisharts.each(self.dof, self.scale)

    def _expected_log_det_entries(self) -> np.ndarray:
        p = self.matrix_size
        orders = scipy.special.digamma(0.5 * (self._dof_entries()[..., None] - np.arange(p))).sum(-1)
        return orders + p * np.log(2.0) - self._wisharts.log_dets(self.scale)

    def covariance_partition(self) -> np.ndarray:
        """Log normaliser of the density of each covariance: one for each row, or each entry where it is diagonal."""
        p, dof = self.matrix_size, self._dof_entries()
        gamma = scipy.special.gammaln(0.5 * dof) if p == 1 else multigammaln_rows(0.5 * dof, p)
        return 0.5 * dof * p * np.log(2.0) + gamma - 0.5 * dof * self._wisharts.log_dets(self.scale)


def multigammaln_rows(values: np.ndarray, p: int) -> np.ndarray:
    """Log multivariate gamma of order p of each value."""
    return np.array([scipy.special.multigammaln(value, p) for value in values])
