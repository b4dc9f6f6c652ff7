"""EM against scikit-learn: equal starts, equal iterations, equal log likelihood.

python -m benchmarks.em
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases import LARGEST, SHAPES, simulated
from benchmarks.measure import paired, peak_memory, ratio
from benchmarks.peers import em_ours, em_sklearn

N_PAIRS, N_ITER = 5, 10


def main() -> None:
    """Print the table, and the medians."""
    print("EM, full covariance, per iteration; memory beyond the data")
    print(
        f"{'n':>8}{'D':>4}{'K':>4}{'ours ms':>10}{'sk. ms':>12}{'ratio':>8}{'|dloglik|/n':>13}{'MiB':>8}{'sk. MiB':>9}"
    )
    ratios = []
    for shape in SHAPES:
        X, start = simulated(*shape)
        ours, theirs = em_ours(X, start, N_ITER), em_sklearn(X, start, N_ITER)
        gap = abs(ours.log_likelihood / len(X) - theirs.score(X))
        times = paired(em_ours, em_sklearn, X, start, N_PAIRS)
        ratios.append(ratio(times))
        memory = [peak_memory(name, X, start) for name in ("em_ours", "em_sklearn")] if shape in LARGEST else []
        own, other = 1e3 * np.median(times, axis=0)
        row = f"{shape[0]:>8}{shape[1]:>4}{shape[2]:>4}{own:>10.2f}{other:>12.2f}{ratios[-1]:>8.1f}{gap:>13.1e}"
        print(row + "".join(f"{value:>{width}.0f}" for value, width in zip(memory, (8, 9), strict=False)), flush=True)
    print(f"ratio: median {np.median(ratios):.1f}, lowest {min(ratios):.1f}")


if __name__ == "__main__":
    main()
