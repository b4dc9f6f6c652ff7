"""Starts: a hard assignment of the points, found in whitened coordinates, and its statistics.

Distances are measured after whitening by the data's spread within the structure's own group, so a change
of units changes nothing.  K-means is the package's own hard sweep with the whitening as every component's
factor: no copy of the data, and the same bits on any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayesgmm.core.covariance import CovarianceStructure
from bayesgmm.core.density import log_joint
from bayesgmm.core.maximise import moments
from bayesgmm.core.params import ComponentScores, MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.sweep import Assign, sweep
from bayesgmm.data import DataMatrix
from bayesgmm.errors import ArgumentError
from bayesgmm.models import GaussianMixture, check_spread, is_singular

KMEANS_MAX_ITER = 100
KMEANS_TOL = 1e-6  # relative change of the inertia; a start need not be better

Centers = Callable[[np.ndarray, np.ndarray, int, np.random.Generator], np.ndarray]


def whitening_of(model: GaussianMixture, data: DataMatrix) -> np.ndarray:
    """Precision factor of the data's spread within the structure's group, (D, D) or (D,).

    Where the spread is singular the resolved prior's scale stands in for it.
    """
    structure, n_features = model.covariance, data.values.shape[1]
    _, spread = moments(data.values, structure.is_diagonal)
    if is_singular(structure, spread):
        compact = np.broadcast_to(np.asarray(model.prior.scale), structure.compact_shape(1, n_features))
        spread = structure.expand(compact, 1, n_features)[0]
    return structure.whitening(spread)


def strict_whitening(model: GaussianMixture, data: DataMatrix) -> np.ndarray:
    """As `whitening_of`, but a singular spread is an error: maximum likelihood has no prior to lean on."""
    _, spread = moments(data.values, model.covariance.is_diagonal)
    check_spread(model.covariance, spread, data)
    return model.covariance.whitening(spread)


def start(
    X: np.ndarray,
    structure: CovarianceStructure,
    whitening: np.ndarray,
    n_components: int,
    init: str,
    rng: np.random.Generator,
) -> SufficientStatistics:
    """Statistics of one hard starting assignment."""
    centers = CENTERS[init](X, whitening, n_components, rng)
    return sweep(X, _distances(centers, whitening), Assign.HARD)


def check_init(init: str | MixtureParams) -> None:
    """Raise an ArgumentError where ``init=`` is not one of the starts."""
    if not isinstance(init, MixtureParams) and init not in CENTERS:
        names = ", ".join(repr(name) for name in CENTERS)
        raise ArgumentError(f"init={init!r} must be one of {names}, or a MixtureParams.")


def check_given(init: MixtureParams, model: GaussianMixture, n_features: int) -> MixtureParams:
    """The given start in the structure's own form; an ArgumentError where it does not fit the model."""
    k, structure = model.n_components, model.covariance
    if init.draw_shape or (init.n_components, init.n_features) != (k, n_features):
        raise ArgumentError(
            f"init has {init.n_components} components of {init.n_features} features"
            f"{' and draws' if init.draw_shape else ''}; the model and the data need one mixture of {k} and {n_features}."
        )
    if (init.weights <= 0).any():
        raise ArgumentError("init has a weight of zero, from which no method can move away; give positive weights.")
    factor = init.precision_chol
    if structure.is_diagonal and not init.is_diagonal:
        diagonal = np.diagonal(factor, axis1=1, axis2=2)
        if np.triu(factor, 1).any():
            raise ArgumentError(f"init has correlated covariances, and covariance={structure.name!r} has none.")
        factor = np.ascontiguousarray(diagonal)
    elif init.is_diagonal and not structure.is_diagonal:
        factor = factor[:, :, None] * np.eye(n_features)
    return MixtureParams.trusted(init.weights, init.means, np.ascontiguousarray(factor))


def _distances(centers: np.ndarray, whitening: np.ndarray) -> ComponentScores:
    """Scores whose value is -1/2 the squared whitened distance to each centre."""
    factors = np.ascontiguousarray(np.broadcast_to(whitening, (len(centers), *whitening.shape)))
    return ComponentScores(np.zeros(len(centers)), np.ascontiguousarray(centers, float), factors)


def _random(X: np.ndarray, whitening: np.ndarray, n_components: int, rng: np.random.Generator) -> np.ndarray:
    """K random points, different ones where the data have so many."""
    order = rng.permutation(len(X))
    chosen: list[int] = []
    for row in order:
        if not any(np.array_equal(X[row], X[other]) for other in chosen):
            chosen.append(row)
        if len(chosen) == n_components:
            return X[chosen]
    return X[chosen + list(order[: n_components - len(chosen)])]


def _kmeans_plus_plus(X: np.ndarray, whitening: np.ndarray, n_components: int, rng: np.random.Generator) -> np.ndarray:
    """Points drawn in proportion to their squared distance, the best of a few candidates each time.

    Arthur and Vassilvitskii (2007), SODA, 1027-1035.
    """
    n_candidates = 2 + int(np.log(n_components))
    centers = X[[rng.integers(len(X))]]
    nearest = -log_joint(_distances(centers, whitening), X)[:, 0]
    while len(centers) < n_components:
        cumulative = np.cumsum(nearest)
        if cumulative[-1] > 0:
            rows = np.searchsorted(cumulative, rng.random(n_candidates) * cumulative[-1], side="right")
            rows = np.minimum(rows, len(X) - 1)
        else:  # fewer different points than components
            rows = rng.integers(len(X), size=n_candidates)
        distances = np.minimum(nearest[:, None], -log_joint(_distances(X[rows], whitening), X))
        best = distances.sum(0).argmin()
        centers, nearest = np.vstack([centers, X[[rows[best]]]]), distances[:, best]
    return centers


def _kmeans(X: np.ndarray, whitening: np.ndarray, n_components: int, rng: np.random.Generator) -> np.ndarray:
    """Lloyd's iterations from k-means++."""
    centers, inertia = _kmeans_plus_plus(X, whitening, n_components, rng), np.inf
    for _ in range(KMEANS_MAX_ITER):
        stats = sweep(X, _distances(centers, whitening), Assign.HARD)
        centers, previous, inertia = stats.means(), inertia, -stats.log_likelihood
        if previous - inertia <= KMEANS_TOL * inertia:
            break
    return centers


CENTERS: dict[str, Centers] = {"kmeans": _kmeans, "kmeans++": _kmeans_plus_plus, "random": _random}
