"""EM to its end against scikit-learn: time from equal starts to the same log likelihood, or a higher one.

Both start from one step of EM after k-means.  This package runs with its default tolerance, the search beside the
optimum included.  Scikit-learn makes as many iterations as it needs to come as high, less `SLACK` a point; where that
is more than `MOST`, the time of `MOST` is taken, so that the ratio is a lower bound.  How many it needs is found by the
package's own plain EM, which is the same iteration (tests/methods/test_sklearn.py) and much faster.

python -m benchmarks.convergence
"""

from __future__ import annotations

import time

import numpy as np

import bayesgmm as bg
from benchmarks.cases import simulated
from benchmarks.peers import em_sklearn, quietly

SHAPES = ((20_000, 2, 6), (50_000, 8, 8), (20_000, 16, 8), (100_000, 4, 10))
SLACK = 1e-8  # nats a point, this package's default `tol`
MOST = 1000
APART = 2.0  # of `simulated`: components overlap more than in the other tables
N_TIMES = 3


def main() -> None:
    """Print the table, and the lowest and median ratio."""
    print("EM, full covariance, to convergence")
    print(f"{'n':>8}{'D':>4}{'K':>4}{'sweeps':>8}{'sk. iter':>10}{'ours s':>9}{'sk. s':>9}{'ratio':>8}{'lower':>7}")
    ratios = []
    for shape in SHAPES:
        X, _ = simulated(*shape, APART)
        start = from_kmeans(X, shape[2])
        fitted(X, start)  # compiles
        own, fit = min((timed(lambda: fitted(X, start)) for _ in range(N_TIMES)), key=lambda pair: pair[0])  # noqa: B023
        n_iter = needed(X, start, fit.log_likelihood - SLACK * len(X))
        other = min(timed(lambda: em_sklearn(X, start, n_iter))[0] for _ in range(1 if n_iter > 200 else N_TIMES))  # noqa: B023
        ratios.append(other / own)
        row = f"{shape[0]:>8}{shape[1]:>4}{shape[2]:>4}{fit.diagnostics.n_iter:>8}{n_iter:>10}"
        print(f"{row}{own:>9.3f}{other:>9.2f}{ratios[-1]:>8.1f}{'yes' if n_iter == MOST else 'no':>7}", flush=True)
    print(f"ratio: median {np.median(ratios):.1f}, lowest {min(ratios):.1f}")


def from_kmeans(X: np.ndarray, n_components: int) -> bg.MixtureParams:
    """One step of EM after k-means."""
    method = bg.EM(1, tol=None, n_init=1, init="kmeans", accelerate=False)
    return quietly(lambda: bg.fit(bg.GaussianMixture(n_components), X, method, rng=0)).params


def fitted(X: np.ndarray, start: bg.MixtureParams) -> bg.Fit:
    """EM of this package by default, from the start."""
    return quietly(lambda: bg.fit(bg.GaussianMixture(start.n_components), X, bg.EM(init=start), rng=0))


def needed(X: np.ndarray, start: bg.MixtureParams, target: float) -> int:
    """Iterations of plain EM until it is at `target`, at most `MOST`."""
    method = bg.EM(MOST, tol=None, init=start, accelerate=False)
    history = quietly(lambda: bg.fit(bg.GaussianMixture(start.n_components), X, method, rng=0)).history
    reached = np.flatnonzero(history >= target)
    return max(int(reached[0]), 1) if len(reached) else MOST


def timed(call):
    """Seconds and the result."""
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


if __name__ == "__main__":
    main()
