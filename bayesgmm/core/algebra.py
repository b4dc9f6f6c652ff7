"""Some columns of elliptical components, alone or given the others: what Gaussian and Student-t mixtures share.

With ``inv(Sigma) = P P^T`` and the given columns first, ``P^T (x - mean)`` begins with the standardised offsets of the
given columns, and its other entries are zero at the conditional mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesgmm.core.forms import form_of
from bayesgmm.errors import ArgumentError


@dataclass(frozen=True, eq=False)
class Conditional:
    """Components (..., K) at given values of some columns.

    Parameters
    ----------
    means : (..., K, D) array
        Of the other columns.
    factor : (..., K, D, D) or (..., K, D) array
        Precision factors of theirs, which do not depend on the values.
    standardised : (..., K, G) array
        ``P^T (x - mean)`` of the given columns.
    log_scale : (..., K) array
        Log determinant of P, of the given columns.
    """

    means: np.ndarray
    factor: np.ndarray
    standardised: np.ndarray
    log_scale: np.ndarray

    @property
    def distance(self) -> np.ndarray:
        """(..., K) squared distances of the values from the components."""
        with np.errstate(over="ignore"):  # farther than float64 reaches is infinitely far
            return (self.standardised**2).sum(-1)


def marginal(means: np.ndarray, factor: np.ndarray, columns: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Means and precision factors of some columns, in their order."""
    order = list(columns)
    return means[..., order], form_of(factor.ndim - means.ndim + 1).restricted(factor, order)


def conditional(means: np.ndarray, factor: np.ndarray, given: Sequence[int], values: np.ndarray) -> Conditional:
    """The components where the columns `given` have these values; the other columns keep their order."""
    form, m = form_of(factor.ndim - means.ndim + 1), len(given)
    order = [*given, *(j for j in range(means.shape[-1]) if j not in given)]
    means, factor = means[..., order], form.restricted(factor, order)
    offset = np.zeros(means.shape)
    offset[..., :m] = values - means[..., :m]
    white, own = form.whiten(factor, offset), form.trailing(factor, m)
    shift = form.unwhiten(own, white[..., m:])
    log_scale = np.log(form.diagonal(factor)[..., :m]).sum(-1)
    return Conditional(means[..., m:] - shift, own, white[..., :m], log_scale)


def shares(log_weights: np.ndarray) -> np.ndarray:
    """(..., K) weights in proportion to the exponentials.

    Raises
    ------
    ArgumentError
        All are zero: the given values are out of reach of every component.
    """
    top = log_weights.max(-1, keepdims=True)
    if not np.isfinite(top).all():
        raise ArgumentError(
            "given= lies so far from every component that its squared distance leaves the range of float64: there is "
            "no distribution of the other columns."
        )
    weights = np.exp(log_weights - top)
    return weights / weights.sum(-1, keepdims=True)
