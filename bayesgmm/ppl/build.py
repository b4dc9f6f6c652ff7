"""`pymc_model`: a mixture as an ordinary `pm.Model`."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import ArrayLike

from bayesgmm.core.params import LOG_2PI, invert_triangular
from bayesgmm.data import DataMatrix, as_matrix
from bayesgmm.errors import ArgumentError
from bayesgmm.models import DirichletProcessMixture, GaussianMixture
from bayesgmm.ppl.bartlett import Bartlett
from bayesgmm.ppl.distribution import MvNormalMixture
from bayesgmm.ppl.factors import precision_chol_of_chol
from bayesgmm.ppl.means import IndependentMeans
from bayesgmm.ppl.precisions import white_factors
from bayesgmm.ppl.weights import SimplexWeights, StickWeights
from bayesgmm.priors.concentration import Gamma


def pymc_model(model: GaussianMixture | DirichletProcessMixture, X: ArrayLike) -> pm.Model:
    """The model and its data as a `pm.Model`, with exactly the package's priors.

    Free variables are `weights` (Dirichlet), `bartlett_square` (chi-squared) and `bartlett_upper` (standard
    normal; absent in diagonal structures and for one column), which make up the Bartlett factors A of the
    precision matrices, and `standardized_means`, normal given the precisions: the means in coordinates in which
    the data have mean zero and unit spread.  Deterministic are `means` (component, feature), `covariances`
    (component, feature, feature_bis) and `precision_chol`.  The likelihood `x` (obs, feature) is a
    `MvNormalMixture`.

    Under an `IndependentNormalInverseWishart` the standardized means do not depend on the precisions.  Its
    `HierarchicalScale` adds the free `scale_square` (chi-squared) and, for full and tied covariances, `scale_lower`
    (standard normal), which make up the ratio of the scale to its expectation; the Bartlett factors are of the
    expected scale, and their law depends on that ratio.  The `scale` itself and `scale_log_det` are deterministic.

    The weights of a `DirichletProcessMixture` are deterministic: free are `sticks` (stick), Beta(1, concentration),
    and the `concentration` where it is unknown.

    Parameters
    ----------
    model : GaussianMixture or DirichletProcessMixture
    X : (n, d) array, or pandas or polars frame

    Returns
    -------
    pm.Model

    Raises
    ------
    DataError, ArgumentError
        The data or the model's prior cannot be used.

    References
    ----------
    Bartlett (1933), Proceedings of the Royal Society of Edinburgh 53, 260-283, doi:10.1017/S0370164600015637.
    """
    if not isinstance(model, (GaussianMixture, DirichletProcessMixture)):
        raise ArgumentError(
            f"model={model!r} must be a model object such as GaussianMixture(n_components=2) or "
            "DirichletProcessMixture(truncation=10)."
        )
    data = as_matrix(X)
    return build(Bartlett.of(model.resolve(data), data), data)


def build(c: Bartlett, data: DataMatrix) -> pm.Model:
    """The `pm.Model` in coordinates `c`, which hold the resolved prior."""
    values = np.asarray(data.values, float)
    coords = {
        "component": np.arange(c.n_components),
        "feature": list(data.feature_names),
        "feature_bis": list(data.feature_names),
        "obs": np.arange(len(values)),
    }
    if isinstance(c.weights, StickWeights):
        coords["stick"] = np.arange(c.n_components - 1)
    with pm.Model(coords=coords) as pymc:
        weights = _weights(c.weights)
        white_factor = white_factors(c)
        standardized = _standardized_means(c, white_factor)
        if c.structure.is_diagonal:
            means = c.center + standardized / c.whitening
            diagonal = white_factor * c.whitening
            factor = diagonal[:, :, None] * np.eye(c.n_features)
            covariances = (diagonal**-2)[:, :, None] * np.eye(c.n_features)
        else:
            means = c.center + pt.dot(standardized, invert_triangular(c.whitening))
            factor = pt.matmul(c.whitening, white_factor)
            inverse = _inverse_of_upper(factor)
            covariances = pt.matmul(inverse.mT, inverse)
        means = pm.Deterministic("means", means, dims=("component", "feature"))
        factor = pm.Deterministic("precision_chol", factor, dims=("component", "feature", "feature_bis"))
        pm.Deterministic("covariances", covariances, dims=("component", "feature", "feature_bis"))
        MvNormalMixture(
            "x", weights=weights, means=means, precision_chol=factor, observed=values, dims=("obs", "feature")
        )
    return pymc


def _weights(weights: SimplexWeights | StickWeights) -> pt.TensorVariable:
    """(K,) weights."""
    if isinstance(weights, SimplexWeights):
        return pm.Dirichlet("weights", a=weights.concentration, dims="component")
    alpha = weights.prior
    if isinstance(alpha, Gamma):
        alpha = pm.Gamma("concentration", alpha=alpha.shape, beta=alpha.rate)
    if weights.truncation == 1:
        return pm.Deterministic("weights", pt.ones(1), dims="component")
    sticks = pm.Beta("sticks", alpha=1.0, beta=alpha, dims="stick")
    left = pt.concatenate([[1.0], pt.cumprod(1.0 - sticks)])
    return pm.Deterministic("weights", left * pt.concatenate([sticks, [1.0]]), dims="component")


def _standardized_means(c: Bartlett, factor: pt.TensorVariable) -> pt.TensorVariable:
    """Means given the precisions, centred: beside their prior the data say much more about each of them."""
    dims = ("component", "feature")
    if isinstance(c.means, IndependentMeans):
        scaled = pt.as_tensor(np.array(np.broadcast_to(c.means.factor, (c.n_components, *c.means.factor.shape))))
    else:
        root_precision = np.sqrt(c.means.mean_precision)[:, None]
        scaled = (root_precision if c.structure.is_diagonal else root_precision[:, :, None]) * factor
    if c.structure.is_diagonal:
        return pm.Normal("standardized_means", c.mean, sigma=1.0 / scaled, dims=dims)
    # pm.MvNormal would take minutes to compile, for inverses and solutions that triangular factors do not need.
    return pm.CustomDist("standardized_means", c.mean, scaled, dist=_normal_rows, logp=_normal_rows_logp, dims=dims)


def _normal_rows(mean, factor, size):
    """Rows mean + P^-T noise."""
    noise = pm.Normal.dist(size=mean.shape)
    return mean + (_inverse_of_upper(factor) * noise[:, :, None]).sum(1)


def _normal_rows_logp(value, mean, factor):
    """Log density of each row under precision P P^T."""
    whitened = (factor * (value - mean)[:, :, None]).sum(1)
    log_diagonal = pt.log(pt.diagonal(factor, axis1=1, axis2=2))
    return (log_diagonal - 0.5 * whitened**2 - 0.5 * LOG_2PI).sum(1)


def _inverse_of_upper(factor):
    """(K, D, D) inverses of upper triangular matrices."""
    return precision_chol_of_chol(factor.mT)
