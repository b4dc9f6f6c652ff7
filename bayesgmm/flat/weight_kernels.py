"""Compiled weights of the flat posterior, their prior and its gradient: a simplex, or broken sticks.

The free coordinates are those of `ppl.weights`.  `law` holds its `constants`: the kind, and the shape and rate of
the concentration's prior or the concentration itself.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.core.kernels.compilation import jit
from bayesgmm.flat.weights import DIRICHLET, GAMMA_STICKS


@jit
def n_free(n_components, law):
    """Number of coordinates."""
    return n_components if law[0] == GAMMA_STICKS else n_components - 1


@jit
def log_weights_of(x, n_components, law):
    """(K,) log weights."""
    if law[0] == DIRICHLET:
        return log_simplex(x, n_components)
    return log_sticks(x, n_components, law)


@jit
def add_weights(x, law, concentration, log_weights, counts, gradient):
    """Log density of the weights with their transform's Jacobian; adds the gradient of all terms in them."""
    if law[0] == DIRICHLET:
        return add_log_weights(concentration, log_weights, counts, gradient)
    return add_sticks(x, law, counts, gradient)


@jit
def log_simplex(x, n_components):
    """Log weights under PyMC's simplex transform: the log softmax of (x, -sum x)."""
    log_weights = np.zeros(n_components)
    for k in range(n_components - 1):
        log_weights[k] = x[k]
        log_weights[n_components - 1] -= x[k]
    top, total = log_weights[0], 0.0
    for k in range(1, n_components):
        top = max(top, log_weights[k])
    for k in range(n_components):
        total += np.exp(log_weights[k] - top)
    for k in range(n_components):
        log_weights[k] -= top + np.log(total)
    return log_weights


@jit
def add_log_weights(concentration, log_weights, counts, gradient):
    """Log density of the weights with their transform's Jacobian, and the gradient of all terms in them."""
    value, total, last = 0.0, 0.0, len(log_weights) - 1
    for k in range(last + 1):
        value += concentration[k] * log_weights[k]
        total += concentration[k] + counts[k]
    end = concentration[last] + counts[last] - total * np.exp(log_weights[last])
    for k in range(last):
        gradient[k] += concentration[k] + counts[k] - total * np.exp(log_weights[k]) - end
    return value


@jit
def log_broken(odds):
    """Log of the fraction of a stick that is broken off, from its log odds."""
    return -np.log1p(np.exp(-odds)) if odds > 0.0 else odds - np.log1p(np.exp(odds))


@jit
def log_sticks(x, n_components, law):
    """(K,) log weights from the log odds of the sticks."""
    log_weights, left, at = np.empty(n_components), 0.0, n_free(n_components, law) - (n_components - 1)
    for k in range(n_components - 1):
        log_weights[k] = left + log_broken(x[at + k])
        left += log_broken(-x[at + k])
    log_weights[n_components - 1] = left
    return log_weights


@jit
def add_sticks(x, law, counts, gradient):
    """The sticks' part of `add_weights`."""
    last = len(counts) - 1
    at = n_free(len(counts), law) - last
    alpha = np.exp(x[0]) if at else law[1]
    value, total, beyond = last * np.log(alpha), 0.0, counts[last]
    for k in range(last - 1, -1, -1):
        log_first, log_left = log_broken(x[at + k]), log_broken(-x[at + k])
        value += log_first + alpha * log_left
        total += log_left
        gradient[at + k] += (counts[k] + 1.0) * np.exp(log_left) - (beyond + alpha) * np.exp(log_first)
        beyond += counts[k]
    if at:
        value += law[1] * x[0] - law[2] * alpha
        gradient[0] += last + alpha * total + law[1] - law[2] * alpha
    return value
