"""Runs until it is enough: when they end, what they keep, and what they say; probabilities of counts."""

import numpy as np
import pytest
from testbed.label_oracle import LawEnumeration, UnknownNumber
from testbed.oracle import Constants, default_constants

import bayesgmm as bg
from bayesgmm.core.gibbs.chain import Trace
from bayesgmm.errors import ArgumentError
from bayesgmm.methods.chains.enough import Rounds, default_budget, least_sweeps, longer, room_of, rounded_up
from bayesgmm.methods.chains.gibbs_chain import GibbsChain
from bayesgmm.result.checkpoint import EVERY
from bayesgmm.result.diagnostics import MCSE_LIMIT, chains_agree, diagnose, events_of
from bayesgmm.rows import as_rows

pytestmark = pytest.mark.filterwarnings("ignore::bayesgmm.TruncationWarning")
FAITHFUL, GALAXIES = bg.load_dataset("faithful").X, bg.load_dataset("galaxies").X
SHORT = bg.Gibbs(chains=2, tune=48, max_sweeps=9000)
not_converged = pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")


def assert_same_draws(ours, theirs):
    for name in ("weights", "means", "precision_chol"):
        np.testing.assert_array_equal(getattr(ours.params, name), getattr(theirs.params, name))
    assert ours.estimate.sample_stats.keys() == theirs.estimate.sample_stats.keys()
    for name, values in ours.estimate.sample_stats.items():
        np.testing.assert_array_equal(values, theirs.estimate.sample_stats[name])


# ---- what is kept ----


@not_converged
@pytest.mark.parametrize(
    ("model", "X"),
    [(bg.GaussianMixture(2), FAITHFUL), (bg.DirichletProcessMixture(6), GALAXIES)],
    ids=["finite", "DP"],
)
@pytest.mark.slow
def test_a_thinned_run_has_the_draws_of_a_fixed_one(model, X, tmp_path):
    fit = bg.fit(model, X, SHORT, rng=0)
    assert fit.diagnostics.thin >= 2  # or nothing was thinned
    fixed = fit.method.as_fixed(fit)
    assert fixed.tune * fixed.thin >= 0.2 * (fixed.tune + fixed.draws) * fixed.thin - fixed.thin
    assert_same_draws(fit, bg.fit(model, X, fixed, rng=0))
    fit.save(tmp_path / "fit.nc")
    again = bg.load(tmp_path / "fit.nc")
    assert again.method == SHORT and again.diagnostics == fit.diagnostics
    further = again.extend(30)
    assert further.method.draws == fixed.draws + 30
    assert_same_draws(further, bg.fit(model, X, further.method, rng=0))


@not_converged
@pytest.mark.parametrize("method", [SHORT, bg.Gibbs(draws=501, tune=40, thin=2, chains=2)], ids=["enough", "fixed"])
@pytest.mark.slow
def test_what_is_not_enough_goes_on_with_the_same_chains(method):
    model = bg.MixtureOfFiniteMixtures(8)
    fit = bg.fit(model, GALAXIES, method, rng=0)
    longer = fit.extend()
    thin, dropped = longer.diagnostics.thin, longer.diagnostics.dropped
    assert longer.method.draws is None and longer.estimate.sample_stats["n_occupied"].shape[1] <= 2000
    before = fit.diagnostics.dropped + fit.diagnostics.thin * fit.params.draw_shape[1]
    assert dropped + thin * longer.params.draw_shape[1] > before
    # A plain chain with one draw a sweep has them all.
    every = bg.Gibbs(draws=dropped + thin * longer.params.draw_shape[1], tune=0, thin=1, chains=2)
    plain = bg.fit(model, GALAXIES, every, rng=0).params.means[:, dropped + thin - 1 :: thin]
    np.testing.assert_array_equal(longer.params.means, plain)


@not_converged
@pytest.mark.parametrize(("tune", "thin"), [(0, 1), (10, 10), (100, 19), (100, 15), (0, 30)])
def test_the_smallest_budget_leaves_draws(tune, thin):
    least = max(2 * tune, 10 * thin)
    with pytest.raises(ArgumentError, match=f"at least {least}"):
        bg.Gibbs(tune=tune, thin=thin, max_sweeps=least - 1)
    fit = bg.fit(bg.GaussianMixture(2), FAITHFUL, bg.Gibbs(tune=tune, thin=thin, max_sweeps=least, chains=2), rng=0)
    assert fit.params.draw_shape[1] >= 4 and fit.diagnostics.dropped >= tune


