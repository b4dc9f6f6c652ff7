"""The log prior density of draws, variable by variable, as `pymc_model` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import multigammaln

from bayesgmm.core.forms import DIAGONAL, TRIANGULAR
from bayesgmm.core.params import LOG_2PI, MixtureParams
from bayesgmm.errors import NotApplicableError
from bayesgmm.models import DirichletProcessMixture, MixtureOfFiniteMixtures
from bayesgmm.priors.components import NormalInverseWishart
from bayesgmm.priors.concentration import Gamma
from bayesgmm.priors.independent import HierarchicalScale
from bayesgmm.priors.weights import Dirichlet
from bayesgmm.result.estimates import Draws
from bayesgmm.result.unknowns import compact_precisions, unknowns

if TYPE_CHECKING:
    from bayesgmm.result.fit import Fit

TINY = np.finfo(float).tiny  # stands for weights that float64 has not: what they really are, it cannot tell
LOG_2 = float(np.log(2.0))


def log_prior(fit: Fit) -> dict[str, np.ndarray]:
    """(chain, draw) log densities of weights, covariances and means, and of an unknown concentration and scale.

    With respect to the weights but the last, and to the entries of one triangle of each free covariance.

    Raises
    ------
    NotApplicableError
        The prior is not known, or the number of variables differs between draws.
    """
    if isinstance(fit.model, MixtureOfFiniteMixtures):
        raise NotApplicableError(
            "the draws of a MixtureOfFiniteMixtures differ in how many components they have, so their prior densities "
            "are of different dimensions and cannot be set side by side."
        )
    model: Any = fit.model
    model.conjugate()  # refuses a prior that is not known
    draws, beside = fit.estimate.draws(), unknowns(fit)
    as_drawn = fit.estimate.as_drawn() if isinstance(fit.estimate, Draws) else draws
    found = {"weights": _weights(model, as_drawn.weights, beside.get("concentration"))}
    if "concentration" in beside:
        found["concentration"] = model.concentration.log_density(beside["concentration"])
    if "scale" in beside:
        found["scale"] = _scale(model.prior.scale, beside["scale"])
    return found | {
        "covariances": _covariances(model, as_drawn, beside.get("scale")),
        "means": _means(model, as_drawn),
    }


def _weights(model: Any, weights: np.ndarray, concentration: np.ndarray | None) -> np.ndarray:
    if isinstance(model, DirichletProcessMixture):
        known: Any = model.concentration
        alpha = np.broadcast_to(known, weights.shape[:-1]) if concentration is None else concentration
        return _sticks(weights, alpha[..., None])
    law: Dirichlet = model.weights
    excess = np.asarray(law.concentration) - 1.0
    return (excess * np.log(np.maximum(weights, TINY))).sum(-1) - law.log_partition()


def _sticks(weights: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Of weights whose sticks are Beta(1, alpha), each stick by its log odds, in which small ones keep their digits."""
    beyond = np.maximum(np.cumsum(weights[..., ::-1], -1)[..., ::-1][..., 1:], TINY)
    log_odds = np.log(np.maximum(weights[..., :-1], TINY)) - np.log(beyond)
    minus_log_left = np.logaddexp(0.0, log_odds)  # of the stick that is broken, -log(1 - v)
    before = np.cumsum(minus_log_left, -1) - minus_log_left
    return (np.log(alpha) + (1.0 - alpha) * minus_log_left + before).sum(-1)


def _covariances(model: Any, draws: MixtureParams, scale: np.ndarray | None) -> np.ndarray:
    """Inverse Wisharts, or inverse gammas for each entry of a diagonal structure."""
    structure = model.covariance
    conjugate = model.prior.conjugate(structure, draws.n_components)
    if scale is None:
        scales = conjugate.scale
    else:  # of every draw one for all rows
        scales = scale.reshape(*draws.draw_shape, 1, *conjugate.scale.shape[1:])
    return INVERSE_WISHARTS[structure.form](conjugate.dof, scales, compact_precisions(draws, structure))


def _inverse_gammas(dof: np.ndarray, scales: np.ndarray, precision: np.ndarray) -> np.ndarray:
    half, rate = 0.5 * dof[:, None], 0.5 * scales
    entries = half * np.log(rate) - multigammaln_of(half, 1) + (half + 1.0) * np.log(precision) - rate * precision
    return entries.sum((-2, -1))


def _inverse_wisharts(dof: np.ndarray, scales: np.ndarray, precision: np.ndarray) -> np.ndarray:
    log_det, d = np.linalg.slogdet(precision)[1], precision.shape[-1]
    trace = (scales * precision).sum((-2, -1))
    half = 0.5 * dof
    rows = half * (np.linalg.slogdet(scales)[1] - d * LOG_2) - multigammaln_of(half, d)
    return (rows + (half + 0.5 * (d + 1)) * log_det - 0.5 * trace).sum(-1)


INVERSE_WISHARTS = {TRIANGULAR: _inverse_wisharts, DIAGONAL: _inverse_gammas}


def multigammaln_of(values: np.ndarray, order: int) -> np.ndarray:
    """SciPy's takes one number."""
    return np.vectorize(lambda value: float(multigammaln(value, order)))(values)


def _means(model: Any, draws: MixtureParams) -> np.ndarray:
    prior: Any = model.prior
    conjugate = prior.conjugate(model.covariance, draws.n_components)
    offset, form = draws.means - conjugate.mean, draws.form
    if not isinstance(prior, NormalInverseWishart):
        factor = form.factor(np.asarray(prior.mean_covariance, float)[None])[0]
        white = form.times(offset, factor)
        return (np.log(form.diagonal(factor)) - 0.5 * white**2 - 0.5 * LOG_2PI).sum((-2, -1))
    factor, precision = draws.precision_chol, conjugate.mean_precision[:, None]
    white = form.whiten(factor, offset)
    return (np.log(form.diagonal(factor)) + 0.5 * (np.log(precision) - LOG_2PI - precision * white**2)).sum((-2, -1))


def _scale(law: HierarchicalScale, scale: np.ndarray) -> np.ndarray:
    """A Wishart, or independent gammas."""
    rate, shape = np.asarray(law.rate), float(law.shape or 0.0)
    if rate.ndim == 1:
        values = scale.reshape(*scale.shape[:2], len(rate))
        return Gamma(shape, 1.0).log_density(values * rate).sum(-1) + np.log(rate).sum()
    d = len(rate)
    half = 0.5 * (d + 1)
    constant = shape * np.linalg.slogdet(rate)[1] - float(multigammaln(shape, d))
    return constant + (shape - half) * np.linalg.slogdet(scale)[1] - np.einsum("ij,...ji->...", rate, scale)
