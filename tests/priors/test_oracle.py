"""The oracle itself: against an independent enumeration in R, and against the Student-t chain rule."""

import numpy as np
import pandas as pd
import pytest
from testbed import oracle
from testbed.cases import STRUCTURES, informative

import bayesgmm as bg

TINY = [("faithful", 2), ("faithful", 3), ("galaxies", 2), ("galaxies", 3)]


def tiny(name, k):
    X = bg.load_dataset(name).X[:8]
    return X, oracle.Enumeration(X, oracle.default_constants("full", X, k))


def table(reference, name, k, what):
    return pd.read_csv(reference / "tiny" / f"{name}8_K{k}_{what}.csv")


@pytest.mark.parametrize(("name", "k"), TINY)
@pytest.mark.few(2)
def test_equals_the_enumeration_in_r(reference, name, k):
    X, exact = tiny(name, k)
    row = pd.read_csv(reference / "tiny" / "summary.csv").query(f"dataset == '{name}' and K == {k}").iloc[0]
    # Both sum 3^8 terms in float64; the files carry 16 digits.
    close = {"rtol": 1e-11, "atol": 1e-11}
    assert np.isclose(exact.log_evidence, row.log_evidence, **close)
    occupied = exact.occupied()
    assert np.allclose(occupied, [row[f"P_Kplus_{i + 1}"] for i in range(k)], **close)
    assert np.isclose(occupied @ np.arange(1, k + 1), row.E_Kplus, **close)
    assert np.isclose(exact.sum_squared_weights(), row.E_sum_w2, **close)
    assert np.isclose(exact.log_density(X.mean(0)), row.logpred_at_m0, **close)
    assert np.allclose(exact.co_clustering(), table(reference, name, k, "psm"), **close)
    loo = table(reference, name, k, "loo")
    assert np.allclose(exact.leave_one_out(), loo.loo_logpred, **close)
    assert np.isclose(exact.log_density(X[3]), loo.full_logpred_at_xi[3], **close)
    one = oracle.default_constants("full", X, k)
    one = oracle.Constants("full", one.concentration[:1], one.mean[:1], one.mean_precision[:1], one.dof, one.scale)
    assert np.isclose(oracle.log_evidence_by_chain(X, one), row.log_marg_K1_closed, **close)


@pytest.mark.parametrize(("name", "k"), TINY)
def test_default_constants_are_those_of_the_reference(reference, name, k):
    X, exact = tiny(name, k)
    row, d = table(reference, name, k, "prior").iloc[0], X.shape[1]
    model = bg.fit(bg.GaussianMixture(k), X, bg.VB(n_init=1), rng=0).model
    for mean, kappa, nu, psi in (
        (exact.prior.mean[0], exact.prior.mean_precision[0], exact.prior.dof, exact.prior.scale),
        (model.prior.mean, model.prior.mean_precision, model.prior.dof, model.prior.scale),
    ):
        assert np.isclose(kappa, row.k0) and np.isclose(nu, row.nu0)
        assert np.allclose(mean, [row[f"m0_{i}"] for i in range(d)], rtol=1e-13)
        expected = [[row[f"Psi0_{i}{j}"] for j in range(d)] for i in range(d)]
        assert np.allclose(psi, expected, rtol=1e-13)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("d", [1, 3])
def test_one_component_is_the_chain_of_student_t_predictives(structure, d):
    X = np.random.default_rng(3).normal(size=(6, d)) * [1.0, 3.0, 0.2][:d]
    prior = informative(structure, 1, d)
    chain = oracle.log_evidence_by_chain(X, prior)
    assert np.isclose(oracle.Enumeration(X, prior).log_evidence, chain, rtol=1e-12)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_probabilities_are_probabilities_and_follow_the_labels(structure):
    X, prior = np.random.default_rng(4).normal(size=(5, 2)), informative(structure, 3, 2)
    exact = oracle.Enumeration(X, prior)
    assert np.isclose(exact.occupied().sum(), 1, rtol=1e-12)
    assert np.allclose(exact.responsibilities().sum(1), 1, rtol=1e-12)
    assert np.isclose(np.exp(exact.log_joint - exact.log_evidence).sum(), 1, rtol=1e-12)
    order = [2, 0, 1]
    moved = oracle.Constants(
        structure, prior.concentration[order], prior.mean[order], prior.mean_precision[order], prior.dof, prior.scale
    )
    other = oracle.Enumeration(X, moved)
    assert np.isclose(other.log_evidence, exact.log_evidence, rtol=1e-12)
    assert np.allclose(other.responsibilities(), exact.responsibilities()[:, order], rtol=1e-10)
