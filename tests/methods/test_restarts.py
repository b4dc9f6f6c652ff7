"""Which starts are climbed to the end, and when more are made, on a landscape that is planted."""

import dataclasses

import numpy as np
import pytest

import bayesgmm as bg
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.methods.climbing import restarts
from bayesgmm.methods.climbing.loop import Climb, Stopping
from bayesgmm.methods.climbing.restarts import AGREED, FIRST, ROUNDS, climb_all
from bayesgmm.result.diagnostics import Flag
from bayesgmm.result.method import silent
from bayesgmm.rows import as_rows

STOPPING = Stopping(1000, 1e-8, None)
STATS = SufficientStatistics(0.0, np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)), np.zeros((1, 1)), 100.0)
FLAG = Flag(0, 1.0, 1e-6, (1.0,), "sits at the variance floor")


@dataclasses.dataclass(frozen=True)
class Hill:
    """A start: where it stands after the first iterations, where it ends, and what is suspicious about that."""

    early: float
    top: float
    n_collapsed: float = 0.0  # points of a suspicious component


@pytest.fixture
def searched(monkeypatch):
    """Search a landscape; returns the chosen climb, status, diagnostics, and which hills were climbed to the end."""
    ended = []

    def climbed(X, readout, state, stopping):
        is_short = stopping.max_iter == FIRST
        n_iter, objective = (FIRST, state.early) if is_short else (50, state.top)
        if not is_short:
            ended.append(state)
        history = np.linspace(objective - 1.0, objective, n_iter + 1)
        flags = (dataclasses.replace(FLAG, n_points=state.n_collapsed),) if state.n_collapsed else ()
        return Climb(state, STATS, history, not is_short, False, flags, n_iter)

    monkeypatch.setattr(restarts, "climb", climbed)

    def search(hills, n_starts=10):
        found, status, diagnostics = climb_all(
            as_rows(np.zeros((100, 1))), None, iter(hills), n_starts, STOPPING, silent
        )
        return found, status, diagnostics, ended

    return search


def test_easy_data_take_one_round_and_few_climbs_to_the_end(searched):
    found, status, diagnostics, ended = searched([Hill(-10.0, -5.0)] * 10)
    assert len(diagnostics.restarts) == 10 and len(ended) == AGREED
    assert status.sentence == f"Converged after {FIRST + 50} iterations." and found.objective == -5.0


def test_the_promising_half_is_climbed_to_the_end(searched):
    hills = [Hill(-10.0 * i, 1.0 - 10.0 * i) for i in range(10)]
    _, _, _, ended = searched([*hills[::-1], *[Hill(-500.0, -400.0)] * 20])
    assert set(hills[:5]) <= set(ended) and not set(hills[5:]) & set(ended)


def test_a_start_that_stands_above_the_agreed_optimum_goes_on(searched):
    """Others met lower while it was still on its way."""
    hills = [Hill(-1.0, -0.5)] + [Hill(-2.0, -2.0)] * 9
    found, *_ = searched(hills + [Hill(-2.0, -2.0)] * 20)
    assert found.state == hills[0]


def test_an_optimum_found_once_has_more_starts_made_and_the_status_says_so(searched):
    hills = [Hill(-1.0, 0.0)] + [Hill(-5.0, -3.0)] * 29
    found, status, diagnostics, _ = searched(hills)
    assert len(diagnostics.restarts) == ROUNDS * 10 and found.state == hills[0]
    assert "Only one of 30 starts reached this optimum" in status.sentence and "raise n_init=10" in status.sentence


def test_no_more_rounds_than_needed(searched):
    hills = [Hill(-1.0, 0.0)] + [Hill(-5.0, -3.0)] * 9 + [Hill(-1.0, 0.0)] + [Hill(-5.0, -3.0)] * 19
    _, status, diagnostics, _ = searched(hills)
    assert len(diagnostics.restarts) == 20 and "2 of 20 starts reached this optimum" in status.sentence


def test_a_better_optimum_of_a_later_round_is_taken(searched):
    hills = [Hill(-1.0, 0.0)] + [Hill(-5.0, -3.0)] * 9 + [Hill(-1.0, 7.0)] * 2 + [Hill(-5.0, -3.0)] * 18
    found, status, *_ = searched(hills)
    assert found.objective == 7.0 and "2 of 20 starts" in status.sentence


def test_few_starts_are_not_judged(searched):
    _, status, diagnostics, ended = searched([Hill(-1.0, 0.0)] + [Hill(-5.0, -3.0)] * 29, n_starts=4)
    assert len(diagnostics.restarts) == len(ended) == 4 and "Only one" not in status.sentence


def test_suspicious_climbs_are_passed_over(searched):
    hills = [Hill(5.0, 9.0, 1.0)] * 5 + [Hill(-1.0, 0.0)] * 5
    found, status, _, ended = searched(hills)
    assert found.objective == 0.0 and not any(hill.n_collapsed for hill in ended)
    assert "5 of 10 restarts ended in a suspicious optimum" in status.sentence


