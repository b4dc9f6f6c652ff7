"""The likelihood ratio test of K components against K + 1."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import bayesgmm as bg
from bayesgmm.core.density import sample
from bayesgmm.result.status import Outcome


@pytest.mark.slow
def test_two_eruptions_are_seen_at_once():
    fit = bg.fit(bg.GaussianMixture(1), bg.load_dataset("faithful").X, bg.EM(), rng=0)
    test = bg.likelihood_ratio_test(fit, replicates=39, rng=1)
    assert test.alternative.model.n_components == 2
    assert test.statistic == pytest.approx(2 * (test.alternative.log_likelihood - fit.log_likelihood), rel=1e-12)
    mclust = 2 * (1289.79674505 - 1130.26396019)  # of its VVV fits; see reference/mclust.csv
    assert test.statistic == pytest.approx(mclust, abs=1e-4)
    assert test.statistic > 5 * test.null.max()  # 319 nats against some 20
    assert test.p_value == 1 / 40 and test.p_value_se == pytest.approx(np.sqrt(1 / 40 * 39 / 40 / 40))


@pytest.mark.slow
def test_the_null_statistics_are_those_of_fits_to_the_simulated_data():
    X, method = bg.load_dataset("acidity").X, bg.EM(n_init=4, max_iter=300)
    fit = bg.fit(bg.GaussianMixture(1, "isotropic"), X, method, rng=0)
    test = bg.likelihood_ratio_test(fit, replicates=20, rng=5)
    found = []
    for r in range(20):
        Y = sample(fit.params, len(X), np.random.default_rng([r, 5]))[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bg.NotConvergedWarning)  # one component cut in two is slow to climb
            fits = [bg.fit(bg.GaussianMixture(k, "isotropic"), Y, method, rng=0) for k in (1, 2)]
        found.append(2 * (fits[1].log_likelihood - fits[0].log_likelihood))
    # Where EM settles it is within 1e-8 nats a point of the optimum; four starts may miss the best one.
    assert np.isclose(test.null, found, atol=1e-3).mean() >= 0.8


@pytest.mark.slow
def test_interrupts_threads_and_refusals(monkeypatch):
    X = bg.load_dataset("acidity").X
    fit = bg.fit(bg.GaussianMixture(1), X, bg.EM(n_init=2), rng=0)
    monkeypatch.setenv("BAYESGMM_NUM_THREADS", "1")
    alone = bg.likelihood_ratio_test(fit, replicates=60, rng=2)
    monkeypatch.setenv("BAYESGMM_NUM_THREADS", "3")

    def stop(done, total, note):
        if done >= 24:
            raise KeyboardInterrupt

    part = bg.likelihood_ratio_test(fit, replicates=60, rng=2, progress=stop)
    assert part.status.outcome is Outcome.INTERRUPTED and "of 60" in part.status.sentence
    np.testing.assert_array_equal(part.null, alone.null[: len(part.null)])
    mode = bg.fit(bg.GaussianMixture(1), X, bg.MAP(), rng=0)
    for bad, match in ((mode, "maximum likelihood"), (replace(fit, X=None), "without its data")):
        with pytest.raises(bg.NotApplicableError, match=match):
            bg.likelihood_ratio_test(bad)
    with pytest.raises(bg.ArgumentError, match="replicates"):
        bg.likelihood_ratio_test(fit, replicates=2)
    with pytest.raises(bg.ArgumentError, match="Fit"):
        bg.likelihood_ratio_test(X)


@pytest.mark.slow
def test_p_values_are_uniform_under_the_null():
    truth, p_values = bg.MixtureParams([1.0], [[0.0]], [[[1.0]]]), []
    model, method = bg.GaussianMixture(1, "isotropic"), bg.EM(n_init=3)
    for s in range(80):
        X = sample(truth, 60, np.random.default_rng([s, 11]))[0]
        fit = bg.fit(model, X, method, rng=s)
        p_values.append(bg.likelihood_ratio_test(fit, replicates=39, rng=s).p_value)
    p_values = np.array(p_values)
    # On the grid 1/40, ..., 1 a p-value is uniform; spread over its cell it is so on (0, 1).  Level 1e-4.
    spread = p_values - np.random.default_rng(0).random(len(p_values)) / 40
    assert stats.kstest(spread, "uniform").pvalue > 1e-4
    # Rejections at 10%: 80 Bernoulli trials, standard error 0.034; four of them.
    assert abs((p_values <= 0.1).mean() - 0.1) < 0.14
