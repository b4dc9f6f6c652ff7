"""Is what a fit predicts calibrated?  LOO-PIT values, and posterior predictive checks that no labels enter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr

from bayesgmm.checks import as_seed, whole_number
from bayesgmm.core import density
from bayesgmm.core.params import MixtureParams
from bayesgmm.errors import ArgumentError, NotApplicableError, shown
from bayesgmm.result.fit import Fit
from bayesgmm.result.own_data import own_data
from bayesgmm.result.pointwise import Pointwise
from bayesgmm.result.smoothing import pareto_k_limit, smoothed

if TYPE_CHECKING:
    import pandas as pd

N_DRAWS = 400  # a p-value near 0.05 has then an error of 0.01
LEVEL = 0.95  # of the band around the values' distribution function, of each column by itself
SIMULATIONS = 1000  # of uniform values, for the band


@dataclass(frozen=True, eq=False)
class LooPit:
    """Leave-one-out probability integral transforms.

    Parameters
    ----------
    values : (n, d) array
        Probability that each column of a new point is at most that of the point, which is left out.  Those of a
        calibrated fit are uniform in each column.
    feature_names : tuple of str
    reliability : (n,) array
        Pareto k of each point's weights.
    limit : float
        Above it a point's values are those of weights that cannot be trusted.
    """

    values: np.ndarray
    feature_names: tuple[str, ...]
    reliability: np.ndarray
    limit: float

    def __repr__(self) -> str:
        n, d = self.values.shape
        told = f"<LOO-PIT of {n} points in {d} column{'s' if d > 1 else ''}, unreliable at {self.n_unreliable}>"
        return "\n".join([told, *self.departures().values()])

    @property
    def n_unreliable(self) -> int:
        return int((self.reliability > self.limit).sum())

    def band(self, column: int, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """A grid, the distribution function of a column's values there, and the ends of its band if they are uniform.

        All of the function lies inside with probability `level`.  Säilynoja, Bürkner and Vehtari (2022), Statistics and
        Computing 32, 32, doi:10.1007/s11222-022-10090-6.
        """
        grid, lower, upper = _band(len(self.values), level)
        ecdf = np.searchsorted(np.sort(self.values[:, column]), grid, side="right") / len(self.values)
        return grid, np.where(grid > 0.0, ecdf, 0.0), lower, upper

    def departures(self, level: float = LEVEL) -> dict[str, str]:
        """For each column whose values leave the band, a sentence that says where and how."""
        found = {}
        for column, name in enumerate(self.feature_names):
            said = _departure(*self.band(column, level))
            if said:
                found[name] = f"LOO-PIT of {name} leaves its {level:.0%} band: {said}."
        return found


@cache
def _band(n_points: int, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A grid and the ends of the band there, which are simulated and the same whatever the values are."""
    from arviz_stats.ecdf_utils import ecdf_pit

    uniform = (np.arange(n_points) + 0.5) / n_points
    grid, _, lower, upper = ecdf_pit(uniform, level, SIMULATIONS, rng=np.random.default_rng(0))
    return grid, lower, upper


