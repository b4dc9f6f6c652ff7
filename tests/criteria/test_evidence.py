"""The log evidence, against exact sums, closed forms and other people's numbers."""

import csv
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from scipy.special import gammaln, logsumexp
from testbed import oracle
from testbed.cases import blobs
from testbed.fits import made

import bayesgmm as bg
from bayesgmm.criteria.evidence import elbo, elbo_orders, estimate
from bayesgmm.criteria.evidence.permanents import log_permanents
from bayesgmm.criteria.evidence.posterior import alike, log_orders
from bayesgmm.errors import ArgumentError, NotApplicableError
from bayesgmm.priors.pairs import log_density_pairs
from bayesgmm.rows import as_rows

X8 = np.random.default_rng(0).normal(size=(8, 2)) + np.repeat([0.0, 3.0], 4)[:, None]
Z_LIMIT = 4.5  # 30 comparisons at a family-wise level of 1e-4


@pytest.mark.parametrize("k", [1, 2, 5])
def test_permanents_are_sums_over_orders(k):
    logs = 30.0 * np.random.default_rng(k).normal(size=(7, k, k))
    logs[0, 0, :] = -np.inf
    logs[1, 0, 1:] = -np.inf
    rows = np.arange(k)
    expected = logsumexp([logs[:, rows, list(order)].sum(1) for order in permutations(range(k))], axis=0)
    np.testing.assert_allclose(log_permanents(logs), expected, rtol=1e-12)


@pytest.mark.parametrize("structure", oracle.STRUCTURES)
def test_pairs_make_the_density_of_every_order(structure):
    prior = bg.GaussianMixture(3, structure).resolve(as_rows(X8)).conjugate()
    rng = np.random.default_rng(2)
    law = prior.update(_statistics(X8, prior, rng))
    params = law.sample(rng, 4)
    pairs, common = log_density_pairs(law, params)
    for order in permutations(range(3)):
        ours = common + pairs[:, range(3), order].sum(1)
        expected = [law.log_density(params[m].permuted(np.array(order))) for m in range(4)]
        np.testing.assert_allclose(ours, expected, rtol=1e-11)


def _statistics(X, prior, rng):
    from bayesgmm.core.sweep import Assign, sweep

    return sweep(X, prior.sample(rng, 1)[0].scores(), Assign.SAMPLED, rng=rng)


def test_orders_are_those_that_the_prior_does_not_tell_apart():
    data = as_rows(X8)
    same = bg.GaussianMixture(3).resolve(data).conjugate()
    some = bg.GaussianMixture(3, weights=bg.Dirichlet([1.0, 2.0, 1.0])).resolve(data).conjugate()
    none = bg.GaussianMixture(3, weights=bg.Dirichlet([1.0, 2.0, 3.0])).resolve(data).conjugate()
    assert [np.exp(log_orders(alike(prior))) for prior in (same, some, none)] == pytest.approx([6.0, 2.0, 1.0])


GIBBS = bg.Gibbs(draws=2000, tune=500, thin=10)


@pytest.mark.parametrize(("structure", "k"), [(s, k) for s in oracle.STRUCTURES for k in (1, 2)] + [("tied", 3)])
@pytest.mark.few(1)
def test_enumerated(structure, k):
    X = X8[1:7]  # of eight, the dense oracle takes half a minute; those are in the next test
    exact = oracle.Enumeration(X, oracle.default_constants(structure, X, k)).log_evidence
    fit = bg.fit(bg.GaussianMixture(k, structure), X, GIBBS, rng=1)
    for method in ("bridge", "chib"):
        score = bg.log_evidence(fit, method)
        assert score.se < 0.1 and abs(score.value - exact) < Z_LIMIT * score.se + 1e-9
    assert bg.log_evidence(fit, "exact").value == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "k"),
    [
        ("galaxies", 2),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (("faithful", 2), ("faithful", 3), ("galaxies", 3))),
    ],
)
def test_exact_sums_of_another_program(reference, name, k):
    with open(reference / "tiny" / "summary.csv") as lines:
        (row,) = (r for r in csv.DictReader(lines) if (r["dataset"], r["K"]) == (name, str(k)))
    fit = bg.fit(bg.GaussianMixture(k), bg.load_dataset(name).X[:8], GIBBS, rng=1)
    exact = float(row["log_evidence"])
    assert bg.log_evidence(fit, "exact").value == pytest.approx(exact, abs=1e-8)
    for method in ("bridge", "chib"):
        score = bg.log_evidence(fit, method)
        assert score.se < 0.1 and abs(score.value - exact) < Z_LIMIT * score.se


