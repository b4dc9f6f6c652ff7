"""Precision factors P = C^-T of covariances or of their Cholesky factors, as small compiled Ops.

PyTensor's own triangular solves and Cholesky decompositions would do, batched by `Blockwise`; but what they
add to the compilation of a model costs more than all of its sampling.
"""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply

from bayesgmm.core.compilation import jit
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


precision_chol_of_chol = PrecisionCholOfChol()
precision_chol_of_cov = PrecisionCholOfCov()
