"""Gibbs is calibrated: Geweke's joint-distribution test and simulation-based calibration, of every model."""

import pytest
from testbed import oracle
from testbed.calibration import MODELS, is_uniform, joint_scores, proper_model, simulated_ranks

Z_LIMIT = 5.0  # 60 comparisons at a family-wise level of 1e-4 need 4.8
N_CYCLES, N_REPLICATES = 20_000, 400
CASES = [("finite", structure) for structure in oracle.STRUCTURES] + [(m, "full") for m in MODELS[1:]]
CASES += [("DP", "isotropic"), ("MFM", "tied")]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "structure"), CASES)
@pytest.mark.often(4)
def test_parameters_and_data_in_turn_have_the_prior_s_law(name, structure):
    scores, effective, counters = joint_scores(proper_model(name, structure), N_CYCLES)
    assert counters[:, 1].min() > 50  # every kind of move took part
    assert effective > 1000
    assert abs(scores).max() < Z_LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("structure", ["full", "spherical"])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.often(3)
def test_ranks_of_the_truth_are_uniform(name, structure):
    """Label-invariant quantities, the log likelihood, the occupied components, the concentration or their number."""
    assert is_uniform(simulated_ranks(proper_model(name, structure), N_REPLICATES))


@pytest.mark.slow
def test_ranks_of_the_truth_are_uniform_where_a_third_is_labelled():
    """Weights and means of each component by itself too."""
    assert is_uniform(simulated_ranks(proper_model("finite"), N_REPLICATES, n_labelled=7))
