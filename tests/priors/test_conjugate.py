"""The conjugate algebra against the oracle's closed forms, SciPy's distributions and numerical optima."""

import numpy as np
import pytest
from scipy import optimize, stats
from testbed import oracle
from testbed.cases import STRUCTURES, conjugate_of, hard_statistics, informative

from bayesgmm.core.params import MixtureParams
from bayesgmm.core.sweep import sweep

CASES = [(structure, k, d) for structure in STRUCTURES for k, d in ((3, 2), (2, 3), (2, 1))]
IDS = [f"{structure}-K{k}-D{d}" for structure, k, d in CASES]
every_case = pytest.mark.parametrize(("structure", "k", "d"), CASES, ids=IDS)
N_DRAWS = 20000


def case(structure, k, d):
    """Constants, the package's prior, 9 points and labels that leave the last component empty."""
    constants = informative(structure, k, d)
    rng = np.random.default_rng([7, k, d])
    z = rng.integers(max(k - 1, 1), size=9)
    return constants, conjugate_of(constants), rng.normal(size=(9, d)) * 2 + 1, z


def posterior_of(structure, k, d):
    constants, prior, X, z = case(structure, k, d)
    return prior.update(hard_statistics(X, z, k, prior.components.structure.is_diagonal))


def log_given_labels(X, z, params):
    """Log p(X, z | parameters) from SciPy."""
    total = np.log(params.weights)[z].sum()
    for k, (mean, covariance) in enumerate(zip(params.means, params.covariances, strict=True)):
        if (z == k).any():
            total += np.sum(stats.multivariate_normal(mean, covariance).logpdf(X[z == k]))
    return total


@every_case
def test_log_marginal_is_the_oracles(structure, k, d):
    constants, prior, X, _ = case(structure, k, d)
    rng = np.random.default_rng(8)
    for z in [*rng.integers(k, size=(10, 9)), np.zeros(9, int)]:
        expected = oracle.log_labels(z[None], constants.concentration)[0]
        if structure in oracle.SHARED:
            expected += oracle.log_points(X, z, constants)
        else:
            groups = [z == j for j in range(k) if (z == j).any()]
            expected += sum(oracle.log_points(X[rows], z[rows], constants) for rows in groups)
        found = prior.log_marginal(hard_statistics(X, z, k, prior.components.structure.is_diagonal))
        assert np.isclose(found, expected, rtol=1e-11)  # both are sums of a few dozen log gammas


@every_case
def test_log_density_is_scipys(structure, k, d):
    constants, prior, _, _ = case(structure, k, d)
    draws = prior.sample(np.random.default_rng(9), 20)
    for params in (draws[s] for s in range(20)):
        expected = oracle.log_prior(params.weights, params.means, params.covariances, constants)
        assert np.isclose(prior.log_density(params), expected, rtol=1e-9)  # SciPy inverts the covariances


@every_case
def test_update_obeys_bayes_at_every_parameter(structure, k, d):
    """prior x likelihood = evidence x posterior, whatever the parameters."""
    _, prior, X, z = case(structure, k, d)
    statistics = hard_statistics(X, z, k, prior.components.structure.is_diagonal)
    posterior, evidence = prior.update(statistics), prior.log_marginal(statistics)
    draws = prior.sample(np.random.default_rng(10), 10)
    for params in (draws[s] for s in range(10)):
        joint = prior.log_density(params) + log_given_labels(X, z, params)
        assert np.isclose(posterior.log_density(params) + evidence, joint, rtol=1e-9)


