"""`fit`, the one verb, and `load`."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.core.covariance import STRUCTURES
from bayesgmm.data import as_matrix
from bayesgmm.errors import ArgumentError, FitError, NotConvergedWarning, shown
from bayesgmm.methods.em import EM, MAP
from bayesgmm.methods.gibbs import Gibbs
from bayesgmm.methods.nuts import NUTS
from bayesgmm.methods.vb import VB
from bayesgmm.models import GaussianMixture
from bayesgmm.priors.components import NormalInverseWishart
from bayesgmm.priors.weights import Dirichlet
from bayesgmm.result import diagnostics, files, status
from bayesgmm.result.fit import Fit, Method, Progress, as_seed, fit_once, silent

METHODS = (EM, MAP, VB, NUTS, Gibbs)

# Every class that may stand in a saved fit, by name.
TYPES = {
    kind.__name__: kind
    for kind in (
        *METHODS,
        GaussianMixture,
        NormalInverseWishart,
        Dirichlet,
        *(type(structure) for structure in STRUCTURES.values()),
        status.Status,
        status.Outcome,
        diagnostics.OptimiserDiagnostics,
        diagnostics.Restart,
        diagnostics.Flag,
        diagnostics.SamplerDiagnostics,
        diagnostics.QuantityDiagnostics,
    )
}


def fit(
    model: GaussianMixture,
    X: ArrayLike,
    method: Method,
    rng: np.random.Generator | int | None = None,
    throw: bool = True,
    progress: Progress = silent,
) -> Fit:
    """Fit a mixture model to data.

    Parameters
    ----------
    model : GaussianMixture
    X : (n, d) array, or pandas or polars frame
        Finite numbers.  float32 is kept as it is and accumulated in float64.  An array is not copied, and the fit
        keeps it: do not change it afterwards.
    method : EM, MAP, VB, NUTS or Gibbs
        With its options.
    rng : numpy Generator, int seed or None
    throw : bool
        Raise FitError where there is no usable result; otherwise the returned fit says why.
    progress : callable
        ``progress(done, total, note)``.

    Returns
    -------
    Fit

    Raises
    ------
    DataError, ArgumentError
        The data or an argument cannot be used; raised before any fitting.
    FitError
        There is no usable result.

    Warns
    -----
    NotConvergedWarning
        The fit is usable, and its status says what to distrust.
    """
    if not isinstance(model, GaussianMixture):
        raise ArgumentError(f"model={shown(model)} must be a model object such as GaussianMixture(n_components=2).")
    if isinstance(method, type) or not hasattr(method, "run"):
        raise ArgumentError(f"method={shown(method)} must be a method object such as EM() or NUTS(draws=1000).")
    data = as_matrix(X)
    result = fit_once(model.resolve(data), data, method, as_seed(rng), progress)
    if not result.status.is_usable and throw:
        raise FitError(result.status.sentence)
    if not result.status.is_converged:
        warnings.warn(result.status.sentence, NotConvergedWarning, stacklevel=2)
    return result


def load(path: str | Path) -> Fit:
    """Read a fit that ``Fit.save`` wrote; it answers everything that the saved one did.

    Raises
    ------
    DataError
        There is no such file, or it was not written by ``Fit.save``.
    """
    return files.load(path, TYPES, Fit)
