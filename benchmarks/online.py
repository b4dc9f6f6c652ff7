"""Online EM against EM: one pass over a million points, from equal parameters.

python -m benchmarks.online
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import bayesgmm as bg
from benchmarks.cases import simulated
from benchmarks.peers import quietly

SHAPE = (1_000_000, 8, 8)
N_PAIRS, N_ITER = 5, 3


def main() -> None:
    """Print whole calls, their difference per pass and per iteration, and the gap to EM's optimum."""
    X, start = simulated(*SHAPE)
    model = bg.GaussianMixture(SHAPE[2])

    def online(passes: int) -> bg.Fit:
        return quietly(lambda: bg.fit(model, X, bg.OnlineEM(passes=passes, init=start), rng=0))

    def em(n_iter: int) -> bg.Fit:
        return quietly(lambda: bg.fit(model, X, bg.EM(n_iter, tol=None, init=start), rng=0))

    best = quietly(lambda: bg.fit(model, X, bg.EM(init=start), rng=0))  # also the warm-up
    once, thrice = online(1), em(N_ITER)
    times = np.array(
        [[seconds(lambda: online(1)), seconds(lambda: online(2)), seconds(lambda: em(N_ITER)),
          seconds(lambda: em(2 * N_ITER))] for _ in range(N_PAIRS)]
    )  # fmt: skip
    calls, a_pass, iterations = times[:, [0, 2]], times[:, 1] - times[:, 0], times[:, 3] - times[:, 2]
    print("n = {:,}, D = {}, K = {}; seconds, medians of {} interleaved runs".format(*SHAPE, N_PAIRS))
    print(f"whole call: one pass {np.median(calls[:, 0]):.2f}, EM of {N_ITER} iterations {np.median(calls[:, 1]):.2f}")
    print(f"one more pass {np.median(a_pass):.2f}, {N_ITER} more iterations {np.median(iterations):.2f}, ratio "
          f"{np.median(iterations / a_pass):.2f}")  # fmt: skip
    for name, fit in (("one pass", once), (f"EM of {N_ITER} iterations", thrice)):
        gap = (best.log_likelihood - fit.log_likelihood) / len(X)
        print(f"{name}: {gap:.5f} nats per point below EM's optimum ({best.diagnostics.n_iter} iterations)")


def seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
