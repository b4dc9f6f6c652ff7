"""Stacked chains: the optimum of a concave problem, equal chains, planted modes, and what the answer calls itself."""

from dataclasses import replace

import numpy as np
import pytest
from testbed.cases import hard_statistics
from testbed.fits import made

import bayesgmm as bg
from bayesgmm.core.combination import stacking_weights
from bayesgmm.errors import NotApplicableError
from bayesgmm.methods.chains.stacking import whole_shares
from bayesgmm.result.diagnostics import diagnose, invariant_quantities
from bayesgmm.result.estimates import Draws
from bayesgmm.result.status import Outcome


def three_clusters():
    """Unequal clusters on a line; two components must merge one neighbouring pair."""
    rng = np.random.default_rng(1)
    sizes = (40, 25, 35)
    X = np.vstack([rng.normal(size=(n, 2)) + [6.0 * i, 0.0] for i, n in enumerate(sizes)])
    return X, np.repeat([0, 1, 2], sizes)


def fit_with(partitions, X, n_draws=200):
    """A fit whose chains are draws from the posterior given each partition."""
    fit = bg.fit(bg.GaussianMixture(2), X, bg.VB(n_init=2), rng=1)
    prior, rng, parts = fit.model.conjugate(), np.random.default_rng(2), []
    for z in partitions:
        parts.append(prior.update(hard_statistics(X, z, 2, False)).sample(rng, n_draws))
    arrays = (np.stack([getattr(p, name) for p in parts]) for name in ("weights", "means", "precision_chol"))
    params = bg.MixtureParams.trusted(*arrays)
    stats = {"energy": rng.normal(size=params.draw_shape)}
    diagnostics = diagnose(invariant_quantities(params, X))
    return replace(fit, method=bg.NUTS(draws=n_draws), estimate=Draws(params, stats), diagnostics=diagnostics)


def test_weights_are_optimal():
    """Karush-Kuhn-Tucker: the sum of density ratios is n for every chain with weight, and at most n for the others."""
    rng = np.random.default_rng(3)
    pointwise = rng.normal(size=(5, 200), scale=0.7) - np.array([0.0, 0.1, 0.2, 2.0, 3.0])[:, None]
    weights = stacking_weights(pointwise)
    assert weights.sum() == pytest.approx(1.0)
    density = np.exp(pointwise)
    slope = (density / (weights @ density)).sum(1)
    assert (slope < 200 + 1.0).all()
    held = weights > 0.02
    assert held.sum() >= 2 and np.abs(slope[held] - 200).max() < 1.0  # the weak prior moves it by 0.001 / weight


def test_planted_modes():
    X, z = three_clusters()
    good, bad = np.where(z == 2, 1, 0), np.random.default_rng(4).integers(2, size=len(z))
    fit = fit_with([good, bad, good], X)
    stack = bg.stack_chains(fit)
    assert stack.weights[1] < 0.15  # random labels make wide components, which predict a few outliers better
    assert stack.elpd[1] < stack.elpd[0] - 20 and stack.elpd_stacked >= stack.elpd.max() - 1.0
    assert stack.fit.params.draw_shape == (1, 600)
    source = stack.fit.estimate.sample_stats["source_chain"][0]
    assert np.array_equal(np.bincount(source, minlength=3), whole_shares(stack.weights, 600))
    energy, chains = stack.fit.estimate.sample_stats["energy"][0], fit.estimate.sample_stats["energy"]
    assert all(np.isin(energy[source == c], chains[c]).all() for c in range(3))
    assert stack.fit.status.outcome is Outcome.NOT_CONVERGED
    assert "no sample of the posterior" in stack.fit.status.sentence
    assert stack.fit.log_density(X).sum() > fit.log_density(X).sum()


def test_two_modes_share():
    """Either pair merged, and each predicts some points better: both chains keep weight, and together they do best."""
    X, z = three_clusters()
    stack = bg.stack_chains(fit_with([np.where(z == 2, 1, 0), np.where(z == 0, 0, 1)], X))
    assert (stack.weights > 0.1).all()
    assert stack.elpd_stacked > stack.elpd.max()
    assert stack.fit.diagnostics.min_ess < 20  # the new draws do not hide that the chains are apart
    same = bg.stack_chains(fit_with([z // 2, z // 2], X))
    assert same.fit.diagnostics.min_ess > 100


def test_equal_chains_give_the_pooled_answer():
    X, z = three_clusters()
    fit = fit_with([np.where(z == 2, 1, 0)] * 4, X, n_draws=1000)
    stack = bg.stack_chains(fit)
    assert stack.fit.log_density(X) == pytest.approx(fit.log_density(X), abs=0.1)  # outliers have a posterior sd of one
    assert stack.elpd_stacked == pytest.approx(stack.elpd.mean(), abs=1.0)
    assert "stack_chains" not in fit.status.sentence


def test_what_cannot_be_stacked():
    with pytest.raises(NotApplicableError, match="two or more chains"):
        bg.stack_chains(made("variational"))
    with pytest.raises(NotApplicableError, match="without its data"):
        bg.stack_chains(replace(made("draws"), X=None))


def test_shares():
    for seed in range(5):
        weights = np.random.default_rng(seed).dirichlet(np.ones(4))
        shares = whole_shares(weights, 101)
        assert shares.sum() == 101 and np.abs(shares - 101 * weights).max() < 1


def test_it_prints_in_one_line():
    """Not as arrays of Pareto k."""
    fit = made("draws")
    printed = repr(bg.stack_chains(fit))
    assert "\n" not in printed and "2 chains stacked: weights " in printed and "of 60 points>" in printed
