"""`bg.relabel`: draws whose labels were mixed on purpose, and what the relabelled fit answers."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from testbed.cases import STRUCTURES, blobs
from testbed.fits import made

import bayesgmm as bg
from bayesgmm.labels.methods import METHODS
from bayesgmm.result.estimates import Draws
from bayesgmm.result.fit import Fit

X = blobs(seed=2, n=90, apart=6.0)
every_method = pytest.mark.parametrize("method", METHODS)


def mixed(structure="full", k=3, X=X, model=None, seed=4):
    """A fit of draws (2 chains of 250) in random orders, and the aligned draws by decreasing mean weight."""
    fit = bg.fit(model or bg.GaussianMixture(k, structure), X, bg.VB(n_init=3), rng=1)
    draws = fit.estimate.draws()[:, :500].reshaped(2, 250)
    draws = draws.permuted(np.argsort(-draws.weights.mean((0, 1))))
    rng = np.random.default_rng(seed)
    shuffle = np.array([rng.permutation(draws.n_components) for _ in range(500)]).reshape(2, 250, -1)
    stats = {"energy": rng.normal(size=(2, 250))}
    mixed_draws = draws.permuted(shuffle)
    estimate = Draws(mixed_draws, stats)
    return replace(fit, method=bg.Gibbs(draws=250, chains=2), estimate=estimate, history=np.empty(0)), draws


@every_method
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.few(8)
def test_separated_components_are_recovered_exactly(method, structure):
    fit, truth = mixed(structure)
    aligned = bg.relabel(fit, method)
    for name in ("weights", "means", "precision_chol"):
        assert np.array_equal(getattr(aligned.params, name), getattr(truth, name))
    alignment = aligned.estimate.alignment
    assert alignment.method == method and alignment.overall < 1e-6 and (alignment.per_component < 1e-6).all()
    back = aligned.params.permuted(alignment.drawn_order)
    assert np.array_equal(back.means, fit.params.means)
    assert np.array_equal(aligned.estimate.as_drawn().precision_chol, fit.params.precision_chol)
    assert f"Labels aligned by {method}: ambiguity " in aligned.status.sentence
    assert aligned.status.outcome == fit.status.outcome


@pytest.fixture(scope="module")
def pair():
    fit, truth = mixed()
    return fit, bg.relabel(fit, "stephens"), truth


def test_what_does_not_depend_on_labels_stays(pair):
    fit, aligned, _ = pair
    # The same sums in another order: rounding.
    np.testing.assert_allclose(aligned.log_density(X), fit.log_density(X), rtol=1e-12)
    np.testing.assert_allclose(aligned.log_density_draws(X), fit.log_density_draws(X), rtol=1e-10)
    assert np.array_equal(aligned.summary(components=False), fit.summary(components=False), equal_nan=True)
    np.testing.assert_allclose((aligned.params.weights**2).sum(-1), (fit.params.weights**2).sum(-1), rtol=1e-14)
    assert np.array_equal(aligned.estimate.sample_stats["energy"], fit.estimate.sample_stats["energy"])
    assert fit.estimate.alignment is None  # the fit that was given is as it was


def test_before_it_component_answers_are_refused_and_after_it_given(pair):
    fit, aligned, truth = pair
    for ask in (lambda f: f.responsibilities(X), lambda f: f.predict(X), lambda f: f.summary(components=True)):
        with pytest.raises(bg.NotApplicableError, match=r"not aligned.*bg\.relabel\(fit\)\."):
            ask(fit)
        ask(aligned)
    table = aligned.summary()
    assert set(table.columns) == {
        "mean", "sd", "q5", "q95", "mcse", "ess_bulk", "ess_tail", "rhat", "ambiguity",
    }  # fmt: skip
    assert len(table) == 3 * (1 + 2 + 2 + 1)
    values = truth.means[..., 2, 1]
    row = table.loc["mean[2, x1]"]
    assert np.isclose(row["mean"], values.mean()) and np.isclose(row["sd"], values.std(ddof=1))
    assert np.allclose([row["q5"], row["q95"]], np.quantile(values, [0.05, 0.95]))
    # The draws are independent: R-hat is 1 within its own error, and all 500 draws count.
    assert table["rhat"].max() < 1.03 and table["ess_bulk"].min() > 250
    assert aligned.emptied() == ()


def test_responsibilities_are_those_of_the_predictive_mixture(pair):
    _, aligned, truth = pair
    flat = truth.reshaped(-1)
    middle = flat.means.mean(0)
    new = np.vstack([0.5 * (middle + middle[[1, 2, 0]]), X[:4]])  # between components, draws differ in their density
    joint = np.array(
        [
            [
                np.log(w) + multivariate_normal(m, c).logpdf(new)
                for w, m, c in zip(one.weights, one.means, one.covariances, strict=True)
            ]
            for one in (flat[s] for s in range(500))
        ]
    )
    parts = logsumexp(joint, axis=0)
    expected = np.exp(parts - logsumexp(parts, axis=0)).T
    np.testing.assert_allclose(aligned.responsibilities(new), expected, atol=1e-10)
    assert np.array_equal(aligned.predict(new), expected.argmax(1))


def test_a_saved_fit_keeps_its_alignment(pair, tmp_path):
    _, aligned, _ = pair
    aligned.save(tmp_path / "fit.nc")
    back = bg.load(tmp_path / "fit.nc")
    for name in ("method", "order", "draws", "components", "is_occupied"):
        assert np.array_equal(getattr(back.estimate.alignment, name), getattr(aligned.estimate.alignment, name))
    assert np.array_equal(back.params.means, aligned.params.means)
    assert back.summary().equals(aligned.summary()) and np.array_equal(back.predict(X), aligned.predict(X))
    tree = back.to_datatree()
    assert tree["alignment"].attrs["method"] == "stephens"
    assert tree["alignment"]["components"].dims == ("chain", "draw", "component")
    assert tree["posterior"]["means"].dims == ("chain", "draw", "component", "feature")
    assert np.array_equal(tree["posterior"]["means"], aligned.params.means)
    assert "alignment" not in pair[0].to_datatree().children


def test_aligned_again_it_is_the_same_and_told_once(pair):
    fit, aligned, _ = pair
    again = bg.relabel(aligned, "pra")
    assert np.array_equal(again.params.means, aligned.params.means)
    assert again.status.sentence.count("Labels aligned by") == 1 and "by pra" in again.status.sentence
    assert np.array_equal(again.estimate.as_drawn().means, fit.params.means)


def test_responsibilities_too_large_to_keep_are_computed_anew(pair, monkeypatch):
    fit, aligned, _ = pair
    monkeypatch.setattr("bayesgmm.labels.memberships.KEPT_BYTES", 0)
    monkeypatch.setattr("bayesgmm.labels.memberships.BLOCK_BYTES", 8 * len(X) * 3 * 11)
    assert np.array_equal(bg.relabel(fit, "stephens").params.means, aligned.params.means)


def test_a_pivot_of_labels_or_a_draw(pair):
    fit, aligned, truth = pair
    for pivot in (aligned.predict(X), 17):
        assert np.array_equal(bg.relabel(fit, pivot=pivot).params.means, truth.means)


def test_one_component():
    fit = made("draws", k=1)
    aligned = bg.relabel(fit)
    assert np.array_equal(aligned.params.means, fit.params.means) and aligned.estimate.alignment.overall == 0


def sparse():
    """Draws with four components: two of two clusters, one of a third in every other draw, and one without points."""
    rng = np.random.default_rng(0)
    points = np.concatenate([c + 0.5 * rng.normal(size=(n, 1)) for c, n in ((0, 40), (20, 30), (26, 20))])
    model = bg.GaussianMixture(4, weights=bg.Dirichlet(0.01))
    fit = bg.fit(model, points, bg.VB(n_init=2), rng=0)
    split = np.arange(400) % 2 == 0
    weights = np.where(split[:, None], [0.44, 0.33, 0.23, 0.0], [0.44, 0.56, 0.0, 0.0])
    centers = np.where(split[:, None], [0.0, 20.0, 26.0, 0.0], [0.0, 22.4, 9.0, 0.0])
    means = centers + 0.1 * rng.normal(size=(400, 4))
    means[:, 3] = 1000 * rng.normal(size=400)  # as from a vague prior
    scales = np.where(split[:, None], [2.0, 2.0, 2.0, 1.0], [2.0, 0.3, 0.001, 1.0]) * np.exp(
        0.1 * rng.normal(size=(400, 4))
    )
    draws = bg.MixtureParams.trusted(weights, means[..., None], scales[..., None, None])
    orders = np.array([rng.permutation(4) for _ in range(400)])
    shuffled = draws.permuted(orders).reshaped(2, 200)
    return replace(fit, method=bg.Gibbs(draws=200, chains=2), estimate=Draws(shuffled, {})), draws, split


@pytest.mark.parametrize("method", ["ecr", "ecr-iterative", "stephens"])
def test_components_are_matched_by_their_points_and_empty_ones_left_out(method):
    fit, draws, split = sparse()
    aligned = bg.relabel(fit, method)
    alignment, flat = aligned.estimate.alignment, aligned.params.reshaped(-1)
    assert np.array_equal(np.sort(alignment.occupied), [0.0, 0.5, 1.0, 1.0])
    third = int(np.flatnonzero(alignment.occupied == 0.5)[0])
    assert np.array_equal(alignment.is_occupied.reshape(400, 4)[:, third], split)
    assert np.array_equal(np.sort(flat.means[split, third, 0]), np.sort(draws.means[split, 2, 0]))
    table = aligned.summary()
    assert not any("[3" in name for name in table.index) and len(table) == 3 * 3
    row = table.loc[f"mean[{third}, x0]"]
    assert np.isclose(row["mean"], draws.means[split, 2, 0].mean()) and row["occupied"] == 0.5
    assert np.isnan(alignment.per_component[3]) and np.isnan(alignment.components[..., 3]).all()
    assert aligned.occupied().equals(fit.occupied())


def test_the_sticks_keep_their_order_where_it_matters(recwarn):
    fit = bg.fit(bg.DirichletProcessMixture(truncation=5), X, bg.Gibbs(draws=50, chains=2), rng=0)
    aligned = bg.relabel(fit)
    assert aligned.truncation() == fit.truncation() and aligned.occupied().equals(fit.occupied())
    assert not np.array_equal(aligned.params.weights, fit.params.weights)
    longer, expected = aligned.extend(10), fit.extend(10)
    assert longer.estimate.alignment is None and np.array_equal(longer.params.means, expected.params.means)


def test_an_approximation_with_several_modes(pair):
    from bayesgmm.result.approximation import ApproximateDraws

    fit, aligned, truth = pair
    center = truth[0, 0].permuted(np.array([2, 0, 1]))
    estimate = ApproximateDraws(center, fit.params.reshaped(1, 500), is_aligned=False)
    done = bg.relabel(replace(fit, estimate=estimate))
    assert np.array_equal(done.params.means, truth.means[0, 0])  # the centre has the order of the draws
    assert np.array_equal(done.estimate.draws().means[0], truth.means.reshape(500, 3, 2))
    np.testing.assert_allclose(done.responsibilities(X), aligned.responsibilities(X), rtol=1e-10)
    assert list(done.summary().columns) == ["mean", "sd", "q5", "q95"]
    with pytest.raises(bg.NotApplicableError, match="has one mode"):
        bg.relabel(replace(fit, estimate=replace(estimate, is_aligned=True)))


@pytest.mark.parametrize(
    ("kind", "message"), [("point", "one mixture: there is nothing"), ("variational", "one order")]
)
def test_fits_without_switching_labels_are_refused(kind, message):
    with pytest.raises(bg.NotApplicableError, match=message):
        bg.relabel(made(kind))


def test_bad_input(pair):
    fit = pair[0]
    for arguments, message in [
        ({"method": "artificial"}, "method='artificial' must be one of 'ecr'"),
        ({"pivot": 500}, r"pivot=500 must be one of the draws 0, \.\.\., 499"),
        ({"pivot": np.zeros(3, int)}, "a label below 3 for each of 90 points"),
        ({"max_iter": 1.5}, "max_iter=1.5 must be an integer"),
    ]:
        with pytest.raises(bg.ArgumentError, match=message):
            bg.relabel(fit, **arguments)
    with pytest.raises(bg.ArgumentError, match=r"must be a Fit; .* bg\.labels\.permutations"):
        bg.relabel(fit.params.weights)
    with pytest.raises(bg.NotApplicableError, match="without its data"):
        bg.relabel(replace(fit, X=None))
    with pytest.raises(bg.DataError, match="X was changed"):
        bg.relabel(replace(fit, X=X + 1))
    assert isinstance(fit, Fit)


@pytest.mark.slow
def test_faithful_with_one_component_too_many():
    """Real draws that switch: methods agree where ambiguity is low, and what is unambiguous has converged."""
    data = bg.load_dataset("faithful").X
    fit = bg.fit(bg.GaussianMixture(3), data, bg.Gibbs(draws=1500, chains=4), rng=0)
    unaligned = fit.params.means[..., 0, 0]
    assert unaligned.std() > 0.5  # label 0 is now one cluster and now the other
    aligned = {method: bg.relabel(fit, method) for method in METHODS}
    reference = aligned["stephens"].estimate.alignment
    for method, one in aligned.items():
        alignment, table = one.estimate.alignment, one.summary()
        is_clear = (alignment.draws < 0.05) & (reference.draws < 0.05)
        is_same = (alignment.order == reference.order).all(-1)
        assert is_clear.mean() > 0.9 and is_same[is_clear].mean() > 0.99, method
        clear = table[table["ambiguity"] < 0.05]
        assert len(clear) == len(table) and clear["rhat"].max() < 1.01, method
