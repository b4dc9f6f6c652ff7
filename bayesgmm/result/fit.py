"""`Fit`: what every method returns, and `fit_once`, which makes one."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.checks import as_generator, as_seed, one_of, truth, whole_number
from bayesgmm.data import DataSource, check_enough_points, matching_columns
from bayesgmm.errors import (
    DataError,
    NotApplicableError,
    NotConvergedWarning,
    TruncationWarning,
)
from bayesgmm.models import DirichletProcessMixture, Model
from bayesgmm.result import continuation, files, occupancy, pictures, tables
from bayesgmm.result.checkpoint import Checkpoint
from bayesgmm.result.diagnostics import StreamDiagnostics
from bayesgmm.result.estimates import PointEstimate, log_density_draw_blocks
from bayesgmm.result.identified import identified
from bayesgmm.result.method import Method, Progress, Sampler, silent
from bayesgmm.result.mixture import Mixture
from bayesgmm.result.own_data import own_data, own_rows
from bayesgmm.result.pointwise import Pointwise, pointwise_of
from bayesgmm.result.provenance import provenance
from bayesgmm.result.record import FitRecord
from bayesgmm.result.status import Status
from bayesgmm.result.suitable import check_facts
from bayesgmm.rows import Known, Rows, StreamedRows

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

CONVENTIONS = ("mclust", "scikit-learn")
UNEVALUATED = "this fit has not seen all of its data again after its last step"


class Fit(FitRecord):
    """A fitted mixture, whatever fitted it.

    Attributes
    ----------
    model : GaussianMixture, DirichletProcessMixture or MixtureOfFiniteMixtures
        With every prior constant resolved.
    method : Method
    estimate : PointEstimate, Draws, VariationalPosterior or NoEstimate
    status : Status
        How the fit ended, with a sentence.
    diagnostics : OptimiserDiagnostics, SamplerDiagnostics or StreamDiagnostics
    history : (n_iter,) array
        The objective of the chosen restart at every iteration: log likelihood, log posterior or ELBO,
        in nats; empty for draws.
    seconds : float
    seed : int
    X : (n, d) array, or None where the data were not in memory, or a file was saved without them
        The array that was given, not a copy: `save`, `extend` and `compare` refuse a fit whose X has been changed.
    n_obs : int or float
        The number of points: of rows, or the sum of their weights.
    feature_names : tuple of str
    provenance : dict of str
    facts : RowFacts
        What is known of the rows beside their values.
    classes : Classes or None
        The classes of the labels, and whose the components are; None where there were no labels.
    """

    def __repr__(self) -> str:
        name = f"{type(self.method).__name__} fit of {type(self.model).__name__}"
        covariance = self.model.covariance.name
        return f"<{name}, K={self.model.n_components}, {covariance}: {self.status.sentence}>"

    @property
    def log_likelihood(self) -> float:
        """Log likelihood of the data at a point fit, in nats."""
        if isinstance(self.estimate, PointEstimate):
            if self.estimate.log_likelihood is None:
                raise NotApplicableError(f"{UNEVALUATED}; use log_density(X).sum() for that of data at hand.")
            return self.estimate.log_likelihood
        raise NotApplicableError(
            f"a fit of kind {self.kind!r} has no single log likelihood; use log_density(X).sum() for the posterior "
            "predictive, or log_density_draws(X).sum(1) for that of each draw."
        )

    def bic(self, convention: str | None = None) -> float:
        """The Bayesian information criterion of a point fit.

        Parameters
        ----------
        convention : {"mclust", "scikit-learn"}, optional
            "mclust": ``2 log L - p log n``, higher is better; "scikit-learn": its negative.  By default half the first,
            in nats and as in `compare`, an approximation of the log evidence.

        Raises
        ------
        NotApplicableError
            The fit is no point fit.

        References
        ----------
        Schwarz (1978), Annals of Statistics 6, 461-464, doi:10.1214/aos/1176344136.
        """
        factor = self._factor_of(convention)
        return factor * (self.log_likelihood - 0.5 * self.n_parameters * float(np.log(self.n_obs)))

    def icl(self, convention: str | None = None) -> float:
        """The integrated completed likelihood: `bic` plus the log responsibilities of the most probable components.

        Conventions are those of `bic`.

        Raises
        ------
        NotApplicableError
            The fit is no point fit, is without its data, or has labels or offsets.

        References
        ----------
        Biernacki, Celeux and Govaert (2000), IEEE PAMI 22, 719-725, doi:10.1109/34.865189.
        """
        factor, X = self._factor_of(convention), own_data(self, "this criterion asks for")
        return self.bic(convention) + factor * float(np.log(self.responsibilities(X).max(1)).sum())

    def _factor_of(self, convention: str | None) -> float:
        if convention is None:
            return 1.0
        return {"mclust": 2.0, "scikit-learn": -2.0}[one_of(convention, "convention", CONVENTIONS, also="None")]

    @property
    def elbo(self) -> float:
        """Evidence lower bound of a variational fit, with every normaliser, in nats."""
        if self.kind != "variational":
            raise NotApplicableError(f"only variational fits have an ELBO, and this fit is of kind {self.kind!r}.")
        if isinstance(self.diagnostics, StreamDiagnostics) and not self.diagnostics.is_evaluated:
            raise NotApplicableError(f"{UNEVALUATED}; history holds an estimate from each batch.")
        return float(self.history[-1])

    @cached_property
    def pointwise(self) -> Pointwise:
        """Log density of every point of the fit's own data under every draw, which all criteria share.

        That of a labelled row is log p(x, class), and offsets are in it.

        ``fit.pointwise.total()`` is the log likelihood of each draw, and ``fit.pointwise.blocks()`` yields
        (rows, (draws, rows) log densities) in bounded memory.  Both are computed when they are first asked for, are
        read-only, and are neither saved nor pickled.

        Raises
        ------
        NotApplicableError
            The fit is without its data.
        DataError
            X was changed after the fit was made on it.
        """
        rows = own_rows(self, "these are the densities of: take log_density_blocks(X)")
        self.check_data()
        return Pointwise(self.estimate.draws, rows.values, rows.facts)

    def log_density(self, X: ArrayLike) -> np.ndarray:
        """Log posterior-predictive density of new points, (n,), in nats per point.

        A plug-in for a point fit, a mean over draws, a Student-t mixture for a variational fit.
        """
        return self.estimate.log_density(self._columns(X))

    def log_density_draws(self, X: ArrayLike) -> np.ndarray:
        """(draws, n) log density of every point under every draw, chains one after the other.

        Raises
        ------
        ArgumentError
            The array would be above 1 GiB; use `log_density_blocks`.
        """
        return pointwise_of(self, self._columns(X)).whole()

    def log_density_blocks(self, X: ArrayLike) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield (rows, (draws, rows) log densities), in bounded memory."""
        return log_density_draw_blocks(self.estimate, self._columns(X))

    def responsibilities(self, X: ArrayLike) -> np.ndarray:
        """(n, K) probabilities of the components for each point; rows sum to one.

        Raises
        ------
        NotApplicableError
            The fit holds draws whose labels are not aligned.
        DataError
            A point lies so far from every component that its squared distance leaves the range of float64.
        """
        with np.errstate(invalid="ignore"):  # such a point's shares are 0 / 0
            return _checked(self.estimate.responsibilities(self._columns(X)))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """(n,) the most probable component of each point; refused where `responsibilities` is."""
        return self.responsibilities(X).argmax(1)

    def class_probabilities(self, X: ArrayLike) -> np.ndarray:
        """(n, C) posterior predictive probabilities of the classes of `labels` for new points.

        Rows sum to one less the probability of the components of no class, where there are any.  The order of the
        columns is that of ``fit.classes.names``.

        Raises
        ------
        NotApplicableError
            The fit was made without labels.
        """
        if self.classes is None:
            raise NotApplicableError("this fit was made without labels=, so that there are no classes.")
        with np.errstate(invalid="ignore"):
            return self.classes.shares(_checked(self.estimate.shares(self._columns(X))))

    def predict_classes(self, X: ArrayLike) -> np.ndarray:
        """(n,) the most probable class of each point, as its label was given to `fit`.

        Where the components of no class are more probable together, -1 where labels are whole numbers, and else None.

        Raises
        ------
        NotApplicableError
            The fit was made without labels.
        """
        shares = self.class_probabilities(X)
        assert self.classes is not None
        free = 1.0 - shares.sum(1) if self.classes.has_free else np.zeros(len(shares))
        return self.classes.named(np.where(free > shares.max(1), -1, shares.argmax(1)))

    def sample(self, n: int, rng: np.random.Generator | int | None = None) -> np.ndarray:
        """(n, d) points from the predictive distribution."""
        n = whole_number(n, "n", 0)
        return self.estimate.sample(n, as_generator(rng))

    def predictive(self) -> Mixture:
        """The predictive distribution of a point, as one mixture that can be taken apart by columns.

        The plug-in of a point fit; the components of all draws together, each draw with the same share; the Student-t
        mixture of a variational fit.
        """
        return Mixture(self.estimate.law(), self.feature_names)

    def marginal(self, columns: Sequence[str | int] | str | int) -> Mixture:
        """The predictive distribution of some columns, by name or counted from 0."""
        return self.predictive().marginal(columns)

    def conditional(self, given: Mapping[Any, float]) -> Mixture:
        """The predictive distribution of the other columns where some have given values, such as ``{"length": 3.0}``.

        With draws, each counts by the density that it gives to the values.

        Raises
        ------
        ArgumentError
            A column is not there, none is left, a value is not finite, or lies out of reach of every component.
        """
        return self.predictive().conditional(given)

    def plot(
        self,
        what: str = "classification",
        X: ArrayLike | None = None,
        columns: Sequence[str | int] | str | int | None = None,
        ax: Axes | None = None,
    ) -> Any:
        """A picture of the fit on its data.

        Parameters
        ----------
        what : {"classification", "uncertainty", "density", "pairs"}
            The class of each point, with an ellipse that holds nine tenths of each component; how doubtful each class
            is; the predictive density with its highest-density regions of 25, 50, 75 and 95 %; or the classes in all
            pairs of columns.
        X : (n, d) array or frame, optional
            The fit's own data where it is not given.
        columns : name, number or list of them, optional
            One column or two, the first ones where they are not given; of "pairs" as many as fit, six by default.
        ax : matplotlib Axes, optional

        Returns
        -------
        matplotlib Axes, or Figure of "pairs"

        Raises
        ------
        NotApplicableError
            The fit holds draws whose labels are not aligned, and classes are asked for.

        References
        ----------
        Hyndman (1996), The American Statistician 50, 120-126, doi:10.1080/00031305.1996.10474359: the regions.
        """
        return pictures.plot_fit(self, one_of(what, "what", pictures.NAMES), X, columns, ax)

    def summary(self, components: bool | None = None) -> pd.DataFrame:
        """A table of the estimate.

        Parameters
        ----------
        components : bool, optional
            True: one row per component parameter.  False: label-invariant quantities.  By default
            whichever this kind of fit can honestly answer.

        Raises
        ------
        NotApplicableError
            Component rows are asked of draws whose labels are not aligned.
        """
        return tables.summary(self, components)

    def occupied(self) -> pd.DataFrame:
        """Posterior probabilities of the number of occupied components: those that hold a point.

        Returns
        -------
        DataFrame
            One row for each of 1, ..., K; column `n_occupied`, and for a `MixtureOfFiniteMixtures` also
            `n_components`, the posterior of K itself.

        Raises
        ------
        NotApplicableError
            Of a point fit, or of a fit without its data that does not know the number.
        """
        return occupancy.occupied(self)

    def emptied(self) -> tuple[int, ...]:
        """The components whose total responsibility for the data is below half a point.

        Raises
        ------
        NotApplicableError
            The fit holds draws whose labels are not aligned.
        """
        return occupancy.emptied(self)

    def truncation(self) -> occupancy.Truncation:
        """Of a Dirichlet process: the bound of the truncation's error, and what the last stick holds.

        Raises
        ------
        NotApplicableError
            Of another model, or of a point fit.
        """
        return occupancy.truncation(self)

    def refit(
        self,
        X: ArrayLike,
        rng: np.random.Generator | int | None = None,
        progress: Progress = silent,
        sample_weight: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        components_of: Mapping[Any, int] | None = None,
        offsets: ArrayLike | None = None,
    ) -> Fit:
        """The same method on other data, with this fit's prior constants; never raises FitError.

        What is known of the new rows is given as to `fit`, and is not that of this fit's own.  Classes keep their
        components, but where `components_of` is given.
        """
        values = self._columns(X)
        known = Known(sample_weight, labels, components_of, offsets, None if components_of else self.classes)
        data = Rows(values, self.feature_names, True, *known.checked(len(values), self.model.n_components))
        check_enough_points(len(data.values), self.model.min_points)
        return fit_once(self.model, data, self.method, as_seed(self.seed if rng is None else rng), progress)

    def partial_fit(
        self, X: ArrayLike | DataSource, rng: np.random.Generator | int | None = None, progress: Progress = silent
    ) -> Fit:
        """A new fit that goes on from this one with further data, which may be anything that `data_source` takes.

        Raises
        ------
        NotApplicableError
            The method does not learn a batch at a time, as `OnlineEM` and `StochasticVB` do.

        Warns
        -----
        NotConvergedWarning
            The status of the new fit says what to distrust.
        TruncationWarning
            A Dirichlet process, or an unknown number of components, was cut off too early.
        """
        return warned(continuation.with_data(self, StreamedRows.of(X), as_seed(rng), progress))

    def extend(self, draws: int | None = None, progress: Progress = silent) -> Fit:
        """A new fit with further draws of every chain.

        `Gibbs` goes on where its chains were, also after `load`: ``fit(..., Gibbs(draws=500)).extend(500)`` has the
        draws of ``fit(..., Gibbs(draws=1000))``.  `NUTS` draws new stretches that begin at the last draw of each chain,
        and tunes them anew.  An interrupt keeps what all chains have.  Nothing is written to a checkpoint's folder.

        Parameters
        ----------
        draws : int, optional
            Of each chain, at least 1.  Without it `Gibbs` goes on until it is enough, or for its budget once more.
        progress : callable
            ``progress(done, total, note)``.

        Raises
        ------
        ArgumentError
            `draws` is out of range.
        NotApplicableError
            The fit has no chains, or is without its data.
        DataError
            X was changed after the fit was made on it.
        FitError
            The further draws are not usable.

        Warns
        -----
        NotConvergedWarning
            The status of the new fit says what to distrust.
        TruncationWarning
            A Dirichlet process, or an unknown number of components, was cut off too early.
        """
        more = None if draws is None else whole_number(draws, "draws", also="None")
        return warned(continuation.with_draws(self, more, progress))

    def to_datatree(
        self, log_likelihood: bool = True, posterior_predictive: bool = False, log_prior: bool = False
    ) -> xr.DataTree:
        """The fit as ArviZ groups; a point fit is one chain of one draw, VB one chain of 1000.

        The group ``posterior`` has weights, means and covariances, and the concentration of a Dirichlet process or the
        scale of the covariances where these are unknown: all free variables of ``pymc_model(fit)``, in which PyMC's own
        predictive sampling and log densities take it.  Data of one column have the dims (obs,).

        Parameters
        ----------
        log_likelihood : bool
            Include the (chain, draw, obs) pointwise log likelihood.
        posterior_predictive : bool
            Include one simulated data set per draw.
        log_prior : bool
            Include the (chain, draw) log prior densities, as ``arviz_stats.psense`` takes them.
            ``arviz_stats.psense_summary`` has an axis of its own called component, so rename ours for it:
            ``tree["posterior"] = tree["posterior"].to_dataset().rename(component="cluster")``.

        Raises
        ------
        NotApplicableError
            The log likelihood is asked of a fit without its data, or the log prior where it is not known or where
            draws differ in their number of components.
        """
        return files.to_datatree(self, log_likelihood, posterior_predictive, log_prior)

    def to_inferencedata(
        self, log_likelihood: bool = True, posterior_predictive: bool = False, log_prior: bool = False
    ) -> Any:
        """The groups of `to_datatree` as ``import arviz as az`` takes them.

        Returns
        -------
        arviz.InferenceData, or DataTree
            The former with ArviZ 0.x (Python 3.11).  From ArviZ 1 on there is no such class any more: its functions
            take the DataTree, which is returned.
        """
        return files.to_inferencedata(self.to_datatree(log_likelihood, posterior_predictive, log_prior))

    def save(self, path, data: bool = True) -> None:
        """Write netCDF that `bayesgmm.load` reads back into an equal fit.

        Parameters
        ----------
        path : path-like
        data : bool
            False leaves X out of the file, with what is known of its rows; its hash stays.

        Names of classes that are neither numbers nor text, such as dates, are text in the file.

        Raises
        ------
        DataError
            There is no such folder, or X was changed after the fit was made on it.
        """
        self.check_data()
        files.save(self, path, truth(data, "data"))

    def _columns(self, X: ArrayLike) -> np.ndarray:
        return matching_columns(X, self.feature_names)


