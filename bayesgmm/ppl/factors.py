"""Precision factors P = C^-T of covariances or of their Cholesky factors, as small compiled Ops.

PyTensor's own triangular solves and Cholesky decompositions would do, batched by `Blockwise`; but what they
add to the compilation of a model costs more than all of its sampling.
"""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.rewriting.basic import node_rewriter
from pytensor.tensor.rewriting.basic import register_canonicalize

from bayesgmm.core.kernels.compilation import jit
from bayesgmm.ppl.op import CompiledOp, as_float64, register_for_numba


@jit
def invert_transposed(chol):
    """(K, D, D) upper triangular C^-T of lower triangular C; the upper triangles of C are not read."""
    n_features = chol.shape[-1]
    factors = np.zeros(chol.shape)
    for k in range(len(chol)):
        for i in range(n_features):  # row i of C^-1 is column i of P
            factors[k, i, i] = 1.0 / chol[k, i, i]
            for j in range(i):
                total = 0.0
                for e in range(j, i):
                    total += chol[k, i, e] * factors[k, j, e]
                factors[k, j, i] = -total / chol[k, i, i]
    return factors


@jit
def factorise(cov):
    """(K, D, D) upper triangular P with inv(cov) = P P^T, NaN where cov is not positive definite."""
    n_features = cov.shape[-1]
    chol = np.zeros(cov.shape)
    for k in range(len(cov)):
        for i in range(n_features):
            for j in range(i + 1):
                total = cov[k, i, j]
                for e in range(j):
                    total -= chol[k, i, e] * chol[k, j, e]
                chol[k, i, j] = np.sqrt(total) if i == j else total / chol[k, j, j]
    return invert_transposed(chol)


@jit
def pull_back_to_chol(factors, cotangent):
    """The lower triangle of -P G^T P, because dP = -P dC^T P."""
    result = np.zeros(factors.shape)
    for k in range(len(factors)):
        P = np.ascontiguousarray(factors[k])
        product = -P @ np.ascontiguousarray(cotangent[k].T) @ P
        for i in range(len(P)):
            for j in range(i + 1):
                result[k, i, j] = product[i, j]
    return result


@jit
def pull_back_to_cov(factors, cotangent):
    """-P (U + U^T)/2 P^T, folded into the lower triangle, which alone is read.

    U is the upper triangle of P^T G with half its diagonal (Murray 2016, doi:10.48550/arXiv.1602.07527).
    """
    result = np.zeros(factors.shape)
    for k in range(len(factors)):
        P = np.ascontiguousarray(factors[k])
        inner = P.T @ np.ascontiguousarray(cotangent[k])
        for i in range(len(P)):
            inner[i, i] *= 0.5
            for j in range(i):
                inner[i, j] = 0.0
        half = P @ inner @ P.T
        for i in range(len(P)):
            result[k, i, i] = -half[i, i]
            for j in range(i):
                result[k, i, j] = -half[i, j] - half[j, i]
    return result


@jit
def covariance_of(precision_chol):
    """(K, D, D) covariances C C^T of upper triangular P = C^-T."""
    n_features = precision_chol.shape[-1]
    covariances = np.zeros(precision_chol.shape)
    transposed = np.ascontiguousarray(precision_chol.transpose(0, 2, 1))
    inverses = invert_transposed(transposed)  # P^-1 = C^T
    for k in range(len(precision_chol)):
        for i in range(n_features):
            for j in range(i + 1):
                total = 0.0
                for e in range(j + 1):
                    total += inverses[k, e, i] * inverses[k, e, j]
                covariances[k, i, j] = covariances[k, j, i] = total
    return covariances


