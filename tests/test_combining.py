"""Probabilities of models, weights of fits, stacks and rows from elsewhere: exact sums, brute force, conditions of an
optimum, our own numbers by another way, and what is refused with a reason."""

import csv

import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from scipy.stats import dirichlet
from testbed.fits import made

import bayesgmm as bg
from bayesgmm.comparison import Comparison, Row
from bayesgmm.core.combination import (
    bootstrapped_pseudo_bma_weights,
    log_mixture,
    pseudo_bma_weights,
    stacking_weights,
)
from bayesgmm.criteria.pointwise import loo_score
from bayesgmm.criteria.score import Score
from bayesgmm.errors import ArgumentError, NotApplicableError
from bayesgmm.plots import plot_criteria, plot_density
from bayesgmm.result.status import Outcome, Status

X = bg.load_dataset("faithful").X[::4]
WELL = Status(Outcome.CONVERGED, "Converged.")


def table_of(scores, labels=None):
    """A Comparison with one column of the given scores."""
    labels = labels or {name: f"K={k}" for k, name in enumerate(scores, 1)}
    rows = {
        name: Row("Gibbs", k, "full", 5 * k, 1.0, WELL, labels[name]) for k, name in enumerate(scores, 1)
    }  # fmt: skip
    kind = next(iter(scores.values())).kind
    return Comparison(rows, {name: {kind: score} for name, score in scores.items()}, (kind,), 100)


def evidences(values, errors, kind="log_evidence_bridge", **kwargs):
    names = [chr(ord("a") + i) for i in range(len(values))]
    return table_of({name: Score(kind, v, e) for name, v, e in zip(names, values, errors, strict=True)}, **kwargs)


# Evidence.


@pytest.fixture(scope="module")
def tiny(reference):
    """K = 1, 2 and 3 of eight points, and the sums over all labellings of another program."""
    points, method = bg.load_dataset("galaxies").X[:8], bg.Gibbs(draws=2000, tune=200, thin=5, chains=2)
    fits = {f"K={k}": bg.fit(bg.GaussianMixture(k), points, method, rng=k) for k in (1, 2, 3)}
    with open(reference / "tiny" / "summary.csv") as lines:
        theirs = {
            f"K={row['K']}": float(row["log_evidence"]) for row in csv.DictReader(lines) if "gal" in row["dataset"]
        }
    scores = {name: {"log_evidence_exact": Score("log_evidence_exact", theirs[name], 0.0)} for name in fits}
    for name, fit in fits.items():
        scores[name] |= {s.kind: s for s in (bg.log_evidence(fit, "bridge"), bg.log_evidence(fit, "chib"))}
    rows = {name: Row("Gibbs", k, "full", 3 * k - 1, 1.0, WELL) for k, name in enumerate(fits, 1)}
    return Comparison(rows, scores, tuple(scores["K=1"]), 8, fits), np.array([theirs[name] for name in fits])


@pytest.mark.slow
def test_probabilities_are_those_of_the_enumeration(tiny):
    comparison, exact = tiny
    names, expected = ["K=1", "K=2", "K=3"], softmax(exact)
    sums = comparison.model_probabilities("log_evidence_exact").loc[names]
    np.testing.assert_allclose(sums["probability"], expected, atol=1e-9)
    assert (sums[["probability_se", "log_bayes_factor_se"]] == 0).all(axis=None)
    for column in ("log_evidence_bridge", "log_evidence_chib"):
        frame = comparison.model_probabilities(column).loc[names]
        # 12 comparisons at a family-wise level of 1e-4, and a rounding of K = 1, whose evidence has no error.
        assert (np.abs(frame["probability"] - expected) < 4.5 * frame["probability_se"]).all()
        assert (frame["probability_se"] < 0.03).all()
        behind = exact - exact.max()
        assert (np.abs(frame["log_bayes_factor"] - behind) <= 4.5 * frame["log_bayes_factor_se"]).all()
    prior = {"K=1": 1.0, "K=2": 2.0, "K=3": 5.0}
    weighted = comparison.model_probabilities("log_evidence_exact", prior).loc[names]
    np.testing.assert_allclose(weighted["probability"], softmax(exact + np.log([1, 2, 5])), atol=1e-9)
    assert weighted["prior"].tolist() == [0.125, 0.25, 0.625]
    assert (weighted["log_bayes_factor"] == sums["log_bayes_factor"]).all(), "a Bayes factor knows no prior of models"


