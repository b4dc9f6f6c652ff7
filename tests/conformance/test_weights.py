"""Weights of rows: 2 is the row twice and 0 is its absence, in every engine and in what is asked of its fits."""

import numpy as np
import pytest
from testbed.cases import STRUCTURES, blobs

import bayesgmm as bg
from bayesgmm.core.facts import of_weights
from bayesgmm.criteria.predictive import elpd_kfold, elpd_loo, elpd_waic, make_folds
from bayesgmm.flat.posterior import FlatPosterior
from bayesgmm.methods.climbing.birth_merge import Moves
from bayesgmm.methods.climbing.loop import Stopping
from bayesgmm.methods.em import PosteriorMode
from bayesgmm.methods.vb import VariationalUpdate
from bayesgmm.rows import Rows, as_rows
from conformance.short import ENGINES, are_equal

EXACT = 1e-10  # the same sums in another order
X = blobs(n=60, d=2)
RNG = np.random.default_rng(5)
TWICE = np.where(RNG.random(len(X)) < 0.5, 2.0, 1.0)
REPEATED = np.repeat(X, TWICE.astype(int), axis=0)
WITH_ZEROS = np.where(RNG.random(len(X)) < 0.3, 0.0, RNG.uniform(0.5, 2.0, len(X)))
WHOLE_WITH_ZEROS = np.where(WITH_ZEROS > 0, np.round(2 * WITH_ZEROS), 0.0)
every_structure = pytest.mark.parametrize("structure", STRUCTURES)
pytestmark = pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")


def fit(engine, data, structure="full", **options):
    return bg.fit(bg.GaussianMixture(3, structure), data, ENGINES[engine], rng=1, **options)


def twins(structure):
    """The rows with weights and the rows repeated, and the model with the constants of either."""
    weighted, repeated = as_rows(X, of_weights(TWICE)), as_rows(REPEATED)
    return weighted, repeated, *(bg.GaussianMixture(3, structure).resolve(rows) for rows in (weighted, repeated))


@every_structure
def test_constants_of_the_prior_are_those_of_the_repeated_rows(structure):
    _, _, one, other = twins(structure)
    for name, value in one.prior.constants().items():
        np.testing.assert_allclose(value, other.prior.constants()[name], rtol=EXACT, err_msg=name)


@every_structure
def test_objectives_are_those_of_the_repeated_rows(structure):
    """Log likelihood, log posterior and evidence bound at one state."""
    weighted, repeated, model, _ = twins(structure)
    prior, unit = model.conjugate(), model.covariance.whitening(weighted.moments(model.covariance.form)[1])
    state = prior.update(repeated.sweep(prior.sample(np.random.default_rng(0), 1)[0].scores()))
    for readout, at in ((PosteriorMode(prior, unit), state.mode()), (VariationalUpdate(prior, unit), state)):
        one, other = (rows.sweep(readout.scores(at)) for rows in (weighted, repeated))
        assert one.n_obs == other.n_obs == len(REPEATED)
        assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=EXACT)
        assert readout.objective(at, one) == pytest.approx(readout.objective(at, other), rel=EXACT)
        np.testing.assert_allclose(one.scatter(), other.scatter(), rtol=1e-8, atol=1e-8)  # of what is subtracted


@every_structure
def test_the_flat_posterior_and_its_gradient_are_those_of_the_repeated_rows(structure):
    weighted, repeated, model, _ = twins(structure)
    one, other = (FlatPosterior.of(model, rows) for rows in (weighted, repeated))
    for seed in range(3):
        x = one.coordinates.flatten(model.conjugate().sample(np.random.default_rng(seed), 1)[0])
        value, gradient = one(x)
        expected, slope = other(x)
        assert value == pytest.approx(expected, rel=EXACT)
        np.testing.assert_allclose(gradient, slope, rtol=1e-8, atol=1e-8 * np.abs(slope).max())  # of sums that cancel


@every_structure
@pytest.mark.few(2)
def test_gibbs_draws_a_label_for_each_copy(structure):
    fixed = bg.GaussianMixture(3, structure).resolve(as_rows(REPEATED))
    one = bg.fit(fixed, X, ENGINES["Gibbs"], 1, sample_weight=TWICE)
    other = bg.fit(fixed, REPEATED, ENGINES["Gibbs"], 1)
    assert are_equal(one, other)
    np.testing.assert_array_equal(one.estimate.sample_stats["n_occupied"], other.estimate.sample_stats["n_occupied"])


