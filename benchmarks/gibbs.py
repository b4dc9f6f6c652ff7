"""Gibbs against R's bayesm (rnmixGibbs, in C++): one prior, one chain on one thread, effective draws per CPU second.

python -m benchmarks.gibbs

It needs R with the package bayesm: on Debian and Ubuntu ``apt-get install r-cran-bayesm``, elsewhere
``install.packages("bayesm")`` in R.  Where either is missing the comparison is skipped.

Seconds are of rnmixGibbs by R's own clock, and on our side of the chain by the processor's: neither has a share in
starting a process, in reading or in diagnostics.  Each side keeps every sweep, since no thinned chain has a larger
effective sample.  Ours makes its moves between modes, which rnmixGibbs has not; without them (crossing=0) both are the
same algorithm.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import bayesgmm as bg
from bayesgmm.core.density import log_density
from bayesgmm.core.params import MixtureParams
from bayesgmm.methods.chains.gibbs_chain import GibbsChain
from bayesgmm.methods.climbing.initialize import start
from bayesgmm.models import whitening_of
from bayesgmm.rows import as_rows
from benchmarks.cases import simulated

CASES = (("faithful", 2, 20_000), ("diabetes", 3, 20_000), ("simulated", 4, 5_000))  # and sweeps that are kept
TUNE, N_PAIRS, CROSSING = 1000, 5, bg.Gibbs().crossing
Z_LIMIT, MAX_GAP, MIN_ESS = 5.0, 0.5, 100.0  # nats: beyond that, or with so few effective draws, a chain is elsewhere
HOW = "on Debian and Ubuntu: apt-get install r-cran-bayesm"

SCRIPT = """
suppressMessages(library(bayesm))
arguments <- commandArgs(TRUE); folder <- arguments[1]; set.seed(as.integer(arguments[2]))
read <- function(name) { X <- as.matrix(read.csv(file.path(folder, name), header = FALSE)); dimnames(X) <- NULL; X }
prior <- drop(read("prior.csv")); k <- prior[1]
Prior <- list(ncomp = k, a = rep(prior[2], k), A = matrix(prior[3]), nu = prior[4], Mubar = matrix(prior[-(1:4)], 1),
              V = read("scale.csv"))
