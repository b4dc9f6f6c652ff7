"""The Student-t mixture: it integrates to one, is the oracle's predictive, and is the mean over draws."""

import numpy as np
import pytest
from testbed import oracle
from testbed.cases import STRUCTURES, conjugate_of, hard_statistics, informative

from bayesgmm.core import density
from bayesgmm.priors.predictive import predictive


def posterior_of(structure, k, d, n=7):
    constants = informative(structure, k, d)
    prior, rng = conjugate_of(constants), np.random.default_rng([3, k, d])
    X, z = rng.normal(size=(n, d)) * 1.5, rng.integers(k, size=n)
    return constants, X, z, prior.update(hard_statistics(X, z, k, prior.components.structure.is_diagonal))


def stretched(step, reach=22.0):
    """Nodes and weights of the trapezoid rule after x = sinh(t): the tails of a t with 4 degrees of freedom end
    at x = 1e9, where they hold 1e-36, and the rule converges exponentially."""
    t = np.arange(-reach, reach + step / 2, step)
    return np.sinh(t), step * np.cosh(t)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_integrates_to_one_in_one_dimension(structure):
    _, _, _, posterior = posterior_of(structure, 3, 1)
    x, weight = stretched(0.01)
    assert np.isclose(weight @ np.exp(predictive(posterior).log_density(x[:, None])), 1, rtol=1e-9)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_integrates_to_one_in_two_dimensions(structure):
    _, _, _, posterior = posterior_of(structure, 2, 2)
    x, weight = stretched(0.06)
    grid = np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2)
    values = np.exp(predictive(posterior).log_density(grid)).reshape(len(x), len(x))
    assert np.isclose(weight @ values @ weight, 1, rtol=1e-6)  # halving the step changes less than 1e-7


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_of_one_component_is_the_oracles(structure, d):
    constants, X, _, posterior = posterior_of(structure, 1, d)
    exact, points = oracle.Enumeration(X, constants), np.random.default_rng(4).normal(size=(3, d)) * 3
    expected = [exact.log_density(x) for x in points]
    assert np.allclose(predictive(posterior).log_density(points), expected, rtol=1e-11)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_of_a_labelling_is_the_ratio_of_evidences(structure):
    """p(x, z_new = k | X, z), every component by itself; the tied ones learn from all points."""
    constants, X, z, posterior = posterior_of(structure, 3, 2)
    x = np.array([0.4, -1.3])
    joint = predictive(posterior).log_joint(x[None])[0]
    prior, is_diagonal = conjugate_of(constants), posterior.components.structure.is_diagonal
    before = prior.log_marginal(hard_statistics(X, z, 3, is_diagonal))
    for k in range(3):
        more = hard_statistics(np.vstack([X, x]), np.append(z, k), 3, is_diagonal)
        assert np.isclose(joint[k], prior.log_marginal(more) - before, rtol=1e-10)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_is_the_mean_density_of_draws(structure):
    _, X, _, posterior = posterior_of(structure, 2, 2)
    draws = posterior.sample(np.random.default_rng(5), 20000)
    values = np.exp(density.log_density(draws, X[:3]))
    error = values.std(0) / np.sqrt(len(values))
    expected = np.exp(predictive(posterior).log_density(X[:3]))
    assert (np.abs(values.mean(0) - expected) < 5 * error).all()  # five standard errors
