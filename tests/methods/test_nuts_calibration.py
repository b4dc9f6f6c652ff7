"""NUTS is calibrated: simulation-based calibration and Geweke's joint-distribution test."""

import pytest
from testbed.calibration import is_uniform, nuts_draws, nuts_joint_scores, proper_model, simulated_ranks

pytestmark = pytest.mark.slow
every_model = pytest.mark.parametrize("name", ["finite", "DP"])
N_REPLICATES, N_CYCLES = 250, 300
Z_LIMIT = 4.5  # 13 comparisons at a family-wise level of 1e-4


@every_model
def test_ranks_of_the_truth_are_uniform(name):
    assert is_uniform(simulated_ranks(proper_model(name), N_REPLICATES, draws_of=nuts_draws))


@every_model
def test_parameters_and_data_in_turn_have_the_prior_s_law(name):
    scores, effective = nuts_joint_scores(proper_model(name), N_CYCLES)
    assert effective > 30  # far more than a chain that does not move has
    assert abs(scores).max() < Z_LIMIT


def test_ranks_of_the_truth_are_uniform_where_a_third_is_labelled():
    """Weights and means of each component by itself too."""
    assert is_uniform(simulated_ranks(proper_model("finite"), N_REPLICATES, draws_of=nuts_draws, n_labelled=7))
