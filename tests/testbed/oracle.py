"""The exact oracle: sums over all K^n labelings, in plain NumPy and SciPy.

Written from the model and not from the package: the data given their labels follow a matrix-t distribution,
whose density is taken from the dense n x n covariance of the rows, without sufficient statistics and without
conjugate updates.  Given the labels z and one covariance Sigma for a set of rows, the means integrated out,

    X - m_z ~ MN(0, A, Sigma),   A_ij = [i = j] + [z_i = z_j] / kappa_z,

and Sigma ~ IW(nu, Psi) integrates to Gupta and Nagar (2000), Matrix Variate Distributions, chapter 4.
The structures differ only in which rows and columns share a Sigma.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from scipy.special import gammaln, logsumexp, multigammaln

STRUCTURES = ("full", "tied", "diagonal", "shared_diagonal", "spherical", "isotropic")
SHARED = {"tied", "shared_diagonal", "isotropic"}
MATRICES, SEPARATE, ROUND = {"full", "tied"}, {"diagonal", "shared_diagonal"}, {"spherical", "isotropic"}


@dataclass(frozen=True)
class Constants:
    """Prior constants in the forms of the issue: means (K, D), precisions (K,), one dof, one scale for all."""

    structure: str
    concentration: np.ndarray
    mean: np.ndarray
    mean_precision: np.ndarray
    dof: float
    scale: np.ndarray  # (D, D) full and tied, (D,) diagonal and shared_diagonal, () spherical and isotropic


def default_constants(structure: str, X: np.ndarray, n_components: int) -> Constants:
    """Fraley and Raftery's defaults, computed here from DESIGN's words with NumPy's own cov."""
    n_features = X.shape[1]
    shrink = n_components ** (2.0 / n_features)
    cov = np.atleast_2d(np.cov(X.T))
    scale = dict.fromkeys(SEPARATE, np.diag(cov)) | dict.fromkeys(ROUND, np.diag(cov).mean())
    return Constants(
        structure,
        np.ones(n_components),
        np.tile(X.mean(0), (n_components, 1)),
        np.full(n_components, 0.01),
        3.0 if structure in SEPARATE else n_features + 2.0,
        np.asarray(scale.get(structure, cov)) / shrink,
    )


def log_matrix_t(R: np.ndarray, A: np.ndarray, dof: float, scale: np.ndarray) -> np.ndarray:
    """Log density of rows R (..., n, d) ~ MN(0, A, Sigma), Sigma ~ IW(dof, scale); leading axes broadcast."""
    n, d = R.shape[-2:]
    inner = scale + np.swapaxes(R, -1, -2) @ np.linalg.solve(A, R)
    return (
        multigammaln((dof + n) / 2, d)
        - multigammaln(dof / 2, d)
        - n * d / 2 * np.log(np.pi)
        - d / 2 * np.linalg.slogdet(A)[1]
        + dof / 2 * np.linalg.slogdet(scale)[1]
        - (dof + n) / 2 * np.linalg.slogdet(inner)[1]
    )


def log_points(X: np.ndarray, z: np.ndarray, prior: Constants) -> np.ndarray:
    """Log density of rows (n, d) given labels (..., n), one Sigma for all of them and for each column or none."""
    n, d = X.shape
    R = X - prior.mean[z]
    A = np.eye(n) + (z[..., :, None] == z[..., None, :]) / prior.mean_precision[z][..., None]
    if prior.structure in MATRICES:
        return log_matrix_t(R, A, prior.dof, prior.scale)
    if prior.structure in SEPARATE:
        columns = [log_matrix_t(R[..., [j]], A, prior.dof, prior.scale[[j]][:, None]) for j in range(d)]
        return np.sum(columns, axis=0)
    # One variance for all columns: the entries are n d rows of one column, whose covariance is A for each column.
    columns = np.swapaxes(R, -1, -2).reshape(*z.shape[:-1], n * d, 1)
    return log_matrix_t(columns, np.kron(np.eye(d), A), prior.dof, np.reshape(prior.scale, (1, 1)))


