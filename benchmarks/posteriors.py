"""Default Gibbs at real sizes: seconds, status, and where the chains stand.

python -m benchmarks.posteriors [seeds]

Draws around a mode of p parameters have log likelihoods that are p/2 below its maximum in the mean, with a spread of
sqrt(p/2).  The table gives, for the lowest and the highest chain, the mean log likelihood less (maximum - p/2) in units
of that spread.  The maximum is the best of EM from 10 starts and from the best draw.  Where components overlap, chains
stand somewhat below p/2, since the posterior is then no normal distribution.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np

import bayesgmm as bg

CASES = (
    (2_000, 8, 6, 1.2), (20_000, 8, 6, 1.2), (5_000, 2, 6, 3.0), (20_000, 2, 6, 3.0), (10_000, 4, 10, 2.5),
    (5_000, 10, 20, 2.0),
)  # fmt: skip


def overlapping(n: int, d: int, k: int, apart: float) -> np.ndarray:
    """n points of k unequal components whose means are `apart` standard deviations apart in each coordinate."""
    rng = np.random.default_rng([n, d, k])
    means = apart * rng.standard_normal((k, d))
    roots = np.eye(d) + 0.3 * rng.standard_normal((k, d, d)) / np.sqrt(d)
    labels = rng.choice(k, n, p=rng.dirichlet(np.full(k, 5.0)))
    X = rng.standard_normal((n, d))
    for j in range(k):
        X[labels == j] = X[labels == j] @ roots[j].T + means[j]
    return X


def highest(model: bg.GaussianMixture, X: np.ndarray, draws: bg.Fit) -> float:
    """The best log likelihood that EM reaches."""
    log_likelihood = draws.estimate.sample_stats["log_likelihood"]
    best = draws.params[np.unravel_index(log_likelihood.argmax(), log_likelihood.shape)]
    climbs = (bg.fit(model, X, bg.EM(tol=1e-7), rng=0), bg.fit(model, X, bg.EM(init=best, tol=1e-7), rng=0))
    return max(fit.log_likelihood for fit in climbs)


def main(n_seeds: int = 5) -> None:
    print("| n, D, K, apart | seed | seconds | chains, in sqrt(p/2) from maximum - p/2 | effective draws | status |")
    print("|---|---|---|---|---|---|")
    bg.fit(bg.GaussianMixture(2), overlapping(300, 2, 2, 3.0), bg.Gibbs(draws=10, tune=10), rng=0)  # compiles
    for case in CASES:
        X, model = overlapping(*case), bg.GaussianMixture(case[2])
        top = -np.inf
        for seed in range(n_seeds):
            begin = time.perf_counter()
            fit = bg.fit(model, X, bg.Gibbs(), rng=seed)
            seconds = time.perf_counter() - begin
            top = max(top, highest(model, X, fit))
            half = model.n_parameters(X.shape[1]) / 2
            gaps = (fit.estimate.sample_stats["log_likelihood"].mean(1) - (top - half)) / np.sqrt(half)
            status = "converged" if fit.status.is_converged else fit.status.sentence
            print(
                f"| {case} | {seed} | {seconds:.0f} | {gaps.min():.1f} to {gaps.max():.1f} | "
                f"{fit.diagnostics.min_ess:.0f} | {status} |",
                flush=True,
            )


if __name__ == "__main__":
    warnings.simplefilter("ignore", bg.NotConvergedWarning)
    main(*(int(argument) for argument in sys.argv[1:]))
