"""VB against scikit-learn: equal priors, responsibilities to begin with, iterations and posterior means.

Dirichlet weights, and a Dirichlet process with a fixed concentration and as many sticks; there the posterior means
differ a little, since scikit-learn does not close the last stick and does not order the sticks.

python -m benchmarks.vb
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases import SHAPES, simulated
from benchmarks.measure import paired, ratio
from benchmarks.peers import Fitter, process_ours, process_sklearn, vb_ours, vb_sklearn

N_PAIRS, N_ITER = 5, 10


def main() -> None:
    """Print both tables."""
    table("VB, Dirichlet weights", vb_ours, vb_sklearn)
    print()
    table("VB, Dirichlet process", process_ours, process_sklearn)


def table(title: str, ours: Fitter, theirs: Fitter) -> None:
    """Print one row per shape, and the medians."""
    print(f"{title}, full covariance, per iteration")
    print(f"{'n':>8}{'D':>4}{'K':>4}{'ours ms':>10}{'sklearn ms':>12}{'ratio':>8}{'|dmeans|':>12}")
    ratios = []
    for shape in SHAPES:
        X, start = simulated(*shape)
        gap = abs(_in_order(ours(X, start, N_ITER).params.means) - _in_order(theirs(X, start, N_ITER).means_)).max()
        times = paired(ours, theirs, X, start, N_PAIRS)
        ratios.append(ratio(times))
        own, other = 1e3 * np.median(times, axis=0)
        row = f"{shape[0]:>8}{shape[1]:>4}{shape[2]:>4}{own:>10.2f}{other:>12.2f}{ratios[-1]:>8.1f}{gap:>12.1e}"
        print(row, flush=True)
    print(f"ratio: median {np.median(ratios):.1f}, lowest {min(ratios):.1f}")


def _in_order(means: np.ndarray) -> np.ndarray:
    return means[np.argsort(means[:, 0])]


if __name__ == "__main__":
    main()
