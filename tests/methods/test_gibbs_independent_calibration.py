"""Gibbs under independent means and covariances with an unknown scale is calibrated; a planted fault is seen."""

import numpy as np
import pytest
from testbed import oracle
from testbed.calibration import MODELS, is_uniform, joint_scores, proper_model, simulated_ranks
from testbed.planted import planted

import bayesgmm as bg
from bayesgmm.methods import gibbs_chain

Z_LIMIT = 5.0  # 60 comparisons at a family-wise level of 1e-4 need 4.8
N_CYCLES, N_REPLICATES = 40_000, 300
CASES = [("finite", structure) for structure in oracle.STRUCTURES] + [(m, "full") for m in MODELS[1:]]
CASES += [("DP", "diagonal"), ("MFM", "isotropic")]

FAULTS = {
    "delayed acceptance forgotten": ("if math.log(rng.random()) >= log_ratio:", "if False:"),
    "residuals about the wrong mean": (
        "offset[d] = moments.means[k, d] - means[k, d]",
        "offset[d] = 0.5 * (moments.means[k, d] - means[k, d])",
    ),
    "scale blind to one degree of freedom": ("dof[0] += prior.dof[row]", "dof[0] += prior.dof[row] - 1.0"),
    "means without their prior": ("total[i, j] += precision[i, j]", "total[i, j] += 0.5 * precision[i, j]"),
}


def model_of(name, structure):
    """With correlated means and an unknown scale."""
    if structure in ("full", "tied"):
        covariance, rate = np.array([[1.0, 0.4], [0.4, 0.5]]), np.array([[4.0, 1.0], [1.0, 3.0]])
    else:
        covariance, rate = np.array([1.0, 0.5]), 3.0
    prior = bg.IndependentNormalInverseWishart([0.0, 1.0], covariance, 8.0, bg.HierarchicalScale(4.0, rate))
    return proper_model(name, structure, prior=prior)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "structure"), CASES)
def test_parameters_and_data_in_turn_have_the_prior_s_law(name, structure):
    scores, effective, counters = joint_scores(model_of(name, structure), N_CYCLES)
    assert counters[:, 1].min() > 50  # every kind of move took part
    assert effective > 1000
    assert abs(scores).max() < Z_LIMIT


@pytest.mark.slow
@pytest.mark.parametrize(("name", "structure"), [("finite", "full"), ("DP", "diagonal"), ("MFM", "tied")])
def test_ranks_of_the_truth_are_uniform(name, structure):
    assert is_uniform(simulated_ranks(model_of(name, structure), N_REPLICATES))


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_seen(name, monkeypatch):
    monkeypatch.setattr(gibbs_chain, "chain", planted("chain", ("independent", *FAULTS[name])))
    assert abs(joint_scores(model_of("finite", "full"), N_CYCLES)[0]).max() > Z_LIMIT
