"""What a prior leaves unknown besides the mixture, as posterior draws: a concentration, a scale of the covariances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm.core.params import MixtureParams
from bayesgmm.families.gaussian import CovarianceStructure
from bayesgmm.models import DirichletProcessMixture, GaussianMixture
from bayesgmm.priors.concentration import Gamma
from bayesgmm.priors.independent import HierarchicalScale
from bayesgmm.result.estimates import VB_DRAWS, Draws, VariationalPosterior

if TYPE_CHECKING:
    from bayesgmm.result.fit import Fit


def unknowns(fit: Fit) -> dict[str, np.ndarray]:
    """Arrays with axes (chain, draw), by the names that `pymc_model` gives them.

    What the fit keeps is taken; what it does not is drawn here given the mixtures, so from its posterior too.
    """
    if not isinstance(fit.model, (GaussianMixture, DirichletProcessMixture)):
        return {}
    found, draws = {}, fit.estimate.draws()
    if isinstance(fit.model, DirichletProcessMixture) and isinstance(fit.model.concentration, Gamma):
        found["concentration"] = concentrations(fit, fit.model, draws).reshape(draws.draw_shape)
    scale = getattr(fit.model.prior, "scale", None)
    if isinstance(scale, HierarchicalScale):
        found["scale"] = _scales(fit, scale, draws)
    return found


def concentrations(fit: Fit, model: DirichletProcessMixture, draws: MixtureParams) -> np.ndarray:
    """Posterior draws of the concentration; where the fit keeps none, they are drawn here given the sticks."""
    prior = model.concentration
    if not isinstance(prior, Gamma):
        return np.array([prior])
    if isinstance(fit.estimate, VariationalPosterior):
        return fit.estimate.posterior.weights.concentration.sample(np.random.default_rng(fit.seed), VB_DRAWS)
    if isinstance(fit.estimate, Draws) and "concentration" in fit.estimate.sample_stats:
        return fit.estimate.sample_stats["concentration"]
    log_left = np.log(np.maximum(draws.weights[..., -1], np.finfo(float).tiny))  # the sum of log(1 - v_k)
    rng = np.random.default_rng(fit.seed)
    return rng.gamma(prior.shape + model.truncation - 1, 1.0 / (prior.rate - log_left))


def _scales(fit: Fit, scale: HierarchicalScale, draws: MixtureParams) -> np.ndarray:
    """(chain, draw, ...) draws given the covariances: the prior is conjugate to these."""
    structure = fit.model.covariance
    prior: Any = fit.model.prior
    stats = fit.estimate.sample_stats if isinstance(fit.estimate, Draws) else {}
    rate, shape = np.asarray(scale.rate), float(scale.shape or 0.0)
    scale_shape = structure.columns.scale_shape(draws.n_features)
    if rate.size == 1 and "scale_log_det" in stats:  # which then is all of it
        return np.exp(stats["scale_log_det"]).reshape(draws.draw_shape + scale_shape)
    precision = compact_precisions(draws, structure)
    power = shape + 0.5 * float(prior.dof) * precision.shape[2]
    total, rng = rate + 0.5 * precision.sum(2), np.random.default_rng(fit.seed)
    if rate.ndim == 1:
        found = rng.gamma(power, 1.0 / total)
        return found.reshape(draws.draw_shape + scale_shape)
    return _wisharts(2.0 * power, 2.0 * total, rng)


def _wisharts(dof: float, inverse: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(..., D, D) Wisharts with the inverse scale matrices `inverse`, by the Bartlett decomposition."""
    size = inverse.shape[-1]
    root = np.tril(rng.standard_normal(inverse.shape), -1)
    index = np.arange(size)
    root[..., index, index] = np.sqrt(rng.chisquare(dof - index, inverse.shape[:-1]))
    factor = np.linalg.cholesky(np.linalg.inv(inverse)) @ root
    return factor @ np.swapaxes(factor, -1, -2)


def compact_precisions(draws: MixtureParams, structure: CovarianceStructure) -> Any:
    """(..., R, C) or (..., R, D, D) precisions, each covariance once."""
    return draws.form.precision(structure.compact(draws.precision_chol))