def log_labels(labelings: np.ndarray, concentration: np.ndarray) -> np.ndarray:
    """Log probability of each labeling (L, n) by Polya's urn, one ball after the other."""
    balls, rows = np.tile(np.array(concentration, float), (len(labelings), 1)), np.arange(len(labelings))
    total = np.zeros(len(labelings))
    for z in labelings.T:
        total += np.log(balls[rows, z] / balls.sum(1))
        balls[rows, z] += 1
    return total


def log_evidence_by_chain(X: np.ndarray, prior: Constants) -> float:
    """K = 1 by the chain rule of Student-t predictives, a third way to the same number."""
    from scipy.stats import multivariate_t, t

    kappa, nu, mean = prior.mean_precision[0], prior.dof, prior.mean[0]
    psi, total, d = np.array(prior.scale, float), 0.0, X.shape[1]
    for x in X:
        spread = (kappa + 1) / kappa
        if prior.structure in MATRICES:
            total += multivariate_t(mean, psi * spread / (nu - d + 1), nu - d + 1).logpdf(x)
            psi = psi + np.outer(x - mean, x - mean) / spread
            nu += 1
        elif prior.structure in SEPARATE:
            total += t(nu, mean, np.sqrt(psi * spread / nu)).logpdf(x).sum()
            psi, nu = psi + (x - mean) ** 2 / spread, nu + 1
        else:
            total += multivariate_t(mean, np.eye(d) * psi * spread / nu, nu).logpdf(x)
            psi, nu = psi + ((x - mean) ** 2).sum() / spread, nu + d
        kappa, mean = kappa + 1, mean + (x - mean) / (kappa + 1)
    return float(total)