@not_converged
@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_as_an_unbroken_one(tmp_path):
    model = bg.DirichletProcessMixture(6)
    plain = bg.fit(model, FAITHFUL, SHORT, rng=3)
    for at in (800, 3000, 9000, 14000, 10**9):

        def press(done, total, note, at=at):
            if done > at:
                raise KeyboardInterrupt

        try:
            fit = bg.fit(model, FAITHFUL, SHORT, rng=3, checkpoint=tmp_path, progress=press)
        except KeyboardInterrupt:
            assert at == 800
    assert_same_draws(fit, plain)
    assert "recorded draws were read from" in fit.status.sentence
    read = bg.fit(model, FAITHFUL, SHORT, rng=3, checkpoint=tmp_path)
    assert_same_draws(read, plain)
    assert len(list(tmp_path.glob("thin-*"))) == 1  # what is thinned is not kept twice


@pytest.mark.parametrize("done", [400, 399])
def test_halving_keeps_the_last_draw_and_every_other_before(done):
    model = bg.GaussianMixture(2).resolve(as_rows(FAITHFUL))
    chain = GibbsChain.of(
        model, as_rows(FAITHFUL), np.random.default_rng(0),
        model.conjugate().sample(np.random.default_rng(1), 1)[0], 400, 0, 1, 0.1,
    )  # fmt: skip
    chain.advance(done)
    before = Trace(*(values.copy() for values in chain.trace))
    chain.halve()
    assert chain.thin == 2 and chain.done == 200
    for ours, theirs in zip(chain.trace, before, strict=True):
        np.testing.assert_array_equal(ours[: chain.done], theirs[:done][::-1][::2][::-1])


# ---- when it ends ----


def test_a_run_ends_when_it_is_enough_and_says_nothing_else():
    fit = bg.fit(bg.GaussianMixture(2), FAITHFUL, bg.Gibbs(), rng=0)
    found = fit.diagnostics
    assert fit.status.is_converged and found.is_enough
    sweeps = found.dropped + found.thin * fit.params.draw_shape[1]
    assert least_sweeps(len(FAITHFUL)) <= sweeps < 0.05 * default_budget(4, FAITHFUL.shape, 2)
    assert "budget" not in fit.status.sentence


def test_a_budget_that_is_spent_is_said_with_what_is_missing():
    with pytest.warns(bg.NotConvergedWarning, match=r"the budget of 1300 sweeps of each chain is spent") as caught:
        fit = bg.fit(bg.GaussianMixture(5), GALAXIES, bg.Gibbs(max_sweeps=1300), rng=0)
    assert fit.diagnostics.dropped + fit.params.draw_shape[1] == 1300
    text = str(caught[0].message)
    assert "fit.extend() goes on" in text
    times = longer(fit.diagnostics)
    if np.isfinite(times):
        assert (
            f"about {times:g} times as many" in text and f"raise max_sweeps to {rounded_up(times * 1300):.0f}" in text
        )


def test_time_that_is_over_before_there_is_a_draw_is_a_failure():
    with pytest.raises(bg.FitError, match="max_seconds=1e-09 were over"):
        bg.fit(bg.GaussianMixture(2), np.tile(FAITHFUL, (50, 1)), bg.Gibbs(max_seconds=1e-9), rng=0)


def test_a_limit_has_no_place_beside_a_number_of_draws():
    for options in ({"max_sweeps": 5000}, {"max_seconds": 1.0}):
        with pytest.raises(ArgumentError, match="draws=100"):
            bg.Gibbs(draws=100, **options)
    for options, words in (
        ({"max_sweeps": 999}, "tune=500"),
        ({"max_seconds": 0}, "above 0"),
        ({"draws": 3}, "draws=3"),
    ):
        with pytest.raises(ArgumentError, match=words):
            bg.Gibbs(**options)


def test_looks_fall_on_whole_chunks_and_the_room_is_bounded():
    for room in range(2 * EVERY, 2001, 2 * EVERY):
        rounds, recorded, looks = Rounds(room, 0, 10**6, 0), 0, []
        while recorded < room:
            recorded = rounds.look(recorded + 1)
            looks.append(recorded)
        assert looks[-1] == room and all(look % EVERY == 0 for look in looks)
    assert room_of(4, 100) == 2000 and room_of(4, 2**30) == 2 * EVERY
    assert 4 * room_of(4, 300_000) * 300_000 <= 2**30


