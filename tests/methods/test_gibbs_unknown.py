"""Gibbs for Dirichlet processes and unknown numbers of components, against exact sums over all labelings."""

import numpy as np
import oracle
import pytest
from label_oracle import LawEnumeration, Sticks, SticksOfGamma, UnknownNumber
from monte_carlo import Z_LIMIT, z_score

import bayesgmm as bg
from bayesgmm.core.density import log_density
from bayesgmm.data import as_matrix

X = bg.load_dataset("faithful").X[:6]
EXPECTED = 3  # components, in the default scale of the prior


def telescoped(largest):
    """Probabilities of 1, ..., largest under BNB(1, 4, 3): SciPy's negative binomial, averaged over its probability."""
    from scipy.stats import beta, nbinom

    p = beta(4, 3).ppf((np.arange(20_000) + 0.5) / 20_000)
    values = np.array([nbinom(1, p).pmf(k).mean() for k in range(largest)])
    return tuple(values / values.sum())


CASES = {
    "DP": (bg.DirichletProcessMixture, {"truncation": 3, "concentration": 0.7}, Sticks(3, 0.7)),
    "DP-gamma": (
        bg.DirichletProcessMixture,
        {"truncation": 3, "concentration": bg.Gamma(2, 1)},
        SticksOfGamma(3, 2, 1),
    ),
    "MFM-uniform": (
        bg.MixtureOfFiniteMixtures,
        {"max_components": 3, "components_prior": bg.Uniform(), "weights": bg.Dirichlet(0.8)},
        UnknownNumber((1 / 3, 1 / 3, 1 / 3), 0.8),
    ),
    "MFM": (bg.MixtureOfFiniteMixtures, {"max_components": 4}, UnknownNumber(telescoped(4), 1.0)),
}
ALL = [(name, structure) for name in CASES for structure in oracle.STRUCTURES]


def prepared(name, structure):
    """The model and its exact posterior."""
    kind, options, law = CASES[name]
    model = kind(covariance=structure, expected_components=EXPECTED, **options).resolve(as_matrix(X))
    constants = oracle.default_constants(structure, X, EXPECTED)
    k = model.n_components
    mean = np.tile(constants.mean[0], (k, 1))
    constants = oracle.Constants(structure, np.ones(k), mean, np.full(k, 0.01), constants.dof, constants.scale)
    return model, LawEnumeration(X, constants, law)


def together(draws):
    """(..., pairs) probabilities that two points have one label, given the parameters."""
    log_joint = np.stack(
        [log_density(bg.MixtureParams.trusted(np.ones((*draws.draw_shape, 1)), draws.means[..., [k], :],
                                              draws.precision_chol[..., [k], :]
                                              if draws.is_diagonal else draws.precision_chol[..., [k], :, :]), X)
         for k in range(draws.n_components)], -1)  # fmt: skip
    joint = np.exp(log_joint) * draws.weights[..., None, :]
    resp = joint / joint.sum(-1, keepdims=True)
    pairs = resp @ np.swapaxes(resp, -1, -2)
    return pairs[..., *np.triu_indices(len(X), 1)]


@pytest.mark.parametrize(("name", "structure"), ALL)
def test_expectations_are_the_enumerated_ones(name, structure):
    model, exact = prepared(name, structure)
    ours = bg.fit(model, X, bg.Gibbs(draws=2000, thin=10, crossing=0.3), rng=1)
    draws, stats = ours.params, ours.estimate.sample_stats
    scores = [z_score((draws.weights**2).sum(-1), exact.sum_squared_weights())]
    occupied = exact.occupied()
    # An event that is seen fewer than 20 times is not normal yet; 1 in 100 is seen more often than that.
    for k in np.flatnonzero((occupied > 0.01) & (occupied < 0.99)):
        scores.append(z_score((stats["n_occupied"] == k + 1).astype(float), occupied[k]))
    points = np.vstack([X[:2], X.mean(0)])
    densities = np.exp(log_density(draws, points))
    scores += [z_score(densities[..., i], np.exp(exact.log_density(x))) for i, x in enumerate(points)]
    pairs, co = together(draws), exact.co_clustering()[np.triu_indices(len(X), 1)]
    scores += [z_score(pairs[..., i], co[i]) for i in range(len(co)) if 0.01 < co[i] < 0.99]
    if name == "DP-gamma":
        mean = exact.expected(exact.law.log_terms(exact.labelings), exact.law.nodes()[0])
        scores.append(z_score(stats["concentration"], mean))
    if name.startswith("MFM"):
        terms = exact.law.log_terms(exact.labelings)
        for k in range(model.n_components):
            share = exact.expected(terms, np.eye(model.n_components)[k])
            if 0.01 < share < 0.99:
                scores.append(z_score((stats["n_components"] == k + 1).astype(float), share))
        np.testing.assert_array_equal((draws.weights > 0).sum(-1), stats["n_components"])
    assert np.abs(scores).max() < Z_LIMIT