def test_errors_of_probabilities_are_those_of_simulation():
    value, se = np.array([-100.0, -100.7, -102.0]), np.array([0.05, 0.1, 0.2])
    frame = evidences(value, se).model_probabilities()
    simulated = softmax(value + se * np.random.default_rng(1).normal(size=(20_000, 3)), axis=1).std(0)
    # First order: the second is of relative size se, at most a tenth here; 2 % of simulation noise.
    np.testing.assert_allclose(frame["probability_se"], simulated, rtol=0.1)
    assert frame["log_bayes_factor_se"].tolist() == pytest.approx([0.0, np.hypot(0.05, 0.1), np.hypot(0.05, 0.2)])


def test_two_engines_are_one_model():
    same = {"a": "K=1", "b": "K=1", "c": "K=2"}
    frame = evidences([-100.0, -100.06, -103.0], [0.03, 0.04, 0.1], labels=same).model_probabilities()
    assert frame.attrs["fits"] == {"a": ("a", "b"), "c": ("c",)} and frame["n_fits"].tolist() == [2, 1]
    precision = np.array([0.03**-2, 0.04**-2])
    assert frame.at["a", "log_evidence"] == pytest.approx(precision @ [-100.0, -100.06] / precision.sum())
    assert frame.at["a", "log_evidence_se"] == pytest.approx(1.2 * precision.sum() ** -0.5)  # chi2 = 0.06^2 / 0.05^2
    apart = evidences([-100.0, -101.0, -103.0], [0.03, 0.04, 0.1], labels=same).model_probabilities()
    assert apart.at["a", "log_evidence_se"] > 0.4, "engines that disagree are not averaged into certainty"
    bounds = evidences([-105.0, -104.0, -103.0], [np.nan] * 3, "elbo", labels=same).model_probabilities("elbo")
    assert bounds.at["a", "log_evidence"] == -104.0 and bounds["probability_se"].isna().all()


def test_two_priors_are_two_models():
    weak, strong = (bg.GaussianMixture(1, prior=bg.NormalInverseWishart(mean_precision=p)) for p in (0.01, 1.0))
    fits = {name: bg.fit(model, X, bg.VB(), rng=0) for name, model in (("weak", weak), ("strong", strong))}
    fits["again"] = bg.fit(weak, X, bg.VB(n_init=2), rng=1)
    frame = bg.compare(fits, folds=0).model_probabilities("elbo")
    assert set(frame.attrs["fits"].values()) == {("weak", "again"), ("strong",)}


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda c: c.model_probabilities("elpd_waic"), ArgumentError, "come from evidences only"),
        (lambda c: c.model_probabilities("elbo_orders"), ArgumentError, "not ranked"),
        (lambda c: c.model_probabilities("evidence"), ArgumentError, "no column"),
        (lambda c: c.model_probabilities("log_evidence_chib"), NotApplicableError, "no fit of this comparison has"),
        (lambda c: c.weights(column="log_evidence_bridge"), ArgumentError, "point by point"),
        (lambda c: c.weights(column="aic"), ArgumentError, "point by point"),
        (lambda c: c.weights(), ArgumentError, "no column"),
        (lambda c: c.weights("bma", "elpd_loo"), ArgumentError, "stacking"),
        (lambda c: c.weights(column="elpd_holdout", among=["K=9"]), ArgumentError, "K=9"),
        (lambda c: c.weights(column="elpd_holdout", among=["kmeans K=1"]), NotApplicableError, "no density"),
    ],
)
def test_what_cannot_be_combined_says_why(faithful, call, error, words):
    with pytest.raises(error, match=words):
        call(faithful)


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ({"a": 1.0}, "one number for 'c'"),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, "fits of one model"),
        ({"a": 1.0, "K=7": 1.0}, "K=7"),
        ({"a": 1.0, "c": 0.0}, "positive"),
        ({"a": 1.0, "c": "much"}, "number"),
        (0.5, "dict"),
    ],
)
def test_a_prior_must_fit_the_models(prior, words):
    same = {"a": "K=1", "b": "K=1", "c": "K=2"}
    with pytest.raises(ArgumentError, match=words):
        evidences([-1.0, -1.0, -2.0], [0.1] * 3, labels=same).model_probabilities(prior=prior)


