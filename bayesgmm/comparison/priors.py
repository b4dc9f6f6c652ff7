"""The prior of a resolved model made wider or narrower, and what that does to the density of draws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayesgmm.core.forms import form_of
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import NotApplicableError
from bayesgmm.families.gaussian import CovarianceStructure
from bayesgmm.models import MixtureOfFiniteMixtures, Model
from bayesgmm.priors.components import NormalInverseWishart
from bayesgmm.priors.independent import HierarchicalScale, IndependentNormalInverseWishart
from bayesgmm.priors.unknown import UNKNOWN, UnknownPrior


def with_prior(model: Model, varied: str, factor: float) -> Model:
    """The model with one constant of its prior multiplied.

    Independent means have no `mean_precision`: their covariance is divided instead.  Of an unknown scale it is the
    expectation that is multiplied.
    """
    prior: Any = model.prior
    if isinstance(prior, UnknownPrior):
        raise NotApplicableError(f"{UNKNOWN}.")
    if isinstance(prior, NormalInverseWishart):
        return replace(model, prior=replace(prior, **{varied: factor * np.asarray(getattr(prior, varied))}))
    if varied == "mean_precision":
        return replace(model, prior=replace(prior, mean_covariance=np.asarray(prior.mean_covariance) / factor))
    scale = prior.scale
    if isinstance(scale, HierarchicalScale):
        new: Any = replace(scale, rate=np.asarray(scale.rate) / factor)
    else:
        new = factor * np.asarray(scale)
    return replace(model, prior=replace(prior, scale=new))


def log_prior(model: Model, params: MixtureParams) -> np.ndarray:
    """(m,) log prior densities of (m,) mixtures, but for terms that no factor of the scale or of the precision moves.

    A component that is none (beyond K, where that is unknown) does not count: it says nothing of the data.
    """
    k, d, structure = params.n_components, params.n_features, model.covariance
    is_there = params.weights > 0 if isinstance(model, MixtureOfFiniteMixtures) else np.ones((len(params.weights), k))
    is_there = is_there.astype(float)
    offset = params.means - np.asarray(model.prior.mean)
    prior: Any = model.prior
    if isinstance(prior, NormalInverseWishart):
        factor, precision = params.precision_chol, np.asarray(prior.mean_precision, float)
        white = params.form.whiten(factor, offset)
        means = 0.5 * d * np.log(precision) - 0.5 * precision * (white**2).sum(-1)
    else:
        assert isinstance(prior, IndependentNormalInverseWishart)
        means = _independent_means(np.asarray(prior.mean_covariance), offset)
    return (is_there * means).sum(1) + _covariances(prior, structure, params, is_there)


def _independent_means(covariance: np.ndarray, offset: np.ndarray) -> np.ndarray:
    if covariance.ndim == 1:
        return -0.5 * np.log(covariance).sum() - 0.5 * (offset**2 / covariance).sum(-1)
    quadratic = np.einsum("mki,ij,mkj->mk", offset, np.linalg.inv(covariance), offset)
    return -0.5 * np.linalg.slogdet(covariance)[1] - 0.5 * quadratic


def _covariances(prior: Any, structure: CovarianceStructure, params: MixtureParams, is_there: np.ndarray) -> np.ndarray:
    """The parts of the inverse Wisharts that have the scale in them; an unknown one is integrated out."""
    shape = structure.compact_shape(params.n_components, params.n_features)
    held = np.ones((len(is_there), 1)) if structure.is_shared else is_there
    dof, form = float(prior.dof), structure.form
    precision = form.precision(structure.compact(params.precision_chol))
    if isinstance(prior.scale, HierarchicalScale):
        return _unknown_scale(prior.scale, dof, precision, held)
    scale = np.broadcast_to(np.asarray(prior.scale, float), shape)
    parts = form.total(0.5 * dof * form.log_dets(scale) - 0.5 * form.traces(scale, precision))
    return (held * parts).sum(1)


def _unknown_scale(scale: HierarchicalScale, dof: float, precision: np.ndarray, held: np.ndarray) -> np.ndarray:
    """``int Gamma(S; shape, rate) prod_k IW(Sigma_k; dof, S) dS``, a gamma integral in every structure."""
    rate, shape = np.asarray(scale.rate), float(scale.shape or 0.0)
    power = shape + 0.5 * dof * held.sum(1)
    form = form_of(rate.ndim)
    total = rate + 0.5 * (held.reshape(held.shape + (1,) * form.n_axes) * precision).sum(1)
    return shape * form.total(form.log_dets(rate)) - power * form.total(form.log_dets(total))
