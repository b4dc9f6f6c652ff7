"""Permanents, whole and in grouped_permanents, against sums over all orders and closed forms."""

from itertools import permutations

import numpy as np
import pytest
from scipy.special import gammaln, logsumexp

from bayesgmm.criteria.evidence import grouped_permanents
from bayesgmm.criteria.evidence.grouped_permanents import grouped, log_grouped_permanents
from bayesgmm.criteria.evidence.permanents import log_permanents, row_kinds
from bayesgmm.errors import NotApplicableError


def by_all_orders(logs):
    rows = np.arange(logs.shape[1])
    return logsumexp([logs[:, rows, list(order)].sum(1) for order in permutations(rows)], axis=0)


@pytest.mark.parametrize("repeats", [(6,), (3, 3), (1, 2, 3), (5, 1), (1, 1, 1, 1, 1)])
def test_alike_rows_are_counted_and_not_told_apart(repeats):
    rng = np.random.default_rng(0)
    k = sum(repeats)
    logs = 3.0 * rng.normal(size=(4, len(repeats), k))[:, np.repeat(np.arange(len(repeats)), repeats)]
    logs[0, 0, 0] = -np.inf
    logs = logs[:, rng.permutation(k)]
    np.testing.assert_allclose(log_permanents(logs), by_all_orders(logs), rtol=1e-12)


def test_thirty_alike_rows_have_a_closed_form():
    logs = np.broadcast_to(np.random.default_rng(1).normal(size=(2, 1, 30)), (2, 30, 30))
    assert row_kinds(logs).max() == 0
    np.testing.assert_allclose(log_grouped_permanents(logs), gammaln(31.0) + logs[:, 0].sum(1), rtol=1e-12)


@pytest.fixture
def small_groups(monkeypatch):
    """The way of many components also for few, whose orders can all be made."""
    monkeypatch.setattr(grouped_permanents, "MAX_STATES", 2**4)


@pytest.mark.parametrize("apart", [15.0, 40.0, 400.0])
@pytest.mark.parametrize("seed", range(4))
def test_groups_give_the_sum_over_all_orders(apart, seed, small_groups):
    """Three groups of two or three, entries between them some `apart` below, columns in any order."""
    rng = np.random.default_rng(seed)
    member = np.array([0, 0, 1, 1, 1, 2, 2])
    logs = 3.0 * rng.normal(size=(30, 7, 7)) - apart * (member[:, None] != member)
    # Of no consequence for the orders' shares, and far more than what stands between the grouped_permanents.
    logs += 200.0 * rng.normal(size=(30, 7, 1)) + 200.0 * rng.normal(size=(30, 1, 7))
    logs = logs[:, :, rng.permutation(7)]
    expected = by_all_orders(logs)
    if apart < 20:  # at which orders between the groups still count, so that these are one
        with pytest.raises(NotApplicableError, match="can be taken for one another"):
            log_grouped_permanents(logs)
    else:
        np.testing.assert_allclose(log_grouped_permanents(logs), expected, atol=1e-6)


def test_a_one_way_likeness_makes_no_group():
    """What is like another that is unlike it belongs to no order with the two exchanged."""
    logs = np.full((1, 3, 3), -300.0)
    logs[0, range(3), range(3)] = 0.0
    logs[0, 0, 1] = 100.0
    assert grouped(logs).tolist() == [[0, 1, 2]]
    logs[0, 1, 0] = -101.0
    assert grouped(logs).tolist() == [[0, 0, 2]]


def test_twenty_components_in_groups_are_the_product_of_the_groups():
    rng = np.random.default_rng(2)
    member = np.repeat(np.arange(5), 4)
    logs = np.where(member[:, None] == member, rng.normal(size=(6, 20, 20)), -np.inf)
    expected = sum(by_all_orders(logs[:, member == g][:, :, member == g]) for g in range(5))
    order = rng.permutation(20)
    np.testing.assert_allclose(log_grouped_permanents(logs[:, :, order]), expected, rtol=1e-12)


def test_what_has_no_order_has_no_permanent():
    logs = np.random.default_rng(3).normal(size=(2, 14, 14)) - 500.0 * (1 - np.eye(14))
    logs[0, :, 3] = -np.inf
    found = log_grouped_permanents(logs)
    assert found[0] == -np.inf and found[1] == pytest.approx(np.trace(logs[1]), abs=1e-6)


def test_too_many_that_are_alike_and_differ_are_refused():
    logs = np.random.default_rng(4).normal(size=(2, 14, 14))
    with pytest.raises(NotApplicableError, match="more than twelve of them"):
        log_grouped_permanents(logs)
