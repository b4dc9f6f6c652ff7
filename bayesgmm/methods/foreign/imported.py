"""`from_datatree`: draws of a mixture that another program made, as a fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.core.params import MixtureParams
from bayesgmm.data import DataMatrix, as_matrix, data_hash
from bayesgmm.errors import ArgumentError, NotApplicableError, shown
from bayesgmm.methods.chains.running import judge
from bayesgmm.methods.foreign.named_axes import NamedDraws, Names, group_of
from bayesgmm.methods.foreign.named_draws import (
    Scatter,
    as_params,
    axes_of,
    means_of,
    scatter_of,
    shares_of,
    weights_of,
)
from bayesgmm.methods.foreign.narrowing import narrowed
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, MixtureOfFiniteMixtures, Model
from bayesgmm.models.unspecified import UnspecifiedMixture
from bayesgmm.result.diagnostics import SamplerDiagnostics, diagnose, invariant_quantities
from bayesgmm.result.estimates import Draws
from bayesgmm.result.fit import Fit
from bayesgmm.result.method import MethodResult, Progress
from bayesgmm.result.occupancy import with_remarks
from bayesgmm.result.provenance import provenance
from bayesgmm.result.status import Status
from bayesgmm.rows import Rows

STATS = ("diverging", "energy", "tree_depth", "n_occupied", "concentration", "n_components")
CHECKED_DRAWS = 50
LIKELIHOOD_ERROR = 1e-3  # nats and relative: what float32 and decimal files leave


@dataclass(frozen=True)
class Imported:
    """Stands where a method does in a fit whose draws come from another program; it cannot be run.

    Parameters
    ----------
    program : str
    draws, chains : int
    """

    program: str
    draws: int
    chains: int

    def run(self, model: Model, data: DataMatrix, rng: np.random.Generator, progress: Progress) -> MethodResult:
        raise NotApplicableError(
            f"these draws come from {self.program}, which bayesgmm cannot run again on other data: fit there, or with "
            "one of the methods here."
        )


def from_datatree(
    dt: Any,
    X: ArrayLike,
    weights: Names | None = "weights",
    means: Names = "means",
    *,
    covariances: Names | None = None,
    chol: Names | None = None,
    precision: Names | None = None,
    precision_chol: Names | None = None,
    sd: Names | None = None,
    corr: Names | None = None,
    corr_chol: Names | None = None,
    model: Model | None = None,
    program: str = "another program",
    group: str = "posterior",
) -> Fit:
    """Draws of a mixture from a hand-written PyMC, Stan or NumPyro model, as a fit of kind "draws".

    What can be known from draws works: densities, LOO, WAIC, `compare`, `relabel`, `partition`, plots and files.
    What needs the model to be run again (K-fold) or its prior (evidence) says so.

    Parameters
    ----------
    dt : DataTree, InferenceData, Dataset, or dict of arrays with axes (chain, draw, ...)
    X : (n, d) array or frame
        The data that the draws were made from, in the same units.
    weights, means : str
        Names of the variables, or a list with one for each component: (K,) weights and (K, D) means, for one column
        also (K,).  ``weights=None`` for one component.
    covariances, chol, precision, precision_chol, sd : str
        Exactly one: (K, D, D) covariances, or lower triangles C with ``Sigma = C C^T`` (also packed, as PyMC's
        LKJCholeskyCov), or precision matrices, or upper triangles P with ``inv(Sigma) = P P^T``; (D, D) is one for
        all components, and for one column (K,) will do.  Standard deviations are (K, D), (K,), (D,) along an axis of
        the columns, or one number in all.
        A list of names has one for each component.
    corr, corr_chol : str, optional
        Correlations (K, D, D) or (D, D), or their lower Cholesky factors (Stan's ``cholesky_factor_corr``), with the
        standard deviations ``sd`` of each column.
    model : GaussianMixture, DirichletProcessMixture or MixtureOfFiniteMixtures, optional
        Only if the draws were made under exactly its prior; the evidence and the prior's sensitivity then work.
        Full matrices that are all diagonal, round or equal, as its covariance structure has them, are read as such.
        Constants left at None are those that `fit` takes from X.  Components of a Dirichlet process must be in the
        order of its sticks.
    program : str
        What the status and the errors call the origin.
    group : str

    Returns
    -------
    Fit

    Notes
    -----
    Axes come in the order that is written above, unless their names say otherwise.  The axis of the components is the
    one with the weights' dimension.  An axis of features is known by coordinates that are the columns of X, and is put
    in their order.  Axes of one length whose names say nothing of this kind are refused, as are coordinates that are
    other names than those of the columns.  Arrays have no names, and dimensions that a library has named
    (``mu_dim_0``) count as having none.

    Raises
    ------
    ArgumentError
        A variable is not there, has an unexpected shape, or a draw is no mixture; the message names the draw.  Or the
        tree has pointwise log likelihoods and they are not those of the mixture that was read (standard deviations
        taken for variances, other units): the message says where.
    DataError
        X cannot be used.
    """
    data = as_matrix(X)
    named = NamedDraws.of(dt, group)
    found = weights_of(named, weights)
    centers, axes = means_of(named, means, axes_of(found, data, has_names(X)))
    shape: Any = centers.shape
    options = {
        "covariances": covariances, "chol": chol, "precision": precision, "precision_chol": precision_chol, "sd": sd,
        "corr": corr, "corr_chol": corr_chol,
    }  # fmt: skip
    scatter = scatter_of(named, {name: value for name, value in options.items() if value is not None}, shape, axes)
    shares = shares_of(found, shape)
    described, scatter = _model(model, scatter, shape, data)
    params = as_params(shares, centers, scatter.factor)
    is_posterior = group == "posterior"  # to which the groups of log likelihoods and statistics belong
    if is_posterior:
        _check_log_likelihood(dt, params, data.values)
    return _fit(described, params, _stats(dt if is_posterior else None, described, params), data, str(program))


def has_names(X: Any) -> bool:
    """Whether the columns have names of their own."""
    return hasattr(X, "columns")


def _model(model: Model | None, scatter: Scatter, shape: tuple[int, ...], data: DataMatrix) -> tuple[Model, Scatter]:
    """The model with its constants, and the covariances as it stores them."""
    k = shape[2]
    if model is None:
        return UnspecifiedMixture(k, scatter.structure), scatter  # pyright: ignore[reportArgumentType]
    if not isinstance(model, (GaussianMixture, DirichletProcessMixture, MixtureOfFiniteMixtures)):
        raise ArgumentError(f"model={shown(model)} must be a model object such as GaussianMixture(n_components=2).")
    if model.n_components != k:
        raise ArgumentError(f"the model has {model.n_components} components and the draws have {k}.")
    if model.covariance.name != scatter.structure:
        found = narrowed(scatter, model.covariance)
        if found is None:
            raise ArgumentError(
                f"the model has covariance={model.covariance.name!r} and the draws are {scatter.structure}: name the "
                "variable that holds them as the model has them, or the model that they were drawn from."
            )
        scatter = found
    return model.resolve(Rows.of(data)), scatter


def _stats(dt: Any, model: Model, params: MixtureParams) -> dict[str, np.ndarray]:
    """What the sampler said of itself, where it is known here by the same name."""
    found = group_of(dt, "sample_stats")
    stats = {}
    if found is not None:
        arrays = NamedDraws.of(found, "sample_stats").arrays
        stats = {name: arrays[name] for name in STATS if name in arrays and arrays[name].shape == params.draw_shape}
    if isinstance(model, MixtureOfFiniteMixtures):
        stats.setdefault("n_components", (params.weights > 0).sum(-1))
    return stats


def _fit(model: Model, params: MixtureParams, stats: dict[str, np.ndarray], data: DataMatrix, program: str) -> Fit:
    n_divergent = int(stats["diverging"].sum()) if "diverging" in stats else 0
    diagnostics = _diagnosed(params, data.values, n_divergent)
    chains, draws = params.draw_shape
    method = Imported(program, draws, chains)
    notes = [f"{n_divergent} divergent transitions were reported."] if n_divergent else []
    status = judge(
        diagnostics, (chains, draws), method, False, "Run them longer, or look for several modes.",
        "run the chains longer.", notes,
    )  # fmt: skip
    sentence = f"Draws from {program}. {status.sentence}"
    fit = Fit(
        model, method, Draws(params, stats), Status(status.outcome, sentence), diagnostics, np.empty(0), float("nan"),
        0, data.values, len(data.values), data.feature_names, provenance(data_hash(data.values)),
    )  # fmt: skip
    return with_remarks(fit)


def _diagnosed(params: MixtureParams, X: np.ndarray, n_divergent: int) -> SamplerDiagnostics:
    if params.draw_shape[1] < 4:
        raise ArgumentError(f"there are {params.draw_shape[1]} draws of each chain: at least 4 are needed.")
    found = diagnose(invariant_quantities(params, X), n_divergent)
    return replace(found, n_divergent=n_divergent)


def _check_log_likelihood(dt: Any, params: MixtureParams, X: np.ndarray) -> None:
    """Compare with the pointwise log likelihoods of the tree, where it has one for every point."""
    found = group_of(dt, "log_likelihood")
    if found is None:
        return
    arrays = [a.reshape(*a.shape[:2], -1) for a in NamedDraws.of(found, "log_likelihood").arrays.values()]
    if len(arrays) != 1 or arrays[0].shape[:2] != params.draw_shape:
        return
    if arrays[0].shape[2] != len(X):
        raise ArgumentError(
            f"these draws have the log likelihoods of {arrays[0].shape[2]} points and X has {len(X)} rows: pass the "
            "data that they were drawn for, or leave the group log_likelihood out of dt."
        )
    from bayesgmm.core.density import log_density

    draws = np.unique(np.linspace(0, params.draw_shape[1] - 1, CHECKED_DRAWS).astype(int))
    theirs = arrays[0][:, draws].astype(float)
    ours = log_density(params[:, draws], X)
    wrong = ~(np.abs(ours - theirs) <= LIKELIHOOD_ERROR * (1.0 + np.abs(ours)))
    if wrong.any():
        chain, draw, row = np.argwhere(wrong)[0]
        raise ArgumentError(
            f"the log likelihood in these draws is {theirs[chain, draw, row]:.4g} at draw {draws[draw]} of chain "
            f"{chain}, row {row}, and that of the mixture read from them {ours[chain, draw, row]:.4g}: is a variable "
            "mapped wrongly (variances for standard deviations), or are these other data or other units?"
        )
