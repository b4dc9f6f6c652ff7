"""Sampled assignment: labels have their probabilities, also where weights are zero, and the moments are theirs."""

import numpy as np
import pytest
from numba import njit
from scipy.special import logsumexp, softmax

import bayesgmm as bg
from bayesgmm.core.facts import NO_FACTS
from bayesgmm.core.gibbs.allocation import sample_labels
from bayesgmm.core.kernels.conjugacy import Moments, Parameters

K, N_DRAWS = 4, 1000


@njit
def draw(rng, X, facts, params, labels, moments):
    return sample_labels(rng, X, facts, params, labels, moments)


@pytest.mark.parametrize("zero", [[], [0], [3], [1, 2], [0, 1, 2]], ids=str)
@pytest.mark.parametrize("is_diagonal", [False, True])
@pytest.mark.few(1)
def test_labels_and_their_moments(is_diagonal, zero):
    X, rng = np.array(bg.load_dataset("faithful").X), np.random.default_rng(1)
    X = np.vstack([X, X[::-1] + 0.5])  # 544 rows: full queues, full blocks and a part
    log_weight = np.array([0.3, 0.0, -0.5, -1.0])
    log_weight[zero] = -np.inf
    diagonal = np.tile([0.5, 0.05], (K, 1))
    factors = diagonal if is_diagonal else diagonal[:, :, None] * np.eye(2) + np.triu(np.full((2, 2), 0.02), 1)
    means = X[:K].copy()
    triangular = factors[:, :, None] * np.eye(2) if is_diagonal else factors
    whitened = np.einsum("nkd,kdj->nkj", X[:, None] - means, triangular)
    scores = log_weight - 0.5 * (whitened**2).sum(2)
    params = Parameters(np.exp(log_weight), log_weight, means, factors)
    labels = np.empty(len(X), np.int64)
    moments = Moments(np.empty(K), np.empty((K, 2)), np.empty_like(factors))
    seen = np.zeros((len(X), K))
    for _ in range(N_DRAWS):
        log_likelihood = draw(rng, X, NO_FACTS, params, labels, moments)
        seen[np.arange(len(X)), labels] += 1
    assert log_likelihood == pytest.approx(logsumexp(scores, axis=1).sum(), rel=1e-12)
    resp = softmax(scores, axis=1)
    assert not seen[:, zero].any()
    sd = np.sqrt(N_DRAWS * (resp * (1 - resp)).sum(0))
    np.testing.assert_array_less(np.abs((seen - N_DRAWS * resp).sum(0)), 5 * sd + 1e-6)  # 5 standard errors
    for k in np.unique(labels):
        Y = X[labels == k]
        scatter = (Y - Y.mean(0)).T @ (Y - Y.mean(0))
        assert moments.counts[k] == len(Y)
        np.testing.assert_allclose(moments.means[k], Y.mean(0), rtol=1e-12)
        ours = moments.scatter[k] if is_diagonal else moments.scatter[k][np.triu_indices(2)]
        exact = np.diag(scatter) if is_diagonal else scatter[np.triu_indices(2)]
        np.testing.assert_allclose(ours, exact, rtol=1e-9, atol=1e-9)  # sums of squares up to some 1e5
    assert moments.counts.sum() == len(X)
