"""Densities and responsibilities of mixtures, draws x points in bounded memory, and sampling."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayesgmm.core import kernels
from bayesgmm.core.kernels import BLOCK, jit
from bayesgmm.core.params import ComponentScores, MixtureParams
from bayesgmm.core.sweep import group_bounds
from bayesgmm.core.threads import run_in_threads

BLOCK_BYTES = 64 * 2**20  # of one draws x points block


def log_density(params: MixtureParams, X: np.ndarray) -> np.ndarray:
    """log p(x_i | params), shape (..., n): the leading axes are those of `params`.

    Needs memory for its own result; `log_density_blocks` bounds it.
    """
    flat = _flatten_draws(params)
    out = np.empty((len(flat.weights), len(X)))
    _log_density_into(flat, X, out)
    return out.reshape(params.draw_shape + (len(X),))


def log_density_blocks(params: MixtureParams, X: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (rows, (draws, rows) log densities), every draw by a block of rows at a time."""
    flat = _flatten_draws(params)
    step = max(1, BLOCK_BYTES // (8 * len(flat.weights)))
    for start in range(0, len(X), step):
        rows = slice(start, min(start + step, len(X)))
        yield rows, log_density(flat, X[rows])


def log_joint(scores: ComponentScores, X: np.ndarray) -> np.ndarray:
    """(n, K) component scores of every point."""
    out = np.empty((len(X), len(scores.log_weight)))
    kernel = _log_joint_diagonal if scores.precision_chol.ndim == 2 else _log_joint_triangular
    bounds = group_bounds(len(X))

    def run(g: int) -> None:
        kernel(X, bounds[g], bounds[g + 1], scores.log_weight, scores.means, scores.precision_chol, out)

    run_in_threads(run, range(len(bounds) - 1))
    return out


def responsibilities(scores: ComponentScores, X: np.ndarray) -> np.ndarray:
    """(n, K) softmax of the scores; rows sum to one."""
    joint = log_joint(scores, X)
    joint -= joint.max(1, keepdims=True)
    np.exp(joint, out=joint)
    joint /= joint.sum(1, keepdims=True)
    return joint


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
    if params.is_diagonal:
        return mean + noise / factor, labels
    return mean + np.linalg.solve(np.swapaxes(factor, 1, 2), noise[:, :, None])[:, :, 0], labels


def _flatten_draws(params: MixtureParams) -> MixtureParams:
    k, d = params.n_components, params.n_features
    return MixtureParams.trusted(
        np.ascontiguousarray(params.weights.reshape(-1, k)),
        np.ascontiguousarray(params.means.reshape(-1, k, d)),
        np.ascontiguousarray(params.precision_chol.reshape((-1, k, d) if params.is_diagonal else (-1, k, d, d))),
    )


def _log_density_into(flat: MixtureParams, X: np.ndarray, out: np.ndarray) -> None:
    kernel = _log_density_diagonal if flat.is_diagonal else _log_density_triangular
    log_weight, bounds = flat.log_weight(), group_bounds(len(X))

    def run(g: int) -> None:
        kernel(X, bounds[g], bounds[g + 1], log_weight, flat.means, flat.precision_chol, out)

    run_in_threads(run, range(len(bounds) - 1))


@jit
def _log_density_triangular(X, start, stop, log_weight, means, factors, out):
    n_draws, n_components, n_features = means.shape
    block, diff = np.empty((n_features, BLOCK)), np.empty((n_features, BLOCK))
    scores, ones = np.empty((n_components, BLOCK)), np.ones(BLOCK)
    for begin in range(start, stop, BLOCK):
        end = min(begin + BLOCK, stop)
        kernels.load_block(X, begin, end, block)
        for s in range(n_draws):
            kernels.score_block_triangular(block, end - begin, log_weight[s], means[s], factors[s], diff, scores)
            kernels.soften_block(scores, end - begin, ones, out[s, begin:end])


@jit
def _log_density_diagonal(X, start, stop, log_weight, means, factors, out):
    n_draws, n_components, n_features = means.shape
    block, diff = np.empty((n_features, BLOCK)), np.empty((n_features, BLOCK))
    scores, ones = np.empty((n_components, BLOCK)), np.ones(BLOCK)
    for begin in range(start, stop, BLOCK):
        end = min(begin + BLOCK, stop)
        kernels.load_block(X, begin, end, block)
        for s in range(n_draws):
            kernels.score_block_diagonal(block, end - begin, log_weight[s], means[s], factors[s], diff, scores)
            kernels.soften_block(scores, end - begin, ones, out[s, begin:end])


@jit
def _log_joint_triangular(X, start, stop, log_weight, means, factors, out):
    n_components, n_features = means.shape
    block, diff = np.empty((n_features, BLOCK)), np.empty((n_features, BLOCK))
    scores = np.empty((n_components, BLOCK))
    for begin in range(start, stop, BLOCK):
        end = min(begin + BLOCK, stop)
        kernels.load_block(X, begin, end, block)
        kernels.score_block_triangular(block, end - begin, log_weight, means, factors, diff, scores)
        out[begin:end] = scores[:, : end - begin].T


@jit
def _log_joint_diagonal(X, start, stop, log_weight, means, factors, out):
    n_components, n_features = means.shape
    block, diff = np.empty((n_features, BLOCK)), np.empty((n_features, BLOCK))
    scores = np.empty((n_components, BLOCK))
    for begin in range(start, stop, BLOCK):
        end = min(begin + BLOCK, stop)
        kernels.load_block(X, begin, end, block)
        kernels.score_block_diagonal(block, end - begin, log_weight, means, factors, diff, scores)
        out[begin:end] = scores[:, : end - begin].T
