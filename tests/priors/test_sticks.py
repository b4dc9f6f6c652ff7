"""Stick-breaking weights against the urn that they imply, SciPy, and their own draws."""

from itertools import product

import numpy as np
import pytest
from scipy import stats
from testbed.label_oracle import Sticks

from bayesgmm.errors import NotApplicableError
from bayesgmm.priors.sticks import StickBreaking

N_DRAWS = 100_000
Z_LIMIT = 5.0
POSTERIOR = StickBreaking(np.array([2.0, 0.7, 3.0]), np.array([1.5, 2.5, 0.6]))


def close(values, exact):
    error = values.std(0) / np.sqrt(len(values))
    assert (np.abs(values.mean(0) - exact) < Z_LIMIT * error).all()


def test_expectations_are_those_of_the_draws():
    weights = POSTERIOR.sample(np.random.default_rng(0), N_DRAWS)
    np.testing.assert_allclose(weights.sum(1), 1.0, rtol=1e-12)
    close(weights, POSTERIOR.mean())
    close(np.log(weights), POSTERIOR.expected_log())


def test_labels_have_the_probability_of_the_urn():
    prior = StickBreaking.of(0.7, 3)
    labelings = np.array(list(product(range(3), repeat=4)))
    ours = [prior.log_marginal(np.bincount(z, minlength=3)) for z in labelings]
    np.testing.assert_allclose(ours, Sticks(3, 0.7).log_probability(labelings), rtol=1e-12)
    assert np.exp(ours).sum() == pytest.approx(1.0, rel=1e-12)


def test_update_is_bayes_rule():
    prior, counts = StickBreaking.of(1.3, 4), np.array([3.0, 0.0, 2.0, 1.0])
    posterior = prior.update(counts)
    for weights in prior.sample(np.random.default_rng(1), 5):
        likelihood = counts @ np.log(weights)
        exact = prior.log_density(weights) + likelihood - prior.log_marginal(counts)
        assert posterior.log_density(weights) == pytest.approx(exact, rel=1e-9)


def test_log_density_with_unit_concentrations_is_a_dirichlet_s():
    """Sticks v_k ~ Beta(1, T - k) are those of a uniform Dirichlet."""
    uniform = StickBreaking(np.ones(3), np.array([3.0, 2.0, 1.0]))
    weights = np.array([0.1, 0.4, 0.3, 0.2])
    assert uniform.log_density(weights) == pytest.approx(stats.dirichlet(np.ones(4)).logpdf(weights))


def test_kl_is_the_mean_log_ratio():
    prior = StickBreaking.of(1.3, 4)
    draws = POSTERIOR.sample(np.random.default_rng(2), 20_000)
    close(np.array([POSTERIOR.log_density(w) - prior.log_density(w) for w in draws]), POSTERIOR.kl(prior))
    assert prior.kl(prior) == pytest.approx(0.0, abs=1e-12)


def test_one_stick_is_the_whole():
    one = StickBreaking.of(2.0, 1)
    assert one.mean() == one.sample(np.random.default_rng(0), 3).mean() == 1.0
    assert one.expected_log() == one.log_partition() == 0.0


def test_there_is_no_mode():
    with pytest.raises(NotApplicableError, match="order of the sticks"):
        POSTERIOR.mode()