@every_structure
@pytest.mark.parametrize("factor", [1e-3, 0.5, 300.0])
@pytest.mark.few(8)
def test_the_scale_of_all_weights_leaves_the_parameters_of_em(structure, factor):
    weights = RNG.uniform(0.5, 2.0, len(X))
    one, other = (fit("EM", X, structure, sample_weight=w) for w in (weights, factor * weights))
    ours, theirs = (each.params.permuted(np.argsort(each.params.means[:, 0])) for each in (one, other))
    np.testing.assert_allclose(ours.means, theirs.means, rtol=1e-4)  # `tol` leaves some 1e-5
    np.testing.assert_allclose(ours.covariances, theirs.covariances, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(other.log_likelihood, factor * one.log_likelihood, rtol=1e-8)
    assert one.status.is_converged and other.status.is_converged  # flags count rows, whatever these weigh


@pytest.mark.parametrize("engine", ["EM", "MAP", "VB"])
def test_a_fit_to_weights_ends_where_one_to_the_repeated_rows_does(engine):
    one, other = fit(engine, X, sample_weight=TWICE), fit(engine, REPEATED)
    assert one.history[-1] == pytest.approx(other.history[-1], abs=1e-4)


def test_a_file_of_rows_takes_weights(tmp_path):
    """Read a stretch at a time; the weights are in memory."""
    np.save(tmp_path / "x.npy", X)
    options = bg.OnlineEM(20, shuffle=False, passes=3)
    one = bg.fit(bg.GaussianMixture(2), tmp_path / "x.npy", options, rng=0, sample_weight=TWICE)
    other = bg.fit(bg.GaussianMixture(2), X, options, rng=0, sample_weight=TWICE)
    assert are_equal(one, other) and one.n_obs == len(REPEATED)
    with pytest.raises(bg.DataError, match="number of rows is known"):
        bg.fit(bg.GaussianMixture(2), iter([X]), options, rng=0, sample_weight=TWICE)


@pytest.fixture(scope="module")
def draws():
    """Equal draws, of weighted and of repeated rows."""
    fixed, method = bg.GaussianMixture(2).resolve(as_rows(REPEATED)), bg.Gibbs(draws=200, tune=100, chains=2)
    return bg.fit(fixed, X, method, rng=0, sample_weight=TWICE), bg.fit(fixed, REPEATED, method, rng=0)


@pytest.mark.slow
def test_scores_of_whole_weights_are_those_of_the_repeated_rows(draws):
    one, other = draws
    folds = make_folds(len(REPEATED), 3, 0)
    for score in (elpd_loo, elpd_waic):
        assert score(one, one.points).value == score(other, other.X).value
    assert elpd_kfold(one, one.points, folds, 0).value == elpd_kfold(other, other.X, folds, 0).value
    assert bg.log_evidence(one, "bridge").value == bg.log_evidence(other, "bridge").value
    table, expected = (bg.compare({"fit": each}).table for each in draws)
    for name in ("elpd_loo", "elpd_waic", "elpd_loo_se"):
        assert table[name].iloc[0] == expected[name].iloc[0]
    import arviz_stats

    assert arviz_stats.loo(one.to_datatree()).elpd == pytest.approx(elpd_loo(one, one.points).value, rel=1e-6)


def test_point_scores_and_intervals_of_whole_weights_are_those_of_the_repeated_rows():
    other = fit("EM", REPEATED)
    one = bg.fit(bg.GaussianMixture(3), X, bg.EM(init=other.params), rng=0, sample_weight=TWICE)
    again = bg.fit(bg.GaussianMixture(3), REPEATED, bg.EM(init=other.params), rng=0)
    table, expected = (bg.compare({"fit": each}).table for each in (one, again))
    for name in ("aic", "bic", "icl"):
        assert table[name].iloc[0] == pytest.approx(expected[name].iloc[0], rel=1e-8)
    for method in ("information", "weighted"):
        ours, theirs = (bg.intervals(each, method, rng=0) for each in (one, again))
        np.testing.assert_allclose(ours.table["se"], theirs.table["se"], rtol=1e-3)  # both ends are within `tol`


def test_fractions_have_no_points_to_leave_out():
    """A power of the likelihood has AIC and BIC, which say so; what leaves out, draws anew or counts is refused."""
    weighted = bg.fit(bg.GaussianMixture(2), X, bg.NUTS(draws=30, tune=60, chains=1), rng=0, sample_weight=WITH_ZEROS)
    point = bg.fit(bg.GaussianMixture(2), X, bg.EM(), rng=0, sample_weight=WITH_ZEROS)
    for asked in (
        lambda: bg.log_evidence(weighted),
        lambda: weighted.to_datatree(),
        lambda: bg.intervals(point, "ordinary"),
        lambda: weighted.points,
        lambda: bg.pymc_model(weighted),
    ):
        with pytest.raises(bg.NotApplicableError, match="no whole numbers"):
            asked()
    assert np.isfinite(weighted.log_density(X)).all() and weighted.n_obs == pytest.approx(WITH_ZEROS.sum())
    assert weighted.to_datatree(log_likelihood=False)["observed_data"]["x"].shape == X.shape
    with pytest.raises(bg.NotApplicableError, match=r"Gibbs draws a label for each copy.*VB or NUTS"):
        bg.fit(bg.GaussianMixture(2), X, bg.Gibbs(), sample_weight=WITH_ZEROS)


@pytest.mark.parametrize("engine", ["EM", "VB", "Gibbs"])
def test_a_saved_fit_has_its_weights(engine, tmp_path):
    one = fit(engine, X, sample_weight=WHOLE_WITH_ZEROS)
    one.save(tmp_path / "fit.nc")
    again = bg.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.sample_weight, WHOLE_WITH_ZEROS)
    np.testing.assert_array_equal(again.X, X)
    assert again.n_obs == one.n_obs and are_equal(one, again)
    again.check_data()
    again.facts.weights[0] += 1
    with pytest.raises(bg.DataError, match="was changed"):
        again.check_data()


