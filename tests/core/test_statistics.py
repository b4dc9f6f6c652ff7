"""The algebra of sufficient statistics."""

import numpy as np
import pytest
from testbed import twin

from bayesgmm.core.facts import of_weights
from bayesgmm.core.params import ComponentScores
from bayesgmm.core.sweep import sweep

FORMS = pytest.mark.parametrize("is_diagonal", [False, True], ids=["triangular", "diagonal"])


@FORMS
def test_recentred_is_centring_the_points_elsewhere(is_diagonal):
    """Responsibilities from one set of means, moments about another: by the definition."""
    X, scores = twin.problem(400, 3, is_diagonal=is_diagonal)
    center = scores.means + np.random.default_rng(0).normal(size=scores.means.shape)
    joint = twin.log_joint(X, scores)
    resp = np.exp(joint - joint.max(1, keepdims=True))
    resp /= resp.sum(1, keepdims=True)
    diff = X[:, None] - center
    second = np.einsum("nk,nki,nkj->kij", resp, diff, diff)
    moved = sweep(X, scores).recentred(center)
    assert np.allclose(moved.first, np.einsum("nk,nki->ki", resp, diff), rtol=0, atol=1e-11)
    assert np.allclose(moved.second, np.einsum("kii->ki", second) if is_diagonal else second, rtol=1e-12)
    back = moved.recentred(scores.means)
    twin.assert_close(back, sweep(X, scores), 1e-13)


@FORMS
def test_means_and_scatter_do_not_depend_on_the_centre(is_diagonal):
    X, scores = twin.problem(400, 3, is_diagonal=is_diagonal)
    stats = sweep(X, scores)
    moved = stats.recentred(scores.means + 1.5)
    assert np.allclose(moved.means(), stats.means(), rtol=0, atol=1e-13)
    assert np.allclose(moved.scatter(), stats.scatter(), rtol=0, atol=1e-11)


def test_scatter_is_numpys_covariance():
    X, _ = twin.problem(300, 3)
    for factor in (np.eye(3)[None], np.ones((1, 3))):
        stats = sweep(X, ComponentScores(np.zeros(1), np.zeros((1, 3)), factor))
        expected = np.cov(X.T, bias=True) * len(X)
        assert np.allclose(stats.scatter()[0], expected if factor.ndim == 3 else np.diag(expected), rtol=1e-12)
        assert np.allclose(stats.means()[0], X.mean(0), rtol=0, atol=1e-14)


@FORMS
def test_scaled_is_a_weight_of_every_row(is_diagonal):
    X, scores = twin.problem(300, 2, is_diagonal=is_diagonal)
    weighted = sweep(X, scores, facts=of_weights(np.full(len(X), 2.5)))
    twin.assert_close(sweep(X, scores).scaled(2.5), weighted, 1e-13)


def test_adding_recentres():
    X, scores = twin.problem(300, 2)
    one = sweep(X[:100], scores)
    other = sweep(X[100:], scores).recentred(scores.means + 3.0)
    twin.assert_close(one + other, sweep(X, scores), 1e-12)


def test_an_empty_component_keeps_its_centre():
    X, scores = twin.problem(50, 2)
    scores.log_weight[1] = -np.inf
    stats = sweep(X, scores)
    assert np.array_equal(stats.means()[1], scores.means[1]) and not stats.scatter()[1].any()
