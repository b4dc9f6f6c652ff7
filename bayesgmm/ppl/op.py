"""The sweep as PyTensor Ops: log density per row, and its pullbacks by Fisher's identity.

The forward Op leaves, beside the log densities, the responsibilities.  They are all that Fisher's
identity needs, so value and gradient together cost one pass of scores and exponentials.  The pullback is
two Ops, one for the parameters and one for the rows: where the rows are data, PyTensor drops the second.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from bayesgmm.core.facts import no_facts
from bayesgmm.core.kernels.assignment import SOFT
from bayesgmm.core.kernels.blocks import BLOCK, STRIDE, load_block, make_columns, make_rows
from bayesgmm.core.kernels.compilation import inner, jit
from bayesgmm.core.kernels.moments import accumulate_block
from bayesgmm.core.kernels.row_kernels import assign_rows, make_components, make_room
from bayesgmm.core.kernels.simd import WIDTH, fma, lanes, load, store
from bayesgmm.core.params import LOG_2PI

# PyTensor keeps compiled graphs on disk under the Op's name and this number; Numba does not notice that a
# function which it has inlined was changed, so the number follows the source.
PACKAGE = Path(__file__).parents[1]
SOURCES = sorted(path for folder in ("core", "ppl") for path in (PACKAGE / folder).glob("*.py"))
# A responsibility below e^-708 counts as none: a weight that leaves it 400 nats of room is safe to divide by.
RESOLVED = 1e-130
LARGEST_EXPONENT, LARGEST = 600.0, 1e300
CACHE_VERSION = zlib.crc32(b"".join(path.read_bytes() for path in SOURCES))


@jit
def rows_log_density(X, log_weights, means, precision_chol):
    """(n,) log densities and (K, n) responsibilities of the rows of X under a normalised mixture."""
    n_components, n_features = means.shape
    if log_weights.shape[0] != n_components or precision_chol.shape != (n_components, n_features, n_features):
        raise ValueError(
            "MvNormalMixture: weights (K,), means (K, D) and precision_chol (K, D, D) do not fit together."
        )
    if X.shape[1] != n_features:
        raise ValueError("MvNormalMixture: the rows of x do not have the length of the means.")
    X, means = np.ascontiguousarray(X), np.ascontiguousarray(means)
    factors, log_weight = np.ascontiguousarray(precision_chol), np.empty(n_components)
    for k in range(n_components):
        log_weight[k] = log_weights[k] - 0.5 * n_features * LOG_2PI
        for d in range(n_features):
            log_weight[k] += np.log(factors[k, d, d])
    room, components = make_room(factors), make_components(log_weight, means, factors)
    log_density, resp = np.empty(len(X)), np.empty((n_components, len(X)))
    for begin in range(0, len(X), BLOCK):
        end = min(begin + BLOCK, len(X))
        assign_rows(X, begin, end, components, factors, no_facts(), SOFT, room)
        for i in range(end - begin):
            log_density[begin + i] = room.log_sums[i]
        for k in range(n_components):
            for i in range(end - begin):
                resp[k, begin + i] = room.scores[k, i]
    return log_density, resp


@inner
def load_shares(resp, cotangent, begin, end, shares):
    """Responsibilities of the rows begin:end times their cotangents."""
    for k in range(len(resp)):
        for i in range(end - begin):
            shares[k, i] = resp[k, begin + i] * cotangent[begin + i]


@jit
def pull_back_to_params(X, means, precision_chol, resp, cotangent):
    """Cotangents of (log_weights, means, precision_chol), given those of the rows' log densities."""
    n_components, n_features = means.shape
    X, means, factors = np.ascontiguousarray(X), np.ascontiguousarray(means), np.ascontiguousarray(precision_chol)
    block, workspace, shares = make_columns(n_features), make_columns(n_features), make_rows(n_components)
    counts, first = np.zeros(n_components), np.zeros((n_components, n_features))
    second = np.zeros((n_components, n_features, n_features))
    for begin in range(0, len(X), BLOCK):
        end = min(begin + BLOCK, len(X))
        load_block(X, begin, end, block)
        load_shares(resp, cotangent, begin, end, shares)
        accumulate_block(block, end - begin, shares, means, workspace, counts, first, second)
    d_means, d_factors = np.zeros_like(first), np.zeros_like(second)
    for k in range(n_components):
        for j in range(n_features):
            whitened = 0.0
            for d in range(j + 1):
                whitened += factors[k, d, j] * first[k, d]
            for d in range(j + 1):
                d_means[k, d] += factors[k, d, j] * whitened
                for e in range(j + 1):  # only the upper triangle of the second moments has been summed
                    d_factors[k, d, j] -= second[k, min(d, e), max(d, e)] * factors[k, e, j]
            d_factors[k, j, j] += counts[k] / factors[k, j, j]
    return counts, d_means, d_factors


