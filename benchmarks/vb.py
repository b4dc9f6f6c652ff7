"""VB against scikit-learn: equal priors, responsibilities to begin with, iterations and posterior means.

python -m benchmarks.vb
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases import SHAPES, simulated
from benchmarks.measure import paired, ratio
from benchmarks.peers import vb_ours, vb_sklearn

N_PAIRS, N_ITER = 5, 10


def main() -> None:
    """Print the table, and the medians."""
    print("VB, full covariance, per iteration")
    print(f"{'n':>8}{'D':>4}{'K':>4}{'ours ms':>10}{'sklearn ms':>12}{'ratio':>8}{'|dmeans|':>12}")
    ratios = []
    for shape in SHAPES:
        X, start = simulated(*shape)
        ours, theirs = vb_ours(X, start, N_ITER), vb_sklearn(X, start, N_ITER)
        gap = abs(ours.params.means - theirs.means_).max()
        times = paired(vb_ours, vb_sklearn, X, start, N_PAIRS)
        ratios.append(ratio(times))
        own, other = 1e3 * np.median(times, axis=0)
        row = f"{shape[0]:>8}{shape[1]:>4}{shape[2]:>4}{own:>10.2f}{other:>12.2f}{ratios[-1]:>8.1f}{gap:>12.1e}"
        print(row, flush=True)
    print(f"ratio: median {np.median(ratios):.1f}, lowest {min(ratios):.1f}")


if __name__ == "__main__":
    main()