# ---- probabilities of counts ----


def two_states(rng, share, stay, shape):
    """A chain that draws its state anew with probability 1 - stay: tau = (1 + stay) / (1 - stay)."""
    new, fresh = rng.random(shape) < share, rng.random(shape) >= stay
    fresh[:, 0] = True
    last = np.maximum.accumulate(np.where(fresh, np.arange(shape[1]), 0), axis=1)
    return np.take_along_axis(new, last, 1).astype(int)


def test_errors_of_probabilities_and_agreement_have_their_laws():
    """The error of a two-state chain's mean is known; agreement is uniform where chains agree."""
    rng, shape, stay = np.random.default_rng(0), (4, 1500), 0.6
    for share in (0.05, 0.4):
        z, p = [], []
        for _ in range(150):
            events = events_of("count", two_states(rng, share, stay, shape))
            (event,) = [e for e in events if e.value == 1]
            exact = np.sqrt(share * (1 - share) * (1 + stay) / (1 - stay) / np.prod(shape))
            assert event.mcse == pytest.approx(exact, rel=0.5)
            z.append((event.probability - share) / event.mcse)
            p.append(event.agreement)
        assert 0.8 < np.std(z) < 1.25  # 150 normal deviates: their sd has an error of 0.06
        assert (np.array(p) < 0.1).mean() < 0.2  # expected 0.1, error 0.025


def test_chains_that_differ_are_found_and_those_that_hardly_change_are_not():
    rng, shape = np.random.default_rng(1), (4, 1500)
    here = two_states(rng, 0.3, 0.5, shape)
    here[3] = two_states(rng, 0.5, 0.5, (1, 1500))
    assert chains_agree(here.astype(float)) < 1e-4
    stuck = np.full(shape, 3)
    stuck[0] = 4
    found = diagnose({"x": rng.normal(size=shape)}, counts={"n_occupied": stuck})
    assert found.disputed() is not None and not found.is_enough
    nearly = np.full(shape, 3)
    nearly[rng.random(shape) < 0.01] = 4  # rare events of good chains: R-hat says little, and nothing is wrong
    values = {"x": rng.normal(size=shape), "n_occupied": nearly.astype(float)}
    assert diagnose(values, counts={"n_occupied": nearly}).is_enough
    visit = np.full(shape, 3)
    visit[2, 600:1100] = 4  # one visit, by one chain: nobody knows how often such visits are
    assert max(e.mcse for e in events_of("n", visit)) > MCSE_LIMIT


def test_an_r_hat_of_chains_that_do_not_move_is_infinite():
    still = np.repeat([[1.0], [2.0]], 200, axis=1)
    found = diagnose({"x": still})
    assert np.isinf(found.max_rhat)
    still[:, 100:] += 1.0  # moved once
    assert np.isinf(diagnose({"x": still}).max_rhat)


def test_default_run_of_an_unknown_number_is_the_enumerated_posterior():
    """Six points, all labelings summed up: every probability within 4 of its own errors, and the run converged."""
    X, law = FAITHFUL[:6], UnknownNumber((1 / 3, 1 / 3, 1 / 3), 0.8)
    model = bg.MixtureOfFiniteMixtures(
        3, components_prior=bg.Uniform(), weights=bg.Dirichlet(0.8), expected_components=3
    )
    resolved = model.resolve(as_rows(X))
    constants = default_constants("full", X, 3)
    mean = np.tile(constants.mean[0], (3, 1))
    constants = Constants("full", np.ones(3), mean, np.full(3, 0.01), constants.dof, constants.scale)
    exact = LawEnumeration(X, constants, law).occupied()
    fit = bg.fit(resolved, X, bg.Gibbs(), rng=0)
    assert fit.status.is_converged
    events = [e for e in fit.diagnostics.events if e.name == "n_occupied"]
    assert len(events) >= 2
    for event in events:
        assert abs(event.probability - exact[event.value - 1]) < 4 * event.mcse
        assert event.mcse < MCSE_LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("model", [bg.DirichletProcessMixture(30), bg.MixtureOfFiniteMixtures(30)], ids=["DP", "MFM"])
def test_default_fits_of_galaxies_end_converged(model, seed):
    assert bg.fit(model, GALAXIES, bg.Gibbs(), rng=seed).status.is_converged
