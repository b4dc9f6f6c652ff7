"""The measure of ambiguity: brute force over orders, and calibration where the truth is known."""

from itertools import permutations

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import multivariate_t, norm

from bayesgmm import MixtureParams
from bayesgmm.labels.ambiguity import ambiguity, log_densities, over_exchanges, over_orders

CENTERS, SD = np.array([0.0, 2.5, 9.0]), np.array([1.0, 0.7, 1.0])


def known(n_draws=20_000, seed=0):
    """Aligned draws whose means are independent normals, and the exact (draws, K, K) log densities of each name."""
    rng = np.random.default_rng(seed)
    means = CENTERS + SD * rng.normal(size=(n_draws, 3))
    draws = MixtureParams.trusted(
        np.full((n_draws, 3), 1 / 3), means[..., None], np.exp(0.1 * rng.normal(size=(n_draws, 3, 1, 1)))
    )
    return draws, norm.logpdf(means[:, :, None], CENTERS, SD)


def brute_force(log_density):
    """Of one draw, over the list of all orders; `log_density[l, k]`."""
    k = len(log_density)
    orders = np.array(list(permutations(range(k))))
    shares = softmax(log_density[np.arange(k), orders].sum(1))
    return 1 - shares[0], [shares[orders[:, i] != i].sum() for i in range(k)]


