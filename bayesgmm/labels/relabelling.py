"""`relabel`: draws whose components mean the same in every draw."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.checks import whole_number
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import ArgumentError, NotApplicableError, shown
from bayesgmm.labels.ambiguity import ambiguity
from bayesgmm.labels.arrays import checked_pivot, method_named
from bayesgmm.labels.features import component_features
from bayesgmm.labels.memberships import Memberships, from_allocations, from_draws, restricted, sampled_allocations
from bayesgmm.labels.relabel_input import Material
from bayesgmm.result.alignment import Alignment
from bayesgmm.result.approximation import ApproximateDraws
from bayesgmm.result.estimates import Draws, Estimate
from bayesgmm.result.fit import Fit
from bayesgmm.result.occupancy import is_sparse
from bayesgmm.result.own_data import own_rows
from bayesgmm.result.status import Status


def relabel(fit: Fit, method: str = "ecr", *, pivot: int | ArrayLike | None = None, max_iter: int = 100) -> Fit:
    """A fit whose draws have their components in one order, and what is known of how sure that order is.

    Components are numbered by decreasing mean weight.  Nothing that does not depend on labels changes.  Where rows had
    labels, components change places only with those of their own class, and keep its numbers.

    Where the prior expects empty components (a Dirichlet process, an unknown number of components, a concentration
    below 1), labels are drawn for the points given each draw's parameters, and the components that hold a point are
    matched to the clusters of a reference partition by the points that they share.  The others are left out of
    `summary`, which then says in how many draws each component is occupied.

    Parameters
    ----------
    fit : Fit
        With draws and its data.
    method : {"ecr", "ecr-iterative", "stephens", "pra", "data-based"}
        As in `bayesgmm.labels.permutations`.  The memberships are the responsibilities, or the labels that are drawn
        where components may be empty.
    pivot : int or (n,) array of int, optional
        A draw, counted through the chains one after the other, or a label for each point.
    max_iter : int

    Returns
    -------
    Fit
        ``fit.estimate.alignment`` is an `Alignment` with the ambiguity per draw, per component and overall; the status
        says it in a sentence.  `summary`, `responsibilities` and `predict` answer.

    Raises
    ------
    NotApplicableError
        The fit has no draws, its components are aligned by their nature, or is without its data.
    ArgumentError
        An argument cannot be used.

    Warns
    -----
    NotConvergedWarning
        Labels still change after `max_iter` passes.
    """
    _check_fit(fit)
    chosen, passes, estimate = method_named(method), whole_number(max_iter, "max_iter"), fit.estimate
    rows = fit.whole
    flat, shape = _flat(estimate)
    n_draws = int(np.prod(shape))
    k = flat.n_components
    checked = checked_pivot(pivot, n_draws, len(rows), k)
    soft = from_draws(flat, rows)
    hard, is_occupied = None, np.ones((len(flat.weights), k), bool)
    if is_sparse(fit):
        hard, is_occupied = _drawn(soft, fit.seed)
        soft = restricted(soft, is_occupied)
    features = np.where(is_occupied[..., None], component_features(flat), np.nan)
    material = Material(soft, hard, features, rows.values, checked, passes)
    orders = _numbered(flat, chosen.orders(material), is_occupied, rows.named_groups(k))
    aligned, is_occupied = flat.permuted(orders), np.take_along_axis(is_occupied, orders, 1)
    whole, parts = ambiguity(aligned[:n_draws], is_occupied[:n_draws], rows.named_groups(k))
    alignment = Alignment(
        method,
        *(array.reshape(*shape, *array.shape[1:]) for array in (orders[:n_draws], whole, parts, is_occupied[:n_draws])),
    )
    return replace(fit, estimate=_rebuilt(estimate, aligned, alignment), status=_told(fit, alignment))


def _check_fit(fit: Any) -> None:
    if not isinstance(fit, Fit):
        raise ArgumentError(
            f"fit={shown(fit)} must be a Fit; for arrays there is bg.labels.permutations(responsibilities)."
        )
    if fit.kind == "point":
        raise NotApplicableError(
            "a point fit is one mixture: there is nothing that its components could be aligned with."
        )
    if fit.kind == "none":
        _ = fit.params  # raises with the reason of the failure
    if fit.kind == "stacked":
        _ = fit.params  # raises with the reason
    if isinstance(fit.estimate, Draws) and fit.estimate.is_identified:
        raise NotApplicableError("labels or offsets of rows tell the components apart: they have one order already.")
    if fit.estimate.is_aligned and not isinstance(fit.estimate, (Draws, ApproximateDraws)):
        raise NotApplicableError("the components of a variational posterior have one order already.")
    if isinstance(fit.estimate, ApproximateDraws) and fit.estimate.is_aligned and fit.estimate.alignment is None:
        raise NotApplicableError("this approximation has one mode, in which the components have one order already.")
    own_rows(fit, "say which components are alike")
    fit.check_data()


def _flat(estimate: Estimate) -> tuple[MixtureParams, tuple[int, ...]]:
    """All draws as they were drawn, chains end to end, and their shape; last the centre of an approximation."""
    if isinstance(estimate, Draws):
        drawn = estimate.as_drawn()
        return drawn.reshaped(-1), drawn.draw_shape
    assert isinstance(estimate, ApproximateDraws)
    sampled = estimate.sampled.reshaped(-1)
    pairs = ((getattr(sampled, name), getattr(estimate.center, name)) for name in MixtureParams.__slots__)
    stacked = (np.concatenate([many, one[None]]) for many, one in pairs)
    return MixtureParams.trusted(*stacked), estimate.sampled.draw_shape


def _drawn(soft: Memberships, seed: int) -> tuple[Memberships, np.ndarray]:
    """Labels drawn for the points, and which components hold one."""
    labels = sampled_allocations(soft, seed)
    is_occupied = np.zeros((soft.n_draws, soft.n_components), bool)
    is_occupied[np.arange(soft.n_draws)[:, None], labels] = True
    return replace(from_allocations(labels, soft.n_components), groups=soft.groups), is_occupied


def _numbered(flat: MixtureParams, orders: np.ndarray, is_occupied: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The same orders, with the components of each group renumbered by decreasing mean weight, 0 of an empty one."""
    weights = np.take_along_axis(flat.weights * is_occupied, orders, 1).mean(0)
    numbers = np.arange(len(groups))
    for group in np.unique(groups):
        places = np.flatnonzero(groups == group)
        numbers[places] = places[np.argsort(-weights[places], kind="stable")]
    return orders[:, numbers]


def _rebuilt(estimate: Estimate, aligned: MixtureParams, alignment: Alignment) -> Estimate:
    if isinstance(estimate, Draws):
        return replace(estimate, params=aligned.reshaped(*alignment.draws.shape), alignment=alignment)
    assert isinstance(estimate, ApproximateDraws)
    sampled = aligned[:-1].reshaped(*alignment.draws.shape)
    return replace(estimate, center=aligned[-1], sampled=sampled, is_aligned=True, alignment=alignment)


MARK = " Labels aligned by "


def _told(fit: Fit, alignment: Alignment) -> Status:
    """The fit's status with a sentence on the alignment, in place of one on an earlier alignment."""
    per_component = alignment.per_component
    worst = int(np.nanargmax(per_component))
    sentence = (
        f"{MARK}{alignment.method}: ambiguity {alignment.overall:.2g}, at most {per_component[worst]:.2g} (component "
        f"{worst})."
    )
    return Status(fit.status.outcome, fit.status.sentence.partition(MARK)[0] + sentence)
