"""Automatic differentiation variational inference: PyMC's, on the compiled posterior."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from bayesgmm.core.params import LOG_2PI
from bayesgmm.flat.posterior import FlatPosterior

KINDS = {"mean-field": pm.ADVI, "full-rank": pm.FullRankADVI}


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A normal distribution of the flat vector.

    Parameters
    ----------
    mean : (n_dim,) array
    chol : (n_dim, n_dim) array
        Lower triangular, with a positive diagonal.
    """

    mean: np.ndarray
    chol: np.ndarray

    def draw(self, rng: np.random.Generator, n_draws: int) -> np.ndarray:
        """(n_draws, n_dim) independent draws."""
        return self.mean + rng.standard_normal((n_draws, len(self.mean))) @ self.chol.T

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """(n_draws,) log densities of the rows of x."""
        from scipy.linalg import solve_triangular

        noise = solve_triangular(self.chol, (x - self.mean).T, lower=True)
        return -0.5 * (noise**2).sum(0) - np.log(np.diag(self.chol)).sum() - 0.5 * len(self.mean) * LOG_2PI


def log_densities(posterior: FlatPosterior, x: np.ndarray) -> np.ndarray:
    """(n_draws,) values of the log posterior at the rows of x; -inf where it has none."""
    values = np.array([posterior(np.ascontiguousarray(row))[0] for row in x])
    return np.where(np.isfinite(values), values, -np.inf)


def run_advi(
    posterior: FlatPosterior,
    kind: str,
    center: np.ndarray,
    scale: np.ndarray,
    n_iter: int,
    learning_rate: float,
    seed: int,
    on_step: Callable[[int], None],
) -> tuple[Gaussian, np.ndarray]:
    """Fit a normal distribution by Adam; returns it and the ELBO's estimate at every step made.

    The optimiser works on ``(x - center) / scale`` and starts at the standard normal distribution of that.  Its step
    length falls linearly to zero, and the answer is the mean of the second half of its path: of steps that only
    wander about the optimum the mean is far nearer to it than the last (Dhaka et al. 2020, arXiv:2009.00666).

    PyMC's approximation is of a model with the flat vector as its one variable and the posterior as one Op.  That is
    the density of `pymc_model`, and compiles in seconds where the graph of the latter takes a minute.

    Raises
    ------
    FloatingPointError
        A step had no finite ELBO.
    """
    n_dim, total = len(center), {}
    rate = pytensor.shared(np.float64(learning_rate), "learning_rate")
    with pm.Model() as model:
        outputs: Any = Scaled(posterior, center, scale)(pm.Flat("u", shape=n_dim))
        pm.Potential("log_posterior", outputs[0])
    inference = KINDS[kind](model=model, random_seed=seed)
    params = {value.name: value for value in inference.approx.params}
    for name, value in _standard_normal(kind, n_dim).items():
        params[name].set_value(value)

    def each(approx, losses, step: int) -> None:
        rate.set_value(learning_rate * (1.0 - step / n_iter))
        if step > n_iter // 2 or not total:
            part = {name: value.get_value() for name, value in params.items()}
            is_first = step <= n_iter // 2 + 1
            total.update(part if is_first else {name: total[name] + value for name, value in part.items()})
            total["n"] = 1 if is_first else total["n"] + 1
        on_step(step)

    with _quiet():
        inference.fit(n_iter, callbacks=[each], obj_optimizer=pm.adam(learning_rate=rate), progressbar=False)
    history = scale_history(-inference.hist, scale)
    if len(history) <= n_iter // 2 + 1:  # interrupted before there was anything to average
        total.update({name: value.get_value() for name, value in params.items()}, n=1)
    mean, chol = _moments(kind, {name: np.asarray(total[name]) / total["n"] for name in params}, n_dim)
    return Gaussian(center + scale * mean, scale[:, None] * chol), history


def scale_history(elbo: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """ELBOs of the scaled vector as those of the vector itself."""
    return np.asarray(elbo, float) + np.log(scale).sum()


def _standard_normal(kind: str, n_dim: int) -> dict[str, np.ndarray]:
    one = np.log(np.expm1(1.0))  # PyMC's deviations are softplus(rho)
    if kind == "mean-field":
        return {"mu": np.zeros(n_dim), "rho": np.full(n_dim, one)}
    return {"mu": np.zeros(n_dim), "L_tril": (one * np.eye(n_dim))[np.tril_indices(n_dim)]}


def _moments(kind: str, params: dict[str, np.ndarray], n_dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and Cholesky factor from PyMC's parameters."""
    if kind == "mean-field":
        return params["mu"], np.diag(np.logaddexp(0.0, params["rho"]))
    chol = np.zeros((n_dim, n_dim))
    chol[np.tril_indices(n_dim)] = params["L_tril"]
    np.fill_diagonal(chol, np.logaddexp(0.0, np.diag(chol)))
    return params["mu"], chol


class Scaled(Op):
    """u -> log posterior at ``center + scale * u``, and its gradient in u."""

    __props__ = ()

    def __init__(self, posterior: FlatPosterior, center: np.ndarray, scale: np.ndarray):
        self.posterior, self.center, self.scale = posterior, center, scale

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)

    def make_node(self, u):
        return Apply(self, [pt.as_tensor_variable(u)], [pt.dscalar(), pt.dvector()])

    def perform(self, node, inputs, output_storage):
        value, gradient = self.posterior(self.center + self.scale * inputs[0])
        output_storage[0][0], output_storage[1][0] = np.asarray(value), self.scale * gradient

    def infer_shape(self, *args):
        return [(), args[-1][0]]

    def pullback(self, inputs, outputs, cotangents):
        return [cotangents[0] * outputs[1]]

    L_op = pullback  # pyright: ignore[reportAssignmentType] - the name before PyTensor 3, as are those of its arguments


@contextmanager
def _quiet():
    """Keep off the screen what PyMC says at the end, and that PyTensor's Numba mode calls the Op through Python."""
    logger = logging.getLogger("pymc")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Numba will use object mode", UserWarning)
            warnings.filterwarnings("ignore", "PyTensor could not link to a BLAS")
            yield
    finally:
        logger.setLevel(level)
