"""`clustering_quality`: numbers of one fit's clustering, with their posterior uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.checks import as_seed, whole_number
from bayesgmm.core import density
from bayesgmm.core.params import MixtureParams
from bayesgmm.criteria.clustering import (
    known_groups,
    mutual_information,
    rand_index,
    soft_mutual_information,
    soft_rand_index,
)
from bayesgmm.result.fit import Fit
from bayesgmm.result.own_data import given_or_own

if TYPE_CHECKING:
    import pandas as pd

SILHOUETTE_POINTS = 2000  # whose mutual distances take 32 MB
POINT_ALLOCATIONS = 100  # drawn of a point fit; each draw of a posterior has one of its own
HELD = 0.5  # points; a component that holds fewer has no neighbourhood that a silhouette could tell

MEANINGS = {
    "log_likelihood_per_point": "mean log density of the points, in nats; higher is a closer description",
    "perplexity": "exp(-log_likelihood_per_point), in the units of volume of the data; lower is a closer description",
    "assignment_entropy": "mean entropy of a point's component probabilities, in nats: 0 where all are sure, "
    "at most log K",
    "silhouette": "of the most probable components, distances with every column divided by its standard deviation: 1 "
    "for tight clusters far apart, 0 where they touch",
    "soft_silhouette": "the same with every point in each component by its probability",
    "expected_silhouette": "mean silhouette of components drawn from their probabilities: doubtful points count "
    "against it",
    "ari": "adjusted Rand index of the given labels and the most probable components: 1 the same, 0 as by chance",
    "soft_ari": "the same from the expected numbers of pairs under the component probabilities",
    "nmi": "mutual information of the given labels and the most probable components, divided by the mean of their "
    "entropies: 1 the same, 0 independent",
    "soft_nmi": "the same with components drawn from their probabilities",
}
ONE_CLUSTER = "there is one cluster, and a silhouette needs two"


def clustering_quality(
    fit: Fit,
    labels: ArrayLike | None = None,
    X: ArrayLike | None = None,
    max_draws: int = 200,
    rng: np.random.Generator | int | None = None,
) -> pd.DataFrame:
    """How tight, how sure and, where labels are known, how right the clustering of a fit is.

    Every quantity is one of a mixture and does not depend on the order of its components.  Of a fit with draws, or a
    variational fit, it is computed for each draw, and the table has its posterior mean and standard deviation; of a
    point fit it is one number without an uncertainty.

    Parameters
    ----------
    fit : Fit
    labels : (n,) array, optional
        Known groups of the points; adds adjusted Rand index and normalised mutual information.
    X : (n, d) array or frame, optional
        The points; the fit's own where not given.
    max_draws : int
        Of more draws as many evenly spaced ones are used.
    rng : Generator or int, optional
        Of the components that are drawn; the fit's seed where not given.

    Returns
    -------
    DataFrame
        A row per quantity; columns `value`, `sd` (NaN for a point fit), `meaning` and `note`, which says why a value
        is NaN or on what it rests.

    Raises
    ------
    ArgumentError
        `labels` or `max_draws` cannot be used.
    DataError
        X does not match the fit.
    NotApplicableError
        The fit has no usable result, or no data.

    Notes
    -----
    These are descriptions of one clustering and no criteria for the number of components: a likelihood always rises
    with it, and a silhouette prefers round clusters whatever the model.

    References
    ----------
    Rousseeuw (1987), doi:10.1016/0377-0427(87)90125-7 (silhouette); Vardakas, Papakostas and Likas (2024),
    arXiv:2402.00608 (soft silhouette); Hubert and Arabie (1985), doi:10.1007/BF01908075 (adjusted Rand index);
    Campello (2007), doi:10.1016/j.patrec.2006.11.010 (its soft form).
    """
    import pandas as pd

    draws = fit.estimate.draws().spaced(whole_number(max_draws, "max_draws"))
    values = given_or_own(fit, X, "see their clustering")
    groups = None if labels is None else known_groups(labels, len(values))
    generator = np.random.default_rng(fit.seed if rng is None else as_seed(rng))
    rows = even_rows(len(values))
    distances = _distances(values[rows])
    is_point = fit.kind == "point"
    n_drawn = POINT_ALLOCATIONS if is_point else 1
    found = [_of_draw(draws[s], values, rows, distances, groups, n_drawn, generator) for s in range(len(draws.weights))]
    table = pd.DataFrame(found)
    notes = {name: _note(name, table[name], len(rows), len(values)) for name in table}
    return pd.DataFrame(
        {
            "value": table.mean(),
            "sd": np.nan if is_point else table.std(ddof=0),
            "meaning": pd.Series(MEANINGS).reindex(table.columns),
            "note": pd.Series(notes),
        }
    ).rename_axis("quantity")


def silhouettes(distances: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(n,) silhouettes of points that belong to clusters by (n, K) shares; of hard ones Rousseeuw's.

    A point's silhouette in a cluster is weighted by its share in it.  It is 0 where nothing else is in the cluster,
    and NaN everywhere where fewer than two clusters hold half a point.
    """
    shares = shares[:, shares.sum(0) >= HELD]
    n, k = shares.shape
    if k < 2:
        return np.full(n, np.nan)
    others = np.maximum(shares.sum(0) - shares, 0.0)  # without the point itself, whose distance is 0
    is_alone = others <= 1e-12 * n
    means = np.where(is_alone, np.inf, distances @ shares / np.where(is_alone, 1.0, others))
    first, second = np.sort(means, axis=1)[:, :2].T
    nearest_other = np.where(means == first[:, None], second[:, None], first[:, None])
    larger = np.maximum(means, nearest_other)
    with np.errstate(invalid="ignore"):
        one = np.where(is_alone | (larger == 0) | ~np.isfinite(larger), 0.0, (nearest_other - means) / larger)
    return (shares * one).sum(1) / shares.sum(1)


