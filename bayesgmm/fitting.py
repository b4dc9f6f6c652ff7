"""`fit`, the one verb, and `load`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm import convert
from bayesgmm.checks import as_seed, truth
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.data import DataSource, as_matrix, data_source, is_stream
from bayesgmm.data.paths import checked_path
from bayesgmm.errors import ArgumentError, DataError, FitError, NotApplicableError, shown
from bayesgmm.families.family import capability
from bayesgmm.families.named import FAMILIES
from bayesgmm.methods.advi import ADVI
from bayesgmm.methods.climbing.given import GivenShares
from bayesgmm.methods.em import EM, MAP
from bayesgmm.methods.foreign.imported import Imported
from bayesgmm.methods.gibbs import Gibbs
from bayesgmm.methods.nuts import NUTS
from bayesgmm.methods.online import OnlineEM
from bayesgmm.methods.pathfinder import Pathfinder
from bayesgmm.methods.stream import RobbinsMonro, Streaming
from bayesgmm.methods.svb import StochasticVB
from bayesgmm.methods.vb import VB
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, MixtureOfFiniteMixtures, Model
from bayesgmm.models.unspecified import UnspecifiedMixture
from bayesgmm.priors.components import NormalInverseWishart
from bayesgmm.priors.concentration import Gamma
from bayesgmm.priors.counts import BetaNegativeBinomial, Uniform
from bayesgmm.priors.independent import HierarchicalScale, IndependentNormalInverseWishart
from bayesgmm.priors.process import StickPosterior
from bayesgmm.priors.sticks import StickBreaking
from bayesgmm.priors.unknown import UNKNOWN, UnknownPrior
from bayesgmm.priors.weights import Dirichlet
from bayesgmm.result import diagnostics, reading, status
from bayesgmm.result.approximation import ApproximationDiagnostics
from bayesgmm.result.checkpoint import Checkpoint, read_manifest
from bayesgmm.result.fit import Fit, fit_once, warned
from bayesgmm.result.method import Method, Progress, Sampler, silent
from bayesgmm.result.provenance import versions
from bayesgmm.result.stacking import StackedModel, Stacking
from bayesgmm.rows import Known, Rows, StreamedRows

METHODS = (EM, MAP, VB, NUTS, Gibbs, ADVI, Pathfinder, OnlineEM, StochasticVB)
MODELS = (GaussianMixture, DirichletProcessMixture, MixtureOfFiniteMixtures)

# Every class that may stand in a saved fit, by name.
TYPES = {
    kind.__name__: kind
    for kind in (
        *METHODS,
        *MODELS,
        NormalInverseWishart,
        IndependentNormalInverseWishart,
        HierarchicalScale,
        Dirichlet,
        Gamma,
        StickBreaking,
        StickPosterior,
        BetaNegativeBinomial,
        Uniform,
        *(type(family) for family in FAMILIES.values()),
        status.Status,
        status.Outcome,
        ApproximationDiagnostics,
        diagnostics.OptimiserDiagnostics,
        diagnostics.Restart,
        diagnostics.Flag,
        diagnostics.StreamDiagnostics,
        SufficientStatistics,
        GivenShares,
        RobbinsMonro,
        diagnostics.SamplerDiagnostics,
        diagnostics.QuantityDiagnostics,
        diagnostics.EventDiagnostics,
        Imported,
        StackedModel,
        UnspecifiedMixture,
        UnknownPrior,
        Stacking,
    )
}


def fit(
    model: Model,
    X: ArrayLike,
    method: Method,
    rng: np.random.Generator | int | None = None,
    throw: bool = True,
    progress: Progress = silent,
    checkpoint: str | Path | None = None,
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    components_of: Mapping[Any, int] | None = None,
    offsets: ArrayLike | None = None,
) -> Fit:
    """Fit a mixture model to data.

    Parameters
    ----------
    model : GaussianMixture, DirichletProcessMixture or MixtureOfFiniteMixtures
    X : (n, d) array, or a table of pandas, polars, Arrow or xarray
        Finite numbers.  float32 is kept as it is and accumulated in float64.  An array is not copied, and the fit
        keeps it: do not change it afterwards.  The columns of new data are told by the names that a table has.
        For OnlineEM and StochasticVB also anything that `data_source` takes:
        memory-mapped arrays, files, iterators of chunks.
    method : EM, MAP, VB, NUTS, Gibbs, ADVI, Pathfinder, OnlineEM or StochasticVB
        With its options.
    rng : numpy Generator, int seed or None
    throw : bool
        Raise FitError where there is no usable result; otherwise the returned fit says why.
    progress : callable
        ``progress(done, total, note)``.
    checkpoint : path-like, optional
        A folder for the draws of Gibbs or NUTS as they come (``draws.zarr``, 200 draws of a chain at a time).  After
        a kill or an interrupt the same call with the same folder goes on: `Gibbs` in the middle of its chains; `NUTS`
        with the chains that were complete, whereas the others are run again, each from its own seed.  The draws are
        those of an unbroken run, and the status says how much was made again.  The folder of a complete run is only
        read.  With ``rng=None`` the seed is that of the folder.
    sample_weight : (n,) array, optional
        Weights of the rows: a weight of 2 is the row twice, of 0 as if it were not there.  Other numbers raise the
        row's likelihood to that power, so that a posterior is that of so much information; whether it is, only you can
        know.  `Gibbs` draws a label for each copy, and so takes whole numbers alone.
    labels : (n,) array, or (n, C) array, optional
        Known classes of the rows, of any type; -1, NaN or None where a class is unknown.  A labelled row enters by
        log p(x, class), another one by log p(x).  The classes are sorted, and have the first components in this order;
        further components are of no class, and labelled rows are never theirs.  With (n, C) numbers, the
        probabilities q of the classes in each row (NaN where nothing is known): it enters by
        ``log sum_c q_c p(x, class c)``.  Of a `GaussianMixture` alone.
    components_of : dict, optional
        The number of components of a class, where that is not 1: ``{"ill": 2}``.
    offsets : (n, K) array, optional
        Numbers that are added to the log weights row by row: the density of row i becomes
        ``sum_k weights[k] exp(offsets[i, k]) N(x_i | k)``, as it stands, not normalised anew.  -inf makes a component
        impossible for a row.  Of a `GaussianMixture` alone.

    Returns
    -------
    Fit

    Raises
    ------
    DataError, ArgumentError
        The data or an argument cannot be used, or the checkpoint's folder is another fit's; raised before any fitting.
    NotApplicableError
        The method cannot fit such a model, or has no draws for a checkpoint; raised before any fitting.
    FitError
        There is no usable result.

    Warns
    -----
    NotConvergedWarning
        The fit is usable, and its status says what to distrust.
    TruncationWarning
        A Dirichlet process, or an unknown number of components, was cut off too early.

    References
    ----------
    McLachlan and Peel (2000), Finite Mixture Models, section 2.19, doi:10.1002/0471721182, and Fraley and Raftery
    (2002), JASA 97, 611-631, doi:10.1198/016214502760047131, describe labels.
    """
    if not isinstance(model, MODELS):
        raise ArgumentError(f"model={shown(model)} must be a model object such as GaussianMixture(n_components=2).")
    if isinstance(method, type) or not hasattr(method, "run"):
        raise ArgumentError(f"method={shown(method)} must be a method object such as EM() or NUTS(draws=1000).")
    throw = truth(throw, "throw")
    check_applicable(model, method)
    folder = None if checkpoint is None else _checkpoint_folder(method, checkpoint)
    known = Known(sample_weight, labels, components_of, offsets)
    data = _data_for(method, X, known, model.n_components)
    resolved = model.resolve(_first_rows(method, data))
    if folder is None:
        result = fit_once(resolved, data, method, as_seed(rng), progress)
    else:
        seed = _seed_of(folder) if rng is None else as_seed(rng)
        with closing(_open_checkpoint(folder, resolved, data, method, seed)) as opened:
            result = fit_once(resolved, data, method, seed, progress, opened)
    if not result.status.is_usable and throw:
        raise FitError(result.status.sentence)
    return warned(result)


def _first_rows(method: Method, data: Rows | StreamedRows) -> Rows:
    """What a prior's constants are taken from."""
    if isinstance(data, Rows):
        return data.held()
    assert isinstance(method, Streaming)  # no other method has a source
    return method.first_rows(data.held())


