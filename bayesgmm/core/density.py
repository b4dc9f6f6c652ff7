"""Densities and responsibilities of mixtures, draws x points in bounded memory, and sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numba import types

from bayesgmm.core.facts import FACTS_TYPE, NO_FACTS, RowFacts, rows_of
from bayesgmm.core.kernels import row_kernels
from bayesgmm.core.kernels.compilation import array_type, compiled, tuple_type
from bayesgmm.core.sweep import as_contiguous, contiguous_rows, group_bounds, portions, work_per_row
from bayesgmm.core.threads import run_in_threads

if TYPE_CHECKING:
    from bayesgmm.core.params import ComponentScores, MixtureParams

BLOCK_BYTES = 64 * 2**20  # of one draws x points block


def log_density(params: MixtureParams, X: np.ndarray, facts: RowFacts = NO_FACTS) -> np.ndarray:
    """log p(x_i | params), shape (..., n): the leading axes are those of `params`.

    Needs memory for its own result; `log_density_blocks` bounds it.
    """
    flat = params.reshaped(-1)
    out = np.empty((len(flat.weights), len(X)))
    _log_density_into(flat, X, facts, out)
    _set_impossible(out, X)
    return out.reshape(params.draw_shape + (len(X),))


def log_density_blocks(
    params: MixtureParams, X: np.ndarray, facts: RowFacts = NO_FACTS
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (rows, (draws, rows) log densities), every draw by a block of rows at a time."""
    flat = params.reshaped(-1)
    step = max(1, BLOCK_BYTES // (8 * len(flat.weights)))
    for start in range(0, len(X), step):
        rows = slice(start, min(start + step, len(X)))
        yield rows, log_density(flat, X[rows], rows_of(facts, rows))


def log_likelihoods(params: MixtureParams, X: np.ndarray, facts: RowFacts = NO_FACTS) -> np.ndarray:
    """Log likelihood of every draw, with the leading axes of `params`."""
    total, weights = np.zeros(int(np.prod(params.draw_shape))), facts.weights
    for rows, block in log_density_blocks(params, X, facts):
        total += (block * weights[rows] if len(weights) else block).sum(1)  # not by BLAS, whose bits depend on threads
    return total.reshape(params.draw_shape)


def log_joint(scores: ComponentScores, X: np.ndarray, facts: RowFacts = NO_FACTS) -> np.ndarray:
    """(n, K) component scores of every point."""
    rows, arrays = contiguous_rows(X), as_contiguous(scores)
    out = np.empty((len(rows), len(scores.log_weight)))
    _fill(_log_joint_kernel(rows.dtype, arrays[-1].ndim), rows, facts, arrays, work_per_row(arrays[-1]), out)
    _set_impossible(out.T, X)
    return out


def log_sums(scores: ComponentScores, X: np.ndarray, facts: RowFacts = NO_FACTS) -> np.ndarray:
    """(n,) log-sum-exp of every point's component scores."""
    rows, arrays = contiguous_rows(X), as_contiguous(scores)
    out = np.empty((1, len(rows)))
    kernel = _log_density_kernel(rows.dtype, arrays[-1].ndim + 1)
    _fill(kernel, rows, facts, [array[None] for array in arrays], work_per_row(arrays[-1]), out)
    _set_impossible(out, X)
    return out[0]


def responsibilities(scores: ComponentScores, X: np.ndarray, facts: RowFacts = NO_FACTS) -> np.ndarray:
    """(n, K) softmax of the scores; rows sum to one, or to zero where all scores are -inf."""
    joint = log_joint(scores, X, facts)
    top = joint.max(1, keepdims=True)
    joint -= np.where(top == -np.inf, 0.0, top)
    np.exp(joint, out=joint)
    joint /= np.where(top == -np.inf, 1.0, joint.sum(1, keepdims=True))
    return joint


def allocate(shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) components drawn from (n, K) responsibilities."""
    return np.minimum((shares.cumsum(1) < rng.random((len(shares), 1))).sum(1), shares.shape[1] - 1)


def sample(params: MixtureParams, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n points of one mixture, or one point of each of n mixtures: (n, D) points and (n,) labels."""
    if params.draw_shape == ():
        labels = rng.choice(params.n_components, size=n, p=params.weights)
        mean, factor = params.means[labels], params.precision_chol[labels]
    else:
        cumulative = np.cumsum(params.weights, axis=1)
        labels = (rng.random((n, 1)) * cumulative[:, -1:] > cumulative).sum(1)
        mean, factor = params.means[np.arange(n), labels], params.precision_chol[np.arange(n), labels]
    noise = rng.standard_normal((n, params.n_features))
    return mean + params.form.unwhiten(factor, noise), labels


def _log_density_into(flat: MixtureParams, X: np.ndarray, facts: RowFacts, out: np.ndarray) -> None:
    rows = contiguous_rows(X)
    arrays = [np.ascontiguousarray(array) for array in (flat.log_weight(), flat.means, flat.precision_chol)]
    work = len(flat.weights) * work_per_row(flat.precision_chol[0])
    _fill(_log_density_kernel(rows.dtype, flat.precision_chol.ndim), rows, facts, arrays, work, out)


def _set_impossible(out: np.ndarray, X: np.ndarray) -> None:
    """-inf for the NaN of finite points: so far away that their coordinates' parts overflow with both signs."""
    is_nan = np.isnan(out)
    if is_nan.any():
        out[is_nan & np.isfinite(X).all(1)] = -np.inf


def _fill(
    kernel: Callable, rows: np.ndarray, facts: RowFacts, arrays: list[np.ndarray], work: int, out: np.ndarray
) -> None:
    bounds, known = group_bounds(len(rows)), tuple(facts)

    def run(groups: tuple[int, int]) -> None:
        kernel(rows, known, bounds[groups[0]], bounds[groups[1]], *arrays, out)

    run_in_threads(run, portions(len(bounds) - 1, len(rows) * work))


@cache
def _log_density_kernel(dtype: np.dtype, factor_ndim: int) -> Callable:
    inputs = [array_type(float, ndim) for ndim in (2, 3, factor_ndim)]
    rows, output = array_type(dtype, 2), array_type(float, 2, is_output=True)
    return compiled(row_kernels.log_density_rows, rows, FACTS_TYPE, types.int64, types.int64, *inputs, output)


@cache
def _log_joint_kernel(dtype: np.dtype, factor_ndim: int) -> Callable:
    # Of the very types that `sweep` has, which `as_contiguous` sees to: what it compiled is there for this kernel too.
    inputs = tuple_type(*(array_type(float, ndim) for ndim in (1, 2, factor_ndim))).types
    rows, output = array_type(dtype, 2), array_type(float, 2, is_output=True)
    return compiled(row_kernels.log_joint_rows, rows, FACTS_TYPE, types.int64, types.int64, *inputs, output)
