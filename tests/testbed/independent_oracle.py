"""An oracle for means that are independent of the covariances, in one column: labels summed, means by quadrature.

Written from the model and not from the package.  Given labels, scale and mean, the points of a component follow a
t distribution, because only its variance is integrated out in closed form; the mean is left to the trapezoid rule,
which on a smooth density that vanishes at both ends is exact to rounding, and an unknown scale to Gauss and Laguerre.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import gammaln, logsumexp, roots_genlaguerre
from scipy.stats import norm

from testbed.label_oracle import LabelLaw, LawEnumeration
from testbed.oracle import SHARED, Constants

N_NODES = 40  # of the scale; 80 change nothing in the first seven digits


@dataclass(frozen=True)
class IndependentConstants:
    """One column: mean, its variance, degrees of freedom; the scale, or shape and rate of its prior."""

    mean: float = 0.3
    variance: float = 2.0
    dof: float = 4.0
    scale: float | tuple[float, float] = 0.8

    def scales(self):
        """Nodes and log weights."""
        if not isinstance(self.scale, tuple):
            return np.array([self.scale]), np.zeros(1)
        shape, rate = self.scale
        x, weights = roots_genlaguerre(N_NODES, shape - 1.0)
        return x / rate, np.log(weights / weights.sum())


class IndependentEnumeration(LawEnumeration):
    """Sums over labelings of K components in one column."""

    def __init__(self, X: np.ndarray, constants: IndependentConstants, structure: str, k: int, law: LabelLaw):
        self.constants, self.structure, self.k = constants, structure, k
        no_more = Constants(structure, np.ones(k), np.zeros((k, 1)), np.ones(k), 0.0, np.zeros(1))
        super().__init__(X, no_more, law)

    def log_density(self, x: np.ndarray) -> float:
        more = IndependentEnumeration(np.vstack([self.X, x]), self.constants, self.structure, self.k, self.law)
        return more.log_evidence - self.log_evidence

    def _log_points(self) -> np.ndarray:
        nodes, log_weights = self.constants.scales()
        log_given = np.array([self._log_given(scale) for scale in nodes])
        return logsumexp(log_weights[:, None] + log_given, axis=0)

    def _log_given(self, scale: float) -> np.ndarray:
        """(labelings,) log p(X | labels, scale)."""
        c, is_shared = self.constants, self.structure in SHARED
        n_grid = 121 if is_shared else 801
        means = c.mean + np.sqrt(c.variance) * np.linspace(-8.0, 8.0, n_grid)
        log_prior = norm(c.mean, np.sqrt(c.variance)).logpdf(means) + np.log(means[1] - means[0])
        squares = (self.X[:, 0][:, None] - means) ** 2
        if is_shared:
            assert self.k == 2
            total = np.empty(len(self.labelings))
            for i, z in enumerate(self.labelings):
                sums = squares[z == 0].sum(0)[:, None] + squares[z == 1].sum(0)
                total[i] = logsumexp(self._log_t(sums, len(z), scale) + log_prior[:, None] + log_prior)
            return total
        subsets = np.array(list(product((False, True), repeat=len(self.X))))
        log_t = self._log_t(subsets @ squares, subsets.sum(1)[:, None], scale)
        of_subset = logsumexp(log_t + log_prior, axis=1)
        index = 2 ** np.arange(len(self.X))[::-1]  # of a subset in that list
        return sum(of_subset[(self.labelings == k) @ index] for k in range(self.k))

    def _log_t(self, sums: np.ndarray, n: np.ndarray | int, scale: float) -> np.ndarray:
        """Log density of n points with these sums of squares about the mean, the variance integrated out."""
        a = 0.5 * self.constants.dof
        normaliser = gammaln(a + 0.5 * n) - gammaln(a) - 0.5 * n * np.log(np.pi)
        return normaliser + a * np.log(scale) - (a + 0.5 * n) * np.log(scale + sums)
