"""Sums of parts: in order, in bounded memory, whatever the threads and however they end."""

import threading
import time
import tracemalloc

import numpy as np
import pytest
from testbed import twin

from bayesgmm.core import merging
from bayesgmm.core.facts import of_weights
from bayesgmm.core.merging import summed
from bayesgmm.core.sweep import Assign, portions, sweep

SINGLE = [(part, part + 1) for part in range(40)]


@pytest.fixture(params=["1", "2", "5", "20"])
def n_threads(request, monkeypatch):
    monkeypatch.setenv("BAYESGMM_NUM_THREADS", request.param)
    return int(request.param)


def add_powers(begin, end, offset, arrays):
    """Parts whose sum in floating point tells the order: 1e16 + 1 - 1e16 is 0 or 1."""
    for part in range(begin, end):
        time.sleep(0.002 if part % 7 == 0 else 0.0)  # so that later parts are ready before earlier ones
        arrays[0][part - offset] += (1e16, 1.0, -1e16, 3.0)[part % 4]
        arrays[1][part - offset] += part


def test_large_parts_are_added_in_order(n_threads, monkeypatch):
    monkeypatch.setattr(merging, "ROOM", 0)
    in_turn = 0.0
    for part in range(40):
        in_turn += (1e16, 1.0, -1e16, 3.0)[part % 4]
    for _ in range(5):
        value, numbers = summed(add_powers, SINGLE, [(), (2, 3)])
        assert value == in_turn and numbers.shape == (2, 3) and (numbers == sum(range(40))).all()


def test_few_large_parts_exist_at_a_time(n_threads, monkeypatch):
    monkeypatch.setattr(merging, "ROOM", 0)
    size = 8 * 100_000
    tracemalloc.start()
    try:
        summed(lambda *_: time.sleep(0.001), SINGLE, [(100_000,)])
        peak = tracemalloc.get_traced_memory()[1] / size
    finally:
        tracemalloc.stop()
    assert peak < min(8, n_threads + 2) + 0.5  # the sums, a buffer for each thread and one more, at most eight in all


@pytest.mark.parametrize("room", [0, 2**30], ids=["large", "small"])
@pytest.mark.parametrize("failing", [0, 7, 39])
def test_a_part_that_fails_ends_the_call_and_nothing_waits(n_threads, monkeypatch, room, failing):
    monkeypatch.setattr(merging, "ROOM", room)

    def make(begin, end, offset, arrays):
        if begin == failing:
            time.sleep(0.02)
            raise ValueError("it fails")

    errors = []

    def call():
        try:
            summed(make, SINGLE, [(3,)])
        except ValueError as error:
            errors.append(str(error))

    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    caller.join(timeout=30)
    assert errors == ["it fails"]


@pytest.mark.parametrize("is_diagonal", [False, True], ids=["triangular", "diagonal"])
@pytest.mark.parametrize("assign", [Assign.SOFT, Assign.HARD])
def test_a_sweep_of_large_statistics_has_the_bits_of_a_small_one(n_threads, monkeypatch, is_diagonal, assign):
    X, scores = twin.problem(9000, 4, 3, is_diagonal)
    w = np.random.default_rng(0).uniform(0.0, 2.0, len(X))
    at_once = sweep(X, scores, assign, of_weights(w))
    monkeypatch.setattr(merging, "ROOM", 0)
    in_turn = sweep(X, scores, assign, of_weights(w))
    for name in ("counts", "first", "second"):
        assert np.array_equal(getattr(at_once, name), getattr(in_turn, name))
    # One number for each group is summed in a tree where all of them are at hand.
    assert np.isclose(at_once.log_likelihood, in_turn.log_likelihood, rtol=1e-15 * 64)
    assert in_turn.log_likelihood == sweep(X, scores, assign, of_weights(w)).log_likelihood


def test_a_sweep_needs_at_most_eight_times_its_statistics(monkeypatch):
    """64 groups of rows, whose statistics took 64 times that, and as much as the data and more."""
    monkeypatch.setenv("BAYESGMM_NUM_THREADS", "2")
    X, scores = twin.problem(64 * 256, 30, 80)
    X[:] += 1.0
    size = merging.part_bytes([scores.log_weight.shape, scores.means.shape, scores.precision_chol.shape])
    assert size * 64 > merging.ROOM and len(portions(64, 1e9)) == 8
    sweep(X[:300], scores)  # compiled before memory is measured
    tracemalloc.start()
    try:
        sweep(X, scores)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * size
