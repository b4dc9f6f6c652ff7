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

from bayesgmm.core.covariance import CovarianceStructure
from bayesgmm.core.matrices import invert_triangular, stacks
from bayesgmm.core.params import LOG_2PI
from bayesgmm.core.statistics import SufficientStatistics


@dataclass(frozen=True, eq=False)
class ConjugateComponents:
    """Hyperparameters of the K components, prior or posterior.

    Parameters
    ----------
    structure : CovarianceStructure
    mean : (K, D) array
    mean_precision : (K,) array
        kappa.
    dof : (K,) array, or (1,) for shared covariances
        nu.
    scale : array in the structure's compact shape
        Psi.
    """

    structure: CovarianceStructure
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
        return 1 if self.structure.is_diagonal else self.n_features

    def update(self, stats: SufficientStatistics) -> ConjugateComponents:
        """The posterior given the statistics of the assigned points."""
        counts, xbar = stats.counts, stats.means()
        precision = self.mean_precision + counts
        offset = xbar - self.mean
        pull = self.mean_precision * counts / precision
        if self.structure.is_diagonal:
            moments = stats.scatter() + pull[:, None] * offset**2
        else:
            moments = stats.scatter()
            for some in stacks(moments):
                moments[some] += pull[some, None, None] * offset[some, :, None] * offset[some, None, :]
        pooled = self.structure.pool(moments)
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
        dof, compact = self.dof + residuals, structure.compact(factor)
        if structure.is_diagonal:
            inverse = compact**-2.0
        else:
            root = invert_triangular(compact)
            inverse = np.swapaxes(root, -1, -2) @ root
        per_row = dof.reshape(-1, *(1,) * (self.scale.ndim - 1))
        return ConjugateComponents(structure, means, self.mean_precision + counts, dof, per_row * inverse)

    def mode(self) -> tuple[np.ndarray, np.ndarray]:
        """Joint mode in (means, covariances): (K, D) means and compact covariances.

        Each mean that shares a covariance adds its own factor ``|Sigma|^(-1/2)`` to the density, hence
        ``Psi / (nu + D + 2)`` for full covariances.
        """
        p, structure = self.matrix_size, self.structure
        means_sharing = structure.sharing(self.n_components) * structure.residuals_per_point(self.n_features)
        return self.mean, self.scale / self._column(self.dof + p + 1 + means_sharing)

    def expected_log_det(self) -> np.ndarray:
        """(K,) expected log determinants of the precision matrices."""
        return self._sum_columns(self._expected_log_det_entries())

    def expected_factor(self) -> np.ndarray:
        """Expanded factor F with ``F F^T = E[Lambda_k]``."""
        return self._expand(self.structure.factor(self.scale) * self._column(np.sqrt(self.dof)))

    def sample(self, rng: np.random.Generator, n_draws: int) -> tuple[np.ndarray, np.ndarray]:
        """(n_draws, K, D) means and expanded precision factors, by the Bartlett decomposition."""
        root = self.structure.factor(self.scale)
        if self.structure.is_diagonal:
            chi2 = rng.chisquare(
                np.broadcast_to(self._column(self.dof), self.scale.shape), (n_draws, *self.scale.shape)
            )
            factor = self._expand(root * np.sqrt(chi2))
            noise = rng.standard_normal((n_draws, *self.mean.shape)) / factor
        else:
            factor = self._expand(root @ self._bartlett(rng, n_draws))
            noise = rng.standard_normal((n_draws, *self.mean.shape))
            noise = np.linalg.solve(np.swapaxes(factor, -1, -2), noise[..., None])[..., 0]
        return self.mean + noise / np.sqrt(self.mean_precision)[:, None], factor

    def log_density(self, means: np.ndarray, factor: np.ndarray) -> float:
        """Log density at (means, covariances) given by means (K, D) and an expanded precision factor."""
        offset = means - self.mean
        whitened = factor * offset if self.structure.is_diagonal else np.einsum("kij,ki->kj", factor, offset)
        log_det = self._factor_log_det(factor)
        normal = 0.5 * self._sum_columns(log_det) - 0.5 * self.mean_precision * (whitened**2).sum(1)
        normal += 0.5 * self.n_features * (np.log(self.mean_precision) - LOG_2PI)
        inverse_wishart = 0.5 * (self._dof_entries() + self.matrix_size + 1) * log_det - self.covariance_partition()
        return float(normal.sum() + inverse_wishart.sum() - 0.5 * self._scale_trace(factor))

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
        whitened = factor * offset if self.structure.is_diagonal else np.einsum("kij,ki->kj", factor, offset)
        ratio = prior.mean_precision / self.mean_precision
        means = 0.5 * self.n_features * (ratio - 1.0 - np.log(ratio))
        means += 0.5 * prior.mean_precision * (whitened**2).sum(1)
        dof = self._dof_entries()
        wishart = 0.5 * (dof - prior._dof_entries()) * self._expected_log_det_entries() - 0.5 * dof * self.matrix_size
        wishart += prior.covariance_partition() - self.covariance_partition()
        return float(means.sum() + wishart.sum() + 0.5 * prior._scale_trace(factor))

    def _bartlett(self, rng: np.random.Generator, n_draws: int) -> np.ndarray:
        p, rows = self.n_features, len(self.dof)
        upper = np.triu(rng.standard_normal((n_draws, rows, p, p)), 1)
        dof = self.dof[:, None] - p + np.arange(1, p + 1)
        index = np.arange(p)
        upper[..., index, index] = np.sqrt(rng.chisquare(dof, (n_draws, rows, p)))
        return upper

    def _column(self, per_row: np.ndarray) -> np.ndarray:
        return per_row.reshape(-1, *(1,) * (self.scale.ndim - 1))

    def _expand(self, compact: np.ndarray) -> np.ndarray:
        return self.structure.expand(compact, self.n_components, self.n_features)

    def _sum_columns(self, entries: np.ndarray) -> np.ndarray:
        """(K,) totals over the columns of a value per Wishart matrix."""
        if self.structure.is_diagonal:
            return self._expand(entries).sum(1)
        return np.array(np.broadcast_to(entries, (self.n_components,)))

    def _dof_entries(self) -> np.ndarray:
        return np.broadcast_to(self._column(self.dof), self.scale.shape) if self.structure.is_diagonal else self.dof

    def _scale_log_det(self) -> np.ndarray:
        return np.log(self.scale) if self.structure.is_diagonal else np.linalg.slogdet(self.scale)[1]

    def _factor_log_det(self, factor: np.ndarray) -> np.ndarray:
        """Log det of the precision, one value per Wishart matrix."""
        if self.structure.is_diagonal:
            return 2.0 * np.log(factor[: self.scale.shape[0], : self.scale.shape[1]])
        return 2.0 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(1)[: len(self.dof)]

    def _expected_log_det_entries(self) -> np.ndarray:
        p = self.matrix_size
        orders = scipy.special.digamma(0.5 * (self._dof_entries()[..., None] - np.arange(p))).sum(-1)
        return orders + p * np.log(2.0) - self._scale_log_det()

    def covariance_partition(self) -> np.ndarray:
        """Log normaliser of the density of each covariance: one for each row, or each entry where it is diagonal."""
        p, dof = self.matrix_size, self._dof_entries()
        gamma = scipy.special.gammaln(0.5 * dof) if p == 1 else multigammaln_rows(0.5 * dof, p)
        return 0.5 * dof * p * np.log(2.0) + gamma - 0.5 * dof * self._scale_log_det()

    def _scale_trace(self, factor: np.ndarray) -> float:
        """Sum over the Wishart matrices of trace(scale Lambda), Lambda from an expanded factor."""
        if self.structure.is_diagonal:
            return float((self.scale * factor[: self.scale.shape[0], : self.scale.shape[1]] ** 2).sum())
        factor = factor[: len(self.dof)]
        return float(np.einsum("kij,kil,klj->", factor, self.scale, factor))


def multigammaln_rows(values: np.ndarray, p: int) -> np.ndarray:
    """Log multivariate gamma of order p of each value."""
    return np.array([scipy.special.multigammaln(value, p) for value in values])
