"""`sample_prior`: parameters and data sets as the prior expects them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm import convert
from bayesgmm.checks import as_seed, whole_number
from bayesgmm.core import density
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import ArgumentError, shown
from bayesgmm.families.family import capability
from bayesgmm.families.gaussian import CovarianceStructure
from bayesgmm.models import DirichletProcessMixture, GaussianMixture, MixtureOfFiniteMixtures, Model
from bayesgmm.priors.components import NormalInverseWishart
from bayesgmm.priors.concentration import Gamma
from bayesgmm.priors.conjugate import ConjugateComponents
from bayesgmm.priors.independent import HierarchicalScale, IndependentNormalInverseWishart
from bayesgmm.priors.sticks import StickBreaking
from bayesgmm.rows import Rows, as_rows

if TYPE_CHECKING:
    import xarray as xr

LIMIT = 2**30  # bytes of all data sets


@dataclass(frozen=True, eq=False)
class PriorDraws:
    """Independent draws from a model's prior, and a data set from each.

    Attributes
    ----------
    model : GaussianMixture, DirichletProcessMixture or MixtureOfFiniteMixtures
        With every prior constant resolved.
    params : MixtureParams
        With one leading axis (draw); of a `MixtureOfFiniteMixtures` the components beyond K have weight zero.
    unknowns : dict of str to array
        What the prior draws besides: ``concentration`` of a process, ``n_components``, ``scale`` of a
        `HierarchicalScale`.
    X : (draws, n, d) array
        Data sets, one from each mixture.
    labels : (draws, n) array
        The components that the points came from.
    observed : (n, d) array or None
        The data that were given.
    feature_names : tuple of str
    """

    model: Model
    params: MixtureParams
    unknowns: dict[str, np.ndarray]
    X: np.ndarray
    labels: np.ndarray
    observed: np.ndarray | None
    feature_names: tuple[str, ...]

    def __repr__(self) -> str:
        draws, n, d = self.X.shape
        return f"<{draws} draws from the prior of {self.model.label}, each with {n} points in {d} columns>"

    @property
    def n_occupied(self) -> np.ndarray:
        """(draws,) number of components that hold a point of the data set."""
        return np.array([len(np.unique(row)) for row in self.labels])

    def to_datatree(self) -> xr.DataTree:
        """Groups ``prior``, ``prior_predictive`` and, where data were given, ``observed_data``, as ArviZ has them."""
        import xarray as xr

        scale_shape = self.model.covariance.columns.scale_shape(self.params.n_features)
        unknowns = {
            name: values[None] if name != "scale" else values.reshape(1, len(values), *scale_shape)
            for name, values in self.unknowns.items()
        }
        groups = {
            "prior": convert.posterior_dataset(self.params[None], self.feature_names, unknowns),
            "prior_predictive": convert.replicates_dataset(self.X[None], self.feature_names),
        }
        if self.observed is not None:
            groups["observed_data"] = convert.observed_dataset(self.observed, self.feature_names)
        return xr.DataTree.from_dict(groups)


def sample_prior(
    model: Model,
    X_or_shape: ArrayLike | tuple[int, int],
    draws: int = 500,
    rng: np.random.Generator | int | None = None,
) -> PriorDraws:
    """What the prior says before the data: mixtures, and a data set from each.

    Parameters
    ----------
    model : GaussianMixture, DirichletProcessMixture or MixtureOfFiniteMixtures
    X_or_shape : (n, d) array or frame, or tuple (n, d)
        The data, from which the constants that the prior leaves open are taken, and as many points as which each data
        set has; or a shape, where the prior has all its constants.
    draws : int
    rng : numpy Generator, int seed or None

    Returns
    -------
    PriorDraws

    Raises
    ------
    ArgumentError
        An argument cannot be used; or a shape is given and the prior takes constants from the data.
    DataError
        The data cannot be used.
    """
    if not isinstance(model, (GaussianMixture, DirichletProcessMixture, MixtureOfFiniteMixtures)):
        raise ArgumentError(f"model={shown(model)} must be a model object such as GaussianMixture(n_components=2).")
    capability(model.covariance, "conjugate")
    draws = whole_number(draws, "draws")
    data, n_obs = _data_of(model, X_or_shape)
    resolved = model.resolve(data)
    size = 8 * int(draws) * n_obs * data.values.shape[1]
    if size > LIMIT:
        raise ArgumentError(f"{draws} data sets of {n_obs} points take {size / 2**30:.1f} GiB: ask for fewer draws.")
    generator = np.random.default_rng(as_seed(rng))
    params, unknowns = _parameters(resolved, int(draws), generator)
    pairs = [density.sample(params[s], n_obs, generator) for s in range(int(draws))]
    is_shape = data.values is not X_or_shape and _is_shape(X_or_shape)
    points, labels = (np.stack(part) for part in zip(*pairs, strict=True))
    return PriorDraws(resolved, params, unknowns, points, labels, None if is_shape else data.values, data.feature_names)


def _is_shape(X_or_shape: Any) -> bool:
    return isinstance(X_or_shape, tuple) and len(X_or_shape) == 2 and all(np.ndim(part) == 0 for part in X_or_shape)


def _data_of(model: Model, X_or_shape: Any) -> tuple[Rows, int]:
    """The data, or as many zeros where the prior needs nothing of them."""
    if not _is_shape(X_or_shape):
        data = as_rows(X_or_shape)
        return data, len(data.values)
    n, d = X_or_shape
    if not all(isinstance(part, Integral) and int(part) >= 1 for part in (n, d)):
        raise ArgumentError(f"X_or_shape={shown(X_or_shape)}: a shape is (points, columns), two positive integers.")
    if model.prior.needs_data:
        raise ArgumentError(
            f"prior={type(model.prior).__name__}(...) takes constants from the data: pass the data instead of their "
            "shape, or give the prior all its constants (mean, scale, ...)."
        )
    rows = max(int(n), model.min_points)  # which a fit would need, and a draw from the prior does not
    return Rows(np.zeros((rows, int(d))), tuple(f"x{j}" for j in range(int(d)))), int(n)


def _parameters(model: Model, draws: int, rng: np.random.Generator) -> tuple[MixtureParams, dict[str, np.ndarray]]:
    weights, unknowns = _weights(model, draws, rng)
    means, factor, scale = _components(model.prior, model.covariance, model.n_components, draws, rng)
    return MixtureParams.trusted(weights, means, factor), unknowns | scale


def _weights(model: Model, draws: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(draws, K) weights, and what they depend on."""
    if isinstance(model, DirichletProcessMixture):
        given, left = model.concentration, model.truncation - 1
        alpha = given.sample(rng, draws) if isinstance(given, Gamma) else np.full(draws, float(given))
        sticks = StickBreaking(np.ones(left), np.repeat(alpha[:, None], left, axis=1))
        return sticks.sample(rng, draws), {"concentration": alpha}
    if isinstance(model, MixtureOfFiniteMixtures):
        largest = model.max_components
        probability = np.exp(model.components_prior.log_probability(largest))
        counts = 1 + rng.choice(largest, size=draws, p=probability / probability.sum())
        weights = np.zeros((draws, largest))
        for k in np.unique(counts):
            rows = np.flatnonzero(counts == k)
            weights[rows, :k] = model.weights.resolve(int(k)).sample(rng, len(rows))
        return weights, {"n_components": counts}
    return model.weights.resolve(model.n_components).sample(rng, draws), {}