def _departure(grid: np.ndarray, ecdf: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> str:
    """Where the function is farthest outside, and what that says of the spread; empty where it is inside."""
    over, under = ecdf - upper, lower - ecdf
    if max(over.max(), under.max()) <= 0:
        return ""
    worst = int(np.maximum(over, under).argmax())
    where = f"{ecdf[worst]:.0%} of the points lie below what is predicted as the {grid[worst]:.0%} quantile"
    if over.max() > 0 and under.max() > 0:
        is_narrow = grid[over > 0].mean() < grid[under > 0].mean()
        return f"the predictions are too {'narrow' if is_narrow else 'wide'} ({where})"
    return f"points lie {'lower' if over.max() > 0 else 'higher'} than predicted ({where})"


@dataclass(frozen=True, eq=False)
class PredictiveCheck:
    """Discrepancies T(X, theta) of the data and of replicated data, under the same draws of theta.

    Parameters
    ----------
    observed, replicated : dict of str to (draws,) array
    is_plug_in : bool
        All draws are one point estimate, whose own uncertainty is left out.
    """

    observed: dict[str, np.ndarray]
    replicated: dict[str, np.ndarray]
    is_plug_in: bool

    def __repr__(self) -> str:
        return self.table.to_string()

    @property
    def p_values(self) -> dict[str, float]:
        """Probability that T of replicated data is at least that of the data; near 0 and near 1 speak of misfit."""
        return {name: float((self.replicated[name] >= value).mean()) for name, value in self.observed.items()}

    @property
    def table(self) -> pd.DataFrame:
        """One row per discrepancy: its mean for the data and for replicates, the latter's deviation, the p-value."""
        import pandas as pd

        rows = {
            name: (value.mean(), self.replicated[name].mean(), self.replicated[name].std(), self.p_values[name])
            for name, value in self.observed.items()
        }
        columns = ["observed", "replicated", "replicated_sd", "p_value"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("discrepancy")


def loo_pit(fit: Fit, rows: np.ndarray | None = None) -> LooPit:
    """Leave-one-out probability integral transforms of every column of the data.

    The distribution function of a column is that of the mixture, and not of draws from it, averaged over posterior
    draws with the Pareto-smoothed weights of leave-one-out.  Of a variational fit the draws are those of q.

    Parameters
    ----------
    fit : Fit
        With draws of a posterior or of its approximation, and its data.
    rows : array of int, optional
        The points to do, where all of them would take too long: about 3 ms each.

    Returns
    -------
    LooPit

    Raises
    ------
    NotApplicableError
        Of a point fit, or of a fit that was saved without its data.

    References
    ----------
    Gelfand, Dey and Chang (1992), in Bayesian Statistics 4, 147-167.  Säilynoja, Bürkner and Vehtari (2022), Statistics
    and Computing 32, 32, doi:10.1007/s11222-022-10090-6: the bands of `plot_loo_pit`.
    """
    X = _data(fit) if rows is None else _data(fit)[_checked_rows(rows, len(fit.points))]
    if fit.kind == "point":
        raise NotApplicableError("LOO-PIT needs draws of a posterior, and a point estimate has none.")
    draws = fit.estimate.draws()
    flat = draws.reshaped(int(np.prod(draws.draw_shape)))
    deviations = np.sqrt(np.diagonal(flat.covariances, axis1=-2, axis2=-1))
    values, k = np.empty(X.shape), np.empty(len(X))
    own = fit.pointwise if rows is None else Pointwise(fit.estimate.draws, X, is_kept=False)
    for part, block in own.blocks():
        for i, column in zip(range(len(X))[part], block.T, strict=True):
            log_weights, k[i] = smoothed(-column)
            below = ndtr((X[i] - flat.means) / deviations)
            values[i] = np.einsum("s,sk,skd->d", np.exp(log_weights), flat.weights, below)
    return LooPit(np.clip(values, 0.0, 1.0), fit.feature_names, k, pareto_k_limit(len(flat.weights)))


def _checked_rows(rows: Any, n_obs: int) -> np.ndarray:
    found = np.asarray(rows)
    if found.ndim != 1 or found.dtype.kind not in "iu" or (len(found) and not 0 <= found.min() <= found.max() < n_obs):
        raise ArgumentError(f"rows={shown(rows)} must be row numbers from 0 to {n_obs - 1}.")
    return found


def posterior_predictive_check(
    fit: Fit, n_draws: int = N_DRAWS, n_projections: int = 4, rng: np.random.Generator | int | None = 0
) -> PredictiveCheck:
    """Compare the data with data that the fit would make, by discrepancies that do not depend on labels.

    These are the mean and the lowest log density of the points, and the Kolmogorov distance between the points and
    the mixture: of the column where there is one, else of random projections of whitened columns, each of which has
    the distribution of a univariate mixture.  Data and replicates are held against the same draw of the parameters.

    Parameters
    ----------
    fit : Fit
        With its data.  A point fit is taken as known, so that its p-values are nearer to 1/2 than they should be.
    n_draws : int
        Posterior draws, evenly spread, each with one replicate of the data.
    n_projections : int
        Where there are several columns.
    rng : numpy Generator, int seed or None

    Returns
    -------
    PredictiveCheck

    Raises
    ------
    ArgumentError
        A count is not a positive integer.
    NotApplicableError
        The fit has no result, or was saved without its data.

    References
    ----------
    Gelman, Meng and Stern (1996), Statistica Sinica 6, 733-807.
    """
    n_draws, n_projections = whole_number(n_draws, "n_draws"), whole_number(n_projections, "n_projections")
    X, generator = _data(fit), np.random.default_rng(as_seed(rng))
    draws = fit.estimate.draws()
    flat = draws.reshaped(int(np.prod(draws.draw_shape)))
    is_plug_in = len(flat.weights) == 1
    chosen = np.linspace(0, len(flat.weights) - 1, n_draws).round().astype(int)
    views = _views(X, fit.feature_names, n_projections, generator)
    pairs = []
    for s in chosen:
        replicate = density.sample(flat[s], len(X), generator)[0]
        pairs.append((_discrepancies(flat[s], X, views), _discrepancies(flat[s], replicate, views)))
    observed, replicated = (
        {name: np.array([pair[which][name] for pair in pairs]) for name in pairs[0][0]} for which in (0, 1)
    )
    return PredictiveCheck(observed, replicated, is_plug_in)


def _data(fit: Fit) -> np.ndarray:
    if fit.kind == "none":
        _ = fit.params  # raises with the reason of the failure
    return np.asarray(own_data(fit, "its predictions are held against"), float)


def _views(
    X: np.ndarray, names: tuple[str, ...], n_projections: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Directions (D,) by what the distance along them is called."""
    if X.shape[1] == 1:
        return {f"distance of {names[0]}": np.ones(1)}
    directions = rng.standard_normal((n_projections, X.shape[1]))
    # Whitened, so that a change of units or axes leaves the law of the directions as it was.
    values, vectors = np.linalg.eigh(np.cov(X.T))
    keep = values > values.max() * 1e-12
    white = vectors[:, keep] / np.sqrt(values[keep])
    return {f"distance of projection {j + 1}": white @ u[keep] for j, u in enumerate(directions)}


def _discrepancies(params: MixtureParams, X: np.ndarray, views: dict[str, np.ndarray]) -> dict[str, float]:
    log_density = density.log_density(params, X)
    found = {"mean log density": float(log_density.mean()), "lowest log density": float(log_density.min())}
    for name, u in views.items():
        deviations = np.sqrt(np.einsum("i,kij,j->k", u, params.covariances, u))
        values = np.sort(X @ u)
        expected = ndtr((values[:, None] - params.means @ u) / deviations) @ params.weights
        steps = np.arange(len(values) + 1) / len(values)
        found[name] = float(max((expected - steps[:-1]).max(), (steps[1:] - expected).max()))
    return found
