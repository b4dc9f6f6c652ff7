"""Gibbs for Dirichlet processes and unknown numbers of components, against exact sums over all labelings."""

import warnings

import numpy as np
import pytest
from scipy.special import gammaln, logsumexp
from scipy.stats import betanbinom
from testbed import oracle
from testbed.kernels import callable_from_python
from testbed.label_oracle import LawEnumeration, Sticks, SticksOfGamma, UnknownNumber
from testbed.monte_carlo import Z_LIMIT, moments_of, z_score

import bayesgmm as bg
from bayesgmm.core.density import log_density
from bayesgmm.core.facts import NO_FACTS
from bayesgmm.core.gibbs import split_merge
from bayesgmm.core.gibbs.sticks import reorder
from bayesgmm.core.gibbs.weight_laws import log_factor
from bayesgmm.methods.chains.gibbs_chain import compiled_prior, mixing_of
from bayesgmm.rows import as_rows

X = bg.load_dataset("faithful").X[:6]
EXPECTED = 3  # components, in the default scale of the prior


def telescoped(largest):
    """Probabilities of 1, ..., largest under BNB(1, 4, 3), by SciPy."""
    values = betanbinom(1, 4, 3).pmf(np.arange(largest))
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
IN_TURN = [
    pytest.param(*case, marks=[] if case[1] in ("full", "diagonal") else [pytest.mark.slow]) for case in ALL
]  # the others differ in the algebra alone, which the finite model has too


def prepared(name, structure):
    """The model and its exact posterior."""
    kind, options, law = CASES[name]
    model = kind(covariance=structure, expected_components=EXPECTED, **options).resolve(as_rows(X))
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


@pytest.mark.filterwarnings("ignore::bayesgmm.TruncationWarning")  # three sticks are the model here
@pytest.mark.parametrize(("name", "structure"), IN_TURN)
@pytest.mark.few(1)
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


REORDER = "reorder"
callable_reorder, callable_log_factor = callable_from_python(reorder), callable_from_python(log_factor)
KINDS = {
    "exchange": split_merge.EXCHANGE,
    "redivide": split_merge.REDIVIDE,
    "split or merge": split_merge.SPLIT_OR_MERGE,
}
MOVES = [(name, structure, kind) for name in ("DP", "MFM") for structure in ("full", "isotropic") for kind in KINDS]
MOVES += [("DP", "full", REORDER)]


@pytest.mark.parametrize(("name", "structure", "kind"), MOVES)
@pytest.mark.few(2)
def test_each_move_keeps_the_exact_posterior(name, structure, kind):
    """Labels drawn from the enumerated posterior still have it after three moves; the replicates are independent.

    Of an unknown number of components only the partition: which slot a cluster has means nothing there.
    """
    model, exact = prepared(name, structure)
    k, n_replicates, n_moved = model.n_components, 3000, 0
    prior, mixing, rng = compiled_prior(model.conjugate()), mixing_of(model, len(X)), np.random.default_rng(7)
    ends, base = np.empty(n_replicates, int), k ** np.arange(len(X))[::-1]
    for r, begin in enumerate(rng.choice(len(exact.labelings), n_replicates, p=exact.probabilities)):
        labels = exact.labelings[begin].astype(np.int64)
        before, moments = labels.copy(), moments_of(X, labels, k, model.covariance.is_diagonal)
        for _ in range(3):
            if kind == REORDER:
                callable_reorder(rng, mixing.state[0], labels, moments)
            else:
                split_merge.cross(rng, KINDS[kind], X, NO_FACTS, labels, prior, mixing, moments)
        n_moved += not np.array_equal(labels, before)
        ends[r] = labels @ base
    again = moments_of(X, labels, k, model.covariance.is_diagonal)
    np.testing.assert_array_equal(moments.counts, again.counts)
    inside = again.counts > 0  # an empty component's mean has no meaning
    np.testing.assert_allclose(moments.means[inside], again.means[inside], rtol=1e-9)
    assert n_moved > 50  # else the test would say nothing
    same = exact.labelings[:, :, None] == exact.labelings[:, None, :]
    quantities = [same[:, *np.triu_indices(len(X), 1)], (exact.counts > 0).sum(1)[:, None]]
    if name == "DP":
        quantities += [exact.log_joint[:, None], exact.counts]
    quantities = np.hstack(quantities).astype(float)
    mean = exact.probabilities @ quantities
    sd = np.sqrt(exact.probabilities @ (quantities - mean) ** 2 / n_replicates)
    assert (np.abs(quantities[ends].mean(0) - mean)[sd > 0] / sd[sd > 0]).max() < Z_LIMIT


def test_labels_probability_is_the_urn_s():
    """With a Dirichlet's part, the compiled factors give the oracle's law of the labels, up to a constant."""
    for name in ("DP", "MFM"):
        model, exact = prepared(name, "full")
        mixing, concentration = mixing_of(model, len(X)), compiled_prior(model.conjugate()).concentration
        ours = [callable_log_factor(mixing, c) + gammaln(c + concentration).sum() for c in exact.counts.astype(float)]
        law = exact.law.log_probability(exact.labelings)
        if name == "MFM":  # the oracle fills the first slots; here a cluster may have any: compare partitions
            shapes = [_in_order_of_appearance(z) for z in exact.labelings]
            names, partition = np.unique(shapes, return_inverse=True, axis=0)
            ours, law = ([logsumexp(np.compress(partition == p, v)) for p in range(len(names))] for v in (ours, law))
        np.testing.assert_allclose(np.subtract(ours, law), ours[0] - law[0], rtol=1e-10)


def _in_order_of_appearance(labels):
    first = list(dict.fromkeys(labels.tolist()))
    return tuple(first.index(label) for label in labels)


@pytest.mark.parametrize("kind", [bg.DirichletProcessMixture, bg.MixtureOfFiniteMixtures])
def test_one_component_at_most(kind):
    """A truncation of one and a largest number of one are the mixture of one component."""
    with pytest.warns(bg.NotConvergedWarning, match="One chain"), warnings.catch_warnings():
        warnings.simplefilter("ignore", bg.TruncationWarning)
        ours = bg.fit(kind(1), X, bg.Gibbs(draws=2000, tune=0, thin=1, chains=1), rng=0)
    assert (ours.params.weights == 1).all()
    error = ours.params.means[0, :, 0].std(0) / np.sqrt(2000)
    assert (np.abs(ours.params.means.mean((0, 1, 2)) - X.mean(0)) < Z_LIMIT * error).all()


def test_a_large_truncation_and_many_components():
    """More sticks and slots than points are in use; weights of slots beyond K are zero and harm nothing."""
    data = bg.load_dataset("galaxies").X
    for model in (bg.DirichletProcessMixture(40), bg.MixtureOfFiniteMixtures(40)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bg.NotConvergedWarning)
            ours = bg.fit(model, data, bg.Gibbs(draws=150, tune=50, thin=2, chains=2), rng=0)
        assert np.isfinite(ours.log_density(data)).all()
        np.testing.assert_allclose(ours.params.weights.sum(-1), 1.0, rtol=1e-9)