# Weights.


def pointwise(seed=0, m=2, n=60, noise=0.6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, n), scale=noise) - 2.0 - 0.3 * rng.exponential(size=(m, 1))


@pytest.mark.parametrize("seed", range(4))
def test_stacking_is_the_best_of_a_grid(seed):
    values, grid = pointwise(seed), np.linspace(0.0, 1.0, 20_001)
    density = np.exp(values)
    scores = np.log(grid[:, None] * density[0] + (1.0 - grid[:, None]) * density[1]).sum(1)
    ours = stacking_weights(values)
    assert ours[0] == pytest.approx(grid[np.argmax(scores)], abs=1e-4)  # two steps of the grid
    assert log_mixture(values, ours).sum() >= max(scores) - 1e-8


@pytest.mark.parametrize(("m", "n"), [(1, 20), (3, 50), (6, 300)])
def test_stacking_fulfils_the_conditions_of_an_optimum(m, n):
    """The mean ratio of each density to the mixture is one where a weight is positive, and at most one elsewhere."""
    values = pointwise(m, m, n)
    weights = stacking_weights(values)
    ratio = np.exp(values - log_mixture(values, weights)).mean(1)
    # By concavity n (max ratio - 1) bounds how many nats are missing to the optimum.
    assert weights.sum() == pytest.approx(1.0) and n * (ratio.max() - 1.0) < 1e-4
    assert np.abs(weights * (ratio - 1.0)).max() < 1e-6


def test_pseudo_bma():
    values = pointwise(5, 3)
    np.testing.assert_allclose(pseudo_bma_weights(values), np.exp(values.sum(1)) / np.exp(values.sum(1)).sum())
    ours = bootstrapped_pseudo_bma_weights(values, 4000, np.random.default_rng(0))
    shares = dirichlet(np.ones(60)).rvs(20_000, random_state=1)
    simulated = softmax(60 * shares @ values.T, axis=1)
    error = np.hypot(simulated.std(0) / np.sqrt(20_000), simulated.std(0) / np.sqrt(4000))
    assert (np.abs(ours - simulated.mean(0)) < 4.5 * error).all()
    assert ours.max() < pseudo_bma_weights(values).max(), "the bootstrap is less sure"


@pytest.fixture(scope="module")
def faithful():
    fits = {f"em K={k}": bg.fit(bg.GaussianMixture(k), X, bg.EM(n_init=2), rng=0) for k in (1, 2, 3)}
    fits["vb K=2"] = bg.fit(bg.GaussianMixture(2), X, bg.VB(n_init=2), rng=0)
    fits["draws K=2"] = made("draws", k=2, X=X)
    return bg.compare(fits, folds=0, X_new=bg.load_dataset("faithful").X[1::4])


def test_weights_have_the_names_of_the_fits_and_the_reasons_of_the_others(faithful):
    for method in ("stacking", "pseudo-bma", "pseudo-bma+"):
        weights = faithful.weights(method, "elpd_holdout")
        assert weights.sum() == pytest.approx(1.0) and (weights >= 0).all()
        assert set(weights.index) == set(faithful.fits) and set(weights.attrs["left_out"]) == {
            f"kmeans K={k}" for k in (1, 2, 3)
        }
        assert weights["em K=1"] < 0.05
    among = faithful.weights(column="elpd_holdout", among=["em K=1", "em K=2"])
    values = np.stack([faithful.scores[name]["elpd_holdout"].pointwise for name in ("em K=1", "em K=2")])
    np.testing.assert_allclose(among, stacking_weights(values), atol=1e-7)
    assert faithful.weights("pseudo-bma+", "elpd_holdout", rng=1).equals(
        faithful.weights("pseudo-bma+", "elpd_holdout", rng=1)
    )