@pytest.mark.slow
def test_a_prior_that_tells_components_apart():
    concentration = np.array([1.0, 3.0])
    constants = oracle.default_constants("full", X8, 2)
    constants = oracle.Constants("full", concentration, *(getattr(constants, n) for n in list(vars(constants))[2:]))
    exact = oracle.Enumeration(X8, constants).log_evidence
    fit = bg.fit(bg.GaussianMixture(2, weights=bg.Dirichlet(concentration)), X8, GIBBS, rng=1)
    for method in ("bridge", "chib"):
        score = bg.log_evidence(fit, method)
        assert score.se < 0.1 and abs(score.value - exact) < Z_LIMIT * score.se


@pytest.mark.slow
def test_the_sampler_need_not_have_switched_the_labels():
    """Draws that are put in the order of their weights have the same evidence."""
    exact = oracle.Enumeration(X8, oracle.default_constants("full", X8, 2)).log_evidence
    fit = bg.fit(bg.GaussianMixture(2), X8, GIBBS, rng=1)
    order = np.argsort(fit.params.weights, axis=-1)
    ordered = replace(fit, estimate=replace(fit.estimate, params=fit.params.permuted(order)))
    for method in ("bridge", "chib"):
        score = bg.log_evidence(ordered, method)
        assert score.se < 0.1 and abs(score.value - exact) < Z_LIMIT * score.se


@pytest.mark.slow
def test_numbers_of_other_people(reference):
    """`evidence.csv`: sequential Monte Carlo over labellings, and importance and bridge sampling over all orders."""
    X, errors = bg.load_dataset("galaxies").X, []
    with open(reference / "evidence.csv") as lines:
        theirs = list(csv.DictReader(lines))
    for k in (1, 2, 4):
        fit = bg.fit(bg.GaussianMixture(k), X, bg.Gibbs(), rng=1)
        for method in ("bridge", "chib"):
            score = bg.log_evidence(fit, method)
            for row in theirs:
                if int(row["K"]) == k:
                    error = np.hypot(score.se, float(row["se"])) + 1e-6
                    errors.append((score.value - float(row["log_evidence"])) / error)
    assert len(errors) == 18 and np.abs(errors).max() < Z_LIMIT


@pytest.mark.slow
@pytest.mark.parametrize(("name", "k"), [("galaxies", 3), ("faithful", 1), ("faithful", 2), ("faithful", 3)])
def test_the_estimators_agree(name, k):
    fit = bg.fit(bg.GaussianMixture(k), bg.load_dataset(name).X, bg.Gibbs(), rng=1)
    scores = [bg.log_evidence(fit, method) for method in ("bridge", "chib")]
    difference, se = scores[0].minus(scores[1])
    assert abs(difference) <= Z_LIMIT * se + 1e-9 and max(score.se for score in scores) < 0.1
    if k == 1:
        assert scores[0].value == pytest.approx(bg.log_evidence(fit, "exact").value, abs=1e-8)


def test_the_bound_with_the_orders():
    fit = made("variational")
    k = fit.model.n_components
    assert elbo_orders(fit, fit.X).value - elbo(fit, fit.X).value == pytest.approx(gammaln(k + 1))


@pytest.mark.parametrize(
    ("fit", "method", "words"),
    [
        (lambda: made("point"), "bridge", "draws of the posterior"),
        (lambda: made("variational"), "chib", "draws of the posterior"),
        (lambda: made("variational"), "exact", "labellings"),
        (lambda: bg.stack_chains(made("draws")).fit, "chib", "stacked chains are no sample of the posterior"),
        (lambda: bg.fit(bg.DirichletProcessMixture(3), blobs(), bg.Gibbs(draws=100, tune=10), rng=0), "bridge", "Diri"),
        (lambda: bg.fit(bg.GaussianMixture(2), blobs(), bg.Gibbs(draws=50, tune=10), rng=0), "bridge", "at least 100"),
    ],
)
@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning", "ignore::bayesgmm.TruncationWarning")
@pytest.mark.few(3)
def test_what_has_no_evidence_says_why(fit, method, words):
    with pytest.raises(NotApplicableError, match=words):
        bg.log_evidence(fit(), method)


