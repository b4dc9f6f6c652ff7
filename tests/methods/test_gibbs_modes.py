"""Posteriors with several modes, of which Gibbs must give each its share, from every start."""

import numpy as np
import pytest
from scipy.special import logsumexp

import bayesgmm as bg
from bayesgmm.core.density import responsibilities
from bayesgmm.core.params import MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.criteria.evidence.posterior import Posterior
from bayesgmm.fitting import fit
from bayesgmm.methods.chains.gibbs_chain import GibbsChain
from bayesgmm.methods.gibbs import Gibbs
from bayesgmm.rows import as_rows

PAIRS = ((0, 1), (1, 2), (2, 3), (3, 0))
SIDE = 6.0  # standard deviations


def four_clusters(height=SIDE):
    """48 points at each corner; one point set, symmetric under the square's eight symmetries."""
    x, y = np.random.default_rng(1).standard_normal((2, 6))
    signs = [(s, t) for s in (1, -1) for t in (1, -1)]
    points = np.concatenate([np.column_stack(p) for s, t in signs for p in ((s * x, t * y), (s * y, t * x))])
    points /= points.std()
    centers = 0.5 * np.array([[-SIDE, -height], [SIDE, -height], [SIDE, height], [-SIDE, height]])
    return np.concatenate([points + center for center in centers]), centers


def shared_pair(draws, centers):
    """Which neighbouring pair of clusters has one component, for each draw; -1 where it is none of the four."""
    owner = np.empty((*draws.draw_shape, 4), int)
    for index in np.ndindex(draws.draw_shape):
        owner[index] = responsibilities(draws[index].scores(), centers).argmax(1)
    found = np.full(draws.draw_shape, -1)
    n_owners = 1 + (np.diff(np.sort(owner, -1), axis=-1) > 0).sum(-1)
    for p, (a, b) in enumerate(PAIRS):
        found[(owner[..., a] == owner[..., b]) & (n_owners == 3)] = p
    return found


def check_shares(found, exact):
    from arviz_stats.base import array_stats

    assert (found >= 0).mean() > 0.99
    for p in range(4):
        here = (found == p).astype(float)
        error = array_stats.mcse(here, chain_axis=0, draw_axis=1, method="mean")
        assert error < 0.03  # 400 effective draws, with which the default is content, have 0.022
        assert abs(here.mean() - exact[p]) < min(0.05, 5 * np.hypot(error, 0.005))
    for chain in found:
        assert set(chain) >= {0, 1, 2, 3}
        assert (np.diff(chain) != 0).sum() >= 20


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_square_has_four_equal_modes(seed):
    """By symmetry each neighbouring pair shares a component with probability 1/4."""
    X, centers = four_clusters()
    ours = fit(bg.GaussianMixture(3), X, Gibbs(), rng=seed)
    assert ours.status.is_converged
    check_shares(shared_pair(ours.params, centers), np.full(4, 0.25))


def log_evidence_of_mode(X, prior, labels, rng):
    """log p(X, z*) - log p(z* | X, mode), the latter from plain sweeps, which never leave a mode (Chib 1995)."""
    ones = np.eye(3)[labels]
    means = (ones.T @ X) / ones.sum(0)[:, None]
    centered = X - means[labels]
    scatter = np.einsum("nk,ni,nj->kij", ones, centered, centered)
    stats = SufficientStatistics(0.0, ones.sum(0), np.zeros_like(means), scatter, means, float(len(X)))
    chain = GibbsChain(rng, as_rows(X), prior, prior.update(stats).sample(rng, 1)[0], 20_000, 500, 1, 0.0)
    chain.advance(500)
    chain.advance(20_000)
    draws = MixtureParams.trusted(*chain.trace[:3])
    rows = np.arange(len(X))
    log_resp = [np.log(responsibilities(draws[t].scores(), X)[rows, labels]).sum() for t in range(0, 20_000, 4)]
    return prior.log_marginal(stats) - (logsumexp(log_resp) - np.log(len(log_resp)))


