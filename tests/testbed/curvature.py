"""Standard errors of a mixture by another route: plain formulas in the parameters themselves, complex steps."""

import numpy as np

STEP = 1e-30  # of complex steps, which have no rounding
DIFFERENCE = 1e-5  # of central differences of an exact gradient


def free_matrix(structure, k, d):
    """Covariances (K, D, D) as a linear map of their free entries: (K, D, D, free)."""
    rows = 1 if structure in ("tied", "shared_diagonal", "isotropic") else k
    if structure in ("full", "tied"):
        patterns = [np.eye(d)[[i]].T @ np.eye(d)[[j]] for i in range(d) for j in range(i + 1)]
        patterns = [np.maximum(p, p.T) for p in patterns]
    elif structure in ("diagonal", "shared_diagonal"):
        patterns = [np.diag(np.eye(d)[i]) for i in range(d)]
    else:
        patterns = [np.eye(d)]
    out = np.zeros((k, d, d, rows * len(patterns)))
    for c in range(k):
        for p, pattern in enumerate(patterns):
            out[c, :, :, (c if rows > 1 else 0) * len(patterns) + p] = pattern
    return out


def unpack(theta, k, d, design):
    weights = np.append(theta[: k - 1], 1.0 - theta[: k - 1].sum())
    return weights, theta[k - 1 : k - 1 + k * d].reshape(k, d), design @ theta[k - 1 + k * d :]


def pack(params, design):
    k, d = params.means.shape
    covariances = np.linalg.lstsq(design.reshape(-1, design.shape[-1]), params.covariances.ravel(), rcond=None)[0]
    return np.concatenate([params.weights[:-1], params.means.ravel(), covariances])


def log_likelihood(theta, X, k, d, design):
    weights, means, covariances = unpack(theta, k, d, design)
    joint = np.empty((len(X), k), complex)
    for c in range(k):
        offset = X - means[c]
        square = (offset @ np.linalg.inv(covariances[c]) * offset).sum(1)
        joint[:, c] = np.log(weights[c]) - 0.5 * (
            d * np.log(2 * np.pi) + np.log(np.linalg.det(covariances[c])) + square
        )
    top = joint.real.max(1, keepdims=True)
    return (np.log(np.exp(joint - top).sum(1)) + top[:, 0]).sum()


def log_prior(theta, model, k, d, design):
    """Of (weights, means, covariances), without constants; the default priors' form for each structure."""
    weights, means, covariances = unpack(theta, k, d, design)
    structure = model.covariance.name
    value = ((np.asarray(model.weights.concentration) - 1.0) * np.log(weights)).sum()
    prior = model.prior
    kappa = np.broadcast_to(prior.mean_precision, (k,))
    center = np.broadcast_to(np.asarray(prior.mean), (k, d))
    for c in range(k):
        inverse, offset = np.linalg.inv(covariances[c]), means[c] - center[c]
        value += -0.5 * np.log(np.linalg.det(covariances[c])) - 0.5 * kappa[c] * (offset @ inverse @ offset)
    for c in range(1 if structure in ("tied", "shared_diagonal", "isotropic") else k):
        if structure in ("full", "tied"):
            value += -0.5 * (prior.dof + d + 1) * np.log(np.linalg.det(covariances[c]))
            value += -0.5 * np.trace(np.asarray(prior.scale).reshape(-1, d, d)[0] @ np.linalg.inv(covariances[c]))
        else:
            entries = np.diagonal(covariances[c])[: 1 if structure in ("spherical", "isotropic") else d]
            scale = np.broadcast_to(np.ravel(prior.scale), (len(entries),))
            value += (-(0.5 * prior.dof + 1) * np.log(entries) - 0.5 * scale / entries).sum()
    return value


def covariance_of_estimates(fit, with_prior):
    """Inverse of minus the Hessian in (weights but the last, means, free covariance entries), and the design."""
    k, d = fit.params.means.shape
    design = free_matrix(fit.model.covariance.name, k, d)
    theta = pack(fit.params, design)

    def value(t):
        found = log_likelihood(t, np.asarray(fit.X, float), k, d, design)
        return found + log_prior(t, fit.model, k, d, design) if with_prior else found

    def gradient(t):
        return np.array([value(t + 1j * STEP * e).imag / STEP for e in np.eye(len(t))])

    size = np.maximum(np.abs(theta), 1.0) * DIFFERENCE
    rows = [
        (gradient(theta + h * e) - gradient(theta - h * e)) / (2 * h)
        for h, e in zip(size, np.eye(len(theta)), strict=True)
    ]
    hessian = np.array(rows)
    return np.linalg.inv(-0.5 * (hessian + hessian.T)), design


def standard_errors(fit, with_prior):
    """By name as in the table: weights, means, variances and covariances, and sd and correlations by hand."""
    k, d = fit.params.means.shape
    V, design = covariance_of_estimates(fit, with_prior)
    names, errors = fit.feature_names, {}
    of_weights, of_covariances = V[: k - 1, : k - 1], V[k - 1 + k * d :, k - 1 + k * d :]
    for c in range(k):
        errors[f"weight[{c}]"] = np.sqrt(of_weights[c, c] if c < k - 1 else of_weights.sum())
        S = fit.params.covariances[c]
        for i in range(d):
            at = k - 1 + c * d + i
            errors[f"mean[{c}, {names[i]}]"] = np.sqrt(V[at, at])
            slope = design[c, i, i]
            errors[f"variance[{c}, {names[i]}]"] = np.sqrt(slope @ of_covariances @ slope)
            errors[f"sd[{c}, {names[i]}]"] = np.sqrt(slope @ of_covariances @ slope) / (2 * np.sqrt(S[i, i]))
            for j in range(i):
                slope = design[c, i, j]
                errors[f"covariance[{c}, {names[j]}, {names[i]}]"] = np.sqrt(slope @ of_covariances @ slope)
                r = S[i, j] / np.sqrt(S[i, i] * S[j, j])
                slope = design[c, i, j] / np.sqrt(S[i, i] * S[j, j]) - 0.5 * r * (
                    design[c, i, i] / S[i, i] + design[c, j, j] / S[j, j]
                )
                errors[f"correlation[{c}, {names[j]}, {names[i]}]"] = np.sqrt(slope @ of_covariances @ slope)
    return errors