@every_case
def test_mode_is_the_numerical_optimum(structure, k, d):
    """Joint in means and covariances, with respect to covariances: no Jacobian of the search's coordinates."""
    constants, _, _, _ = case(structure, k, d)
    posterior = posterior_of(structure, k, d)
    posterior = type(posterior)(posterior.weights.update(np.ones(k)), posterior.components)  # above one: has a mode
    mode, shape = posterior.mode(), posterior.components.scale.shape
    is_diagonal = posterior.components.structure.is_diagonal

    def covariances_at(free):
        if is_diagonal:
            return np.broadcast_to(np.exp(free.reshape(shape)), (k, d))[:, :, None] * np.eye(d)
        roots = free.reshape(shape)
        return np.broadcast_to(roots @ np.swapaxes(roots, 1, 2), (k, d, d))

    def loss(free):
        weights = np.exp(np.append(free[: k - 1], 0.0))
        means, rest = free[k - 1 : k - 1 + k * d].reshape(k, d), free[k - 1 + k * d :]
        params = MixtureParams(weights / weights.sum(), means, covariances_at(rest) + 0.0)
        factor = np.diagonal(params.precision_chol, axis1=1, axis2=2) if is_diagonal else params.precision_chol
        return -posterior.log_density(MixtureParams.trusted(params.weights, params.means, factor))

    compact = mode.covariances[: shape[0]]
    rest = np.log(np.diagonal(compact, axis1=1, axis2=2)[:, : shape[1]]) if is_diagonal else np.linalg.cholesky(compact)
    at_mode = np.concatenate([np.log(mode.weights[:-1] / mode.weights[-1]), mode.means.ravel(), rest.ravel()])
    away = at_mode + 0.1 * np.random.default_rng(11).normal(size=len(at_mode))
    best = optimize.minimize(loss, away, method="BFGS", options={"gtol": 1e-6})
    assert np.isclose(best.fun, loss(at_mode), atol=1e-8) and best.fun >= loss(at_mode) - 1e-10
    assert np.allclose(best.x[: k - 1 + k * d], at_mode[: k - 1 + k * d], atol=1e-4)  # BFGS by differences
    assert np.allclose(covariances_at(best.x[k - 1 + k * d :]), mode.covariances, rtol=1e-3, atol=1e-4)


@every_case
def test_draws_have_the_exact_distributions(structure, k, d):
    """Pivots: kappa |P^T (mu - m)|^2 ~ chi2(D) and tr(Psi Lambda) ~ chi2(nu p) exactly, by Kolmogorov-Smirnov."""
    components = posterior_of(structure, k, d).components
    means, factor = components.sample(np.random.default_rng(12), N_DRAWS)
    offset, p = means - components.mean, components.matrix_size
    if components.structure.is_diagonal:
        distance = ((factor * offset) ** 2).sum(-1)
        rows, columns = components.scale.shape
        traces = (factor[:, :rows, :columns] ** 2 * components.scale).reshape(N_DRAWS, -1)
    else:
        distance = (np.einsum("skij,ski->skj", factor, offset) ** 2).sum(-1)
        own = factor[:, : len(components.dof)]
        traces = np.einsum("skij,kil,sklj->sk", own, components.scale, own)
        # The law of each entry, not only of the trace: E[Lambda] = nu Psi^-1.
        precision = own @ np.swapaxes(own, -1, -2)
        expected = components.dof[:, None, None] * np.linalg.inv(components.scale)
        error = precision.std(0) / np.sqrt(N_DRAWS)
        assert (np.abs(precision.mean(0) - expected) < 5 * error).all()  # five standard errors
    dof = components.dof * p
    if components.structure.is_diagonal:
        dof = np.broadcast_to(dof[:, None], components.scale.shape).ravel()
    pivots = [(kappa * distance[:, j], d) for j, kappa in enumerate(components.mean_precision)]
    pivots += list(zip(traces.T, dof, strict=True))
    for values, degrees in pivots:
        assert stats.kstest(values, stats.chi2(degrees).cdf).pvalue > 1e-4 / len(pivots)  # family-wise


@every_case
def test_expected_scores_are_means_over_draws(structure, k, d):
    posterior = posterior_of(structure, k, d)
    x = np.random.default_rng(13).normal(size=(1, d))
    draws, scores = posterior.sample(np.random.default_rng(14), N_DRAWS), posterior.expected_scores()

    def at(log_weight, means, factor):
        offset = x[0] - means
        y = factor * offset if factor.ndim == offset.ndim else np.einsum("...ij,...i->...j", factor, offset)
        return log_weight - 0.5 * (y**2).sum(-1)

    values = at(draws.log_weight(), draws.means, draws.precision_chol)
    error = values.std(0) / np.sqrt(N_DRAWS)
    expected = at(scores.log_weight, scores.means, scores.precision_chol)
    assert (np.abs(values.mean(0) - expected) < 5 * error).all()  # five standard errors, at most 3 of them