def exact_shares(X):
    """Of the four pairs, from the evidence of each mode by a method without any crossing move."""
    prior = bg.GaussianMixture(3).resolve(as_rows(X)).conjugate()
    rng, cluster, evidences = np.random.default_rng(3), np.repeat(np.arange(4), 48), []
    for a, b in PAIRS:
        names = np.empty(4, int)
        names[[a, b]] = 0
        names[[c for c in range(4) if c not in (a, b)]] = 1, 2
        evidences.append(log_evidence_of_mode(X, prior, names[cluster], rng))
    return np.exp(evidences - logsumexp(evidences))


@pytest.mark.slow
def test_rectangle_has_two_kinds_of_modes_of_known_shares():
    X, centers = four_clusters(height=1.01 * SIDE)
    exact = exact_shares(X)
    np.testing.assert_allclose(exact[:2], exact[2:], rtol=0.05)  # mirror symmetry: a check of the truth itself
    exact = 0.5 * (exact + exact[[2, 3, 0, 1]])
    assert exact[0] > 1.3 * exact[1] > 0.05
    ours = fit(bg.GaussianMixture(3), X, Gibbs(), rng=5)
    check_shares(shared_pair(ours.params, centers), exact)


def three_clusters():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.standard_normal((60, 2)) + center for center in ([0, 0], [6, 0], [3, 6])])


# Mean and Monte Carlo error of the sum of squared weights from plain sweeps alone, which are slow here but do cross:
# four chains of 2,000 draws, R-hat at most 1.001; 1,000 sweeps a draw for iris, 400 for galaxies, 200 for the clusters.
PLAIN = [
    ("iris", 3, 0.4875, 0.00044),
    ("galaxies", 3, 0.7500, 0.00068),
    ("galaxies", 4, 0.4809, 0.00105),
    ("galaxies", 5, 0.3903, 0.00086),
    ("galaxies", 6, 0.3376, 0.00074),
    ("three clusters", 5, 0.2815, 0.0003),
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("name", "n_components", "mean", "error"), PLAIN)
def test_defaults_agree_between_chains_and_with_a_long_plain_run(name, n_components, mean, error, seed):
    X = three_clusters() if name == "three clusters" else bg.load_dataset(name).X
    ours = fit(bg.GaussianMixture(n_components), X, Gibbs(), rng=seed)
    (found,) = [q for q in ours.diagnostics.quantities if q.name == "sum_squared_weights"]
    assert found.rhat < 1.01 and found.ess_bulk > 400
    assert abs(found.mean - mean) < 4.5 * np.hypot(found.mcse, error)  # 12 comparisons, family-wise 1e-4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")  # the runs are short
@pytest.mark.parametrize(("name", "n_components", "mean", "error"), PLAIN[:4])
def test_importance_sampling_gives_the_same_truth(name, n_components, mean, error):
    """Another way to the numbers above, without a Markov chain: draws of a law near the posterior, weighted by p / q.

    The law is made from short runs, whose mistakes the weights correct.  With more components its weights have too few
    effective draws to say more.
    """
    X, rng = bg.load_dataset(name).X, np.random.default_rng(0)
    short = fit(bg.GaussianMixture(n_components), X, Gibbs(draws=500, tune=300), rng=3)
    posterior = Posterior(short.model.conjugate(), short.pointwise, short.rows)
    law, _ = posterior.halves(400, 100, rng)
    draws = law.sample(4000, rng)
    log_ratios = posterior.log_joint(draws) - law.log_density(draws)
    shares = np.exp(log_ratios - logsumexp(log_ratios))
    assert 1.0 / (shares**2).sum() > 300
    values = (draws.weights**2).sum(-1)
    found = shares @ values
    our_error = np.sqrt((shares**2 * (values - found) ** 2).sum())
    assert our_error < 0.006 and abs(found - mean) < 4.5 * np.hypot(our_error, error)
