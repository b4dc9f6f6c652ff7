"""The tests of the tests: faults planted in the sampler turn calibration, Geweke's test and the exact sums red."""

import math

import numpy as np
import pytest
from testbed.calibration import is_uniform, joint_scores, proper_model, simulated_ranks
from testbed.planted import faulty, planted

from bayesgmm.methods.chains import gibbs_chain

Z_LIMIT = 5.0
N_REPLICATES, N_CYCLES = 300, 5_000  # fewer than the tests have: these faults are not subtle


def no_moves(right):
    """Moves between modes take most of the time that compiling takes, and have no part in most faults."""

    @faulty
    def cross(rng, kind, X, facts, labels, prior, mixing, moments):
        return False

    return cross


def one_degree_more(right):
    @faulty
    def update(prior, moments, posterior):
        right(prior, moments, posterior)
        for row in range(len(posterior.dof)):
            posterior.dof[row] += 1.0

    return update


def swapped_triangle(right):
    """The means are solved for with the entries of a factor below its diagonal, all zero, for those above it."""

    @faulty
    def draw(rng, posterior, params, root):
        right(rng, posterior, params, root)
        for k in range(len(params.means)):
            offset = params.means[k] - posterior.mean[k]
            for d in range(len(offset)):
                noise = 0.0
                for j in range(d + 1):
                    noise += params.factors[k, j, d] * offset[j]
                params.means[k, d] = posterior.mean[k, d] + noise / params.factors[k, d, d]

    return draw


def without_log_det(right):
    @faulty
    def finish(params, factors):
        for k in range(len(params.weights)):
            params.log_weight[k] = math.log(params.weights[k]) if params.weights[k] > 0.0 else -math.inf

    return finish


def half_the_last_stick(right):
    @faulty
    def draw_sticks(rng, alpha, counts, weights):
        log_left = right(rng, alpha, counts, weights)
        weights[len(counts) - 1] *= 0.5
        return log_left

    return draw_sticks


def only_the_occupied(right):
    @faulty
    def draw_count(rng, cumulative, n_occupied):
        return n_occupied

    return draw_count


def of_the_best_label(right):
    """A point's log likelihood is that of its most probable component alone."""

    @faulty
    def log_sum_block(scores, m, log_sums, totals):
        right(scores, m, log_sums, totals)
        log_sums[:m] -= np.log(totals[:m])

    return log_sum_block


FAULTS = {
    "wrong degrees of freedom": ("finite", "kernels.conjugacy.update", one_degree_more),
    "swapped triangle": ("finite", "kernels.conjugacy.draw", swapped_triangle),
    "lost constant": ("finite", "kernels.conjugacy.finish", without_log_det),
    "last stick not closed": ("DP", "gibbs.sticks.draw_sticks", half_the_last_stick),
    "components counted by the labels alone": ("MFM", "gibbs.telescoping.draw_count", only_the_occupied),
    "labels conditioned on": ("finite", "kernels.assignment.log_sum_block", of_the_best_label),
}
# What is reported of a draw is no part of the chain; eight points whose labels are a little wrong take more cycles.
UNSEEN_BY_GEWEKE = {"labels conditioned on", "lost constant"}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.often(3)
def test_a_fault_is_seen(name, monkeypatch):
    kind, place, make = FAULTS[name]
    monkeypatch.setattr(
        gibbs_chain, "chain", planted("gibbs.chain", {place: make, "gibbs.split_merge.cross": no_moves})
    )
    model = proper_model(kind)
    assert not is_uniform(simulated_ranks(model, N_REPLICATES))
    if name not in UNSEEN_BY_GEWEKE:
        assert abs(joint_scores(model, N_CYCLES)[0]).max() > Z_LIMIT


@pytest.mark.slow
def test_without_a_fault_the_same_numbers_come_out(monkeypatch):
    """What is planted, and not the planting, is what the tests above see."""
    model = proper_model("finite")
    expected = simulated_ranks(model, 5)
    monkeypatch.setattr(gibbs_chain, "chain", planted("gibbs.chain", {"kernels.conjugacy.update": lambda right: right}))
    np.testing.assert_array_equal(simulated_ranks(model, 5), expected)