def _checkpoint_folder(method: Method, checkpoint: str | Path) -> Path:
    if not isinstance(method, Sampler):
        raise NotApplicableError(
            f"{type(method).__name__} makes no draws that a checkpoint could keep; Gibbs and NUTS do: leave checkpoint "
            "out."
        )
    if not method.has_separate_chains:
        raise NotApplicableError(
            "PyMC's sampler runs all chains as one, so that a checkpoint cannot keep the finished ones: use "
            "nuts_sampler='nutpie'."
        )
    return checked_path(checkpoint, "checkpoint")


def _seed_of(folder: Path) -> int:
    """The seed with which a folder was begun, or a new one."""
    manifest = read_manifest(folder)
    return as_seed(None) if manifest is None else int(manifest["identity"]["seed"])


def _open_checkpoint(folder: Path, model: Model, data: Rows | StreamedRows, method: Method, seed: int) -> Checkpoint:
    identity = {
        "model": convert.to_json(model), "method": convert.to_json(method), "seed": str(seed),
        "data": data.digest(),
    }  # fmt: skip
    if data.classes is not None:
        identity["components of classes"] = str(data.classes.owner)
    return Checkpoint(folder, method, identity, versions())


def _data_for(method: Method, X: ArrayLike, known: Known, n_components: int) -> Rows | StreamedRows:
    if isinstance(method, Streaming):
        return _streamed(data_source(X), known, n_components)
    if is_stream(X):
        able = " and ".join(kind.__name__ for kind in METHODS if issubclass(kind, Streaming))
        raise DataError(
            f"{type(method).__name__} needs the data in memory: read them into an array or a frame first (for a CSV "
            f"file, pandas.read_csv), or use {able}, which read files and iterators a stretch at a time."
        )
    data = as_matrix(X)
    return Rows.of(data) if known.is_nothing else Rows.of(data, *known.checked(len(data.values), n_components))