def test_each_name_has_the_predictive_of_its_conjugate_prior():
    """By scipy's Student-t and the formulas of a normal with unknown mean and covariance, from raw sums."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 3, 2)) * [[1, 2], [0.3, 1], [2, 0.5]] + [[0, 1], [2, 0], [-1, 3]]
    is_occupied = rng.random((40, 3)) < [1.0, 0.6, 0.2]
    found = log_densities(features, is_occupied)
    groups = [features[is_occupied[:, k], k] for k in range(3)]
    within = sum(len(g) * np.cov(g.T, bias=True) for g in groups) / sum(map(len, groups)) + 1e-6 * np.eye(2)
    for k, g in enumerate(groups):
        n, m = len(g), g.mean(0)
        psi = within + n * np.cov(g.T, bias=True) + 0.01 * n / (0.01 + n) * np.outer(m, m)
        shape = psi * (0.01 + n + 1) / ((0.01 + n) * (n + 3))
        density = multivariate_t(m * n / (0.01 + n), shape, df=n + 3).logpdf(features.reshape(-1, 2)).reshape(40, 3)
        share = (n + 0.5) / 41
        expected = density + np.log(np.pi) + np.log(share / (1 - share))  # two columns: pi to the power one
        np.testing.assert_allclose(found[..., k], np.where(is_occupied, expected, 0), atol=1e-9)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_all_orders_are_brute_force(k):
    log_density = 2 * np.random.default_rng(k).normal(size=(20, k, k))
    whole, parts = over_orders(log_density, np.ones((20, k), bool))
    for t in range(20):
        expected = brute_force(log_density[t])
        np.testing.assert_allclose(whole[t], expected[0], atol=1e-12)
        np.testing.assert_allclose(parts[t], expected[1], atol=1e-12)


def test_the_order_of_empty_components_does_not_count():
    """Two components and two empty ones: orders are injections of the two into four names."""
    log_density = np.random.default_rng(0).normal(size=(10, 4, 4))
    is_occupied = np.tile([True, False, True, False], (10, 1))
    log_density[~is_occupied] = 0.0
    whole, parts = over_orders(log_density, is_occupied)
    names = np.array(list(permutations(range(4), 2)))
    for t in range(10):
        shares = softmax(log_density[t, 0, names[:, 0]] + log_density[t, 2, names[:, 1]])
        assert np.isclose(whole[t], 1 - shares[(names == [0, 2]).all(1)].sum(), atol=1e-12)
        assert np.isclose(parts[t, 0], shares[names[:, 0] != 0].sum(), atol=1e-12)
        assert np.isclose(parts[t, 2], shares[names[:, 1] != 2].sum(), atol=1e-12)


def test_exchanges_are_most_of_it_where_ambiguity_is_low():
    rng = np.random.default_rng(0)
    log_density = rng.normal(size=(50, 5, 5)) + 8 * np.eye(5)
    exact, near = (f(log_density, np.ones((50, 5), bool)) for f in (over_orders, over_exchanges))
    # Orders that move three components have a factor exp(-8) more or so.
    np.testing.assert_allclose(near[0], exact[0], rtol=0.02, atol=1e-6)
    np.testing.assert_allclose(near[1], exact[1], rtol=0.05, atol=1e-6)
    whole, parts = over_exchanges(np.zeros((3, 4, 4)), np.tile([True, True, False, False], (3, 1)))
    # Five exchanges and the present order; that of the empty pair is no other order.
    np.testing.assert_allclose(whole, 5 / 6)
    np.testing.assert_allclose(parts[:, 0], 3 / 6)


def test_draws_of_known_densities_have_their_exact_probabilities():
    draws, log_density = known()
    exact = np.array([brute_force(one)[0] for one in log_density[:2000]])
    whole, parts = ambiguity(draws, np.ones((20_000, 3), bool))
    # Means and variances fitted to 20,000 draws are known to 1 %, and the precisions, equal for all, add noise.
    assert np.abs(whole[:2000] - exact).mean() < 0.003 and np.abs(whole[:2000] - exact).max() < 0.05
    assert exact.mean() > 0.02 and parts[:, 2].mean() < 1e-3
    assert (parts.max(1) <= whole + 1e-12).all()


def test_the_mean_ambiguity_is_the_share_of_wrong_orders():
    """The best order of each draw by the exact densities: it is wrong as often as the measure says."""
    draws, log_density = known()
    orders = np.array(list(permutations(range(3))))  # component order[k] is called k
    best = orders[log_density[:, orders, np.arange(3)].sum(2).argmax(1)]
    is_wrong = (best != np.arange(3)).any(1)

    whole, _ = ambiguity(draws.permuted(best), np.ones((20_000, 3), bool))
    # The densities are fitted to draws that are apart more neatly than the truth, so ambiguity is a little too low.
    assert 0.7 * is_wrong.mean() < whole.mean() < 1.05 * is_wrong.mean()
    assert is_wrong.mean() > 0.02


def test_equal_components_are_as_ambiguous_as_can_be():
    rng = np.random.default_rng(0)
    factors = np.exp(rng.normal(size=(5000, 2, 1, 1)))
    draws = MixtureParams.trusted(rng.dirichlet([5, 5], 5000), rng.normal(size=(5000, 2, 1)), factors)
    whole, parts = ambiguity(draws, np.ones((5000, 2), bool))
    assert abs(whole.mean() - 0.5) < 0.01 and abs(parts.mean() - 0.5) < 0.01


def test_units_and_the_order_of_all_draws_do_not_show():
    draws, _ = known(500)
    occupied = np.ones((500, 3), bool)
    whole, parts = ambiguity(draws, occupied)
    other = MixtureParams.trusted(draws.weights, 1e6 + 1e-4 * draws.means, draws.precision_chol * 1e4)
    moved = ambiguity(other.permuted(np.array([2, 0, 1])), occupied)
    np.testing.assert_allclose(moved[0], whole, atol=1e-6)  # 1e6 spreads of 1e-4: six digits are lost
    np.testing.assert_allclose(moved[1], parts[:, [2, 0, 1]], atol=1e-6)


def test_a_component_of_one_draw_and_one_of_none():
    draws, _ = known(200)
    occupied = np.ones((200, 3), bool)
    occupied[:, 1], occupied[1:, 2] = False, False
    whole, parts = ambiguity(draws, occupied)
    assert np.isfinite(whole).all() and np.isnan(parts[:, 1]).all() and np.isfinite(parts[0, 2])
    assert (whole >= 0).all() and (whole <= 1).all()


def test_components_of_different_groups_are_not_taken_for_one_another():
    """The first two lie near each other; where a label tells them apart, that is no doubt about their names."""
    draws, _ = known(500)
    is_occupied = np.ones((500, 3), bool)
    apart, together = ambiguity(draws, is_occupied, np.array([0, 1, 1])), ambiguity(draws, is_occupied)
    assert together[1][:, 0].mean() > 0.01
    np.testing.assert_allclose(apart[1][:, 0], 0.0, atol=1e-12)