@every_case
@pytest.mark.few(7)
def test_kl_is_the_mean_log_ratio(structure, k, d):
    _, prior, _, _ = case(structure, k, d)
    posterior = posterior_of(structure, k, d)
    draws = posterior.sample(np.random.default_rng(15), 1500)
    ratios = np.array([posterior.log_density(draws[s]) - prior.log_density(draws[s]) for s in range(1500)])
    assert abs(ratios.mean() - posterior.kl(prior)) < 5 * ratios.std() / np.sqrt(len(ratios))
    assert abs(posterior.kl(posterior)) < 1e-9
    assert posterior.kl(prior) > 0


@every_case
def test_kl_is_exact_where_the_elbo_is(structure, k, d):
    """E_q[log p(X, z | theta)] - KL(q || p) = log p(X, z) at the posterior of known labels, without sampling."""
    _, prior, X, z = case(structure, k, d)
    statistics = hard_statistics(X, z, k, prior.components.structure.is_diagonal)
    posterior = prior.update(statistics)
    scores = posterior.expected_scores()
    total = 0.0
    for j in range(k):  # the sweep of one component alone leaves the sum of its scores
        only = type(scores)(scores.log_weight[[j]], scores.means[[j]], scores.precision_chol[[j]])
        total += sweep(X[z == j], only).log_likelihood if (z == j).any() else 0.0
    assert np.isclose(total - posterior.kl(prior), prior.log_marginal(statistics), rtol=1e-11)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_update_is_additive_over_the_data(structure):
    _, prior, X, z = case(structure, 3, 2)
    is_diagonal = prior.components.structure.is_diagonal
    both = prior.update(hard_statistics(X, z, 3, is_diagonal)).components
    one = hard_statistics(X[:4], z[:4], 3, is_diagonal)
    two = hard_statistics(X[4:], z[4:], 3, is_diagonal, seed=5)  # centred elsewhere
    for parts in (prior.update(one).update(two).components, prior.update(one + two).components):
        for name in ("mean", "mean_precision", "dof", "scale"):
            assert np.allclose(getattr(both, name), getattr(parts, name), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_components_can_be_permuted(structure):
    _, prior, X, z = case(structure, 3, 2)
    order = np.array([2, 0, 1])
    base = informative(structure, 3, 2)
    moved = conjugate_of(
        oracle.Constants(
            structure, base.concentration[order], base.mean[order], base.mean_precision[order], base.dof, base.scale
        )
    )
    is_diagonal = prior.components.structure.is_diagonal
    one = prior.update(hard_statistics(X, z, 3, is_diagonal))
    other = moved.update(hard_statistics(X, np.argsort(order)[z], 3, is_diagonal))
    assert np.allclose(one.components.mean[order], other.components.mean, rtol=1e-12)
    assert np.isclose(one.kl(prior), other.kl(moved), rtol=1e-12)


@every_case
def test_log_partition_is_the_absolute_normaliser(structure, k, d):
    constants, prior, _, _ = case(structure, k, d)
    draws = prior.components.sample(np.random.default_rng(16), 3)
    for means, factor in zip(*draws, strict=True):
        covariances = MixtureParams.trusted(np.full(k, 1 / k), means, factor).covariances
        kernel = 0.0
        for j, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
            quadratic = (mean - constants.mean[j]) @ np.linalg.solve(covariance, mean - constants.mean[j])
            kernel -= 0.5 * np.linalg.slogdet(covariance)[1] + 0.5 * constants.mean_precision[j] * quadratic
        for covariance in covariances[:1] if structure in oracle.SHARED else covariances:
            if structure in ("full", "tied"):
                blocks = [(covariance, constants.scale)]
            elif structure in ("diagonal", "shared_diagonal"):
                blocks = [(covariance[[i]][:, [i]], constants.scale[[i]][:, None]) for i in range(d)]
            else:
                blocks = [(covariance[:1, :1], np.reshape(constants.scale, (1, 1)))]
            for block, scale in blocks:
                kernel -= 0.5 * (constants.dof + len(block) + 1) * np.linalg.slogdet(block)[1]
                kernel -= 0.5 * np.trace(np.linalg.solve(block, scale))
        expected = kernel - prior.components.log_density(means, factor)
        assert np.isclose(prior.components.log_partition(), expected, rtol=1e-9)
