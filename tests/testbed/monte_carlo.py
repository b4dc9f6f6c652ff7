"""DESIGN section 8's rule for statistical tests: z-scores of label-invariant quantities with enough effective draws."""

import csv

import numpy as np

import bayesgmm as bg
from bayesgmm.core.density import log_density
from bayesgmm.core.kernels import conjugacy

Z_LIMIT = 5.0  # family-wise 1e-4 over some 200 comparisons


def mean_and_error(values):
    """Mean and Monte Carlo error of (chain, draw) values, which must hold 1,000 effective draws."""
    from arviz_stats.base import array_stats

    if np.ptp(values) <= 1e-9 * np.abs(values).max():  # a quantity that has one value, up to rounding
        return values.mean(), 1e-9 + 1e-9 * np.abs(values).max()
    assert array_stats.ess(values, chain_axis=0, draw_axis=1, method="mean") > 1000
    return values.mean(), array_stats.mcse(values, chain_axis=0, draw_axis=1, method="mean")


def z_score(values, exact, error=0.0):
    """Of the mean of (chain, draw) values, against a number or against other values of the same quantity."""
    if np.ndim(exact):
        exact, error = mean_and_error(exact)
    mean, our_error = mean_and_error(values)
    return (mean - exact) / np.hypot(our_error, error)


def check_reference(fit, name, reference):
    """Every quantity of bayesm's 180,000 draws under the same prior, `reference` being the folder."""
    with open(reference / f"posterior_{name}_{fit.model.n_components}.csv") as lines:
        table = {row["quantity"]: (float(row["mean"]), float(row["mcse"])) for row in csv.DictReader(lines)}
    grid = np.loadtxt(reference / f"grid_{name}.csv", delimiter=",", skiprows=1, ndmin=2)
    densities = np.exp(log_density(fit.params, grid))
    quantities = {f"density_at_row_{i + 1}": densities[..., i] for i in range(len(grid))}
    quantities["sum_w2"] = (fit.params.weights**2).sum(-1)
    quantities["loglik"] = log_density(fit.params, bg.load_dataset(name).X).sum(-1)
    assert quantities.keys() == table.keys()
    scores = {quantity: z_score(values, *table[quantity]) for quantity, values in quantities.items()}
    assert max(map(abs, scores.values())) < Z_LIMIT, scores


def moments_of(X, z, n_components, is_diagonal):
    """Moments of labels, as the compiled algebra takes them."""
    counts, means = np.zeros(n_components), np.zeros((n_components, X.shape[1]))
    scatter = np.zeros((n_components, X.shape[1], X.shape[1]))
    for k in np.unique(z):
        Y = X[z == k]
        counts[k], means[k] = len(Y), Y.mean(0)
        scatter[k] = (Y - means[k]).T @ (Y - means[k])
    if is_diagonal:
        scatter = np.ascontiguousarray(np.diagonal(scatter, axis1=1, axis2=2))
    return conjugacy.Moments(counts, means, scatter)