@jit
def weights_log_density(X, weights, means, precision_chol):
    """`rows_log_density` at weights, of which some may be zero."""
    return rows_log_density(X, np.log(weights), means, precision_chol)


@jit
def pull_back_to_weights(X, weights, means, precision_chol, log_density, counts, cotangent):
    """(K,) cotangents of the weights: the sum over rows of N(x | k) / f(x) times the row's cotangent.

    That is counts / weight.  Where the responsibilities have left the range of float64, as at a weight of zero, the
    ratio of the densities is summed itself; what is too large for a float becomes the largest one, so that zero times
    it is zero in the chain rule.
    """
    result = np.empty(len(weights))
    for k in range(len(weights)):
        if weights[k] > RESOLVED:
            result[k] = counts[k] / weights[k]
            continue
        alone = rows_log_density(X, np.zeros(1), means[k : k + 1], precision_chol[k : k + 1])[0]
        total = 0.0
        for i in range(len(X)):
            if cotangent[i] != 0.0:
                total += cotangent[i] * np.exp(min(alone[i] - log_density[i], LARGEST_EXPONENT))
        result[k] = min(max(total, -LARGEST), LARGEST)
    return result


@jit
def pull_back_to_rows(X, means, precision_chol, resp, cotangent):
    """(n, D) cotangents of the rows: -sum_k r_nk P_k P_k^T (x_n - mu_k), times the row's cotangent."""
    n_components, n_features = means.shape
    X, means, factors = np.ascontiguousarray(X), np.ascontiguousarray(means), np.ascontiguousarray(precision_chol)
    block, total, shares = make_columns(n_features), make_rows(n_features), make_rows(n_components)
    d_rows = np.empty((len(X), n_features))
    for begin in range(0, len(X), BLOCK):
        end = min(begin + BLOCK, len(X))
        load_block(X, begin, end, block)
        load_shares(resp, cotangent, begin, end, shares)
        total[:] = 0.0
        for k in range(n_components):
            pull_back_block(block, end - begin, means[k], factors[k], shares[k], total)
        for i in range(end - begin):
            for d in range(n_features):
                d_rows[begin + i, d] = total[d, i]
    return d_rows


@inner
def pull_back_block(block, m, mean, factor, share, total):
    """Add one component's part to the cotangents of a block, `total`."""
    n_features = len(mean)
    for i in range(0, m, WIDTH):
        for j in range(n_features):
            y = lanes(0.0)
            for d in range(j + 1):
                y = fma(load(block, d * STRIDE + i) - mean[d], factor[d, j], y)
            y = y * load(share, i)
            for d in range(j + 1):
                at = d * STRIDE + i
                store(total, at, fma(y, -factor[d, j], load(total, at)))


class CompiledOp(Op):
    """An Op whose Python and Numba forms are one compiled function, `function`; without a derivative."""

    __props__ = ()
    function: Callable[..., Any]

    def perform(self, node, inputs, output_storage):
        results = self.function(*inputs)
        for storage, result in zip(output_storage, results if isinstance(results, tuple) else (results,), strict=True):
            storage[0] = result

    def pullback(self, inputs, outputs, cotangents):
        raise NotImplementedError("MvNormalMixture has no second derivatives: its gradient cannot be differentiated.")

    L_op = pullback  # pyright: ignore[reportAssignmentType] - the name before PyTensor 3, as are those of its arguments


def register_for_numba(op_type):
    """Let Numba mode call the Op's function itself, and PyTensor keep the result on disk."""
    register_funcify_default_op_cache_key(op_type)(lambda op, node=None, **kwargs: (op.function, CACHE_VERSION))
    return op_type


def as_float64(value):
    return pt.as_tensor_variable(value).astype("float64")


