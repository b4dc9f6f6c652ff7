"""Paired times per iteration, and peak memory in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import bayesgmm as bg
from benchmarks.peers import FITTERS, Fitter

SHORT, SECONDS = 2, 0.4  # iterations of the short run; what the longer run's further iterations should take


def seconds_per_iteration(fitter: Fitter, X: np.ndarray, start: bg.MixtureParams, n_more: int) -> float:
    """From a short and a longer run, so that checks, starts and final passes cancel."""
    times = []
    for n_iter in (SHORT, SHORT + n_more):
        begin = time.perf_counter()
        fitter(X, start, n_iter)
        times.append(time.perf_counter() - begin)
    return (times[1] - times[0]) / n_more


def paired(ours: Fitter, theirs: Fitter, X: np.ndarray, start: bg.MixtureParams, n_pairs: int) -> np.ndarray:
    """(n_pairs, 2) seconds per iteration, the two sides taking turns after a warm-up of both."""
    lengths = []
    for fitter in (ours, theirs):
        fitter(X, start, SHORT)
        lengths.append(int(np.clip(SECONDS / max(seconds_per_iteration(fitter, X, start, 3), 1e-5), 3, 200)))
    return np.array(
        [
            [seconds_per_iteration(fitter, X, start, n) for fitter, n in zip((ours, theirs), lengths, strict=True)]
            for _ in range(n_pairs)
        ]
    )


def ratio(times: np.ndarray) -> float:
    """Median of the paired ratios, theirs over ours."""
    return float(np.median(times[:, 1] / times[:, 0]))


def peak_memory(name: str, X: np.ndarray, start: bg.MixtureParams) -> float:
    """Mebibytes that the fitter `name` needs beyond a process that holds the libraries and the data."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.npz"
        np.savez(path, X=X, weights=start.weights, means=start.means, precision_chol=start.precision_chol)
        command = [sys.executable, "-m", "benchmarks.measure", name, str(path)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def peak_mebibytes() -> float:
    """This process's largest resident memory so far."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux `ru_maxrss` begins at the parent's peak
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10
    import resource  # not on every system

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _child(name: str, path: str) -> None:
    file = np.load(path)
    X = file["X"]
    start = bg.MixtureParams(file["weights"], file["means"], precision_chol=file["precision_chol"])
    FITTERS[name](X[:2000].copy(), start, 1)  # what libraries load and allocate once is no cost of the data
    before = peak_mebibytes()
    FITTERS[name](X, start, SHORT)
    print(peak_mebibytes() - before)


if __name__ == "__main__":
    _child(*sys.argv[1:])