def _components(
    prior: Any, structure: CovarianceStructure, k: int, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """(draws, K, D) means, precision factors, and an unknown scale."""
    if isinstance(prior, NormalInverseWishart):
        return *prior.conjugate(structure, k).sample(rng, draws), {}
    assert isinstance(prior, IndependentNormalInverseWishart)
    likely, unknowns = prior.conjugate(structure, k), {}
    if isinstance(prior.scale, HierarchicalScale):
        unknowns["scale"] = _scales(prior.scale, draws, rng)
        factor = np.stack([_with_scale(likely, scale).sample(rng, 1)[1][0] for scale in unknowns["scale"]])
    else:
        factor = likely.sample(rng, draws)[1]
    noise = rng.standard_normal((draws, *likely.mean.shape))
    return likely.mean + structure.form.colored(noise, np.asarray(prior.mean_covariance)), factor, unknowns


def _scales(prior: HierarchicalScale, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(draws, ...) draws of the scale that all components share."""
    rate, shape = np.asarray(prior.rate), float(prior.shape or 0.0)
    if rate.ndim == 1:
        return rng.gamma(shape, 1.0 / rate, (draws, len(rate)))
    from scipy.stats import wishart  # slow to import

    return wishart(2.0 * shape, 0.5 * np.linalg.inv(rate)).rvs(draws, random_state=rng).reshape(draws, *rate.shape)


def _with_scale(law: ConjugateComponents, scale: np.ndarray) -> ConjugateComponents:
    scales = np.array(np.broadcast_to(scale, law.scale.shape))
    return ConjugateComponents(law.structure, law.mean, law.mean_precision, law.dof, scales)