@register_for_numba
class MixtureLogDensity(CompiledOp):
    """(x, log_weights, means, precision_chol) -> (n,) log densities, (K, n) responsibilities.

    The log weights must be normalised; the lower triangles of `precision_chol` are not read.
    """

    gufunc_signature = "(n,d),(k),(k,d),(k,d,d)->(n),(k,n)"
    function = staticmethod(rows_log_density)

    def make_node(self, x, log_weights, means, precision_chol):
        inputs = [as_float64(value) for value in (x, log_weights, means, precision_chol)]
        n, k = inputs[0].type.shape[0], inputs[2].type.shape[0]
        return Apply(self, inputs, [pt.tensor(dtype="float64", shape=s) for s in ((n,), (k, n))])

    def infer_shape(self, *args):  # (fgraph, node, shapes) before PyTensor 3, then (node, shapes)
        x, _, means, _ = args[-1]
        return [(x[0],), (means[0], x[0])]

    def pullback(self, inputs, outputs, cotangents):
        if not isinstance(cotangents[1].type, DisconnectedType):
            raise NotImplementedError(
                "MvNormalMixture has no second derivatives: its gradient cannot be differentiated."
            )
        x, weights, means, precision_chol = inputs
        if isinstance(cotangents[0].type, DisconnectedType):
            return [DisconnectedType()() for _ in inputs]
        fixed = (x, means, precision_chol, outputs[1], cotangents[0])
        gradients: Any = mixture_params_pullback(*fixed)  # which are several, as PyTensor's types do not say
        counts, d_means, d_factors = gradients
        d_weights = self.weights_pullback(x, weights, means, precision_chol, outputs[0], counts, cotangents[0])
        return [mixture_rows_pullback(*fixed), d_weights, d_means, d_factors]

    L_op = pullback

    @staticmethod
    def weights_pullback(x, log_weights, means, precision_chol, log_density, counts, cotangent):
        """The cotangent of the weights, as they are given; of their logarithms the counts."""
        return counts


@register_for_numba
class MixtureLogDensityOfWeights(MixtureLogDensity):
    """The same with weights in the place of their logarithms; they may be zero."""

    gufunc_signature = "(n,d),(k),(k,d),(k,d,d)->(n),(k,n)"
    function = staticmethod(weights_log_density)

    @staticmethod
    def weights_pullback(x, weights, means, precision_chol, log_density, counts, cotangent):
        return mixture_weights_pullback(x, weights, means, precision_chol, log_density, counts, cotangent)


@register_for_numba
class MixtureParamsPullback(CompiledOp):
    """(x, means, precision_chol, responsibilities, cotangent) -> cotangents of log weights, means, factors."""

    gufunc_signature = "(n,d),(k,d),(k,d,d),(k,n),(n)->(k),(k,d),(k,d,d)"
    function = staticmethod(pull_back_to_params)

    def make_node(self, *inputs):
        inputs = [as_float64(value) for value in inputs]
        _, means, factors, _, _ = (value.type.shape for value in inputs)
        return Apply(self, inputs, [pt.tensor(dtype="float64", shape=s) for s in (means[:1], means, factors)])

    def infer_shape(self, *args):
        _, means, factors, _, _ = args[-1]
        return [means[:1], means, factors]


@register_for_numba
class MixtureWeightsPullback(CompiledOp):
    """(x, weights, means, precision_chol, log density, counts, cotangent) -> cotangents of the weights."""

    gufunc_signature = "(n,d),(k),(k,d),(k,d,d),(n),(k),(n)->(k)"
    function = staticmethod(pull_back_to_weights)

    def make_node(self, *inputs):
        inputs = [as_float64(value) for value in inputs]
        return Apply(self, inputs, [pt.tensor(dtype="float64", shape=inputs[1].type.shape)])

    def infer_shape(self, *args):
        return [args[-1][1]]


@register_for_numba
class MixtureRowsPullback(CompiledOp):
    """(x, means, precision_chol, responsibilities, cotangent) -> cotangents of the rows of x."""

    gufunc_signature = "(n,d),(k,d),(k,d,d),(k,n),(n)->(n,d)"
    function = staticmethod(pull_back_to_rows)

    def make_node(self, *inputs):
        inputs = [as_float64(value) for value in inputs]
        return Apply(self, inputs, [pt.tensor(dtype="float64", shape=inputs[0].type.shape)])

    def infer_shape(self, *args):
        return [args[-1][0]]


mixture_log_density = MixtureLogDensity()
mixture_log_density_of_weights = MixtureLogDensityOfWeights()
mixture_weights_pullback = MixtureWeightsPullback()
mixture_params_pullback = MixtureParamsPullback()
mixture_rows_pullback = MixtureRowsPullback()