# Stacks.


@pytest.fixture(scope="module")
def stack(faithful):
    return faithful.stacked("pseudo-bma+", "elpd_holdout", ["em K=2", "vb K=2", "draws K=2", "em K=3"])


def test_a_stack_is_the_weighted_mixture(faithful, stack):
    weights, names = stack.estimate.weights, stack.estimate.names
    assert len(names) == 4 and weights.sum() == pytest.approx(1.0)
    parts = [np.log(w) + faithful.fits[name].log_density(X) for w, name in zip(weights, names, strict=True)]
    np.testing.assert_allclose(stack.log_density(X), logsumexp(parts, axis=0), rtol=1e-12)
    assert stack.kind == "stacked" and "no posterior probabilities" in stack.status.sentence
    table = stack.summary()
    assert table["weight"].tolist() == weights.tolist() and list(table.index) == list(names)
    assert "stack of 4" in repr(bg.compare({"stack": stack}, folds=0)) or stack.model.label == "stack of 4"


def test_the_best_stack_predicts_at_least_as_well_as_its_best_member(faithful):
    best = faithful.stacked(column="elpd_holdout")
    new = bg.load_dataset("faithful").X[1::4]
    assert (
        best.log_density(new).sum()
        >= faithful.ranked("elpd_holdout")[next(iter(faithful.ranked("elpd_holdout")))].value - 1e-6
    )


def test_samples_of_a_stack_have_its_moments(stack):
    n = 20_000
    points = stack.sample(n, 1)
    parts = [member.sample(n, 2) for member in stack.estimate.members]
    expected = sum(w * part.mean(0) for w, part in zip(stack.estimate.weights, parts, strict=True))
    error = np.sqrt(2.0) * points.std(0) / np.sqrt(n)
    assert (np.abs(points.mean(0) - expected) < 4.5 * error).all()
    assert stack.sample(0, 1).shape == (0, 2)


def test_a_stack_comes_back_from_its_file(tmp_path, stack):
    stack.save(tmp_path / "stack.nc")
    back = bg.load(tmp_path / "stack.nc")
    np.testing.assert_array_equal(back.log_density(X), stack.log_density(X))
    np.testing.assert_array_equal(back.sample(5, 3), stack.sample(5, 3))
    assert back.summary().equals(stack.summary()) and back.status == stack.status
    np.testing.assert_array_equal(back.X, X)
    assert [type(m.method) for m in back.estimate.members] == [type(m.method) for m in stack.estimate.members]


def test_what_a_stack_cannot_answer(stack):
    for call in (
        lambda: stack.params, lambda: stack.log_density_draws(X), lambda: stack.responsibilities(X),
        lambda: stack.predict(X), lambda: stack.to_datatree(), lambda: stack.occupied(), lambda: stack.elbo,
        lambda: stack.log_likelihood, lambda: stack.extend(10), lambda: bg.relabel(stack), lambda: bg.partition(stack),
        lambda: bg.log_evidence(stack), lambda: bg.log_evidence(stack, "exact"), lambda: stack.truncation(),
        lambda: bg.intervals(stack), lambda: bg.intervals(stack, "ordinary"), lambda: bg.loo_pit(stack),
    ):  # fmt: skip
        with pytest.raises(NotApplicableError, match="(?i)stack|members|variational fits|point fit|only"):
            call()