def _streamed(source: DataSource, known: Known, n_components: int) -> StreamedRows:
    if known.is_nothing:
        return StreamedRows(source)
    if source.n_obs is None:
        raise DataError(
            f"sample_weight, labels and offsets need data whose number of rows is known, and that of {source.name} is "
            "not: give an array or files."
        )
    return StreamedRows(source, *known.checked(source.n_obs, n_components))


def check_applicable(model: Model, method: Method) -> None:
    """Raise a NotApplicableError where the method cannot fit such a model.

    A method says in its attributes ``models`` and ``priors`` which it can; without them, a `GaussianMixture` with a
    `NormalInverseWishart`; and in ``needs`` what the covariance structure must be able to do.
    """
    if not isinstance(model, _models_of(method)):
        able = [kind.__name__ for kind in METHODS if issubclass(type(model), _models_of(kind))]
        raise NotApplicableError(
            f"{type(method).__name__} cannot fit a {type(model).__name__}; {' and '.join(able)} can."
        )
    if isinstance(model.prior, UnknownPrior):
        raise NotApplicableError(f"{UNKNOWN}; to fit here, state a model of this package.")
    if not isinstance(model.prior, _priors_of(method)):
        able = [kind.__name__ for kind in METHODS if issubclass(type(model.prior), _priors_of(kind))]
        raise NotApplicableError(
            f"{type(method).__name__} cannot take prior={type(model.prior).__name__}(...), whose means are independent "
            f"of the covariances; {' and '.join(able)} can.  With a NormalInverseWishart it can fit this model."
        )
    for needed in getattr(method, "needs", ()):
        capability(model.covariance, needed)


def _priors_of(method: Method | type) -> tuple[type, ...]:
    return getattr(method, "priors", (NormalInverseWishart,))


def _models_of(method: Method | type) -> tuple[type, ...]:
    return getattr(method, "models", (GaussianMixture,))


def load(path: str | Path) -> Fit:
    """Read a fit that ``Fit.save`` wrote; it answers everything that the saved one did.

    Raises
    ------
    DataError
        There is no such file, it was not written by ``Fit.save``, or it is not as it was written.
    """
    return reading.load(path, TYPES, Fit)
