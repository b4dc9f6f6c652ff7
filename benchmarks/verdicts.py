"""How often default Gibbs says "Converged" of chains in a poor mode: before chains had searches and a verdict, and now.

python -m benchmarks.verdicts [designs] [first]

The designs are clusters that are no Gaussians, skewed or with heavy tails (2,000 to 3,000 points, 2 to 4 columns, 4 to
6 components), so that components are used in many ways and the posterior has many modes.  The best known mode is the
best of 24 to 36 searches with seeds of their own, or one that any chain visits.  A chain counts as low where none of
nine of its draws leads, by climbing the evidence bound, to a mode whose approximate evidence is at most 3 nats lower.
"Before" is the same sampler as it was by default: 1,000 draws of each chain, from random partitions, judged by R-hat
and effective draws alone.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from unittest import mock

import numpy as np

import bayesgmm as bg
from bayesgmm.methods import gibbs
from bayesgmm.methods.chains.search import Landscape
from bayesgmm.methods.chains.starts import LOWER_NATS, ChainSearches, ChainStarts
from bayesgmm.methods.climbing.initialize import start
from bayesgmm.models import whitening_of
from bayesgmm.rows import as_rows

N_SEARCHES, LOOKS = 24, 9


@dataclass(frozen=True)
class Outcome:
    """One fit: whether it says that it converged, and how far each chain stands below the best known mode."""

    is_converged: bool
    heights: np.ndarray
    log_likelihoods: np.ndarray
    seconds: float

    def n_low(self, best: float) -> int:
        return int((self.heights < best - LOWER_NATS).sum())


def design(number: int) -> tuple[bg.GaussianMixture, np.ndarray, str]:
    """A model and data, and what they are."""
    rng = np.random.default_rng([9, number])
    n, d, k = int(rng.integers(2000, 3001)), int(rng.integers(2, 5)), int(rng.integers(4, 7))
    kind = ("skewed", "heavy-tailed")[number % 2]
    n_clusters = int(rng.integers(max(2, k - 2), k + 1))
    labels = rng.choice(n_clusters, n, p=rng.dirichlet(np.full(n_clusters, 5.0)))
    if kind == "skewed":
        noise = rng.gamma(rng.uniform(1.0, 3.0), size=(n, d)) * rng.choice([-1.0, 1.0], size=(n_clusters, d))[labels]
    else:
        noise = rng.standard_t(rng.uniform(2.5, 6.0), size=(n, d))
    roots = np.eye(d) + 0.4 * rng.standard_normal((n_clusters, d, d))
    centers = rng.uniform(2.0, 5.0) * rng.standard_normal((n_clusters, d))
    X = np.einsum("nij,nj->ni", roots[labels], noise) + centers[labels]
    return bg.GaussianMixture(k), X, f"{kind} n={n} D={d} K={k}"


@contextmanager
def as_before() -> Iterator[None]:
    """Chains start from random partitions, and nothing is held against the searches."""

    def first_draw(searches: ChainSearches, chain: int, rng: np.random.Generator) -> bg.MixtureParams:
        model, data = searches.model, searches.data
        stats = start(data, model.covariance, whitening_of(model, data), model.n_components, "random", rng)
        return model.conjugate().update(stats).sample(rng, 1)[0]

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(ChainSearches, "first_draw", first_draw))
        stack.enter_context(mock.patch.object(gibbs, "against_best_mode", lambda status, *rest: status))
        yield


WHENS = {"before": (bg.Gibbs(draws=1000), as_before), "now": (bg.Gibbs(), nullcontext)}


def outcome(landscape: Landscape, method: bg.Gibbs, seed: int) -> Outcome:
    begin = time.perf_counter()
    fit = bg.fit(landscape.model, landscape.X, method, rng=seed)
    seconds = time.perf_counter() - begin
    n_chains, n_draws = fit.params.draw_shape
    heights = np.full(n_chains, -np.inf)
    for c in range(n_chains):
        for t in np.linspace(n_draws - 1, 0, LOOKS).astype(int):
            mode = landscape.nearest(fit.params[c, t])
            heights[c] = max(heights[c], -np.inf if mode is None else mode.log_evidence)
    means = fit.estimate.sample_stats["log_likelihood"].mean(1)
    return Outcome(fit.status.is_converged, heights, means, seconds)


def main(n_designs: int = 100, first: int = 0) -> None:
    counts = {when: np.zeros(3, int) for when in WHENS}
    for number in range(first, first + n_designs):
        model, X, name = design(number)
        data = as_rows(X)
        resolved = model.resolve(data)
        generators = np.random.default_rng([7, number]).spawn(N_SEARCHES)
        starts = ChainStarts.find(resolved, data, generators, np.random.default_rng([8, number]))
        assert starts is not None
        outcomes = {}
        for when, (method, context) in WHENS.items():
            with context():
                outcomes[when] = outcome(starts.landscape, method, number)
        best = max(starts.best.log_evidence, *(found.heights.max() for found in outcomes.values()))
        line = []
        for when, found in outcomes.items():
            n_low = found.n_low(best)
            n_chains = len(found.heights)
            counts[when] += found.is_converged * np.array([1, n_low > 0, n_low == n_chains])
            verdict = "converged" if found.is_converged else "not converged"
            gaps = ", ".join(f"{best - height:.1f}" for height in found.heights)
            line.append(f"{when}: {verdict}, {found.seconds:.0f} s, below the best by {gaps}")
        print(f"{number} {name}, searches {best - starts.best.log_evidence:.1f} below; {'; '.join(line)}", flush=True)
    print(f"\n|  | Converged, of {n_designs} | of these with a low chain | with all chains low |\n|---|---|---|---|")
    for when, (converged, some, every) in counts.items():
        print(f"| {when} | {converged} | {some} | {every} |")


if __name__ == "__main__":
    warnings.simplefilter("ignore", bg.NotConvergedWarning)
    main(*(int(argument) for argument in sys.argv[1:]))