def test_the_density_of_a_stack_is_drawn(stack):
    line = plot_density(stack).axes[0].lines[0]
    grid = line.get_xdata()
    second = np.linspace(X[:, 1].min() - 60, X[:, 1].max() + 60, 400)  # what is integrated out
    step = second[1] - second[0]
    for x, drawn in list(zip(grid, line.get_ydata(), strict=True))[::60]:
        exact = np.exp(stack.log_density(np.column_stack([np.full(400, x), second]))).sum() * step
        # Members with draws are drawn by a thinned sample of them, those of VB by draws of their Student-t mixture.
        assert drawn == pytest.approx(exact, rel=0.1, abs=0.02 * line.get_ydata().max())


def test_a_stack_stands_in_a_comparison_and_refits(faithful):
    stack = faithful.stacked("pseudo-bma+", "elpd_holdout", ["em K=2", "em K=3"])
    again = bg.compare({"stack": stack, "em": faithful.fits["em K=2"]}, folds=3)
    assert np.isfinite(again.table.at["stack", "elpd_kfold"])
    assert again.table.at["stack", "model"] == "stack of 2"
    for column in ("elpd_loo", "bic", "elbo", "log_evidence_exact"):
        assert again.scores["stack"][column].is_missing and again.reasons["stack"][column]
    refit = stack.refit(X[:40])
    np.testing.assert_array_equal(refit.estimate.weights, stack.estimate.weights)
    assert refit.n_obs == 40


# Rows from elsewhere.


def test_our_own_log_likelihood_gives_our_own_numbers(faithful):
    fit = faithful.fits["draws K=2"]
    values = fit.log_density_draws(X).reshape(2, 40, -1)
    longer = faithful.add("theirs", values, relative_efficiency=1.0)
    by_importance = loo_score([(slice(0, len(X)), values.reshape(80, -1))], len(X), (2, 40), 1.0)
    plain = {"elpd_loo": by_importance, "elpd_waic": longer.scores["draws K=2"]["elpd_waic"]}
    for kind, ours in plain.items():  # our own leave-one-out goes on where importance sampling ends
        theirs = longer.scores["theirs"][kind]
        np.testing.assert_allclose(theirs.pointwise, ours.pointwise, rtol=1e-12)
        assert (theirs.se, theirs.n_unreliable) == (pytest.approx(ours.se), ours.n_unreliable)
    assert "theirs" not in faithful.rows and list(longer.rows)[len(faithful.fits)] == "theirs"
    flat = faithful.add("flat", values.reshape(80, -1), method="Stan", n_parameters=11)
    assert flat.table.at["flat", "elpd_waic"] == pytest.approx(longer.table.at["theirs", "elpd_waic"])
    assert flat.table.at["flat", "model"] == "flat" and flat.table.at["flat", "method"] == "Stan"
    for kind in set(longer.columns) - {"elpd_loo", "elpd_waic"}:
        assert "only the pointwise log likelihoods" in longer.reasons["theirs"][kind][0]
    assert "theirs" in longer.to_json() and "theirs" in longer._repr_html_() and "theirs" in repr(longer)
    assert longer.weights(column="elpd_waic", among=["theirs", "draws K=2"]).sum() == pytest.approx(1.0)
    with pytest.raises(NotApplicableError, match="no fit to take a density from"):
        longer.stacked("pseudo-bma", "elpd_waic", ["theirs", "draws K=2"])
    plot_criteria(longer)
    longer.plot()


def bad(value=np.nan):
    values = np.zeros((30, len(X)))
    values[12, 3] = value
    return values


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("em K=1", np.zeros((30, len(X))), "already"),
        ("new", np.zeros((len(X), 30)), "transpose"),
        ("new", np.zeros((30, len(X) + 1)), "last axis"),
        ("new", np.zeros(len(X)), "shape"),
        ("new", np.zeros((2, 12, len(X))), "24 draws"),
        ("new", bad(), "nan at draw 12 of chain 0, row 3"),
        ("new", bad(-np.inf), "-inf at draw 12 of chain 0, row 3"),
        ("new", [["a"]], "numbers"),
        ("", np.zeros((30, len(X))), "name"),
    ],
)
def test_bad_log_likelihoods_are_named(faithful, name, values, words):
    with pytest.raises(ArgumentError, match=words):
        faithful.add(name, values)
