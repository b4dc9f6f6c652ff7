"""Averages of Markov chains against exact numbers, and moments of labels for the compiled algebra."""

import numpy as np

from bayesgmm.core import conjugacy

Z_LIMIT = 5.0  # family-wise 1e-4 over some 200 comparisons (DESIGN section 8)


def moments_of(X, z, n_components, is_diagonal):
    counts, means = np.zeros(n_components), np.zeros((n_components, X.shape[1]))
    scatter = np.zeros((n_components, X.shape[1], X.shape[1]))
    for k in np.unique(z):
        Y = X[z == k]
        counts[k], means[k] = len(Y), Y.mean(0)
        scatter[k] = (Y - means[k]).T @ (Y - means[k])
    if is_diagonal:
        scatter = np.ascontiguousarray(np.diagonal(scatter, axis1=1, axis2=2))
    return conjugacy.Moments(counts, means, scatter)


def z_score(values, exact):
    """Of the mean of (chain, draw) values, which must hold 1,000 effective draws."""
    from arviz_stats.base import array_stats

    if values.std() == 0:  # a quantity that has one value, up to rounding
        return (values.mean() - exact) / (1e-9 + 1e-9 * abs(exact))
    assert array_stats.ess(values, chain_axis=0, draw_axis=1, method="mean") > 1000
    return (values.mean() - exact) / array_stats.mcse(values, chain_axis=0, draw_axis=1, method="mean")
