"""Starts: the statistics of a first assignment of the points, found in whitened coordinates.

Distances are measured after whitening by the data's spread within the structure's own group, so a change
of units changes nothing.  `init=` names one kind of start, or the portfolio of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bayesgmm.core.params import MixtureParams
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.core.sweep import Assign
from bayesgmm.errors import ArgumentError, shown
from bayesgmm.families.gaussian import CovarianceStructure
from bayesgmm.methods.climbing.known_components import named
from bayesgmm.methods.climbing.portfolio import Ground, Kind, Parts, in_turn
from bayesgmm.models import Model, check_rows, check_spread, moments_of
from bayesgmm.rows import Rows
from bayesgmm.rows.kmeans import kmeans, kmeans_plus_plus, whitened_distances

BLOCK_ROWS = 4096  # that are compared with the points chosen so far at a time

Centers = Callable[[Rows, np.ndarray, int, np.random.Generator], np.ndarray]


def strict_whitening(model: Model, data: Rows) -> np.ndarray:
    """As `models.whitening_of`, but a singular spread is an error: maximum likelihood has no prior to lean on."""
    check_rows(model.covariance, data)
    _, spread = moments_of(data, model.covariance.form)
    check_spread(model.covariance, spread, data)
    return model.covariance.whitening(spread)


def start(
    rows: Rows,
    structure: CovarianceStructure,
    whitening: np.ndarray,
    n_components: int,
    init: str,
    rng: np.random.Generator,
    number: int = 0,
) -> SufficientStatistics:
    """Statistics of one start; a truncation may exceed the points, and leaves components empty."""
    return next(starts(rows, structure, whitening, n_components, init, rng, number))


def starts(
    rows: Rows,
    structure: CovarianceStructure,
    whitening: np.ndarray,
    n_components: int,
    init: str,
    rng: np.random.Generator,
    number: int = 0,
) -> Iterator[SufficientStatistics]:
    """Statistics of one start after the other, without end; those of a portfolio differ in kind.

    `number` is that of the first one, by which what is known of rows has a part in it or not.
    """
    made = in_turn(KINDS[init], Ground(rows.unrestricted(), structure, whitening, n_components), rng)
    if not rows.is_restricted:
        return made
    return named(made, rows, whitening, number)


def has_one_optimum(rows: Rows, n_components: int) -> bool:
    """Whether every row can be of one component only: of the single one, or of that which its label names."""
    if n_components == 1:
        return True
    classes, allowed = rows.facts.classes, rows.facts.allowed
    return len(classes) > 0 and bool((classes >= 0).all() and ((allowed > -np.inf).sum(1) == 1).all())


def check_init(init: str | MixtureParams) -> None:
    """Raise an ArgumentError where ``init=`` is not one of the starts."""
    if not isinstance(init, MixtureParams) and not (isinstance(init, str) and init in KINDS):
        names = ", ".join(repr(name) for name in KINDS)
        raise ArgumentError(f"init={shown(init)} must be one of {names}, or a MixtureParams.")


def check_given(init: MixtureParams, model: Model, n_features: int) -> MixtureParams:
    """The given start in the structure's own form; an ArgumentError where it does not fit the model."""
    k, structure = model.n_components, model.covariance
    if init.draw_shape or (init.n_components, init.n_features) != (k, n_features):
        raise ArgumentError(
            f"init has {init.n_components} components of {init.n_features} features"
            f"{' and draws' if init.draw_shape else ''}; the model and the data need one mixture of {k} components of "
            f"{n_features} features."
        )
    factor = init.precision_chol
    if init.form is not structure.form:
        if not init.form.has_no_upper(factor):
            raise ArgumentError(f"init has correlated covariances, and covariance={structure.name!r} has none.")
        factor = structure.form.of_diagonal(init.form.diagonal(factor))
    expanded = structure.agreeing(factor)
    if not np.allclose(factor, expanded, rtol=1e-6, atol=1e-6 * np.abs(factor).max()):  # rounding and printing
        raise ArgumentError(f"init has {structure.disagreement}.")
    return MixtureParams.trusted(init.weights, init.means, expanded)


def _random(rows: Rows, whitening: np.ndarray, n_components: int, rng: np.random.Generator) -> np.ndarray:
    """K random points, different ones where the data have so many."""
    X, order = rows.values, _in_random_order(rows, rng)
    chosen: list[int] = []
    for begin in range(0, len(X), BLOCK_ROWS):
        block = order[begin : begin + BLOCK_ROWS]
        for row in chosen:
            block = block[(X[block] != X[row]).any(1)]
        while len(block) and len(chosen) < n_components:
            chosen.append(int(block[0]))
            block = block[(X[block] != X[block[0]]).any(1)]
        if len(chosen) == n_components:
            return X[chosen]
    return X[chosen + list(order[: n_components - len(chosen)])]


def _in_random_order(rows: Rows, rng: np.random.Generator) -> np.ndarray:
    """All rows, one after the other drawn in proportion to their weights (Efraimidis and Spirakis, 2006)."""
    weights = rows.facts.weights
    if not len(weights):
        return rng.permutation(len(rows))
    return np.argsort(rng.exponential(size=len(rows)) / weights, kind="stable")


def _start_of(centers: Centers) -> Kind:
    """A start that is a hard assignment of the points to centres."""

    def kind(ground: Ground, rng: np.random.Generator) -> SufficientStatistics:
        rows, whitening, k = ground.rows, ground.whitening, ground.n_components
        found = centers(rows, whitening, min(k, len(rows)), rng)
        return rows.sweep(whitened_distances(found, whitening), Assign.HARD).padded(k)

    return kind


CENTERS: dict[str, Centers] = {"kmeans": kmeans, "kmeans++": kmeans_plus_plus, "random": _random}
KINDS: dict[str, tuple[Kind, ...]] = {name: (_start_of(centers),) for name, centers in CENTERS.items()}
# The first ones matter most, as n_init may be small.  The last ones are for optima with a few points in a component.
KINDS["portfolio"] = (
    Parts(4, is_climbed=True),
    Parts(8, is_climbed=False),
    *KINDS["kmeans++"],
    Parts(1, is_climbed=True),
    Parts(4, is_climbed=True, has_own_covariances=False),
    *KINDS["random"],
    *KINDS["kmeans"],
    Parts(2, is_climbed=True),
    *KINDS["random"],
    *KINDS["random"],
)