@jit
def pull_back_to_factor(precision_chol, covariances, cotangent):
    """The upper triangle of -Sigma (G + G^T) Sigma P, because d Sigma = -Sigma (dP P^T + P dP^T) Sigma."""
    result = np.zeros(precision_chol.shape)
    for k in range(len(precision_chol)):
        sigma, G = np.ascontiguousarray(covariances[k]), np.ascontiguousarray(cotangent[k])
        product = -sigma @ (G + G.T) @ sigma @ np.ascontiguousarray(precision_chol[k])
        for i in range(len(product)):
            for j in range(i, len(product)):
                result[k, i, j] = product[i, j]
    return result


class _MatricesOp(CompiledOp):
    """Stacks of matrices in, one stack of the first one's shape out."""

    def make_node(self, *inputs):
        inputs = [as_float64(value) for value in inputs]
        return Apply(self, inputs, [pt.tensor(dtype="float64", shape=inputs[0].type.shape)])

    def infer_shape(self, *args):
        return [args[-1][0]]


@register_for_numba
class CholPullback(_MatricesOp):
    gufunc_signature = "(k,d,d),(k,d,d)->(k,d,d)"
    function = staticmethod(pull_back_to_chol)


@register_for_numba
class CovPullback(_MatricesOp):
    gufunc_signature = "(k,d,d),(k,d,d)->(k,d,d)"
    function = staticmethod(pull_back_to_cov)


@register_for_numba
class PrecisionCholOfChol(_MatricesOp):
    """(K, D, D) lower triangular C -> P = C^-T."""

    gufunc_signature = "(k,d,d)->(k,d,d)"
    function = staticmethod(invert_transposed)

    def pullback(self, inputs, outputs, cotangents):
        return [CholPullback()(outputs[0], cotangents[0])]

    L_op = pullback  # the name before PyTensor 3


@register_for_numba
class PrecisionCholOfCov(_MatricesOp):
    """(K, D, D) covariances -> P = C^-T where Sigma = C C^T."""

    gufunc_signature = "(k,d,d)->(k,d,d)"
    function = staticmethod(factorise)

    def pullback(self, inputs, outputs, cotangents):
        return [CovPullback()(outputs[0], cotangents[0])]

    L_op = pullback


@register_for_numba
class FactorPullback(_MatricesOp):
    gufunc_signature = "(k,d,d),(k,d,d),(k,d,d)->(k,d,d)"
    function = staticmethod(pull_back_to_factor)


@register_for_numba
class CovOfPrecisionChol(_MatricesOp):
    """(K, D, D) upper triangular P -> covariances, the inverse of `PrecisionCholOfCov`."""

    gufunc_signature = "(k,d,d)->(k,d,d)"
    function = staticmethod(covariance_of)

    def pullback(self, inputs, outputs, cotangents):
        return [FactorPullback()(inputs[0], outputs[0], cotangents[0])]

    L_op = pullback


@register_canonicalize
@node_rewriter([PrecisionCholOfCov])
def skip_covariances(fgraph, node):
    """A factor that has been made a covariance is still there: to factorise that again would cost it digits."""
    origin = node.inputs[0].owner
    return [origin.inputs[0]] if origin is not None and isinstance(origin.op, CovOfPrecisionChol) else None


@register_canonicalize
@node_rewriter([FactorPullback])
def skip_pullback_through_covariances(fgraph, node):
    """The same of their pullbacks: one undoes the other, but for the triangle that is not read."""
    factor, _, cotangent = node.inputs
    origin = cotangent.owner
    if origin is None or not isinstance(origin.op, CovPullback):
        return None
    theirs, inner = origin.inputs
    return [pt.triu(inner)] if factor in (theirs, _origin_of(theirs)) else None


def _origin_of(factor):
    """The P of ``PrecisionCholOfCov(CovOfPrecisionChol(P))``."""
    for op in (PrecisionCholOfCov, CovOfPrecisionChol):
        if factor.owner is None or not isinstance(factor.owner.op, op):
            return None
        factor = factor.owner.inputs[0]
    return factor


precision_chol_of_chol = PrecisionCholOfChol()
cov_of_precision_chol = CovOfPrecisionChol()
precision_chol_of_cov = PrecisionCholOfCov()
