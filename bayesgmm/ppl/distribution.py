"""`MvNormalMixture`: a mixture of multivariate normals for anybody's own PyMC model."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.dist_math import check_parameters
from pymc.distributions.shape_utils import rv_size_is_none
from pytensor.graph.basic import Constant
from pytensor.link.numba.dispatch.random import numba_core_rv_funcify
from pytensor.tensor.random.op import RandomVariable

from bayesgmm.core.density import sample
from bayesgmm.core.kernels.compilation import jit
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import ArgumentError
from bayesgmm.ppl.factors import precision_chol_of_chol, precision_chol_of_cov
from bayesgmm.ppl.op import CACHE_VERSION, mixture_log_density, mixture_log_density_of_weights

SIMPLEX_TOLERANCE = 1e-5  # as pm.Mixture's: above what transforms and float32 leave, below a typing error
NOT_A_SIMPLEX = "MvNormalMixture: weights must be at least 0 and sum to 1."


class MvNormalMixtureRV(RandomVariable):
    """Draws rows of a mixture; its parameters are weights, means and precision factors."""

    name = "mvnormal_mixture"
    signature = "(k),(k,d),(k,d,d)->(d)"
    dtype = "floatX"
    _print_name = ("MvNormalMixture", "\\operatorname{MvNormalMixture}")

    @classmethod
    def rng_fn(cls, rng, weights, means, precision_chol, size):
        leading = weights.shape[:-1], means.shape[:-2], precision_chol.shape[:-3]
        batch = np.broadcast_shapes(*leading) if size is None else tuple(size)
        if (weights < 0).any() or not np.allclose(weights.sum(-1), 1.0, rtol=0, atol=SIMPLEX_TOLERANCE):
            raise ValueError(NOT_A_SIMPLEX)
        weights = weights / weights.sum(-1, keepdims=True)
        k, d = means.shape[-2:]
        n = int(np.prod(batch))
        if all(np.prod(shape) == 1 for shape in leading):  # one mixture for all rows: nothing is copied n times
            params = MixtureParams.trusted(weights.reshape(k), means.reshape(k, d), precision_chol.reshape(k, d, d))
        else:
            params = MixtureParams.trusted(
                np.broadcast_to(weights, (*batch, k)).reshape(n, k),
                np.broadcast_to(means, (*batch, k, d)).reshape(n, k, d),
                np.broadcast_to(precision_chol, (*batch, k, d, d)).reshape(n, k, d, d),
            )
        return sample(params, n, rng)[0].reshape(*batch, d)


class LogWeightsMixtureRV(MvNormalMixtureRV):
    """The same with the logarithms of the weights."""

    name = "mvnormal_log_weights_mixture"

    @classmethod
    def rng_fn(cls, rng, log_weights, means, precision_chol, size):
        return super().rng_fn(rng, np.exp(log_weights), means, precision_chol, size)


@numba_core_rv_funcify.register(MvNormalMixtureRV)
def _numba_draw(op, node):
    return draw_row, CACHE_VERSION


@numba_core_rv_funcify.register(LogWeightsMixtureRV)
def _numba_draw_by_log_weights(op, node):
    return draw_row_by_log_weights, CACHE_VERSION


@jit
def draw_row(rng, weights, means, precision_chol):
    """One row: a component by inversion, then P^T (x - mu) = z solved from the top."""
    n_components, n_features = means.shape
    total = 0.0
    for k in range(n_components):
        if not weights[k] >= 0.0:
            raise ValueError(NOT_A_SIMPLEX)
        total += weights[k]
    if not abs(total - 1.0) <= SIMPLEX_TOLERANCE:
        raise ValueError(NOT_A_SIMPLEX)
    left = rng.random() * total
    label = 0
    while label < n_components - 1 and left >= weights[label]:
        left -= weights[label]
        label += 1
    row = np.empty(n_features)
    for d in range(n_features):
        row[d] = rng.standard_normal()
        for e in range(d):
            row[d] -= precision_chol[label, e, d] * row[e]
        row[d] /= precision_chol[label, d, d]
    for d in range(n_features):
        row[d] += means[label, d]
    return row


@jit
def draw_row_by_log_weights(rng, log_weights, means, precision_chol):
    """`draw_row` at the logarithms of weights."""
    return draw_row(rng, np.exp(log_weights), means, precision_chol)


_COVARIANCE = "pass covariance matrices as cov="
_PRECISION = "of a precision matrix T pass cov=pt.linalg.inv(T), or precision_chol=P, upper triangular with T = P P^T"
CALLED_OTHERWISE = {
    "covariances": _COVARIANCE,
    "covariance": _COVARIANCE,
    "sigma": _COVARIANCE,
    "Sigma": _COVARIANCE,
    "tau": _PRECISION,
    "precision": _PRECISION,
    "precisions": _PRECISION,
    "sd": "of standard deviations s pass precision_chol, diagonal matrices of 1 / s",
    "mu": "pass the means as means=",
    "w": "pass the weights as weights=",
}  # what other distributions call these


class MvNormalMixture(pm.Continuous):
    r"""Finite mixture of multivariate normals, with a fast log density and gradient.

    .. math:: f(x) = \sum_{k=1}^K w_k \, \mathrm{N}(x \mid \mu_k, \Sigma_k)

    The same density as ``pm.Mixture`` of ``pm.MvNormal`` components, with the labels summed out. One compiled
    pass over the rows gives the log density and, by Fisher's identity, its gradient with respect to the
    parameters and to the rows themselves, so `x` may be observed, latent or partly observed.

    Parameters
    ----------
    weights : tensor_like of float, shape (K,)
        Non-negative, sums to one.
    means : tensor_like of float, shape (K, D)
    log_weights : tensor_like of float, shape (K,)
        Natural logarithms of the weights, in their place; -inf is a weight of zero.  Weights that come from products
        (sticks) or from a softmax can be so small that float64 has none of them, and their logarithms are exact.
    precision_chol : tensor_like of float, shape (K, D, D) or (D, D)
        P, upper triangular with a positive diagonal, where ``inv(Sigma) = P P^T`` (``P = C^-T`` where
        ``Sigma = C C^T``). The cheapest of the three; give exactly one. A (D, D) array is shared by all
        components. The other triangle is not read.
    chol : tensor_like of float, shape (K, D, D) or (D, D)
        C, lower triangular with a positive diagonal, where ``Sigma = C C^T``. The other triangle is not read.
    cov : tensor_like of float, shape (K, D, D) or (D, D)
        Sigma, symmetric positive definite. Its lower triangle is read.
    **kwargs
        What every PyMC distribution takes: ``shape``, ``dims``, ``observed``, ``initval``, ... `x` has shape
        (..., D), and its log density the shape (...): one value per row.

    Raises
    ------
    ArgumentError
        None or more than one of `precision_chol`, `chol` and `cov` is given, or of `weights` and `log_weights`; or
        ``tau=``, a precision matrix, is; shapes that are known when the model is built do not fit together, or a
        constant factor is not triangular.
    pymc.logprob.utils.ParameterValueError
        When a log density is evaluated by itself (``pm.logp(...).eval()``) at weights that are not on the
        simplex or factors without a positive diagonal. Inside a model these give ``-inf``.

    Notes
    -----
    Rows with missing values (a masked array, or NaN) are imputed as PyMC does for its own multivariate
    distributions: ``x_unobserved`` holds the missing rows where whole rows are missing, the missing entries
    where single ones are; ``x`` is the completed array. With single entries missing, the pointwise log
    likelihood is that of the completed rows and has one value per row.

    There are no second derivatives. The parameters have no batch dimensions: one mixture per variable.

    References
    ----------
    Fisher's identity: Cappé, Moulines and Rydén (2005), Inference in Hidden Markov Models, chapter 10,
    doi:10.1007/0-387-28982-8.

    Examples
    --------
    >>> with pm.Model():
    ...     weights = pm.Dirichlet("weights", np.ones(2))
    ...     means = pm.Normal("means", 0.0, 10.0, shape=(2, 3))
    ...     chol, _, _ = pm.LKJCholeskyCov("chol", n=3, eta=2.0, sd_dist=pm.Exponential.dist(1.0, shape=3))
    ...     bg.MvNormalMixture("x", weights=weights, means=means, chol=chol, observed=X)  # X is (n, 3)

    Sticks, by the logarithms of what they leave:

    >>> with pm.Model():
    ...     breaks = pm.Exponential("breaks", 0.5, shape=19)  # -log(1 - stick), sticks ~ Beta(1, 0.5)
    ...     log_left = pt.concatenate([[0.0], -pt.cumsum(breaks)])
    ...     log_weights = log_left + pt.concatenate([pt.log1mexp(-breaks), [0.0]])
    """

    rv_op = MvNormalMixtureRV()

    @classmethod
    def dist(cls, weights=None, means=None, *, log_weights=None, precision_chol=None, chol=None, cov=None, **kwargs):
        for name in CALLED_OTHERWISE.keys() & kwargs.keys():
            raise ArgumentError(f"MvNormalMixture takes no {name}=: {CALLED_OTHERWISE[name]}.")
        by_name, shares = _one_of("weights= and log_weights=", weights=weights, log_weights=log_weights)
        if means is None:
            raise ArgumentError("give means= to MvNormalMixture: a tensor of shape (K, D).")
        name, matrices = _one_of("precision_chol=, chol= and cov=", precision_chol=precision_chol, chol=chol, cov=cov)
        means = pt.as_tensor_variable(means)
        _check_shapes(by_name, shares, means, name, matrices, kwargs.get("shape"))
        _check_triangle(name, matrices)
        factor = _precision_chol_of(name, matrices)
        if factor.type.ndim == 2:
            factor = pt.alloc(factor, means.shape[0], *factor.shape)
        parameters = [pt.cast(value, "floatX") for value in (shares, means, factor)]
        return (super() if by_name == "weights" else super(MvNormalMixture, LogWeightsMixture)).dist(
            parameters, **kwargs
        )

    def support_point(rv, size, weights, means, precision_chol):
        return _centre(size, weights, means)

    def logp(value, weights, means, precision_chol):
        weights = _drop_batch(weights, 1)
        is_simplex = (weights >= 0, pt.abs(weights.sum() - 1.0) <= SIMPLEX_TOLERANCE)
        return _log_density(mixture_log_density_of_weights, value, weights, means, precision_chol, is_simplex)


class LogWeightsMixture(MvNormalMixture):
    """What `MvNormalMixture` makes of log weights."""

    rv_op = LogWeightsMixtureRV()

    def support_point(rv, size, log_weights, means, precision_chol):
        return _centre(size, pt.exp(log_weights), means)

    def logp(value, log_weights, means, precision_chol):
        log_weights = _drop_batch(log_weights, 1)
        is_simplex = (pt.abs(pt.exp(log_weights).sum() - 1.0) <= SIMPLEX_TOLERANCE,)
        return _log_density(mixture_log_density, value, log_weights, means, precision_chol, is_simplex)


def _centre(size, weights, means):
    centre = (weights[..., None] * means).sum(-2)
    return centre if rv_size_is_none(size) else pt.alloc(centre, *size, means.shape[-1])


def _log_density(op, value, weights, means, precision_chol, is_simplex):
    """One value per row of `value`; the weights are as `op` takes them."""
    means, precision_chol = _drop_batch(means, 2), _drop_batch(precision_chol, 3)
    rows = value if value.type.ndim == 2 else value.reshape((-1, value.shape[-1]))
    log_density, _ = op(rows, weights, means, precision_chol)
    if value.type.ndim != 2:
        log_density = log_density.reshape(value.shape[:-1], ndim=value.type.ndim - 1)
    diagonal = pt.diagonal(precision_chol, axis1=-2, axis2=-1)
    return check_parameters(
        log_density,
        *is_simplex,
        diagonal > 0,
        diagonal < np.inf,  # a variance of zero
        msg="weights >= 0, sum(weights) = 1, positive definite covariances",
    )


def _one_of(names, **given):
    """The name and tensor of the one argument that is there."""
    found = {name: pt.as_tensor_variable(value) for name, value in given.items() if value is not None}
    if len(found) != 1:
        what = f"these are {len(found)}: {', '.join(found)}" if found else "there is no one of them"
        raise ArgumentError(f"give exactly one of {names} to MvNormalMixture; {what}.")
    [pair] = found.items()
    return pair


def _precision_chol_of(name, matrices):
    if name == "precision_chol":
        return matrices
    factorise = precision_chol_of_chol if name == "chol" else precision_chol_of_cov
    return factorise(matrices) if matrices.type.ndim == 3 else factorise(matrices[None])[0]


def _drop_batch(parameter, ndim):
    """RandomVariable gives unbatched parameters leading axes of length one; a real batch has no fast form."""
    extra = tuple(range(parameter.type.ndim - ndim))
    if not all(parameter.type.broadcastable[axis] for axis in extra):
        raise NotImplementedError("MvNormalMixture: the log density is for one mixture, not for a batch of parameters.")
    return parameter.squeeze(extra) if extra else parameter


def _check_shapes(by_name, weights, means, name, matrices, shape):
    expected = {by_name: "(K,)", "means": "(K, D)", name: "(K, D, D) or (D, D)"}
    ndims = {by_name: (1,), "means": (2,), name: (2, 3)}
    for label, value in ((by_name, weights), ("means", means), (name, matrices)):
        if value.type.ndim not in ndims[label]:
            raise ArgumentError(
                f"{label} of MvNormalMixture must have shape {expected[label]}, not {value.type.shape}."
            )
    k, d = means.type.shape
    last = shape[-1] if isinstance(shape, tuple | list) and len(shape) and isinstance(shape[-1], int) else None
    fits = (
        (by_name, weights.type.shape, (k,)),
        (name, matrices.type.shape, (k, d, d)[-matrices.type.ndim :]),
        ("the last axis of x", (last,), (d,)),
    )
    for label, found, wanted in fits:
        if any(None not in pair and pair[0] != pair[1] for pair in zip(found, wanted, strict=True)):
            raise ArgumentError(
                f"{label} of MvNormalMixture has shape {found}; with means of shape {(k, d)} it must be {wanted}."
            )


def _check_triangle(name, matrices):
    """A factor of the wrong triangle would be read as a diagonal one: refuse it where it can be seen."""
    if name == "cov" or not isinstance(matrices, Constant):
        return
    other = np.triu(matrices.data, 1) if name == "chol" else np.tril(matrices.data, -1)
    if other.any():
        side = "lower" if name == "chol" else "upper"
        raise ArgumentError(f"{name} of MvNormalMixture must be {side} triangular; transpose it, or pass cov=.")
