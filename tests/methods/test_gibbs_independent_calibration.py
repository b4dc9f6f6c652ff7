"""Gibbs under independent means and covariances with an unknown scale is calibrated; a planted fault is seen."""

import numpy as np
import pytest
from testbed import oracle
from testbed.calibration import MODELS, is_uniform, joint_scores, proper_model, simulated_ranks
from testbed.planted import faulty, planted

import bayesgmm as bg
from bayesgmm.core.kernels.conjugacy import Conjugate
from bayesgmm.methods.chains import gibbs_chain

Z_LIMIT = 5.0  # 60 comparisons at a family-wise level of 1e-4 need 4.8
N_CYCLES, N_REPLICATES = 40_000, 300
CASES = [("finite", structure) for structure in oracle.STRUCTURES] + [(m, "full") for m in MODELS[1:]]
CASES += [("DP", "diagonal"), ("MFM", "isotropic")]


def always_accepted(right):
    """Delayed acceptance, forgotten."""

    @faulty
    def log_prior_ratio(prior, independent, precision, k, means, factors):
        return 0.0

    return log_prior_ratio


def about_the_wrong_mean(right):
    @faulty
    def add_residuals(moments, scatter, means, dof, scale):
        right(moments, scatter, 0.5 * (moments.means + means), dof, scale)

    return add_residuals


def one_degree_less(right):
    """The scale is drawn as if each covariance had one degree of freedom less."""

    @faulty
    def draw_scale(rng, prior, scale, independent, counts, factors, root):
        fewer = Conjugate(prior.concentration, prior.mean, prior.mean_precision, prior.dof - 1.0, prior.scale)
        right(rng, fewer, scale, independent, counts, factors, root)

    return draw_scale


def half_of_their_prior(right):
    @faulty
    def draw_means(rng, center, precision, moments, means, factors, root):
        right(rng, center, 0.5 * precision, moments, means, factors, root)

    return draw_means


FAULTS = {
    "delayed acceptance forgotten": ("gibbs.independent._log_prior_ratio", always_accepted),
    "residuals about the wrong mean": ("gibbs.independent._add_residuals", about_the_wrong_mean),
    "scale blind to one degree of freedom": ("gibbs.independent._draw_scale", one_degree_less),
    "means without their prior": ("gibbs.independent._draw_means", half_of_their_prior),
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
@pytest.mark.often(4)
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
@pytest.mark.often(2)
def test_a_fault_is_seen(name, monkeypatch):
    monkeypatch.setattr(gibbs_chain, "chain", planted("gibbs.chain", dict([FAULTS[name]])))
    assert abs(joint_scores(model_of("finite", "full"), N_CYCLES)[0]).max() > Z_LIMIT