def even_rows(n: int) -> np.ndarray:
    """At most as many evenly spaced rows as a silhouette is computed of."""
    return np.unique(np.linspace(0, n - 1, min(n, SILHOUETTE_POINTS)).round().astype(int))


def _of_draw(
    params: MixtureParams,
    X: np.ndarray,
    rows: np.ndarray,
    distances: np.ndarray,
    groups: np.ndarray | None,
    n_drawn: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """All quantities of one mixture."""
    shares = density.responsibilities(params.scores(), X)
    per_point = float(density.log_density(params, X).mean())
    hard, ones = shares.argmax(1), np.eye(params.n_components)
    drawn = [silhouettes(distances, ones[density.allocate(shares, rng)[rows]]).mean() for _ in range(n_drawn)]
    with np.errstate(over="ignore"):
        perplexity = float(np.exp(-per_point))
    values = {
        "log_likelihood_per_point": per_point,
        "perplexity": perplexity,
        "assignment_entropy": float(-(shares * np.log(np.maximum(shares, 1e-300))).sum(1).mean()),
        "silhouette": silhouettes(distances, ones[hard[rows]]).mean(),
        "soft_silhouette": silhouettes(distances, shares[rows]).mean(),
        "expected_silhouette": float(np.mean(drawn)),
    }
    if groups is not None:
        values["ari"], values["soft_ari"] = rand_index(groups, hard), soft_rand_index(groups, shares)
        values["nmi"], values["soft_nmi"] = mutual_information(groups, hard), soft_mutual_information(groups, shares)
    return values


def _distances(X: np.ndarray) -> np.ndarray:
    """(n, n) distances with every column divided by its standard deviation; a constant one has no say."""
    from scipy.spatial.distance import cdist

    spread = X.std(0, dtype=float)
    scaled = (X - X.mean(0, dtype=float)) / np.where(spread > 0, spread, 1.0)
    return cdist(scaled, scaled)


def _note(name: str, values: pd.Series, n_used: int, n: int) -> str:
    if "silhouette" not in name:
        return ""
    missing = int(values.isna().sum())
    notes = [f"of {n_used} evenly spaced points of {n}"] if n_used < n else []
    if missing == len(values):
        notes += [ONE_CLUSTER]
    elif missing:
        notes += [f"without {missing} of {len(values)} draws, which have one cluster"]
    return "; ".join(notes)
