"""LOO, WAIC, K-fold and holdout against closed forms, exact enumeration and ArviZ."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.special import logsumexp, polygamma
from scipy.stats import multivariate_t, t
from testbed.exact_draws import ExactPosterior
from testbed.oracle import STRUCTURES, Constants, Enumeration, default_constants

import bayesgmm as bg
from bayesgmm.criteria.collapsed import as_drawn, log_density_left_out
from bayesgmm.criteria.predictive import (
    _by_importance,
    elpd_holdout,
    elpd_kfold,
    elpd_loo,
    elpd_waic,
    make_folds,
    relative_efficiency,
)
from bayesgmm.result.approximation import ApproximateDraws
from bayesgmm.result.estimates import Draws, NoEstimate
from bayesgmm.result.smoothing import pareto_k_limit
from bayesgmm.result.status import Outcome, Status

faithful = bg.load_dataset("faithful").X


@pytest.fixture(scope="module")
def exact_loo(reference):
    def read(dataset):
        file = reference / "tiny" / f"{dataset}8_K2_loo.csv"
        return np.genfromtxt(file, delimiter=",", names=True)["loo_logpred"]

    return read


# Rows whose posterior without them is far from the posterior with them: importance sampling cannot bridge that.
FAR = {"faithful": 5, "galaxies": 7}


@pytest.mark.parametrize("seed", [0, 2, 5])
@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")
@pytest.mark.few(1)
def test_ratios_of_few_labellings_have_a_number(seed):
    """Ties at the cutoff of the tail: Pareto's distribution has no scale there, and ArviZ gives NaN."""
    fit = bg.fit(bg.GaussianMixture(2), bg.load_dataset("galaxies").X, bg.Gibbs(draws=300, tune=500), rng=seed)
    score = elpd_loo(fit, fit.X, max_refits=0)
    assert np.isfinite(score.pointwise).all() and not np.isnan(score.reliability).any()
    left_alone = score.reliability == _by_importance(fit, fit.X).reliability
    np.testing.assert_array_equal(score.pointwise[left_alone], _by_importance(fit, fit.X).pointwise[left_alone])