def test_a_sound_optimum_so_low_that_no_collapse_explains_it_is_not_preferred(searched):
    """A point that shrinks to the lowest floor gains log(1e12) / 2 = 13.8 nats in one column, and 20 points 276."""
    found, status, _, ended = searched([Hill(5.0, 9.0, 20.0)] * 9 + [Hill(-300.0, -268.0)])
    assert found.objective == 9.0 and status.outcome.name == "COLLAPSED" and len(ended) == 10
    assert "are at least 277.0 nats lower than the best one" in status.sentence
    assert searched([Hill(5.0, 9.0, 20.0)] * 9 + [Hill(-300.0, -267.0)])[0].objective == -267.0


def test_a_few_points_that_collapse_never_make_a_sound_optimum_poor(searched):
    assert searched([Hill(5.0, 9.0, 11.0)] * 9 + [Hill(-1e4, -1e4)])[0].objective == -1e4


def test_where_all_are_suspicious_every_one_goes_to_its_end(searched):
    found, status, _, ended = searched([Hill(5.0, 9.0, 20.0)] * 10)
    assert len(ended) == 10 and status.outcome.name == "COLLAPSED" and found.flags


def test_where_every_start_ended_on_a_few_points_more_are_made(searched):
    found, status, diagnostics, _ = searched([Hill(5.0, 9.0, 2.0)] * 15 + [Hill(-1.0, 0.0)] * 15)
    assert found.objective == 0.0 and len(diagnostics.restarts) == 20 and "3 of 20 starts" in status.sentence
    found, status, diagnostics, _ = searched([Hill(5.0, 9.0, 2.0)] * 30)
    assert found.flags and len(diagnostics.restarts) == 30 and "starts reached" not in status.sentence


def test_without_a_criterion_every_start_makes_all_its_iterations():
    X = np.random.default_rng(0).normal(size=(50, 2))
    with pytest.warns(bg.NotConvergedWarning):
        fit = bg.fit(bg.GaussianMixture(2), X, bg.EM(tol=None, max_iter=30, n_init=6), rng=0)
    assert [restart.n_iter for restart in fit.diagnostics.restarts] == [30] * 6


def test_one_component_has_one_start():
    X = np.random.default_rng(0).normal(size=(50, 2))
    for method in (bg.EM(), bg.MAP(), bg.VB()):
        assert len(bg.fit(bg.GaussianMixture(1), X, method, rng=0).diagnostics.restarts) == 1


def spirals(seed, n=300):
    rng = np.random.default_rng(seed)
    turn, arm = 3 * np.pi * np.sqrt(rng.random(n)), np.pi * rng.integers(2, size=n)
    return np.c_[turn * np.cos(turn + arm), turn * np.sin(turn + arm)] + 0.3 * rng.normal(size=(n, 2))


def tight(seed):
    """One large and two small, wider clusters in rounded columns, as in thyroid measurements."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], [150, 35, 30])
    means = np.array([[110.0, 9.2, 1.7, 1.3, 2.5], [95.0, 17.5, 4.2, 1.0, 0.0], [122.0, 3.6, 1.0, 12.0, 17.0]])
    sds = np.array([[8.0, 2.0, 0.5, 0.4, 2.0], [17.0, 4.4, 2.2, 0.4, 0.3], [10.0, 2.0, 0.5, 10.0, 13.0]])
    return np.round(means[labels] + sds[labels] * rng.normal(size=(215, 5)), 1)


# Log likelihoods of mclust 6.0.0 (R 4.2.2), `Mclust(X, G, "VVV", control = emControl(tol = 1e-10))`; all have
# components of ten points and more, so that they are no suspicious optima.
MCLUST = [
    (tight, 0, 3, -2236.527), (tight, 1, 3, -2261.219), (tight, 2, 3, -2545.462),
    (spirals, 0, 6, -1647.411), (spirals, 0, 8, -1572.191), (spirals, 1, 6, -1655.214), (spirals, 1, 8, -1628.581),
    (spirals, 2, 6, -1679.981), (spirals, 2, 8, -1637.254),
]  # fmt: skip


@pytest.mark.parametrize(("data", "seed", "k", "expected"), MCLUST, ids=lambda v: getattr(v, "__name__", str(v)))
@pytest.mark.few(2)
def test_thyroid_like_and_spiral_data_reach_mclust(data, seed, k, expected):
    for rng in (0, 1):
        fit = bg.fit(bg.GaussianMixture(k), data(seed), bg.EM(), rng=rng)
        assert fit.status.is_converged and fit.log_likelihood >= expected - 1e-3  # its printed digits


def test_a_best_optimum_of_one_start_is_said_on_real_climbs():
    """Mixtures on spirals have many optima: wherever only one start came to the best, the sentence is there."""
    told = 0
    for seed in range(3):
        fit = bg.fit(bg.GaussianMixture(5), spirals(seed, 150), bg.EM(init="random", moves=0), rng=0)
        ends = [r.objective for r in fit.diagnostics.restarts if r.is_converged and not r.flags]
        is_lonely = sum(end >= max(ends) - 0.1 for end in ends) == 1
        assert ("Only one of 30 starts" in fit.status.sentence) == is_lonely
        assert (len(ends) > 0) and (not is_lonely or len(fit.diagnostics.restarts) == 30)
        told += is_lonely
    assert told