def test_the_hash_tells_weights_apart():
    hashes = {fit("EM", X, **w).provenance["data_sha256"] for w in ({}, {"sample_weight": TWICE})}
    assert len(hashes) == 2


def test_more_draws_of_weighted_rows():
    short, long = bg.Gibbs(draws=20, tune=20, chains=2), bg.Gibbs(draws=40, tune=20, chains=2)
    one, other = (bg.fit(bg.GaussianMixture(2), X, m, rng=0, sample_weight=TWICE) for m in (short, long))
    assert are_equal(one.extend(20), other)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.ones(3), r"shape \(3,\) and must be \(60,\)"),
        (np.full(60, -1.0), r"is -1 in row 0 \(counted from 0\)"),
        (np.where(np.arange(60) == 7, np.nan, 1.0), r"is nan in row 7"),
        (np.where(np.arange(60) == 7, np.inf, 1.0), r"is inf in row 7"),
        (np.zeros(60), "0 in every row"),
        (np.full(60, 1e300), "divide all weights"),
        (["heavy"] * 60, "one number for each row"),
        (np.ones((60, 2)), r"shape \(60, 2\)"),
        (3.0, r"shape \(\) and must be"),
    ],
)
def test_bad_weights_are_refused_before_any_work(weights, words):
    with pytest.raises(bg.DataError, match=words):
        fit("EM", X, sample_weight=weights)


def test_too_many_copies_are_refused_before_they_are_made():
    with pytest.raises(bg.NotApplicableError, match="stand for 6e\\+12 points"):
        fit("Gibbs", X, sample_weight=np.full(len(X), 1e11))
    assert fit("EM", X, sample_weight=np.full(len(X), 1e11)).n_obs == 6e12


def test_a_stream_counts_points_and_not_rows():
    """Each batch is a part of all points, by which its statistics are blended and its histories scaled."""
    options = bg.OnlineEM(60, shuffle=False, passes=1, step=1.0, init=truth(), stochastic=False)
    one = bg.fit(bg.GaussianMixture(3), X, options, rng=0, sample_weight=TWICE)
    plain = bg.fit(bg.GaussianMixture(3), X, bg.EM(max_iter=1, init=truth(), accelerate=False, moves=0), rng=0,
                   sample_weight=TWICE)  # fmt: skip
    np.testing.assert_allclose(one.params.means, plain.params.means, rtol=EXACT)
    assert one.history[0] == pytest.approx(plain.history[0], rel=EXACT)
    vb = bg.StochasticVB(20, shuffle=False, passes=1)
    scaled, repeated = (bg.fit(bg.GaussianMixture(3), data, vb, rng=0, **known) for data, known in (
        (X, {"sample_weight": np.full(len(X), 2.0)}), (np.repeat(X, 2, axis=0), {})))  # fmt: skip
    total = [np.sum(each.estimate.posterior.weights.concentration) for each in (scaled, repeated)]
    assert total[0] == pytest.approx(total[1], rel=0.02)  # the prior's own and some 120 points


def truth():
    return bg.fit(bg.GaussianMixture(3), X, bg.EM(), rng=0).params


def test_the_overlap_of_components_is_that_of_the_repeated_rows():
    """By which pairs are chosen for a move."""
    overlaps = []
    for rows in (as_rows(X, of_weights(TWICE)), as_rows(REPEATED)):
        moves = Moves(rows, None, np.eye(2), Stopping(1, None, None, False), 1, np.random.default_rng(0))
        overlaps.append(moves._overlap(truth().scores()))
    np.testing.assert_allclose(*overlaps, rtol=EXACT)


def test_rows_know_their_own_parts():
    rows = as_rows(X, of_weights(TWICE))
    assert isinstance(rows, Rows) and rows.n_obs == TWICE.sum() and rows.is_whole
    np.testing.assert_array_equal(rows.copies().values, REPEATED)
    parts = [part.facts.weights for part in rows.blocks(50)]
    np.testing.assert_array_equal(np.concatenate(parts), TWICE)
    np.testing.assert_allclose(rows.moments(bg.Full().form)[1], np.cov(REPEATED.T), rtol=EXACT)
