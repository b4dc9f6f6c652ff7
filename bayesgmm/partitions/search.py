"""The partition with the least expected loss: starts, runs, and what they are measured against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesgmm.core.threads import n_threads, run_in_threads
from bayesgmm.errors import ArgumentError
from bayesgmm.partitions.allocations import Allocations
from bayesgmm.partitions.contingency import Terms, canonical, distances, losses_of_cuts
from bayesgmm.partitions.partition_kernels import Target, improved, make_target

LINKAGES = ("average", "complete")
COMPARISONS = 1e10  # points of pairs of draws that are looked at for the best draw: some seconds
TABLE_BYTES = 2**30  # of the contingency tables of all threads


@dataclass(frozen=True, eq=False)
class Found:
    """The best partition of a search.

    Parameters
    ----------
    labels : (n,) int array
        Clusters in order of size.
    expected_loss : float
    baselines : dict of str to float
        The expected losses of what is commonly taken instead.
    """

    labels: np.ndarray
    expected_loss: float
    baselines: dict[str, float]


def search(
    terms: Terms, draws: Allocations, similarity: np.ndarray, max_clusters: int | None, n_runs: int, seed: int
) -> Found:
    """Descend from the best cuts of two dendrograms, from `n_runs` random orders, and from the best draw.

    Without a limit on the clusters, the room for them is doubled until the best partition does not fill it.
    """
    n = draws.partitions.shape[1]
    target = make_target(draws.partitions, draws.weights, terms.f)
    largest = int(draws.n_clusters.max())
    _check_memory(target, min(n, largest) if max_clusters is None else max_clusters)
    deepest = n if max_clusters is None else min(n, max_clusters)
    cuts = {linkage: _best_cut(terms, draws, similarity, linkage, deepest) for linkage in LINKAGES if n > 1}
    most = max(largest, *(int(labels.max()) + 1 for labels in cuts.values())) if cuts else largest
    limit = min(n, most + 2 if max_clusters is None else max_clusters)
    _check_memory(target, limit)
    starts = [*cuts.values(), *[np.full(n, -1)] * max(n_runs, n == 1)]
    best, _ = _best(terms, draws, [*cuts.values(), *_descents(target, starts, limit, seed)])
    taken = {f"{linkage} linkage": labels for linkage, labels in cuts.items()}
    drawn = _best_draw(terms, draws, best, limit)
    if drawn is not None:
        taken["best draw"] = drawn
        best, _ = _best(terms, draws, [best, drawn, *_descents(target, [drawn], limit, seed)])
    while max_clusters is None and best.max() + 1 == limit < n:
        limit = min(n, 2 * limit)
        _check_memory(target, limit)
        best, _ = _best(terms, draws, [best, *_descents(target, [best], limit, seed)])
    baselines = {name: _best(terms, draws, [labels])[1] for name, labels in taken.items()}
    return Found(by_size(best), _best(terms, draws, [best])[1], baselines)


def by_size(labels: np.ndarray) -> np.ndarray:
    """The same partition with its clusters numbered from the largest on."""
    sizes = np.bincount(labels)
    return np.argsort(np.argsort(-sizes, kind="stable"))[labels]


def _descents(target: Target, starts: list[np.ndarray], limit: int, seed: int) -> list[np.ndarray]:
    found: list[np.ndarray] = [np.empty(0)] * len(starts)

    def run(i: int) -> None:
        found[i] = improved(target, starts[i], limit, np.random.default_rng([seed, i]))

    run_in_threads(run, range(len(starts)))
    return found


def _best(terms: Terms, draws: Allocations, candidates: list[np.ndarray]) -> tuple[np.ndarray, float]:
    partitions = canonical(np.array(candidates))
    losses = distances(terms, partitions, draws.partitions) @ draws.weights
    return partitions[losses.argmin()], float(losses.min())


def _best_cut(terms: Terms, draws: Allocations, similarity: np.ndarray, linkage: str, limit: int) -> np.ndarray:
    """The best level of the dendrogram of 1 - similarity, of at most `limit` clusters."""
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    tree = hierarchy.linkage(squareform(1.0 - similarity, checks=False), linkage)
    losses = losses_of_cuts(terms, tree[:, :2], draws.partitions, draws.weights)
    n_merges = len(tree) + 1 - limit + int(losses[len(tree) + 1 - limit :].argmin())
    in_order = np.arange(len(tree), dtype=float)  # cut by the number of merges, since heights may be tied
    labels = hierarchy.fcluster(tree, n_merges - 1, "monocrit", monocrit=in_order)
    return canonical(labels[None])[0]


def _best_draw(terms: Terms, draws: Allocations, near: np.ndarray, limit: int) -> np.ndarray | None:
    """The draw of least expected loss; where there are too many pairs of them, of those that are next to `near`."""
    allowed = draws.partitions[draws.n_clusters <= limit]
    if len(allowed) == 0:
        return None
    n_looked_at = max(1, int(COMPARISONS / draws.partitions.size))
    if n_looked_at < len(allowed):
        allowed = allowed[np.argsort(distances(terms, near[None], allowed)[0], kind="stable")[:n_looked_at]]
    are_all = len(allowed) == len(draws.partitions)
    losses = distances(terms, allowed, None if are_all else draws.partitions) @ draws.weights
    return allowed[losses.argmin()]


def _check_memory(target: Target, limit: int) -> None:
    size = 2 * len(target.row_weights) * limit * n_threads()
    if size > TABLE_BYTES:
        raise ArgumentError(
            f"the contingency tables of up to {limit} clusters with {len(target.row_weights)} clusters of the draws "
            f"would take {size / 2**30:.1f} GiB: pass a smaller max_clusters, or fewer draws."
        )
