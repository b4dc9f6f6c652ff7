"""`Posterior`: what the estimators know of a posterior, its draws and its density but for a constant."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from bayesgmm.core.density import log_likelihoods
from bayesgmm.core.params import MixtureParams
from bayesgmm.core.sweep import Assign
from bayesgmm.criteria.evidence.grouped_permanents import log_grouped_permanents
from bayesgmm.priors.mixture import ConjugateMixture
from bayesgmm.priors.pairs import log_density_pairs
from bayesgmm.result.pointwise import Pointwise
from bayesgmm.rows import Rows


@dataclass(frozen=True, eq=False)
class Posterior:
    """A finite mixture's posterior under a prior that is conjugate given the labels.

    Parameters
    ----------
    prior : ConjugateMixture
    pointwise : Pointwise
        Of draws with axes (chain, draw), at the data.
    rows : Rows
        The data.
    """

    prior: ConjugateMixture
    pointwise: Pointwise
    rows: Rows

    def log_joint(self, params: MixtureParams) -> np.ndarray:
        """(m,) log p(X, params) of (m,) mixtures."""
        return log_joint(self.prior, params, log_likelihoods(params, self.rows.values, self.rows.facts))

    def halves(self, n_laws: int, n_draws: int, rng: np.random.Generator) -> tuple[SymmetricLaw, Judges]:
        """A law from about `n_laws` draws of the chains' first halves, and `n_draws` draws of the second ones.

        Apart, because a law is too good a description of the draws that it was made from.
        """
        draws = self.pointwise.draws()
        chains, length = draws.draw_shape
        half = length // 2
        first = _evenly(0, half, max(1, n_laws // chains))
        second = slice(None), _evenly(half, length, max(1, n_draws // chains))
        law, others = SymmetricLaw.of(self, draws[:, first].reshaped(-1), rng), draws[second]
        joint = log_joint(self.prior, others.reshaped(-1), self.pointwise.total_at(second).ravel())
        return law, Judges(others.reshaped(-1), joint, others.draw_shape)


class Judges(NamedTuple):
    """Draws that a law was not made from."""

    draws: MixtureParams  # with one leading axis
    log_joint: np.ndarray  # log p(X, params) of each
    shape: tuple[int, ...]  # (chain, draw), which the leading axis was before


@dataclass(frozen=True, eq=False)
class SymmetricLaw:
    """The posteriors given labellings, averaged, over the labellings and over the orders of the components.

    It is a normalised density near the posterior, exactly as symmetric as that is, whether the sampler has switched the
    labels or not.  Frühwirth-Schnatter (2004), Econometrics Journal 7, 143-167, doi:10.1111/j.1368-423X.2004.00125.x.

    Parameters
    ----------
    laws : tuple of ConjugateMixture
        One for each labelling.
    is_alike : (K, K) bool array
        Which components neither the prior nor what is known of the rows tells apart.
    """

    laws: tuple[ConjugateMixture, ...]
    is_alike: np.ndarray

    @classmethod
    def of(cls, posterior: Posterior, draws: MixtureParams, rng: np.random.Generator) -> SymmetricLaw:
        """From labels drawn given each of (m,) mixtures."""
        prior, rows = posterior.prior, posterior.rows
        laws = (prior.update(rows.sweep(draws[t].scores(), Assign.SAMPLED, rng)) for t in range(len(draws.weights)))
        groups = rows.groups(prior.components.n_components)
        return cls(tuple(laws), alike(prior) & (groups == groups[:, None]))

    def log_terms(self, params: MixtureParams) -> np.ndarray:
        """(laws, m) log densities of each law, averaged over the orders, at (m,) mixtures.

        Raises
        ------
        NotApplicableError
            So many components can be taken for one another that the sum over their orders would take too long.
        """
        terms = np.empty((len(self.laws), len(params.weights)))
        for s, law in enumerate(self.laws):
            pairs, common = log_density_pairs(law, params)
            terms[s] = log_grouped_permanents(np.where(self.is_alike, pairs, -np.inf)) + common
        return terms - log_orders(self.is_alike)

    def log_density(self, params: MixtureParams) -> np.ndarray:
        """(m,) log densities at (m,) mixtures."""
        return logsumexp(self.log_terms(params), axis=0) - np.log(len(self.laws))

    def sample(self, n_draws: int, rng: np.random.Generator) -> MixtureParams:
        """(n_draws,) mixtures, as many of each law as can be; their order does not matter to what is symmetric."""
        shares = np.bincount(np.arange(n_draws) % len(self.laws), minlength=len(self.laws))
        parts = [law.sample(rng, int(share)) for law, share in zip(self.laws, shares, strict=True) if share]
        names = ("weights", "means", "precision_chol")
        return MixtureParams.trusted(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def log_joint(prior: ConjugateMixture, params: MixtureParams, log_likelihood: np.ndarray) -> np.ndarray:
    """(m,) log p(X, params) of (m,) mixtures whose log likelihoods are known."""
    pairs, common = log_density_pairs(prior, params)
    return log_likelihood + common + np.trace(pairs, axis1=1, axis2=2)


def alike(prior: ConjugateMixture) -> np.ndarray:
    """(K, K) whether the prior is the same when two components change places."""
    law, k = prior.components, prior.components.n_components
    constants = [np.asarray(prior.weights.concentration), law.mean, law.mean_precision, law.dof, law.scale]
    per_component = [value.reshape(len(value), -1) for value in constants if len(value) == k]
    columns = np.concatenate(per_component, axis=1)
    return (columns[:, None] == columns[None]).all(-1)


def log_orders(is_alike: np.ndarray) -> float:
    """Log of the number of orders of the components that the prior does not tell apart."""
    groups = np.unique(is_alike, axis=0).sum(1)
    return float(sum(math.lgamma(size + 1) for size in groups))


def _evenly(begin: int, end: int, count: int) -> np.ndarray:
    return np.unique(np.linspace(begin, end - 1, min(count, end - begin)).astype(int))
