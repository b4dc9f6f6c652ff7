"""Chains held against the best mode that is known: agreement in a poor one is no convergence.

From a draw of each chain the evidence bound is climbed to the chain's own mode.  A chain that is never in a mode
within `LOWER_NATS` of the best known one is suspect.  The bound may misjudge a mode, though, by more where components
overlap.  So a probe decides, a chain that starts in the best mode: where it leaves for good while the others never
enter, the mode holds next to nothing of the posterior, by detailed balance.
"""

from __future__ import annotations

import numpy as np

from bayesgmm.core.params import MixtureParams
from bayesgmm.methods.chains.gibbs_chain import GibbsChain
from bayesgmm.methods.chains.running import Ending, run_chains
from bayesgmm.methods.chains.search import SAME_NATS, Landscape, Optimum
from bayesgmm.methods.chains.starts import LOWER_NATS, ChainSearches, ChainStarts
from bayesgmm.result.method import silent
from bayesgmm.result.status import Outcome, Status

MIN_SEARCHES = 4  # fewer, of few chains, cannot be said to disagree
LOOKS, MORE_LOOKS = 8, 64  # draws of a chain from which its modes are climbed to, and of one that others contradict
PROBE_DRAWS, PROBE_LOOKS, PROBE_CROSSING = 300, 4, 0.1
PROBE_ROWS, PROBE_THIN = 20_000, 100  # as `Gibbs` by default


def against_best_mode(status: Status, params: MixtureParams, searches: ChainSearches, advice: str) -> Status:
    """The status, unless it says that chains converged and one of them stands clearly below the best known mode.

    `params` are the draws, with axes (chain, draw).  The searches are asked only where the chains pass everything else.
    """
    if not status.is_converged or params.n_components == 1:
        return status
    starts = searches.starts
    if starts is None:
        return status
    landscape, best = starts.landscape, starts.best
    own = [_mode_of(landscape, params[c], best.log_evidence) for c in range(len(params.weights))]
    best = max([best, *(mode for mode in own if mode is not None)], key=lambda mode: mode.log_evidence)
    gaps = [best.log_evidence - (-np.inf if mode is None else mode.log_evidence) for mode in own]
    for c, gap in enumerate(gaps):
        if gap > LOWER_NATS:  # it may have been better than the searches, and worse than another chain
            looks = LOOKS if min(gaps) > LOWER_NATS else MORE_LOOKS  # one that moves comes by now and then
            mode = _mode_of(landscape, params[c], best.log_evidence, looks)
            gaps[c] = min(gap, best.log_evidence - mode.log_evidence) if mode is not None else gap
    lower = [c for c, gap in enumerate(gaps) if gap > LOWER_NATS]
    if lower and _stays(landscape, best, starts):
        return Status(Outcome.NOT_CONVERGED, f"{_sentence(lower, gaps, best is starts.best)} {advice}")
    if starts.n_best == 1 and starts.n_searches > MIN_SEARCHES:
        found = f"only one of {starts.n_searches} searches found the best mode that is known"
        return Status(Outcome.NOT_CONVERGED, f"The chains agree, but {found}, so that better ones may exist. {advice}")
    return status


def _mode_of(landscape: Landscape, draws: MixtureParams, best: float, looks: int = LOOKS) -> Optimum | None:
    """The best of the modes to which draws of one chain lead; the last draw is enough where it leads to a good one."""
    n_draws, found = len(draws.weights), None
    for t in np.unique(np.linspace(n_draws - 1, 0, looks, endpoint=False).astype(int))[::-1]:
        mode = landscape.nearest(draws[t], best)
        if mode is not None and mode.log_evidence > best + SAME_NATS:
            mode = landscape.nearest(draws[t])  # better than all that is known: to its end
        if mode is not None and (found is None or mode.log_evidence > found.log_evidence):
            found = mode
        if found is not None and found.log_evidence > best - LOWER_NATS:
            break
    return found


def _stays(landscape: Landscape, best: Optimum, starts: ChainStarts) -> bool:
    """Whether a chain that starts in the best mode still visits it in its second half."""
    rng = np.random.default_rng(0)  # a probe of its own, the same in every run on these data
    thin = min(PROBE_THIN, max(1, PROBE_ROWS // len(landscape.data)))
    first = starts.draw(best, rng)
    probe = GibbsChain.of(landscape.model, landscape.data, rng, first, PROBE_DRAWS, 0, thin, PROBE_CROSSING)
    if run_chains([probe], silent) is Ending.INTERRUPTED:
        raise KeyboardInterrupt
    draws = MixtureParams.trusted(*probe.trace[:3])
    for t in np.linspace(PROBE_DRAWS - 1, PROBE_DRAWS // 2, PROBE_LOOKS).astype(int):
        mode = landscape.nearest(draws[t], best.log_evidence - LOWER_NATS)
        if mode is not None and mode.log_evidence > best.log_evidence - LOWER_NATS:
            return True
    return False


def _sentence(lower: list[int], gaps: list[float], is_from_search: bool) -> str:
    least, who = min(gaps[c] for c in lower), "the searches" if is_from_search else "another chain"
    if len(lower) == len(gaps):
        return (
            f"No chain is in the best mode that {who} found, whose approximate evidence is {least:.1f} nats higher "
            "than that of the best mode in which a chain is."
        )
    names = ", ".join(str(c) for c in lower)
    verb = "chain {} is never" if len(lower) == 1 else "chains {} are never"
    return (
        f"The chains agree in what is judged, but {verb.format(names)} in the best mode that {who} found, whose "
        f"approximate evidence is at least {least:.1f} nats higher than that of their own modes."
    )
