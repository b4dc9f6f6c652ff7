"""Geweke's joint-distribution test: draws of (parameters, data) by the sampler must have the prior's law."""

import numpy as np
import oracle
import pytest

import bayesgmm as bg
from bayesgmm.core.density import sample
from bayesgmm.core.params import MixtureParams
from bayesgmm.data import as_matrix
from bayesgmm.methods.gibbs import GibbsChain

Z_LIMIT = 5.0  # 30 comparisons at a family-wise level of 1e-4 need 4.7
N_CYCLES, N_OBS, K = 20_000, 8, 3


def invariants(params):
    """Label-invariant functions of (draws,) mixtures."""
    moment = (params.weights[..., None] * params.means).sum(-2)[..., 0]
    diagonal = params.precision_chol if params.is_diagonal else np.diagonal(params.precision_chol, axis1=-2, axis2=-1)
    log_dets = np.log(diagonal).sum(-1)
    return np.stack(
        [(params.weights**2).sum(-1), moment, moment**2, log_dets.sum(-1), log_dets.max(-1),
         (params.weights * log_dets).sum(-1)], -1,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("structure", oracle.STRUCTURES)
def test_parameters_and_data_in_turn_have_the_prior_s_law(structure):
    """Geweke (2004), JASA 99, 799-804, doi:10.1198/016214504000001132; with a crossing move in every sweep."""
    from arviz_stats.base import array_stats

    scale = np.eye(2) if structure in ("full", "tied") else 1.0
    model = bg.GaussianMixture(
        K, covariance=structure, weights=bg.Dirichlet(1.5),
        prior=bg.NormalInverseWishart(mean=[0.0, 1.0], mean_precision=0.5, dof=8.0, scale=scale),
    )  # fmt: skip
    rng = np.random.default_rng(11)
    model = model.resolve(as_matrix(rng.standard_normal((N_OBS, 2))))
    prior = model.conjugate()
    chain = GibbsChain(rng, np.empty((N_OBS, 2)), prior, prior.sample(rng, 1)[0], 4, N_CYCLES, 2, 1.0)
    seen = np.empty((N_CYCLES, 6))
    for cycle in range(N_CYCLES):
        present = MixtureParams.trusted(chain.params.weights, chain.params.means, chain.params.factors)
        seen[cycle] = invariants(present)
        chain.X[:] = sample(present, N_OBS, rng)[0]
        chain.advance(1)
    assert chain.counters[:, 1].min() > 50  # every kind of move took part
    expected = invariants(prior.sample(rng, 200_000))
    for i in range(seen.shape[1]):
        values = seen[None, :, i]
        assert array_stats.ess(values, chain_axis=0, draw_axis=1, method="mean") > 1000
        error = array_stats.mcse(values, chain_axis=0, draw_axis=1, method="mean")
        error = np.hypot(error, expected[:, i].std() / np.sqrt(len(expected)))
        assert abs(values.mean() - expected[:, i].mean()) < Z_LIMIT * error
