"""Coverage of intervals: how often do they hold the parameters of the mixture that the data came from?

``python -m benchmarks.coverage [n_data_sets]`` prints the tables of docs/coverage.md.
"""

from __future__ import annotations

import sys
import time
import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np

import bayesgmm as bg
from bayesgmm.core.density import responsibilities, sample
from bayesgmm.labels.matching import best_orders
from bayesgmm.uncertainty.quantities import OF_DIAGONAL, quantities_of, values_of

LEVEL = 0.9
FAMILIES = ("weight", "mean", "sd")
N_DATA_SETS = 300
NAMES = ("information", "ordinary", "parametric", "weighted", "VB", "posterior")


@dataclass(frozen=True)
class Design:
    """A known mixture, how many points each data set has, and the intervals to be judged."""

    name: str
    truth: bg.MixtureParams
    n_obs: int
    names: tuple[str, ...] = NAMES


DESIGNS = {
    design.name: design
    for design in (
        Design("apart", bg.MixtureParams([0.6, 0.4], [[0.0], [4.0]], [[[1.0]], [[1.0]]]), 150),
        # Without the bootstraps: where components overlap EM takes hundreds of steps, and each replicate as many.
        Design(
            "overlapping",
            bg.MixtureParams([0.6, 0.4], [[0.0], [2.5]], [[[1.0]], [[1.0]]]),
            150,
            ("information", "VB", "posterior"),
        ),
    )
}


@dataclass(frozen=True)
class Budget:
    """Replicates of a bootstrap, and draws of each of two chains, ten sweeps apart: some hundred effective ones.

    Quantiles from so few have errors of their own, which cost well below one per cent of coverage.
    """

    replicates: int = 200
    draws: int = 500


def ways(X: np.ndarray, seed: int, budget: Budget, names: tuple[str, ...]) -> dict[str, bg.Intervals | None]:
    """The intervals of one data set by each method; None where a method refuses."""
    model = bg.GaussianMixture(2)

    @cache
    def em() -> bg.Fit:
        return bg.fit(model, X, bg.EM(), rng=seed)

    def gibbs() -> bg.Fit:
        return bg.fit(model, X, bg.Gibbs(draws=budget.draws, tune=100, chains=2, thin=10), rng=seed)

    makers = {
        name: lambda name=name: bg.intervals(em(), name, LEVEL, budget.replicates, rng=seed) for name in NAMES[:4]
    }
    makers |= {
        "VB": lambda: bg.intervals(bg.fit(model, X, bg.VB(), rng=seed), level=LEVEL),
        "posterior": lambda: bg.intervals(bg.relabel(gibbs()), level=LEVEL),
    }
    return {name: _or_none(makers[name]) for name in names}


def covered(design: Design, seed: int, budget: Budget) -> dict[str, np.ndarray]:
    """Of each method, for every parameter of the truth: 1, 0, or NaN where it has no interval."""
    X, _ = sample(design.truth, design.n_obs, np.random.default_rng([seed, 20]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bg.NotConvergedWarning)
        found = ways(X, seed, budget, design.names)
    return {name: _hits(design.truth, one, X) for name, one in found.items()}


def study(design: Design, n_data_sets: int, budget: Budget) -> dict[str, np.ndarray]:
    """(data sets, parameters) of `covered` by method."""
    every = [covered(design, seed, budget) for seed in range(n_data_sets)]
    return {name: np.stack([one[name] for one in every]) for name in design.names}


def parameters() -> list[str]:
    """The names of the columns of `study`."""
    truth = next(iter(DESIGNS.values())).truth
    return [q.name() for q in quantities_of(truth, ("x0",)) if q.family in FAMILIES]


def coverage(hits: np.ndarray) -> tuple[float, float, int]:
    """The share of covered parameters, its standard error over data sets, and how many data sets have intervals."""
    per_data_set = hits[~np.isnan(hits).any(1)].mean(1)
    n = len(per_data_set)
    return float(per_data_set.mean()), float(per_data_set.std(ddof=1) / np.sqrt(n)), n


def table(found: dict[str, np.ndarray]) -> str:
    """Coverage in per cent by family and in all, as Markdown."""
    families = np.array([name.partition("[")[0] for name in parameters()])
    lines = ["| intervals | weights | means | standard deviations | all | data sets |", "|---|---|---|---|---|---|"]
    for name, hits in found.items():
        cells = [coverage(hits[:, families == family]) for family in FAMILIES] + [coverage(hits)]
        shown = " | ".join(f"{100 * value:.1f} ± {100 * error:.1f}" for value, error, _ in cells)
        lines.append(f"| {name} | {shown} | {cells[-1][2]} |")
    return "\n".join(lines)


def _or_none(make) -> bg.Intervals | None:
    try:
        return make()
    except bg.NotApplicableError:
        return None


def _hits(truth: bg.MixtureParams, one: bg.Intervals | None, X: np.ndarray) -> np.ndarray:
    """Components are those of the truth with which they share the most points."""
    names = parameters()
    if one is None:
        return np.full(len(names), np.nan)
    shares = one.fit.responsibilities(X).T @ responsibilities(truth.scores(), X)
    order = best_orders(shares[None])[0]
    at = {(r.quantity.family, r.quantity.component): r for r in one.rows}
    quantities, values = quantities_of(truth, ("x0",)), values_of(truth, OF_DIAGONAL)
    hits = []
    for quantity, value in zip(quantities, values, strict=True):
        if quantity.family in FAMILIES:
            row = at[quantity.family, int(order[quantity.component])]
            hits.append(float(row.lower <= value <= row.upper))
    return np.array(hits)


def main(n_data_sets: int = N_DATA_SETS) -> None:
    for design in DESIGNS.values():
        begin = time.perf_counter()
        found = study(design, n_data_sets, Budget())
        print(f"{design.name}: {n_data_sets} data sets of {design.n_obs} points\n")
        print(table(found) + "\n")
        print(f"{time.perf_counter() - begin:.0f} s\n", file=sys.stderr)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
