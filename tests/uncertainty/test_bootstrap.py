"""The bootstrap: replicates are ordinary fits, labels stay, chance alone decides, and what is left out is counted."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from testbed.cases import STRUCTURES, blobs

import bayesgmm as bg
from bayesgmm.core.density import responsibilities, sample
from bayesgmm.core.facts import of_weights
from bayesgmm.core.params import MixtureParams
from bayesgmm.result.status import Outcome
from bayesgmm.uncertainty.objective import Objective

KINDS = ("ordinary", "parametric", "weighted")


def fitted(structure="full", d=2, method=None, n=90, k=2, apart=2.0, seed=5):
    X = blobs(seed=seed, n=n, d=d, k=k, apart=apart)
    return bg.fit(bg.GaussianMixture(k, structure, bg.Dirichlet(2.0)), X, method or bg.EM(), rng=0)


@pytest.mark.parametrize("method", [bg.EM(tol=1e-12), bg.MAP(tol=1e-12)], ids=["EM", "MAP"])
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.few(4)
def test_a_replicate_is_the_fit_of_its_points(structure, method):
    fit = fitted(structure, method=method)
    counts = np.random.default_rng(3).multinomial(90, np.full(90, 1 / 90))
    found, value, is_settled = Objective.of(fit).climbed(fit.X, fit.params, of_weights(counts))
    again = replace(fit, method=replace(method, init=fit.params)).refit(np.repeat(fit.X, counts, 0))
    assert is_settled
    # Both stop within 1e-12 nats a point of the optimum, so parameters agree to about its root.
    np.testing.assert_allclose(found.weights, again.params.weights, atol=1e-5)
    np.testing.assert_allclose(found.means, again.params.means, atol=1e-4)
    np.testing.assert_allclose(found.covariances, again.params.covariances, atol=1e-4)
    if isinstance(method, bg.EM):
        assert value == pytest.approx(again.log_likelihood, abs=1e-9)


def test_float32_and_one_column():
    X = bg.load_dataset("galaxies").X.astype(np.float32)
    fit = bg.fit(bg.GaussianMixture(2), X, bg.EM(), rng=0)
    table = bg.intervals(fit, "weighted", replicates=40, rng=0).table
    assert (table["lower"] < table["upper"]).all() and np.isfinite(table.to_numpy()).all()


def test_errors_of_one_component_have_closed_forms():
    X = blobs(seed=4, n=60, d=1, k=1)
    n, fit, B = 60, bg.fit(bg.GaussianMixture(1), X, bg.EM(), rng=0), 1000
    se = {kind: bg.intervals(fit, kind, replicates=B, rng=1).table["se"] for kind in KINDS}
    s2 = X.var()
    # A standard deviation from B replicates has a relative error of 1 / sqrt(2 B): 5 of them are 0.11.
    rtol = 5 / np.sqrt(2 * B)
    assert se["ordinary"]["mean[0, x0]"] == pytest.approx(np.sqrt(s2 / n), rel=rtol)
    assert se["weighted"]["mean[0, x0]"] == pytest.approx(np.sqrt(s2 / (n + 1)), rel=rtol)
    assert se["parametric"]["mean[0, x0]"] == pytest.approx(np.sqrt(s2 / n), rel=rtol)
    exact = s2 * np.sqrt(2 * (n - 1)) / n  # of a chi-squared with n - 1 degrees of freedom
    assert se["parametric"]["variance[0, x0]"] == pytest.approx(exact, rel=1.5 * rtol)  # its tails are heavier


def test_the_parametric_bootstrap_agrees_with_the_information_where_there_are_many_points():
    rng = np.random.default_rng(7)
    X = sample(MixtureParams([0.4, 0.6], [[0.0], [5.0]], [[[1.0]], [[2.0]]]), 3000, rng)[0]
    fit = bg.fit(bg.GaussianMixture(2), X, bg.EM(), rng=0)
    boot, info = bg.intervals(fit, "parametric", replicates=500, rng=1).table, bg.intervals(fit).table
    # 3,000 points leave terms of order 1/n; 500 replicates a relative error of 0.032, of which 4 are allowed.
    np.testing.assert_allclose(boot["se"], info["se"], rtol=0.13)


@pytest.mark.parametrize("kind", KINDS)
def test_neither_threads_nor_the_number_of_replicates_change_a_replicate(kind, monkeypatch):
    fit = fitted()
    monkeypatch.setenv("BAYESGMM_NUM_THREADS", "1")
    alone = bg.intervals(fit, kind, replicates=40, rng=3).draws
    monkeypatch.setenv("BAYESGMM_NUM_THREADS", "3")
    together = bg.intervals(fit, kind, replicates=60, rng=3).draws
    np.testing.assert_array_equal(alone.means, together.means[:40])
    np.testing.assert_array_equal(alone.precision_chol, together.precision_chol[:40])
    other = bg.intervals(fit, kind, replicates=40, rng=4).draws
    assert (other.means != alone.means).any()


def test_an_interrupt_keeps_what_there_is():
    fit = fitted()
    whole = bg.intervals(fit, "ordinary", replicates=200, rng=3)

    def stop(after):
        def progress(done, total, note):
            if done >= after:
                raise KeyboardInterrupt

        return progress

    part = bg.intervals(fit, "ordinary", replicates=200, rng=3, progress=stop(100))
    n = len(part.draws.weights)
    assert part.status.outcome is Outcome.INTERRUPTED and 100 <= n < 200
    assert part.status.sentence.startswith(f"Interrupted after {n} of 200")
    np.testing.assert_array_equal(part.draws.means, whole.draws.means[:n])
    with pytest.raises(KeyboardInterrupt):  # too few to say anything
        bg.intervals(fit, "ordinary", replicates=200, rng=3, progress=stop(1))


def test_components_of_replicates_stay_with_those_of_the_fit():
    fit = fitted(d=1, k=3, apart=2.0, n=150)
    draws = bg.intervals(fit, "ordinary", replicates=100, rng=0).draws
    reference = fit.responsibilities(fit.X)
    for draw in range(len(draws.weights)):
        shared = responsibilities(draws[draw].scores(), fit.X).T @ reference
        in_orders = [shared[list(order), range(3)].sum() for order in permutations(range(3))]
        assert in_orders[0] == max(in_orders)
    order = np.array([2, 0, 1])
    turned = replace(fit, estimate=replace(fit.estimate, params=fit.params.permuted(order)))
    ours, theirs = (bg.intervals(one, "weighted", replicates=40, rng=0).draws for one in (fit, turned))
    np.testing.assert_allclose(theirs.means, ours.means[:, order], rtol=1e-6)


def test_replicates_that_collapse_are_counted_and_left_out():
    X = np.concatenate([np.random.default_rng(0).normal(0, 1, 60), [8.0, 8.5, 9.2, 9.0]])[:, None]
    fit = bg.fit(bg.GaussianMixture(2), X, bg.EM(), rng=0)
    found = bg.intervals(fit, "ordinary", replicates=300, rng=0)
    n_kept = len(found.draws.weights)
    # Of four points, resampling often leaves one or none: 1 or 0 of them in (1 + 4) / e^4 = 9% of the replicates.
    assert 20 <= n_kept < 290
    assert f"{300 - n_kept} of 300 collapsed and are left out" in found.status.sentence
    assert found.draws.weights.min() > 1 / 64 and np.isfinite(found.table.to_numpy()).all()
    with pytest.warns(bg.NotConvergedWarning):
        collapsed = bg.fit(bg.GaussianMixture(2), np.append(X[:60], [[50.0]], 0), bg.EM(), rng=0)
    with pytest.raises(bg.NotApplicableError, match="suspicious"):
        bg.intervals(collapsed, "ordinary")


def test_quantiles_are_those_of_the_replicates_and_refused_beside_no_data():
    fit = fitted()
    found = bg.intervals(fit, "parametric", level=0.8, replicates=100, rng=0)
    values = found.draws.means[:, 1, 0]
    row = found.table.loc["mean[1, x0]"]
    expected = [fit.params.means[1, 0], values.std(ddof=1), *np.quantile(values, [0.1, 0.9])]
    np.testing.assert_allclose(row, expected, rtol=1e-12)
    with pytest.raises(bg.NotApplicableError, match="without its data"):
        bg.intervals(replace(fit, X=None), "ordinary")
