"""NUTS against `pm.Mixture` of `pm.MvNormal`s under nutpie: each run in a fresh process, caches cold and then warm.

Then this package alone on many data.

python -m benchmarks.nuts
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

CASES = (("faithful", 2), ("iris", 3))
DRAWS, TUNE, CHAINS = 1000, 1000, 4
N_WARM = 3  # runs of each side with warm caches, in turn
LARGE = (20_000, 8, 6)  # rows, columns, components of simulated data, for this package alone
LARGE_CHAINS = 2


def nuts_ours(X: np.ndarray, k: int) -> np.ndarray:
    """(chain, draw, K) weights of this package's draws."""
    import bayesgmm as bg

    return bg.fit(bg.GaussianMixture(k), X, bg.NUTS(DRAWS, TUNE, CHAINS), rng=0).params.weights


def nuts_pymc(X: np.ndarray, k: int) -> np.ndarray:
    """As one writes it with PyMC: an LKJ prior for each covariance, weakly informative by the data's own spread."""
    import nutpie
    import pymc as pm

    spread = X.std(0)
    rows = np.random.default_rng(0).permutation(len(X))[:k]
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", np.ones(k))
        means = pm.Normal("means", X.mean(0), 3.0 * spread, shape=(k, X.shape[1]), initval=X[rows])
        components = []
        for j in range(k):
            chol, _, _ = pm.LKJCholeskyCov(
                f"chol_{j}", n=X.shape[1], eta=2.0, sd_dist=pm.HalfNormal.dist(spread, shape=X.shape[1])
            )
            components.append(pm.MvNormal.dist(means[j], chol=chol))
        pm.Mixture("x", weights, components, observed=X)
    compiled = nutpie.compile_pymc_model(model)
    trace = nutpie.sample(compiled, draws=DRAWS, tune=TUNE, chains=CHAINS, seed=0, progress_bar=False)
    return trace.posterior["weights"].values


SIDES: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {f.__name__: f for f in (nuts_ours, nuts_pymc)}


def main() -> None:
    """Print the table."""
    print(f"NUTS, full covariance, {CHAINS} chains of {TUNE} + {DRAWS} draws, from the call to the posterior")
    head = f"{'data':>10}{'K':>3}{'ours s':>9}{'pymc s':>9}{'ratio':>8}{'cold s':>9}{'pymc cold s':>13}"
    print(head + f"{'ESS/s':>9}{'pymc ESS/s':>12}")
    for name, k in CASES:
        with tempfile.TemporaryDirectory() as folder:
            cold = {side: _fresh(side, name, k, folder) for side in SIDES}
            warm = [{side: _fresh(side, name, k, folder) for side in SIDES} for _ in range(N_WARM)]
        ours, theirs = (np.array([run[side] for run in warm]) for side in SIDES)
        ratio = np.median(theirs[:, 0] / ours[:, 0])
        row = f"{name:>10}{k:>3}{np.median(ours[:, 0]):>9.2f}{np.median(theirs[:, 0]):>9.1f}{ratio:>8.1f}"
        row += f"{cold['nuts_ours'][0]:>9.1f}{cold['nuts_pymc'][0]:>13.1f}"
        rates = (np.median(side[:, 1] / side[:, 0]) for side in (ours, theirs))
        print(row + "".join(f"{rate:>{width}.1f}" for rate, width in zip(rates, (9, 12), strict=True)), flush=True)
    print_large()


def large() -> np.ndarray:
    """Overlapping clusters: means 1.2 deviations apart in each coordinate, covariances that differ."""
    n, d, k = LARGE
    rng = np.random.default_rng(0)
    means, weights = rng.normal(size=(k, d)) * 1.2, rng.dirichlet(np.full(k, 8.0))
    labels, X = rng.choice(k, n, p=weights), np.empty((n, d))
    roots = [np.linalg.qr(rng.normal(size=(d, d)))[0] * np.exp(0.3 * rng.normal(size=d)) for _ in range(k)]
    for j, root in enumerate(roots):
        X[labels == j] = means[j] + rng.normal(size=((labels == j).sum(), d)) @ root.T
    return X


def print_large() -> None:
    """This package on many data: processor time, so that other programs on the machine do not count."""
    from arviz_stats.base import array_stats

    import bayesgmm as bg

    X, method = large(), bg.NUTS(DRAWS, TUNE, LARGE_CHAINS)
    bg.fit(bg.GaussianMixture(2), X[:200], bg.NUTS(10, 10, 1), rng=0, throw=False)  # compile
    begin = time.process_time()
    fit = bg.fit(bg.GaussianMixture(LARGE[2]), X, method, rng=0)
    seconds, evaluations = time.process_time() - begin, fit.estimate.sample_stats["n_steps"]
    squares = (fit.params.weights**2).sum(-1)
    effective = float(array_stats.ess(squares, chain_axis=0, draw_axis=1, method="bulk"))
    print(
        f"n, D, K = {LARGE}, {LARGE_CHAINS} chains: {effective:.0f} effective draws, {seconds:.1f} s of processor time"
    )
    rate = 1000 * effective / evaluations.sum()
    print(f"{evaluations.mean():.1f} evaluations a draw, {rate:.0f} effective draws in 1,000 of them")


def _fresh(side: str, name: str, k: int, folder: str) -> tuple[float, float]:
    """Seconds and effective draws of the sum of squared weights, in a fresh process with its caches in `folder`."""
    flags = ",".join(filter(None, [os.environ.get("PYTENSOR_FLAGS"), f"base_compiledir={folder}/pytensor"]))
    environment = os.environ | {"NUMBA_CACHE_DIR": f"{folder}/numba", "PYTENSOR_FLAGS": flags}
    command = [sys.executable, "-m", "benchmarks.nuts", side, name, str(k)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return tuple(json.loads(done.stdout.splitlines()[-1]))


def _child(side: str, name: str, k: str) -> None:
    import nutpie  # noqa: F401  both sides' imports are no part of the call
    import pymc  # noqa: F401
    from arviz_stats.base import array_stats

    import bayesgmm as bg

    X = bg.load_dataset(name).X
    begin = time.perf_counter()
    weights = SIDES[side](X, int(k))
    seconds = time.perf_counter() - begin
    effective = array_stats.ess((weights**2).sum(-1), chain_axis=0, draw_axis=1, method="bulk")
    print(json.dumps([seconds, float(effective)]))


if __name__ == "__main__":
    _child(*sys.argv[1:]) if len(sys.argv) > 1 else main()