class Enumeration:
    """Everything about the posterior that K^n labelings can say.

    `known` (n, K) is added to the log weights row by row: offsets, or 0 and -inf where labels allow and forbid.
    """

    def __init__(self, X: np.ndarray, prior: Constants, known: np.ndarray | None = None):
        self.X, self.prior = np.asarray(X, float), prior
        self.labelings = np.array(list(product(range(len(prior.mean)), repeat=len(X))))
        self.known = np.zeros((len(X), len(prior.mean))) if known is None else known

    @cached_property
    def log_joint(self) -> np.ndarray:
        """Log p(X, z) of every labeling."""
        known = self.known[np.arange(len(self.X)), self.labelings].sum(1)
        return log_labels(self.labelings, self.prior.concentration) + self._log_points() + known

    @cached_property
    def log_evidence(self) -> float:
        return float(logsumexp(self.log_joint))

    @cached_property
    def probabilities(self) -> np.ndarray:
        return np.exp(self.log_joint - self.log_evidence)

    @cached_property
    def counts(self) -> np.ndarray:
        """(labelings, K)."""
        return (self.labelings[:, :, None] == np.arange(len(self.prior.mean))).sum(1)

    def co_clustering(self) -> np.ndarray:
        """(n, n) probabilities that two points have one label."""
        same = self.labelings[:, :, None] == self.labelings[:, None, :]
        return np.einsum("l,lij->ij", self.probabilities, same)

    def responsibilities(self) -> np.ndarray:
        """(n, K) probabilities of the labels; all 1/K where the prior treats all components alike."""
        ones = self.labelings[:, :, None] == np.arange(len(self.prior.mean))
        return np.einsum("l,lik->ik", self.probabilities, ones)

    def occupied(self) -> np.ndarray:
        """(K,) probabilities of 1, ..., K occupied components."""
        n_occupied = (self.counts > 0).sum(1)
        return np.bincount(n_occupied, self.probabilities, minlength=len(self.prior.mean) + 1)[1:]

    def sum_squared_weights(self) -> float:
        """E[sum_k w_k^2 | X]."""
        a = self.prior.concentration + self.counts
        total = a.sum(1, keepdims=True)
        return float(self.probabilities @ (a * (a + 1) / total / (total + 1)).sum(1))

    def log_density(self, x: np.ndarray) -> float:
        """Log posterior predictive density of one new point."""
        return float(logsumexp(self.log_parts(x)))

    def log_parts(self, x: np.ndarray) -> np.ndarray:
        """(K,) log posterior predictive densities of one new point with each label."""
        of_label = np.where(np.eye(len(self.prior.mean), dtype=bool), 0.0, -np.inf)
        more = [Enumeration(np.vstack([self.X, x]), self.prior, np.vstack([self.known, row])) for row in of_label]
        return np.array([one.log_evidence for one in more]) - self.log_evidence

    def weights(self) -> np.ndarray:
        """(K,) E[w | X]."""
        a = self.prior.concentration + self.counts
        return self.probabilities @ (a / a.sum(1, keepdims=True))

    def leave_one_out(self) -> np.ndarray:
        """(n,) log p(x_i | the others), the prior constants held."""
        rows = np.arange(len(self.X))
        return np.array([self.log_evidence - Enumeration(self.X[rows != i], self.prior).log_evidence for i in rows])

    def _log_points(self) -> np.ndarray:
        if len(self.X) == 0:
            return np.zeros(1)
        if self.prior.structure in SHARED:
            return log_points(self.X, self.labelings, self.prior)
        subsets = list(product((False, True), repeat=len(self.X)))
        index = 2 ** np.arange(len(self.X))[::-1]  # of a subset in that list
        total = np.zeros(len(self.labelings))
        for k in range(len(self.prior.mean)):
            of_subset = np.array([self._cluster(k, np.array(subset)) for subset in subsets])
            total += of_subset[(self.labelings == k) @ index]
        return total

    def _cluster(self, k: int, rows: np.ndarray) -> float:
        z = np.full(rows.sum(), k)
        return float(log_points(self.X[rows], z, self.prior)) if len(z) else 0.0


def log_dirichlet(weights: np.ndarray, concentration: np.ndarray) -> float:
    """Log density on the simplex with respect to the first K - 1 weights."""
    a = np.asarray(concentration, float)
    return float(gammaln(a.sum()) - gammaln(a).sum() + ((a - 1) * np.log(weights)).sum())


def log_prior(weights, means, covariances, prior: Constants) -> float:
    """Log prior density of full (K, D, D) covariances of the right structure, from scipy.stats."""
    from scipy.stats import invgamma, invwishart, multivariate_normal

    total = log_dirichlet(weights, prior.concentration)
    for mean, m0, kappa, covariance in zip(means, prior.mean, prior.mean_precision, covariances, strict=True):
        total += multivariate_normal(m0, covariance / kappa).logpdf(mean)
    for covariance in covariances[:1] if prior.structure in SHARED else covariances:
        if prior.structure in MATRICES:
            total += invwishart(prior.dof, prior.scale).logpdf(covariance)
        elif prior.structure in SEPARATE:
            total += invgamma(prior.dof / 2, scale=prior.scale / 2).logpdf(np.diag(covariance)).sum()
        else:
            total += invgamma(prior.dof / 2, scale=float(prior.scale) / 2).logpdf(covariance[0, 0])
    return float(total)


def log_densities(X, weights, means, covariances) -> np.ndarray:
    """(n,) log densities of a mixture from scipy.stats."""
    from scipy.stats import multivariate_normal

    parts = [np.reshape(multivariate_normal(m, S).logpdf(X), -1) for m, S in zip(means, covariances, strict=True)]
    return logsumexp(np.log(weights)[:, None] + np.array(parts), axis=0)


def log_likelihood(X, weights, means, covariances) -> float:
    return float(log_densities(X, weights, means, covariances).sum())
