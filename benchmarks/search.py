"""`bg.search` over fourteen models and nine sizes beside R's `Mclust`: seconds, and the best BIC of each."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

import bayesgmm as bg

# One run before the clock starts, so that R's packages are loaded and compiled as ours are.
R_SCRIPT = """
suppressPackageStartupMessages(library(mclust))
X <- as.matrix(read.csv(commandArgs(TRUE)[1], header = FALSE))
invisible(Mclust(X[1:100, ], G = 1:2, verbose = FALSE))
seconds <- system.time(fit <- Mclust(X, G = 1:9, verbose = FALSE))[["elapsed"]]
cat(seconds, fit$bic, fit$modelName, fit$G)
"""
PAIRS = 3


def data_sets() -> dict[str, np.ndarray]:
    """The diabetes data, and five overlapping clusters of unequal shapes in five columns."""
    rng = np.random.default_rng(0)
    parts = []
    for size in (700, 500, 400, 250, 150):
        root = rng.normal(size=(5, 5)) * rng.uniform(0.3, 1.0)
        parts.append(rng.normal(scale=2.0, size=5) + rng.normal(size=(size, 5)) @ root)
    return {"diabetes": bg.load_dataset("diabetes").X, "n=2000, D=5": np.concatenate(parts)}


def ours(X: np.ndarray) -> tuple[float, float, str]:
    """Seconds, the best BIC with mclust's sign, and its model."""
    begin = time.perf_counter()
    found = bg.search(X, range(1, 10), "all", progress=False)
    seconds = time.perf_counter() - begin
    return seconds, found.best.bic("mclust"), found.best.model.label


def theirs(X: np.ndarray) -> tuple[float, float, str]:
    """The same of mclust."""
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "X.csv", Path(folder) / "run.R"
        np.savetxt(data, X, delimiter=",", fmt="%.17g")
        script.write_text(R_SCRIPT)
        out = subprocess.run(["Rscript", str(script), str(data)], capture_output=True, text=True, check=True).stdout
    seconds, bic, model, size = out.split()[-4:]
    return float(seconds), float(bic), f"{model} K={size}"


def why_not() -> str:
    """Why there is no comparison; empty where there is one."""
    if shutil.which("Rscript") is None:
        return "R is not installed."
    probe = subprocess.run(["Rscript", "-e", "library(mclust)"], capture_output=True)
    return "" if probe.returncode == 0 else "R has no package mclust."


def main() -> None:
    """Print the table."""
    print("search: 14 models x 9 sizes, medians of", PAIRS, "alternating runs")
    reason = why_not()
    print(f"{'data':>14} {'ours s':>9} {'mclust s':>9} {'ratio':>7} {'ours BIC':>12} {'mclust BIC':>12}")
    for name, X in data_sets().items():
        bg.search(X[:100], 2, "all", bg.EM(n_init=1, moves=0), progress=False)  # compiles
        if reason:
            seconds, bic, _ = ours(X)
            print(f"{name:>14} {seconds:9.2f} {'-':>9} {'-':>7} {bic:12.2f} {'-':>12}  {reason}")
            continue
        runs = [(ours(X), theirs(X)) for _ in range(PAIRS)]
        mine, peer = (np.median([pair[side][0] for pair in runs]) for side in (0, 1))
        ratio = np.median([b[0] / a[0] for a, b in runs])
        (_, bic, model), (_, other, their_model) = runs[0]
        print(f"{name:>14} {mine:9.2f} {peer:9.2f} {ratio:7.3f} {bic:12.2f} {other:12.2f}  {model} | {their_model}")


if __name__ == "__main__":
    main()