def _checked(shares: np.ndarray) -> np.ndarray:
    """Responsibilities, or a DataError that names a row of which there are none."""
    lost = np.flatnonzero(~(np.abs(shares.sum(1) - 1.0) < 1e-6))
    if len(lost):
        rest = "" if len(lost) == 1 else f" (the first of {len(lost)} such rows)"
        raise DataError(
            f"Row {lost[0]} (counted from 0){rest} lies so far from every component that its squared distance "
            "leaves the range of float64: leave it out, or correct it if it stands for a missing value."
        )
    return shares


def warned(fit: Fit) -> Fit:
    """The same, after the warnings that a caller of a public function should see."""
    if not fit.status.is_converged:
        warnings.warn(fit.status.sentence, NotConvergedWarning, stacklevel=3)
    if fit.status.is_usable and isinstance(fit.model, DirichletProcessMixture):
        truncation = fit.truncation()
        if truncation.is_too_small:
            warnings.warn(str(truncation), TruncationWarning, stacklevel=3)
    elif fit.status.is_usable and (remark := occupancy.bound_remark(fit)) is not None:
        warnings.warn(remark, TruncationWarning, stacklevel=3)
    return fit


def fit_once(
    model: Model,
    data: Rows | StreamedRows,
    method: Method,
    seed: int,
    progress: Progress = silent,
    checkpoint: Checkpoint | None = None,
) -> Fit:
    """Run `method` on checked data with a resolved model; with a checkpoint it must be a `Sampler`."""
    check_facts(model, method, data.facts)
    begin, held = time.perf_counter(), data.held()
    rng = np.random.default_rng(seed)
    if checkpoint is None:
        result = method.run(model, held, rng, progress)
    else:
        assert isinstance(method, Sampler) and isinstance(held, Rows)
        result = method.run(model, held, rng, progress, checkpoint)
    seconds, found = time.perf_counter() - begin, result.diagnostics
    n_obs = found.n_rows if data.values is None and isinstance(found, StreamDiagnostics) else data.n_obs
    assert n_obs is not None  # only what streams is given data of unknown length
    estimate = identified(result.estimate, held.facts, model.n_components)
    fit = Fit(
        model, method, estimate, result.status, result.diagnostics, result.history, seconds, seed,
        data.values, int(n_obs) if n_obs == int(n_obs) else n_obs, data.feature_names, provenance(data.digest()),
        data.facts, data.classes,
    )  # fmt: skip
    fit = occupancy.with_remarks(fit)
    note = "" if checkpoint is None else checkpoint.note()
    return replace(fit, status=Status(fit.status.outcome, f"{fit.status.sentence} {note}")) if note else fit
