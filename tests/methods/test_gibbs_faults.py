"""The tests of the tests: faults planted in the sampler turn calibration, Geweke's test and the exact sums red."""

import pytest
from testbed.calibration import is_uniform, joint_scores, proper_model, simulated_ranks
from testbed.planted import planted

from bayesgmm.methods import gibbs_chain

Z_LIMIT = 5.0
N_REPLICATES, N_CYCLES = 300, 5_000  # fewer than the tests have: these faults are not subtle

# Moves between modes take most of the time that compiling takes, and have no part in most faults.
NO_MOVES = ("chain", "crossing.cross(rng, kind, X, labels, prior, mixing, moments)", "0")

FAULTS = {
    "wrong degrees of freedom": (
        "finite",
        ("conjugacy", "dof[row] += residuals * count", "dof[row] += residuals * count + 1.0"),
    ),
    "swapped triangle": (
        "finite",
        ("conjugacy", "noise -= factors[k, j, d] * means[k, j]", "noise -= factors[k, d, j] * means[k, j]"),
    ),
    "lost constant": (
        "finite",
        ("conjugacy", "total += math.log(factors[k, d, d]) if factors.ndim == 3 else math.log(factors[k, d])", "pass"),
    ),
    "last stick not closed": (
        "DP",
        ("sticks", "weights[len(counts) - 1] = math.exp(log_left)", "weights[-1] = 0.5 * math.exp(log_left)"),
    ),
    "components counted by the labels alone": (
        "MFM",
        ("mixing", "draw_count(rng, mixing.cumulative, count_occupied(counts))", "count_occupied(counts)"),
    ),
    "labels conditioned on": (
        "finite",
        (
            "allocation",
            "        for i in range(m, m + -m % WIDTH):",
            "        log_sums[:m] -= np.log(totals[:m])\n        for i in range(m, m + -m % WIDTH):",
        ),
    ),
}  # fmt: skip
# What is reported of a draw is no part of the chain; eight points whose labels are a little wrong take more cycles.
UNSEEN_BY_GEWEKE = {"labels conditioned on", "lost constant"}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_seen(name, monkeypatch):
    kind, change = FAULTS[name]
    monkeypatch.setattr(gibbs_chain, "chain", planted("chain", change, NO_MOVES))
    model = proper_model(kind)
    assert not is_uniform(simulated_ranks(model, N_REPLICATES))
    if name not in UNSEEN_BY_GEWEKE:
        assert abs(joint_scores(model, N_CYCLES)[0]).max() > Z_LIMIT
