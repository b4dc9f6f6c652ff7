"""`pymc_model`: a mixture as an ordinary `pm.Model`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pymc as pm
from numpy.typing import ArrayLike

from bayesgmm.data import as_matrix, in_order, matching_columns
from bayesgmm.errors import ArgumentError, DataError, NotApplicableError, shown
from bayesgmm.flat.bartlett import Bartlett
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, MixtureOfFiniteMixtures
from bayesgmm.models.unspecified import UnspecifiedMixture
from bayesgmm.ppl.distribution import MvNormalMixture
from bayesgmm.ppl.natural_covariances import covariances_variable, precision_chol_variable, whole_matrices
from bayesgmm.ppl.natural_means import means_variable
from bayesgmm.ppl.natural_weights import weights_variable
from bayesgmm.ppl.one_column import MixtureOfOneColumn
from bayesgmm.priors.unknown import UNKNOWN
from bayesgmm.result.fit import Fit
from bayesgmm.result.own_data import own_data
from bayesgmm.rows import Rows, as_rows


def pymc_model(
    model: GaussianMixture | DirichletProcessMixture | Fit,
    X: ArrayLike | None = None,
    observed: ArrayLike | None = None,
) -> pm.Model:
    """The model and its data as a `pm.Model`, with exactly the package's priors.

    Free variables are `weights` (component), `covariances` (component, feature, feature_bis) and `means` (component,
    feature), all in the data's units; of a `DirichletProcessMixture` also the `concentration` and under a
    `HierarchicalScale` also the `scale`, where they are unknown.  So ``fit.to_datatree()`` has them, and
    ``pm.sample_posterior_predictive``, ``pm.compute_log_likelihood`` and ``pm.compute_log_prior`` take the draws of
    every engine, and draws made with other data.  Their value variables, which samplers see, are those of `NUTS`:
    whitened by the data's spread, log odds of the weights or sticks, and Bartlett factors of the precisions.

    Deterministic are `precision_chol`, and of an unknown scale `scale_log_det`.  The likelihood `x` (obs, feature) is a
    `MvNormalMixture`; of one column it is (obs,), as ArviZ's predictive functions want it.  Its rows are the data
    variable `X`, of the same shape, which ``pm.set_data({"X": rows})`` exchanges for others, of any number: the prior
    stays as it was.  PyMC takes these rows by the places of their columns, a frame's too; `observed` goes by their
    names.

    Parameters
    ----------
    model : GaussianMixture, DirichletProcessMixture or Fit
        Of a fit: its model with its prior's constants, on its data.
    X : (n, d) array, or pandas or polars frame
        Constants that the prior leaves open are taken from it.  Not needed beside a fit; if given, it stands for the
        fit's data, and the constants are the fit's.
    observed : (m, d) array or frame, optional
        The rows of the likelihood, by default X.

    Returns
    -------
    pm.Model

    Raises
    ------
    DataError, ArgumentError
        The data or the model's prior cannot be used.
    NotApplicableError
        The fit's prior is not known, or its number of components has no fixed dimension (`MixtureOfFiniteMixtures`).

    References
    ----------
    Bartlett (1933), Proceedings of the Royal Society of Edinburgh 53, 260-283, doi:10.1017/S0370164600015637.
    """
    stated, data = _of_fit(model, X) if isinstance(model, Fit) else (model, None if X is None else as_rows(X))
    if isinstance(stated, MixtureOfFiniteMixtures):
        raise NotApplicableError(
            "a pm.Model has a fixed number of variables, and a MixtureOfFiniteMixtures has not: take "
            "GaussianMixture(k) for each number of components."
        )
    if isinstance(stated, UnspecifiedMixture):
        raise NotApplicableError(f"{UNKNOWN}: there is nothing that a pm.Model could state.")
    if not isinstance(stated, (GaussianMixture, DirichletProcessMixture)):
        raise ArgumentError(
            f"model={shown(stated)} must be a model object such as GaussianMixture(n_components=2) or "
            "DirichletProcessMixture(truncation=10), or a fit of one."
        )
    if data is None:
        raise ArgumentError("pymc_model needs the data as X= beside a model; a fit brings its own.")
    rows = data.values if observed is None else _observed(observed, data.feature_names)
    return build(Bartlett.of(stated.resolve(data), data), replace(data, values=rows))


def _observed(observed: ArrayLike, feature_names: tuple[str, ...]) -> np.ndarray:
    try:
        given = as_matrix(observed)
    except DataError as error:
        raise DataError(f"observed= cannot be used (it is called X here): {error}") from None
    return in_order(given, feature_names, "observed", "X has")


def _of_fit(fit: Fit, X: ArrayLike | None):
    if X is not None:
        return fit.model, Rows(matching_columns(X, fit.feature_names), fit.feature_names)
    return fit.model, Rows(own_data(fit, "a pm.Model states: pass them as pymc_model(fit, X)"), fit.feature_names)


def build(c: Bartlett, data: Rows) -> pm.Model:
    """The `pm.Model` in coordinates `c`, which hold the resolved prior."""
    coords = {
        "component": np.arange(c.n_components),
        "feature": list(data.feature_names),
        "feature_bis": list(data.feature_names),
    }
    with pm.Model(coords=coords) as pymc:
        is_wide = c.n_features > 1
        dims = ("obs", "feature") if is_wide else ("obs",)
        rows = pm.Data("X", np.asarray(data.values if is_wide else data.values[:, 0], float), dims=dims)
        weights = weights_variable(c.weights)
        covariances = covariances_variable(c)
        precision_chol = precision_chol_variable(c, covariances)
        means = means_variable(c, precision_chol)
        precision_chol = pm.Deterministic(
            "precision_chol", whole_matrices(c, precision_chol), dims=("component", "feature", "feature_bis")
        )
        mixture = MvNormalMixture if is_wide else MixtureOfOneColumn
        mixture("x", weights=weights, means=means, precision_chol=precision_chol, observed=rows, dims=dims)
    return pymc
