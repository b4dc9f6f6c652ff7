"""Chains that disagree, weighted by how well each predicts: an answer that is asked for and never given unasked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesgmm.checks import instance
from bayesgmm.core.combination import log_mixture, stacking_weights
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import NotApplicableError
from bayesgmm.result.approximation import PARETO_K_LIMIT
from bayesgmm.result.arviz import array_stats
from bayesgmm.result.diagnostics import diagnose, invariant_quantities
from bayesgmm.result.estimates import Draws
from bayesgmm.result.fit import Fit
from bayesgmm.result.own_data import own_data
from bayesgmm.result.status import Outcome, Status

PRIOR = 1.001  # of a Dirichlet on the weights, as in the paper: equal chains get equal weights


@dataclass(frozen=True, eq=False)
class ChainStack:
    """The weights of the chains of a fit, and the fit whose draws follow them.

    Attributes
    ----------
    fit : Fit
        One chain of as many draws as the fit had, taken from the chains by their weights, one after the other.
    weights : (chain,) array
    elpd : (chain,) array
        Expected log predictive density of each chain by itself, by PSIS-LOO, in nats.
    elpd_stacked : float
        That of the weighted chains.
    pareto_k : (chain, n) array
    """

    fit: Fit
    weights: np.ndarray
    elpd: np.ndarray
    elpd_stacked: float
    pareto_k: np.ndarray

    def __repr__(self) -> str:
        shares = ", ".join(f"{weight:.2f}" for weight in self.weights)
        elpd = ", ".join(f"{value:.1f}" for value in self.elpd)
        too_high = ", ".join(str(count) for count in (self.pareto_k > PARETO_K_LIMIT).sum(1))
        return (
            f"<{len(self.weights)} chains stacked: weights {shares}; elpd {elpd}, stacked {self.elpd_stacked:.1f}; "
            f"Pareto k up to {self.pareto_k.max():.2f}, above {PARETO_K_LIMIT} at {too_high} of "
            f"{self.pareto_k.shape[1]} points>"
        )


def stack_chains(fit: Fit) -> ChainStack:
    """Weight the chains of a fit so that their mixture predicts best, point by point left out.

    Where chains sit in different modes, the share of draws in each says nothing about its posterior probability.
    Stacking does not estimate that probability either: it looks for the best prediction from the chains there are.
    So what comes out is no sample of the posterior, and its status says so; `Gibbs` crosses modes.

    Parameters
    ----------
    fit : Fit
        With the draws of at least two chains, and its data.

    Returns
    -------
    ChainStack

    Raises
    ------
    ArgumentError
        It is no fit.
    NotApplicableError
        The fit has no such draws, or is without its data.

    References
    ----------
    Yao, Vehtari and Gelman (2022), Journal of Machine Learning Research 23(79), 1-45.
    """
    instance(fit, "fit", Fit)
    if not isinstance(fit.estimate, Draws) or fit.params.draw_shape[0] < 2:
        raise NotApplicableError("only the draws of two or more chains can be stacked; this fit has none.")
    X = own_data(fit, "the weights come from")
    pointwise, pareto_k = leave_one_out(fit)
    weights = stacking_weights(pointwise, PRIOR)
    draws = fit.estimate.as_drawn()
    n_draws = int(np.prod(draws.draw_shape))
    shares = whole_shares(weights, n_draws)
    # Chain after chain, so that the diagnostics of the new draws go on showing that the chains are apart.
    chain = np.repeat(np.arange(len(weights)), shares)
    draw = np.concatenate([np.linspace(0, draws.draw_shape[1] - 1, share).round().astype(int) for share in shares])
    stats = {name: np.asarray(values)[chain, draw][None] for name, values in fit.estimate.sample_stats.items()}
    stats["source_chain"] = chain[None]
    stacked: MixtureParams = draws[chain, draw][None]
    named = ", ".join(f"{weight:.2f}" for weight in weights)
    status = Status(
        Outcome.NOT_CONVERGED,
        f"The chains are stacked, with the weights {named}, to predict best: this is no sample of the posterior, and "
        f"the weights are no posterior probabilities of the modes. The chains themselves: {fit.status.sentence}",
    )
    diagnostics: Any = diagnose(invariant_quantities(stacked, X))
    new = replace(fit, estimate=Draws(stacked, stats), status=status, diagnostics=diagnostics)
    elpd_stacked = float(log_mixture(pointwise, weights).sum())
    return ChainStack(new, weights, pointwise.sum(1), elpd_stacked, pareto_k)


def leave_one_out(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """(chain, n) log densities of every point left out, by PSIS within each chain, and their Pareto k."""
    stats, weights = array_stats(), fit.params.weights
    pointwise = np.empty((len(weights), len(fit.points)))
    pareto_k = np.empty_like(pointwise)
    efficiencies = [_efficiency((chain**2).sum(-1)) for chain in weights]
    for rows, block in fit.pointwise.blocks():
        for c, chain in enumerate(block.reshape(*fit.params.draw_shape, -1)):
            found = stats.loo(chain[None], chain_axis=0, draw_axis=1, r_eff=efficiencies[c])
            pointwise[c, rows], pareto_k[c, rows] = found[0], found[1]
    return pointwise, pareto_k


def _efficiency(values: np.ndarray) -> float:
    """Effective draws per draw of one chain, which sets the length of the smoothed tail."""
    n_effective = float(array_stats().ess(values[None], chain_axis=0, draw_axis=1, method="mean"))
    return n_effective / len(values) if np.isfinite(n_effective) else 1.0


def whole_shares(weights: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers that sum to the total, in proportion to the weights (largest remainders)."""
    exact = weights * total
    shares = np.floor(exact).astype(int)
    order = np.argsort(shares - exact, kind="stable")
    shares[order[: total - shares.sum()]] += 1
    return shares