def test_unknown_method():
    with pytest.raises(ArgumentError, match="'bridge', 'chib', 'exact'"):
        bg.log_evidence(made("variational"), "harmonic")


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")  # so few draws
@pytest.mark.slow
def test_chib_is_not_shown_where_a_handful_of_labellings_decides():
    """Five overlapping components: errors of 0.3 were stated where the seeds were 0.7 apart."""
    rng = np.random.default_rng(800)
    X = rng.normal(size=(300, 2)) + rng.normal(size=(5, 2))[rng.integers(5, size=300)]
    fit = bg.fit(bg.GaussianMixture(5), X, bg.Gibbs(draws=200, tune=50, chains=2, thin=2), rng=0)
    with pytest.raises(NotApplicableError, match="Chib's identity is not usable here: .* effective labellings"):
        bg.log_evidence(fit, "chib")
    assert np.isfinite(bg.log_evidence(fit, "bridge").value)


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")  # so few draws
def test_chib_states_an_error_where_all_labellings_are_the_same():
    """Labellings with less than 1/S of the posterior are not seen among S draws; the errors were exactly 0."""
    X = np.repeat([0.0, 50.0], 10)[:, None] + np.random.default_rng(0).normal(size=(20, 1))
    fit = bg.fit(bg.GaussianMixture(2), X, bg.Gibbs(draws=200, tune=50, chains=2), rng=0)
    bridge, chib = (bg.log_evidence(fit, method) for method in ("bridge", "chib"))
    assert 1 / 200 <= chib.se < 0.02 and not chib.is_exact
    assert abs(chib.value - bridge.value) < Z_LIMIT * np.hypot(chib.se, bridge.se)


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")  # so few draws
def test_chib_is_not_shown_where_chains_move_slowly():
    """Enough labellings and few effective draws: z over 20 seeds had a standard deviation of 1.7."""
    rng = np.random.default_rng([3, 40])
    X = rng.normal(size=(150, 2)) + (4.0 * rng.normal(size=(3, 2)))[rng.integers(3, size=150)]
    fit = bg.fit(bg.GaussianMixture(3), X, bg.Gibbs(draws=400, tune=200, thin=2), rng=1)
    with pytest.raises(NotApplicableError, match="its labellings come from .* effective draws"):
        bg.log_evidence(fit, "chib")
    slowest = replace(fit.diagnostics.fewest(), ess_bulk=101.0, ess_tail=101.0)
    assert bg.log_evidence(replace(fit, diagnostics=replace(fit.diagnostics, quantities=(slowest,))), "chib").se > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")  # errors hold with fewer draws than a verdict needs
@pytest.mark.parametrize(("k", "apart"), [(2, 2.0), (3, 3.0)])
@pytest.mark.often(1)
def test_errors_hold_over_seeds(k, apart):
    """The spread over 20 seeds is what the errors say; 43.8 is the 0.999 quantile of chi-squared of 19."""
    rng = np.random.default_rng(k)
    X = rng.normal(size=(200, 2)) + (apart * rng.normal(size=(k, 2)))[rng.integers(k, size=200)]
    fits = [bg.fit(bg.GaussianMixture(k), X, bg.Gibbs(draws=500, tune=200, thin=4), rng=seed) for seed in range(20)]
    for method in ("bridge", "chib"):
        scores = [bg.log_evidence(fit, method) for fit in fits]
        values, errors = np.array([(score.value, score.se) for score in scores]).T
        errors = np.hypot(errors, 1e-9)  # what rounding adds where clusters are apart and every estimate is exact
        center = (values / errors**2).sum() / (1 / errors**2).sum()
        assert (((values - center) / errors) ** 2).sum() < 43.8


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")  # so few draws
@pytest.mark.parametrize(("se", "is_ranked"), [(0.69, True), (0.71, False)])
def test_an_evidence_that_a_few_draws_decide_is_not_ranked(monkeypatch, se, is_ranked):
    X = np.random.default_rng(0).normal(size=(30, 1))
    fit = bg.fit(bg.GaussianMixture(2), X, bg.Gibbs(draws=200, tune=50, chains=2), rng=0)
    monkeypatch.setattr(estimate, "bridge", lambda posterior, rng: (-50.0, se))
    found = bg.log_evidence(fit, "bridge")
    assert found.value == -50.0 and found.se == se and found.is_ranked == is_ranked
    assert ("0.71 nats, more than 0.7" in found.bar) == (not is_ranked)
