"""VB: the ELBO is a bound with every normaliser, exact at K = 1, and never decreases."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from testbed import oracle
from testbed.cases import STRUCTURES, blobs, informative, model_of

import bayesgmm as bg
from bayesgmm.priors.predictive import predictive

every_structure = pytest.mark.parametrize("structure", STRUCTURES)
ROUNDING = 1e-11  # of sums of a few hundred log densities and log gammas, relative


def vb(model, X, rng=0, **options):
    return bg.fit(model, X, bg.VB(**options), rng=rng)


@every_structure
@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 8, 50])
def test_one_component_is_exact(structure, d, n):
    X, constants = blobs(n=50, d=d)[:n], informative(structure, 1, d)
    fit = vb(model_of(constants), X)
    evidence = oracle.log_evidence_by_chain(X, constants)
    assert np.isclose(fit.elbo, evidence, rtol=1e-11, atol=1e-10)
    assert np.isclose(fit.history[0], evidence, rtol=1e-11, atol=1e-10)  # at once: there is nothing to iterate
    more = oracle.log_evidence_by_chain(np.vstack([X, X[:1] + 1]), constants) - evidence
    assert np.isclose(fit.log_density(X[:1] + 1)[0], more, rtol=1e-9)


@pytest.mark.parametrize(("name", "k"), [("faithful", 2), ("faithful", 3), ("galaxies", 2), ("galaxies", 3)])
def test_the_reference_evidence_bounds_the_elbo(reference, name, k):
    X = bg.load_dataset(name).X[:8]
    row = pd.read_csv(reference / "tiny" / "summary.csv").query(f"dataset == '{name}' and K == {k}").iloc[0]
    fit = vb(bg.GaussianMixture(k), X)
    assert fit.elbo < row.log_evidence
    one = vb(bg.GaussianMixture(1, prior=fit.model.prior), X)
    assert np.isclose(one.elbo, row.log_marg_K1_closed, rtol=1e-12)


@every_structure
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("is_default", [True, False], ids=["default prior", "informative prior"])
@pytest.mark.few(10)
def test_the_elbo_is_at_most_the_enumerated_evidence(structure, k, is_default):
    for n in (4, 8):
        X = blobs(seed=n, n=8, k=2, apart=2.0)[:n]
        constants = oracle.default_constants(structure, X, k) if is_default else informative(structure, k, 2)
        evidence = oracle.Enumeration(X, constants).log_evidence
        fit = vb(model_of(constants), X, init="random", n_init=4)
        objectives = [restart.objective for restart in fit.diagnostics.restarts]
        assert fit.elbo == max(objectives) and fit.elbo <= evidence
        # No worse than the best single labelling, and within the K! symmetric modes and the entropy of labels.
        assert fit.elbo > evidence - 2.0 * n


@every_structure
@pytest.mark.few(2)
def test_the_elbo_is_the_average_of_log_ratios(structure):
    """E_q[log p(X | theta)] summed over labels by responsibilities, plus their entropy, less KL: by draws."""
    X = blobs(n=25)
    fit = vb(bg.GaussianMixture(3, structure), X, n_init=2)
    q, prior = fit.estimate.posterior, fit.model.conjugate()
    draws = q.sample(np.random.default_rng(0), 1500)

    def joint(scores):
        offset, factor = X[:, None] - scores.means, scores.precision_chol
        y = factor * offset if factor.ndim == 2 else np.einsum("kij,nki->nkj", factor, offset)
        return scores.log_weight - 0.5 * (y**2).sum(-1)

    log_r = joint(q.expected_scores())
    log_r -= logsumexp(log_r, axis=1, keepdims=True)
    values = np.empty(len(draws.weights))
    for s in range(len(values)):
        ratio = prior.log_density(draws[s]) - q.log_density(draws[s])
        values[s] = (np.exp(log_r) * (joint(draws[s].scores()) - log_r)).sum() + ratio
    assert abs(values.mean() - fit.elbo) < 5 * values.std() / np.sqrt(len(values))  # five standard errors


@every_structure
@pytest.mark.parametrize("init", ["kmeans", "kmeans++", "random"])
@pytest.mark.few(8)
def test_the_elbo_never_decreases(structure, init):
    fit = vb(bg.GaussianMixture(4, structure), blobs(seed=2, apart=2.0), init=init, n_init=2)
    assert fit.status.is_converged and len(fit.history) > 3
    assert np.diff(fit.history).min() >= -ROUNDING * abs(fit.elbo)


@every_structure
def test_answers_are_those_of_the_student_t_mixture(structure):
    X = blobs()
    fit = vb(bg.GaussianMixture(3, structure), X, n_init=2)
    joint = predictive(fit.estimate.posterior).log_joint(X)
    assert np.allclose(fit.log_density(X), logsumexp(joint, axis=1), rtol=1e-12)
    assert np.allclose(fit.responsibilities(X), np.exp(joint - logsumexp(joint, axis=1, keepdims=True)), rtol=1e-9)
    assert np.array_equal(fit.predict(X), joint.argmax(1))


def test_given_parameters_stand_for_their_responsibilities():
    X = blobs(apart=10.0)  # so far apart that there is one good optimum
    model = bg.GaussianMixture(3)
    em = bg.fit(model, X, bg.EM(), rng=0)
    fit = vb(model, X, init=em.params)
    assert len(fit.diagnostics.restarts) == 1 and fit.status.is_converged
    assert np.isclose(fit.elbo, vb(model, X).elbo, rtol=1e-6)


def test_param_tol_sees_weights_means_and_covariances():
    X = blobs(seed=8, apart=1.5)
    fit = vb(bg.GaussianMixture(3), X, tol=None, param_tol=1e-9, n_init=1, max_iter=20000)
    further = bg.fit(fit.model, X, bg.VB(tol=None, param_tol=1e-12, n_init=1, max_iter=20000), rng=0)
    for name in ("weights", "means", "covariances"):
        assert np.allclose(getattr(fit.params, name), getattr(further.params, name), atol=1e-5)


def test_more_components_than_the_data_need_empty_out_quietly():
    fit = vb(bg.GaussianMixture(8, weights=bg.Dirichlet(0.01)), blobs(), n_init=3)
    assert fit.status.is_converged and (fit.params.weights > 0.01).sum() <= 4


def test_max_iter_is_a_status_and_a_warning():
    with pytest.warns(bg.NotConvergedWarning, match="raise max_iter=1"):
        assert len(vb(bg.GaussianMixture(3), blobs(), max_iter=1).history) == 2
