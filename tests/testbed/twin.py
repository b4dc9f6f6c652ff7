"""The sweep in slow, obvious NumPy: the oracle of the compiled one."""

import numpy as np
from scipy.special import logsumexp

from bayesgmm.core.params import ComponentScores
from bayesgmm.core.statistics import SufficientStatistics


def full_factors(factors):
    """(K, D, D) factors, also of diagonal ones."""
    return np.stack([np.diag(f) if f.ndim == 1 else f for f in factors])


def log_joint(X, scores):
    """(n, K) scores, by the definition."""
    columns = []
    for weight, mean, factor in zip(scores.log_weight, scores.means, full_factors(scores.precision_chol), strict=True):
        columns.append(weight - 0.5 * (((X.astype(float) - mean) @ factor) ** 2).sum(1))
    return np.stack(columns, axis=1)


def sweep(X, scores, is_hard=False, row_weights=None):
    """`SufficientStatistics` of a pass over the data."""
    joint = log_joint(X, scores)
    w = np.ones(len(X)) if row_weights is None else row_weights
    if is_hard:
        value, resp = joint.max(1), np.eye(joint.shape[1])[joint.argmax(1)]
    else:
        value = logsumexp(joint, axis=1)
        resp = np.exp(joint - value[:, None])
    resp = w[:, None] * resp
    diff = X.astype(float)[:, None, :] - scores.means
    second = np.einsum("nk,nki,nkj->kij", resp, diff, diff)
    if scores.precision_chol.ndim == 2:
        second = np.einsum("kii->ki", second)
    first = np.einsum("nk,nki->ki", resp, diff)
    return SufficientStatistics(float(w @ value), resp.sum(0), first, second, scores.means, float(w.sum()))


def problem(n, d, k=3, is_diagonal=False, seed=0):
    """Points and scores of overlapping components; the scores are no density."""
    rng = np.random.default_rng([seed, n, d, k])
    means = 2.0 * rng.normal(size=(k, d)) / np.sqrt(d)
    factors = np.triu(0.3 * rng.normal(size=(k, d, d)), 1) + np.eye(d) * rng.uniform(0.7, 1.5, (k, 1, d))
    if is_diagonal:
        factors = np.ascontiguousarray(np.einsum("kii->ki", factors))
    X = means[rng.integers(k, size=n)] + rng.normal(size=(n, d))
    return X, ComponentScores(rng.normal(size=k), means + 0.2 * rng.normal(size=(k, d)), factors)


def assert_close(one, two, rtol):
    """Equal statistics, relative to their sizes: a sum is as exact as the sum of its terms' sizes allows."""
    assert np.isclose(one.log_likelihood, two.log_likelihood, rtol=rtol)
    assert np.isclose(one.n_obs, two.n_obs, rtol=rtol)
    size = np.abs(two.second).max() + 1e-300
    for name, scale in (("counts", two.n_obs), ("first", np.sqrt(size * two.n_obs)), ("second", size)):
        assert np.abs(getattr(one, name) - getattr(two, name)).max() <= rtol * scale, name


def assert_same_bits(one, two):
    """Equal to the last bit."""
    assert one.log_likelihood == two.log_likelihood and one.n_obs == two.n_obs
    for name in ("counts", "first", "second", "center"):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name
