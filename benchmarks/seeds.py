"""Whether stated errors hold over seeds: the spread of each score's z, which should be 1.

python -m benchmarks.seeds [seeds] [K ...] [evidence]

For K = 2 to 8 there are 50 K points of K normal clusters in two columns, whose centres are normal with a standard
deviation of 1 (overlapping) or 4 (mostly clear).  Chains are by default, until it is enough; only their seed and that
of the refits changes, the data and the folds stay.  K-fold and stacking are there up to K = 4.  z is (value less its
mean over seeds) / stated error.  The standard deviation of z over 20 seeds is below 1.52 with 99.9 % probability where
the errors are right: sqrt(43.8 / 19), with the quantile of chi-squared of 19.  Errors below a thousandth of a nat count
as one, since nothing depends on less.  An evidence counts where it is given and ranked.  With the word
`evidence` nothing else is computed.

For co-clustering the table has root mean squares over all pairs of every tenth point, and their ratio as the spread of
z: an error from eight halves of chains is itself rough.  Weights of stacking state no error: the table has their
spread.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator

import numpy as np

import bayesgmm as bg
from bayesgmm.core.combination import stacking_weights
from bayesgmm.criteria.predictive import elpd_kfold, elpd_loo, make_folds
from bayesgmm.criteria.score import Score
from bayesgmm.errors import NotApplicableError
from bayesgmm.partitions.similarity import co_clustering, co_clustering_error

METHOD = bg.Gibbs()
APART, SIZES = (1.0, 4.0), range(2, 9)
MOST_REFITTED = 4  # components: five refits a seed, and a fit of another size, take most of the time
NEGLIGIBLE = 1e-3  # nats


def clusters(k: int, apart: float, n_per_component: int = 50) -> np.ndarray:
    """Points of k round clusters around random centres."""
    rng = np.random.default_rng([k, int(10 * apart)])
    n = n_per_component * k
    return rng.normal(size=(n, 2)) + apart * rng.normal(size=(k, 2))[rng.integers(k, size=n)]


def spread(values: np.ndarray, errors: np.ndarray) -> float:
    """Standard deviation of z over seeds, the first axis."""
    return float(((values - values.mean(0)) / np.hypot(errors, NEGLIGIBLE)).std(ddof=1))


def scores(fit: bg.Fit, seed: int, folds: list[np.ndarray], is_evidence: bool) -> dict[str, Score]:
    """The simulated scores of one fit; Chib's only where it is given."""
    found = {"bridge": bg.log_evidence(fit, "bridge")}
    if not is_evidence:
        found["elpd_loo"] = elpd_loo(fit, fit.X)
    if not is_evidence and fit.model.n_components <= MOST_REFITTED:
        found["elpd_kfold"] = elpd_kfold(fit, fit.X, folds, seed)
    try:
        return {"chib": bg.log_evidence(fit, "chib")} | found
    except NotApplicableError:
        return found


def measured(k: int, apart: float, n_seeds: int, is_evidence: bool) -> Iterator[tuple[str, int, float, float, float]]:
    """(score, seeds, spread, median stated error, spread of z) of one case."""
    X = clusters(k, apart)
    folds, model, smaller = make_folds(len(X), 5, 0), bg.GaussianMixture(k), bg.GaussianMixture(k - 1)
    found: dict[str, list[tuple[float, float]]] = {"bridge": [], "chib": [], "elpd_loo": [], "elpd_kfold": []}
    together, pair_errors, shares = [], [], []
    for seed in range(n_seeds):
        fit = bg.fit(model, X, METHOD, rng=seed)
        of_fit = scores(fit, seed, folds, is_evidence)
        for kind, score in of_fit.items():
            if kind in ("bridge", "chib") and not score.is_ranked:
                continue  # it is not usable, and says so
            found[kind].append((score.value, score.se if kind in ("bridge", "chib") else score.mc_se))
        if is_evidence:
            continue
        pairs = co_clustering(fit, X[::10])[np.triu_indices(len(X[::10]), 1)]
        together.append(pairs)
        pair_errors.append(co_clustering_error(fit, X[::10])[np.triu_indices(len(X[::10]), 1)])
        if k <= MOST_REFITTED:
            other = elpd_loo(bg.fit(smaller, X, METHOD, rng=seed), X)
            shares.append(stacking_weights(np.stack([of_fit["elpd_loo"].pointwise, other.pointwise]))[0])
    for kind, pairs in found.items():
        if len(pairs) > 1:
            values, errors = np.array(pairs).T
            yield kind, len(pairs), values.std(ddof=1), float(np.median(errors)), spread(values, errors)
    if is_evidence:
        return
    seen, stated = (float(np.sqrt(np.mean(x))) for x in (np.var(together, 0, ddof=1), np.square(pair_errors)))
    yield "co_clustering", n_seeds, seen, stated, seen / float(np.hypot(stated, NEGLIGIBLE))
    if shares:
        yield "stacking", n_seeds, float(np.std(shares, ddof=1)), np.nan, np.nan


def main(n_seeds: int = 20, *sizes: int, is_evidence: bool = False) -> None:
    print("| K | apart | score | seeds | spread | stated | sd of z |\n|---|---|---|---|---|---|---|")
    for k in sizes or SIZES:
        for apart in APART:
            for kind, count, sd, error, z in measured(k, apart, n_seeds, is_evidence):
                print(f"| {k} | {apart:g} | {kind} | {count} | {sd:.3f} | {error:.3f} | {z:.2f} |", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    words = sys.argv[1:]
    main(*(int(word) for word in words if word != "evidence"), is_evidence="evidence" in words)