Data <- list(y = read("X.csv")); Mcmc <- list(R = as.integer(arguments[3]), keep = 1, nprint = 0)
invisible(capture.output(seconds <- system.time(found <- rnmixGibbs(Data, Prior, Mcmc)$nmix)))
put <- function(values, name) { to <- file(file.path(folder, name), "wb"); writeBin(as.double(values), to); close(to) }
put(t(found$probdraw), "weights")
put(unlist(lapply(found$compdraw, lapply, function(component) component$mu)), "means")
put(unlist(lapply(found$compdraw, lapply, function(component) component$rooti)), "roots")
cat(seconds[["user.self"]] + seconds[["sys.self"]])
"""


@dataclass(frozen=True, eq=False)
class Chain:
    """CPU seconds of a chain, and what is compared of its draws after `TUNE`."""

    seconds: float
    sum_w2: np.ndarray
    log_likelihood: np.ndarray

    @classmethod
    def of(cls, seconds: float, params: MixtureParams, X: np.ndarray) -> Chain:
        return cls(seconds, (params.weights**2).sum(-1), log_density(params, X).sum(-1))

    @property
    def quantities(self) -> tuple[np.ndarray, np.ndarray]:
        return self.sum_w2, self.log_likelihood

    def is_settled(self, log_likelihood: float) -> bool:
        """Whether it has enough effective draws of both quantities, and that mean log likelihood."""
        mean, error = pooled([self.log_likelihood])
        return min(map(ess, self.quantities)) > MIN_ESS and abs(mean - log_likelihood) < MAX_GAP + Z_LIMIT * error


def ours(model: bg.GaussianMixture, X: np.ndarray, draws: int, seed: int, crossing: float) -> Chain:
    """One chain of this package, from a random partition."""
    data, rng = as_rows(X), np.random.default_rng(seed)
    partition = start(data, model.covariance, whitening_of(model, data), model.n_components, "random", rng)
    first = model.conjugate().update(partition).sample(rng, 1)[0]
    begin = time.process_time()
    chain = GibbsChain.of(model, data, rng, first, draws, TUNE, 1, crossing)
    while chain.done < chain.total:
        chain.advance(chain.total)
    seconds = time.process_time() - begin
    return Chain.of(seconds, MixtureParams.trusted(*chain.trace[:3]), X)


def theirs(model: bg.GaussianMixture, X: np.ndarray, draws: int, seed: int) -> Chain:
    """One chain of rnmixGibbs under the same prior: its V is the scale, its A the precision of the means."""
    prior, k, d = model.prior, model.n_components, X.shape[1]
    concentration = np.unique(model.weights.concentration).item()
    with tempfile.TemporaryDirectory() as folder:
        numbers = np.array([[k, concentration, prior.mean_precision, prior.dof, *np.ravel(prior.mean)]], float)
        for name, matrix in (("X", X), ("scale", prior.scale), ("prior", numbers)):
            np.savetxt(Path(folder) / f"{name}.csv", matrix, fmt="%.17g", delimiter=",")
        (Path(folder) / "run.R").write_text(SCRIPT)
        command = ["Rscript", str(Path(folder) / "run.R"), folder, str(seed), str(TUNE + draws)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        weights, means, roots = (np.fromfile(Path(folder) / name) for name in ("weights", "means", "roots"))
    # Sigma^-1 = rooti rooti^T with rooti upper triangular, in R's order: columns first.
    roots = np.swapaxes(roots.reshape(-1, k, d, d), -1, -2)
    params = MixtureParams.trusted(weights.reshape(-1, k), means.reshape(-1, k, d), np.ascontiguousarray(roots))
    return Chain.of(float(done.stdout), params[TUNE:], X)


def main() -> None:
    """Print the table, and whether both sides have the same posterior means."""
    reason = missing()
    if reason:
        print(f"Gibbs against bayesm: skipped, because {reason} ({HOW}).")
        return
    print(f"Gibbs, full covariance, one thread: effective draws per CPU second, medians of {N_PAIRS} pairs of chains")
    print("ours, and ours without moves between modes, against bayesm; z of the difference of the posterior means")
    print(f"{'data':>10}{'K':>3}  {'quantity':<16}{'ours':>8}{'no moves':>10}{'bayesm':>8}{'ratios':>9}{'':>7}{'z':>7}")
    ratios = []
    for name, k, draws in CASES:
        X = simulated(2000, 5, k)[0] if name == "simulated" else bg.load_dataset(name).X
        ratios += compare(name, bg.GaussianMixture(k).resolve(as_rows(X)), X, draws)
    lowest = np.min(ratios, axis=0)
    print(f"lowest ratio: {lowest[0]:.1f}, and {lowest[1]:.1f} of equal algorithms, without moves")


def missing() -> str:
    """What is not there, or nothing."""
    if shutil.which("Rscript") is None:
        return "R is missing"
    probe = subprocess.run(["Rscript", "-e", "library(bayesm)"], capture_output=True)
    return "R has no package bayesm" if probe.returncode else ""


def compare(name: str, model: bg.GaussianMixture, X: np.ndarray, draws: int) -> list[tuple[float, float]]:
    """Print one row for each quantity, the sides taking turns; both ratios of each.

    A chain that is not where the others are, or hardly moves, counts for nothing but is told of.
    """
    sides = {
        "ours": lambda seed: ours(model, X, draws, seed, CROSSING),
        "ours without moves": lambda seed: ours(model, X, draws, seed, 0.0),
        "bayesm": lambda seed: theirs(model, X, draws, seed),
    }
    ours(model, X, 100, 0, CROSSING)  # compiles
    runs = [[run(seed) for run in sides.values()] for seed in range(1, N_PAIRS + 1)]
    center = np.median([chain.log_likelihood.mean() for chain, _, _ in runs])
    settled = np.array([[chain.is_settled(center) for chain in run] for run in runs])
    ratios = []
    for i, quantity in enumerate(("sum of weights^2", "log likelihood")):
        rates = np.array([[ess(chain.quantities[i]) / chain.seconds for chain in run] for run in runs])
        rates[~settled] = np.nan
        own, plain, other = np.nanmedian(rates, axis=0)
        ratios.append(tuple(np.nanmedian(rates[:, :2] / rates[:, 2:], axis=0)))
        (mean, error), (mean_r, error_r) = (
            pooled([run[side].quantities[i] for run, good in zip(runs, settled[:, side], strict=True) if good])
            for side in (0, 2)
        )
        row = f"{name:>10}{model.n_components:>3}  {quantity:<16}{own:>8.0f}{plain:>10.0f}{other:>8.0f}"
        row += f"{ratios[-1][0]:>9.1f}{ratios[-1][1]:>7.1f}{(mean - mean_r) / np.hypot(error, error_r):>7.1f}"
        print(row, flush=True)
    for who, n_bad in zip(sides, (~settled).sum(0), strict=True):
        if n_bad:
            print(f"{'':>15}{n_bad} of {N_PAIRS} chains of {who} sat in another mode, and are left out")
    return ratios


def ess(values: np.ndarray) -> float:
    """Bulk effective sample size of one chain."""
    from arviz_stats.base import array_stats

    return float(array_stats.ess(values[None], chain_axis=0, draw_axis=1, method="bulk"))


def pooled(chains: list[np.ndarray]) -> tuple[float, float]:
    """Mean over chains of equal length, and its Monte Carlo error."""
    from arviz_stats.base import array_stats

    values = np.array(chains)
    return float(values.mean()), float(array_stats.mcse(values, chain_axis=0, draw_axis=1, method="mean"))


if __name__ == "__main__":
    main()