@pytest.mark.parametrize("k", [2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("dataset", FAR)
@pytest.mark.slow
def test_loo_is_the_exact_one_at_every_point(dataset, k, reference):
    file = reference / "tiny" / f"{dataset}8_K{k}_loo.csv"
    exact = np.genfromtxt(file, delimiter=",", names=True)["loo_logpred"]
    X = bg.load_dataset(dataset).X[:8]
    fit = bg.fit(bg.GaussianMixture(k), X, ExactPosterior(20_000, chains=4), rng=0)
    by_psis = _by_importance(fit, X)
    # The fallback is no ornament: at the far row importance sampling of parameters is wrong by much.
    assert by_psis.reliability[FAR[dataset]] > by_psis.limit and abs(by_psis.pointwise - exact)[FAR[dataset]] > 0.1
    score = elpd_loo(fit, X, accuracy=0.004)
    # 80,000 draws, so that the Monte Carlo error that is asked for, a fifth of the 0.02 nats, can be had from
    # labels at most points; where labels do not reach it (galaxies' far row) the refit does.
    np.testing.assert_allclose(score.pointwise, exact, atol=0.02)
    assert score.n_unreliable == 0 and score.n_recomputed >= 7
    assert "Pareto k above 0.70" in score.notes[0]


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.few(1)
def test_densities_from_labels_are_exact_in_every_structure(structure):
    X = faithful[:8]
    exact = Enumeration(X, default_constants(structure, X, 2)).leave_one_out()
    fit = bg.fit(bg.GaussianMixture(2, structure), X, ExactPosterior(40_000), rng=1)
    values = log_density_left_out(fit.model, as_drawn(fit), X, np.arange(8), np.random.default_rng(0))
    # Ratios of labels in proportion 1 : 100 leave some 400 effective draws of the rarest that matter.
    np.testing.assert_allclose(np.log(len(values)) - logsumexp(-values, axis=0), exact, atol=0.03)


@pytest.mark.parametrize("model", [bg.DirichletProcessMixture(6), bg.MixtureOfFiniteMixtures(max_components=6)])
@pytest.mark.slow
def test_densities_from_labels_agree_with_importance_sampling_where_that_can_be_trusted(model):
    X = faithful[:60]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a short run, and a short truncation
        fit = bg.fit(model, X, bg.Gibbs(draws=1000, tune=300, chains=2), rng=0)
    by_psis = _by_importance(fit, X)
    rows = np.flatnonzero(by_psis.reliability < 0.4)[:20]
    values = log_density_left_out(fit.model, as_drawn(fit), X, rows, np.random.default_rng(0))
    difference = np.log(len(values)) - logsumexp(-values, axis=0) - by_psis.pointwise[rows]
    # 2,000 correlated draws, shared by both: their Monte Carlo errors are about 0.02 where k is small.
    assert len(rows) == 20 and np.abs(difference).max() < 0.15 and abs(difference.mean()) < 0.03


def test_refits_are_bounded_and_those_left_out_are_said():
    X = faithful[:8]
    fit = bg.fit(bg.GaussianMixture(2), X, ExactPosterior(400, chains=2), rng=3)
    plain, seen = _by_importance(fit, X), []
    score = elpd_loo(fit, X, max_refits=1, accuracy=0.0, on_refit=lambda done, total: seen.append((done, total)))
    worst = int(plain.reliability.argmax())
    assert seen == [(0, 1)] and score.n_recomputed == 1
    same = np.arange(8) != worst
    np.testing.assert_array_equal(score.pointwise[same], plain.pointwise[same])
    assert score.pointwise[worst] != plain.pointwise[worst]
    assert score.n_unreliable == plain.n_unreliable - 1
    assert score.notes[-1].startswith(f"{score.n_unreliable} of 8 points keep a Pareto k above")
    none = elpd_loo(fit, X, max_refits=0, accuracy=0.0)
    np.testing.assert_array_equal(none.pointwise, plain.pointwise)
    assert none.n_recomputed == 0 and none.n_unreliable == plain.n_unreliable


def test_a_refit_that_fails_leaves_its_point_and_says_so():
    X = faithful[:8]
    fit = bg.fit(bg.GaussianMixture(2), X, ExactPosterior(400), rng=0)
    broken = replace(fit, method=Fragile(tuple(X[FAR["faithful"]]), "raise"))
    score = elpd_loo(broken, X, accuracy=0.0)
    assert score.pointwise[5] == _by_importance(fit, X).pointwise[5] and score.reliability[5] > score.limit
    assert any("refits had trouble, the first: planted" in note for note in score.notes)


@pytest.mark.parametrize("dataset", FAR)
def test_as_many_folds_as_points_is_the_exact_loo_with_the_constants_kept(dataset, exact_loo):
    X = bg.load_dataset(dataset).X[:8]
    fit = bg.fit(bg.GaussianMixture(2), X, ExactPosterior(40_000), rng=0)
    error = elpd_kfold(fit, X, make_folds(8, 8, 0), seed=0).pointwise - exact_loo(dataset)
    is_far = np.isin(np.arange(8), [5, 7])
    # The density at a far row comes from few of the 40,000 draws: its Monte Carlo error is about 0.1 there.
    assert np.abs(error[~is_far]).max() < 0.05
    assert np.abs(error[is_far]).max() < 0.4


@pytest.mark.parametrize("repeats", [1, 5])
def test_equal_to_arviz(repeats):
    import arviz_stats

    X = faithful[:60]
    fit = bg.fit(bg.GaussianMixture(2), X, bg.VB(), rng=0)
    draws = fit.estimate.posterior.sample(np.random.default_rng(1), 2400)[np.repeat(np.arange(2400), repeats)]
    fit = replace(fit, estimate=Draws(draws.reshaped(4, -1), {}))
    assert relative_efficiency(fit.params) == pytest.approx(1 / repeats, rel=0.2)  # the ESS is itself an estimate
    theirs = arviz_stats.loo(fit.to_datatree(), pointwise=True)
    ours = elpd_loo(fit, X)
    # One formula on the same draws; only the order of sums may differ.
    assert ours.value == pytest.approx(theirs.elpd, rel=1e-10)
    np.testing.assert_allclose(ours.pointwise, theirs.elpd_i.values, rtol=1e-10)
    np.testing.assert_allclose(ours.reliability, theirs.pareto_k.values, rtol=1e-6)
    assert ours.limit == pytest.approx(theirs.good_k)
    assert ours.n_unreliable == ours.n_recomputed == 0


def test_equal_to_arviz_for_vb_that_is_too_far_from_the_posterior_and_marked_as_of_q():
    import arviz_stats

    X = faithful[:60]
    fit = bg.fit(bg.GaussianMixture(3), X, bg.VB(), rng=0)
    score = elpd_loo(fit, X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a high Pareto k
        assert score.value == pytest.approx(arviz_stats.loo(fit.to_datatree()).elpd, rel=1e-10)
    assert not score.is_ranked and any("of q, uncorrected" in note for note in score.notes)
    assert any("Pareto k-hat of at most 0.5, and that of q is" in note for note in score.notes)
    assert any("of q, uncorrected" in note for note in elpd_waic(fit, X).notes)


def test_loo_of_vb_with_one_component_is_the_exact_one():
    X = faithful[:8]
    fit = bg.fit(bg.GaussianMixture(1), X, bg.VB(), rng=0)
    exact = Enumeration(X, default_constants("full", X, 1)).leave_one_out()
    score = elpd_loo(fit, X)
    # q is the posterior, and there is one labelling: the far row comes from it without any error, the others nearly so.
    np.testing.assert_allclose(score.pointwise, exact, atol=1e-6)
    assert score.is_ranked and score.n_unreliable == 0


def test_loo_of_vb_is_the_exact_one_where_orders_of_the_labels_overlap():
    X = faithful[:5]
    center, spread = X.mean(0), np.cov(X.T)
    # A prior that is worth more than the data: q and the posterior are near it, where all components are alike.
    prior = bg.NormalInverseWishart(mean=center, mean_precision=4.0, dof=30.0, scale=25 * spread)
    fit = bg.fit(bg.GaussianMixture(2, weights=bg.Dirichlet(3.0), prior=prior), X, bg.VB(), rng=0)
    constants = Constants("full", np.full(2, 3.0), np.tile(center, (2, 1)), np.full(2, 4.0), 30.0, 25 * spread)
    score = elpd_loo(fit, X)
    assert score.is_ranked
    # 4,000 weighted draws, and log densities whose deviation over them is about 0.3.
    np.testing.assert_allclose(score.pointwise, Enumeration(X, constants).leave_one_out(), atol=0.03)


@pytest.mark.slow
def test_loo_of_vb_is_that_of_the_posterior_where_q_is_near_it():
    fit = bg.fit(bg.GaussianMixture(2), faithful, bg.VB(), rng=0)
    draws = bg.fit(bg.GaussianMixture(2), faithful, bg.Gibbs(draws=1000, tune=500), rng=0)
    corrected, of_q, posterior = elpd_loo(fit, faithful), _by_importance(fit, faithful), elpd_loo(draws, faithful)
    assert corrected.is_ranked and "importance sampling from q" in corrected.notes[0]
    # 4,000 draws each: their errors are about 0.02 at the outermost points.
    error, uncorrected = (np.abs(s.pointwise - posterior.pointwise).max() for s in (corrected, of_q))
    assert error < 0.07 < uncorrected
    # In the sum q misses a little of the posterior's other modes, which no weight of its draws can show.
    assert abs(corrected.value - posterior.value) < 0.6


def test_loo_of_vb_is_corrected_for_more_than_twelve_components():
    """Far apart, where labels are sure: q is the posterior of one order, and the posterior without a point is known."""
    rng, k = np.random.default_rng(0), 14
    centers = 100.0 * np.arange(k)[:, None]
    X = (centers[np.repeat(np.arange(k), 12)] + rng.normal(size=(12 * k, 1))).round(3)
    start = bg.MixtureParams(np.full(k, 1 / k), centers, np.ones((k, 1, 1)))
    prior = bg.NormalInverseWishart(mean_precision=1e-6, scale=[[1.0]])
    fit = bg.fit(bg.GaussianMixture(k, prior=prior), X, bg.VB(init=start, moves=0), rng=0)
    score = elpd_loo(fit, fit.X)
    assert score.is_ranked and score.n_unreliable == 0 and "importance sampling from q" in score.notes[0]
    for i in (0, 50, 100, 167):
        without = bg.fit(fit.model, np.delete(X, i, axis=0), fit.method, rng=0)
        exact = without.log_density(X[i : i + 1])[0]
        # Of 4,000 draws the smoothed weights leave some hundredths of a nat.
        assert score.pointwise[i] == pytest.approx(exact, abs=0.05)


def test_loo_of_advi_is_corrected_from_the_ratios_that_it_keeps(tmp_path):
    X = faithful[:60]
    vb = bg.fit(bg.GaussianMixture(1), X, bg.VB(), rng=0)
    draws = vb.estimate.posterior.sample(np.random.default_rng(0), 1000)
    # A q that is the posterior of other weights of the draws: of half of them twice as much as of the others.
    log_ratio = np.where(draws.means[:, 0, 0] > vb.params.means[0, 0], 0.0, np.log(2.0))
    estimate = ApproximateDraws(vb.params, draws[None], is_aligned=True, log_ratio=log_ratio)
    fit = replace(vb, estimate=estimate)
    fit.save(tmp_path / "fit.nc")
    score, again = elpd_loo(fit, X), elpd_loo(bg.load(tmp_path / "fit.nc"), X)
    np.testing.assert_array_equal(score.pointwise, again.pointwise)
    repeated = draws[np.repeat(np.arange(1000), np.where(log_ratio > 0, 2, 1))]
    expected = _by_importance(replace(vb, estimate=Draws(repeated[None], {})), X)
    np.testing.assert_allclose(score.pointwise, expected.pointwise, atol=0.01)  # only the smoothed tails differ
    none = elpd_loo(replace(vb, estimate=replace(estimate, log_ratio=None)), X)
    assert score.is_ranked and not none.is_ranked


def test_blocks_of_points_do_not_show(monkeypatch):
    fit = bg.fit(bg.GaussianMixture(2), faithful[:50], bg.VB(), rng=0)
    whole = [criterion(fit, faithful[:50]) for criterion in (elpd_loo, elpd_waic)]
    monkeypatch.setattr("bayesgmm.core.density.BLOCK_BYTES", 8 * 1000 * 7)
    assert len(list(fit.log_density_blocks(faithful[:50]))) == 8
    for one, criterion in zip(whole, (elpd_loo, elpd_waic), strict=True):
        np.testing.assert_allclose(criterion(fit, faithful[:50]).pointwise, one.pointwise, rtol=1e-12)


def test_waic_of_one_gaussian_in_closed_form():
    X = bg.load_dataset("galaxies").X
    fit = bg.fit(bg.GaussianMixture(1), X, bg.VB(), rng=0)  # at K = 1, q is the posterior
    q = fit.estimate.posterior.components
    mean, kappa, nu, scale = q.mean[0, 0], q.mean_precision[0], q.dof[0], q.scale[0, 0, 0]
    delta, a, b = X[:, 0] - mean, nu / 2, scale / 2  # the precision is Gamma(a, rate b)
    lppd = t(nu, mean, np.sqrt(scale / nu * (kappa + 1) / kappa)).logpdf(X[:, 0])
    # The variance of (log precision - precision (x - mu)^2) / 2 over the normal-gamma posterior.
    of_square = delta**4 * a / b**2 + 4 * delta**2 * a / (b * kappa) + 2 / kappa**2
    variance = (polygamma(1, a) + of_square - 2 * delta**2 / b) / 4
    draws = fit.estimate.posterior.sample(np.random.default_rng(1), 200_000)[None]
    score = elpd_waic(replace(fit, estimate=Draws(draws, {})), X)
    # 200,000 independent draws: the variance's relative error is sqrt(kurtosis / S), about 1 % at the outermost point.
    np.testing.assert_allclose(score.reliability, variance, rtol=0.05)
    np.testing.assert_allclose(score.pointwise, lppd - variance, atol=0.02)
    assert score.value == pytest.approx(score.pointwise.sum())
    assert score.n_unreliable == (variance > 0.4).sum()


def test_holdout_of_one_gaussian_is_the_student_t():
    train, new = faithful[:200], faithful[200:]
    fit = bg.fit(bg.GaussianMixture(1), train, bg.VB(), rng=0)
    # The normal-inverse-Wishart posterior, from the formulas with NumPy's own moments.
    n, kappa0, nu0 = 200, 0.01, 4
    nu = nu0 + n - 1
    scatter = np.cov(train.T) * n  # the default scale is cov(X), and its mean is the data's: no term between means
    shape = scatter * (kappa0 + n + 1) / ((kappa0 + n) * nu)
    expected = multivariate_t(train.mean(0), shape, nu).logpdf(new)
    score = elpd_holdout(fit, new)
    np.testing.assert_allclose(score.pointwise, expected, rtol=1e-10)
    assert score.se == pytest.approx(np.sqrt(72) * expected.std(ddof=1))


def test_kfold_refits_on_the_other_folds_with_the_same_prior():
    fit = bg.fit(bg.GaussianMixture(2), faithful, bg.VB(n_init=2), rng=0)
    folds = make_folds(len(faithful), 5, seed=3)
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(len(faithful)))
    assert sorted({len(fold) for fold in folds}) == [54, 55]
    score = elpd_kfold(fit, faithful, folds, seed=3)
    for fold in folds:
        refit = bg.fit(fit.model, np.delete(faithful, fold, axis=0), bg.VB(), rng=9)  # fit.model is resolved
        # Two climbs to one optimum, each stopped by its tolerance.
        np.testing.assert_allclose(score.pointwise[fold], refit.log_density(faithful[fold]), atol=1e-3)


def test_nothing_depends_on_the_order_of_components_or_rows():
    X = faithful[:60]
    fit = bg.fit(bg.GaussianMixture(3), X, bg.VB(), rng=0)
    draws = fit.estimate.draws()
    mixed = draws.permuted(np.array([2, 0, 1]))
    one, other = (_by_importance(replace(fit, estimate=Draws(d, {})), X) for d in (draws, mixed))
    np.testing.assert_allclose(one.pointwise, other.pointwise, rtol=1e-10)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(elpd_loo(fit, X[order]).pointwise, one.pointwise[order], rtol=1e-10)


@pytest.mark.parametrize("criterion", [elpd_loo, elpd_waic])
def test_not_of_point_fits(criterion):
    fit = bg.fit(bg.GaussianMixture(1), faithful, bg.EM(), rng=0)
    with pytest.raises(bg.NotApplicableError, match="draws of a posterior"):
        criterion(fit, faithful)


@pytest.mark.parametrize(("n_obs", "folds"), [(4, 5), (10, 1), (10, -2), (10, 2.0), (10, True), (10, False)])
def test_impossible_folds(n_obs, folds):
    with pytest.raises(bg.ArgumentError, match="folds="):
        make_folds(n_obs, folds, 0)


def test_no_folds():
    assert make_folds(10, 0, 0) == []


def test_the_limit_of_pareto_k_grows_with_the_draws():
    assert pareto_k_limit(100) == pytest.approx(0.5)
    assert pareto_k_limit(4000) == 0.7


@dataclass(frozen=True)
class Fragile:
    """EM that fails, raises or warns where one row is missing from its data."""

    row: tuple
    how: str

    def run(self, model, data, rng, progress):
        result = bg.EM().run(model, data, rng, progress)
        if (data.values == self.row).all(1).any():
            return result
        if self.how == "raise":
            raise np.linalg.LinAlgError("planted")
        if self.how == "warn":
            warnings.warn("a planted warning", UserWarning, stacklevel=1)
            return result
        if self.how == "stop early":
            return replace(result, status=Status(Outcome.NOT_CONVERGED, "planted stop"))
        return replace(result, estimate=NoEstimate("planted"), status=Status(Outcome.FAILED, "planted failure"))


@pytest.mark.parametrize("method", [bg.EM(n_init=2), bg.Gibbs(draws=200, tune=100, chains=2)])
@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_bits(method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a short run
        fit = bg.fit(bg.GaussianMixture(2), faithful[:80], method, rng=0)
    folds, seen = make_folds(80, 3, 0), []
    one = elpd_kfold(fit, fit.X, folds, seed=1)
    two = elpd_kfold(fit, fit.X, folds, seed=1, on_fold=seen.append, workers=2)
    np.testing.assert_array_equal(one.pointwise, two.pointwise)
    assert one.notes == two.notes and seen == [0, 1, 2]


def test_a_fold_that_fails_in_another_process_is_a_reason():
    fit = bg.fit(bg.GaussianMixture(5), bg.load_dataset("galaxies").X[:5], bg.MAP(), rng=0)
    score = elpd_kfold(fit, fit.X, make_folds(5, 5, 0), 0, workers=2)
    assert "fold 1 of 5 failed: 5 components need at least 5 points" in score.notes[0]


@pytest.mark.parametrize("how", ["raise", "fail"])
def test_a_fold_that_fails_is_a_reason(how):
    fit = bg.fit(bg.GaussianMixture(2), faithful, Fragile(tuple(faithful[7]), how), rng=0)
    folds = make_folds(len(faithful), 5, 0)
    guilty = next(i for i, fold in enumerate(folds) if 7 in fold) + 1
    # Row 7 may have twins in other folds, which would save it.
    assert (faithful == faithful[7]).all(1).sum() == 1
    score = elpd_kfold(fit, faithful, folds, 0)
    assert score.is_missing and not score.is_ranked
    assert score.notes[0].startswith(f"fold {guilty} of 5 failed: planted")


@pytest.mark.parametrize(
    ("how", "note"),
    [("warn", "1 of 5 refits warned: a planted warning"), ("stop early", "1 of 5 refits ended not converged")],
)
def test_what_refits_complain_of_is_noted(how, note):
    fit = bg.fit(bg.GaussianMixture(2), faithful, Fragile(tuple(faithful[7]), how), rng=0)
    score = elpd_kfold(fit, faithful, make_folds(len(faithful), 5, 0), 0)
    assert np.isfinite(score.value) and len(score.notes) == 1 and score.notes[0].startswith(note)


def test_too_few_points_in_a_fold_is_a_reason():
    X = bg.load_dataset("galaxies").X[:5]
    fit = bg.fit(bg.GaussianMixture(5), X, bg.MAP(), rng=0)
    score = elpd_kfold(fit, X, make_folds(5, 5, 0), 0)
    assert "fold 1 of 5 failed: 5 components need at least 5 points" in score.notes[0]
