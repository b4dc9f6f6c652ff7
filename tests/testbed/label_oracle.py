"""The exact oracle for labels that are no Polya urn: broken sticks, and an unknown number of components.

Again written from the models and not from the package: a point walks along the sticks and stops at each with the
urn's odds; of an unknown number of components every value has an urn of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import logsumexp, roots_genlaguerre

from testbed.oracle import Constants, Enumeration, log_labels

N_NODES = 60  # of the quadrature over the concentration; 40 give the same ten digits


class LabelLaw(Protocol):
    def log_probability(self, labelings: np.ndarray) -> np.ndarray:
        """(L,) log probabilities of labelings (L, n)."""
        ...


@dataclass(frozen=True)
class Urn:
    """Dirichlet weights."""

    concentration: np.ndarray

    def log_probability(self, labelings):
        return log_labels(labelings, self.concentration)


@dataclass(frozen=True)
class Sticks:
    """v_k ~ Beta(1, alpha) for k < T, v_T = 1."""

    truncation: int
    concentration: float

    def log_probability(self, labelings):
        counts, total = np.zeros((len(labelings), self.truncation)), np.zeros(len(labelings))
        for z in labelings.T:
            for k in range(self.truncation - 1):
                beyond = counts[:, k + 1 :].sum(1)
                stop = (1.0 + counts[:, k]) / (1.0 + self.concentration + counts[:, k] + beyond)
                total += np.where(z == k, np.log(stop), np.where(z > k, np.log1p(-stop), 0.0))
            counts[np.arange(len(z)), z] += 1
        return total


@dataclass(frozen=True)
class SticksOfGamma:
    """The same with alpha ~ Gamma(shape, rate), by Gauss-Laguerre quadrature."""

    truncation: int
    shape: float
    rate: float

    def nodes(self):
        x, weights = roots_genlaguerre(N_NODES, self.shape - 1.0)
        return x / self.rate, np.log(weights / weights.sum())

    def log_terms(self, labelings):
        """(nodes, L)."""
        return np.array(
            [w + Sticks(self.truncation, a).log_probability(labelings) for a, w in zip(*self.nodes(), strict=True)]
        )

    def log_probability(self, labelings):
        return logsumexp(self.log_terms(labelings), axis=0)


@dataclass(frozen=True)
class UnknownNumber:
    """K with probabilities on 1, ..., M; given K, labels below K are an urn with equal concentrations."""

    probabilities: tuple[float, ...]
    concentration: float

    def log_terms(self, labelings):
        """(M, L)."""
        terms = np.full((len(self.probabilities), len(labelings)), -np.inf)
        largest = labelings.max(1, initial=0)
        for k, probability in enumerate(self.probabilities, 1):
            inside = largest < k
            terms[k - 1, inside] = np.log(probability) + log_labels(labelings[inside], np.full(k, self.concentration))
        return terms

    def log_probability(self, labelings):
        return logsumexp(self.log_terms(labelings), axis=0)


class LawEnumeration(Enumeration):
    """`Enumeration` under any law of the labels; the constants' own concentration is not used."""

    def __init__(self, X: np.ndarray, prior: Constants, law: LabelLaw):
        super().__init__(X, prior)
        self.law = law
        self.log_joint = law.log_probability(self.labelings) + self._log_points()

    def sum_squared_weights(self) -> float:
        """The probability that two new points have one label."""
        before, total = self.law.log_probability(self.labelings), 0.0
        inside = np.isfinite(before)
        for k in range(len(self.prior.mean)):
            pair = np.full((inside.sum(), 2), k)
            after = self.law.log_probability(np.hstack([self.labelings[inside], pair]))
            total += self.probabilities[inside] @ np.exp(after - before[inside])
        return float(total)

    def log_density(self, x: np.ndarray) -> float:
        return LawEnumeration(np.vstack([self.X, x]), self.prior, self.law).log_evidence - self.log_evidence

    def expected(self, log_terms: np.ndarray, values: np.ndarray) -> float:
        """Posterior mean of what the law sums over, with `values` for each row of its `log_terms`."""
        log_points = self.log_joint - logsumexp(log_terms, axis=0)
        posterior = np.exp(logsumexp(log_terms + log_points, axis=1) - self.log_evidence)
        return float(posterior @ values)
