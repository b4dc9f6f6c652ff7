"""Known labels of rows: log p(x, class) for a labelled row and log p(x) for another one, in every engine."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from testbed import oracle
from testbed.cases import STRUCTURES, blobs, informative, model_of
from testbed.monte_carlo import Z_LIMIT, z_score

import bayesgmm as bg
from bayesgmm.core.facts import of_labels
from bayesgmm.families.named import FOURTEEN
from bayesgmm.flat.posterior import FlatPosterior
from bayesgmm.methods.chains.search import Landscape
from bayesgmm.methods.climbing.initialize import starts
from bayesgmm.rows import as_rows
from conformance.short import ENGINES, are_equal

X = blobs(n=60, d=2)
TRUTH = bg.fit(bg.GaussianMixture(3), X, bg.EM(), rng=0).predict(X)
NAMES = np.array(["ash", "birch", "cedar"])[TRUTH]
RNG = np.random.default_rng(6)
IS_KNOWN = RNG.random(len(X)) < 0.3
PARTLY = np.where(IS_KNOWN, NAMES, None)
MCLUST = {code: code for code in FOURTEEN}
every_structure = pytest.mark.parametrize("structure", STRUCTURES)
pytestmark = pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning", "ignore::bayesgmm.TruncationWarning")


def fit(engine, structure="full", k=3, data=X, **known):
    return bg.fit(bg.GaussianMixture(k, structure), data, ENGINES[engine], rng=1, **known)


def read(reference, name):
    with open(reference / name) as lines:
        return [row for row in csv.DictReader(lines) if row["model"] in MCLUST]


# --- other people's numbers -------------------------------------------------------------------------------------------


def test_em_reaches_mclust_where_some_labels_are_known(reference):
    for row in read(reference, "mclust_ssc.csv"):
        data = bg.load_dataset(row["dataset"])
        labels = np.full(len(data.X), None)
        known = [int(i) for i in row["known"].split()]
        labels[known] = np.asarray(data.labels)[known]
        ours = bg.fit(bg.GaussianMixture(3, MCLUST[row["model"]]), data.X, bg.EM(), rng=0, labels=labels)
        assert ours.status.is_converged
        assert ours.log_likelihood > float(row["loglik"]) - 1e-5, row  # both stop within some 1e-6
        assert (ours.predict_classes(data.X) != data.labels).sum() <= int(row["errors"]) + 1


def test_em_is_discriminant_analysis_where_all_are_known(reference):
    for row in read(reference, "mclust_edda.csv"):
        data = bg.load_dataset(row["dataset"])
        ours = bg.fit(bg.GaussianMixture(3, MCLUST[row["model"]]), data.X, bg.EM(), rng=0, labels=data.labels)
        # mclust's M step stops short of its optimum where it iterates; ours is held to an optimiser in test_decomposed.
        if row["model"] not in ("VEE", "EVE", "VVE"):
            assert ours.log_density(data.X).sum() == pytest.approx(float(row["loglik"]), abs=1e-6)  # as printed
        assert (ours.predict_classes(data.X) != data.labels).sum() == int(row["errors"])
        assert len(ours.diagnostics.restarts) == 1 and ours.status.is_converged
    assert len(fit("EM", labels=PARTLY).diagnostics.restarts) > 1  # an unlabelled row leaves other optima


# --- exact sums -------------------------------------------------------------------------------------------------------


def known_of(n_components, n=6):
    """(n, K) what is allowed where the first rows have labels 0, 1, 0."""
    known = np.zeros((n, n_components))
    known[:3] = np.where(np.eye(n_components, dtype=bool)[[0, 1, 0]], 0.0, -np.inf)
    return known


OFFSETS = np.random.default_rng(3).normal(size=(6, 2)) * 2.0
KNOWN = {
    "labels": (known_of(2), {"labels": [0, 1, 0, -1, -1, -1]}),
    "soft labels": (
        np.log([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [1, 1], [1, 1], [1, 1]]),
        {"labels": [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [np.nan] * 2, [np.nan] * 2, [np.nan] * 2]},
    ),
    "offsets": (OFFSETS, {"offsets": OFFSETS}),
    "labels and offsets": (known_of(2) + OFFSETS, {"labels": [0, 1, 0, -1, -1, -1], "offsets": OFFSETS}),
}


def standardised(n=6):
    data = bg.load_dataset("faithful").X[:n]
    return (data - data.mean(0)) / data.std(0)


@pytest.mark.parametrize("method", [bg.Gibbs(draws=3000, thin=5), bg.NUTS(draws=3000)], ids=["Gibbs", "NUTS"])
@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.filterwarnings("ignore:.* transitions diverged")
@pytest.mark.few(1)
def test_expectations_are_the_enumerated_ones(known, method):
    """Weights and joint predictive densities of each component, which nothing exchanges."""
    data, constants = standardised(), informative("full", 2, 2)
    exact = oracle.Enumeration(data, constants, KNOWN[known][0])
    ours = bg.fit(model_of(constants), data, method, rng=3, **KNOWN[known][1])
    scores = [z_score(ours.params.weights[..., k], value) for k, value in enumerate(exact.weights())]
    for x in (data[0], data[4], data.mean(0)):
        parts = np.exp(joint(ours.params, x))
        scores += [z_score(parts[..., k], value) for k, value in enumerate(np.exp(exact.log_parts(x)))]
        expected = softmax(exact.log_parts(x))
        np.testing.assert_allclose(ours.estimate.shares(x[None])[0], expected, atol=0.05)  # of 3,000 draws
    assert np.abs(scores).max() < Z_LIMIT


def joint(params, x):
    """(chain, draw, K) log densities of one point and each component."""
    deviation = np.einsum("...kji,...kj->...ki", params.precision_chol, x - params.means)
    log_det = np.log(np.diagonal(params.precision_chol, axis1=-2, axis2=-1)).sum(-1)
    return np.log(params.weights) + log_det - 0.5 * (deviation**2).sum(-1) - len(x) / 2 * np.log(2 * np.pi)


@pytest.mark.parametrize("prior", ["conjugate", pytest.param("independent", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "structure",
    [name if name in ("full", "diagonal") else pytest.param(name, marks=pytest.mark.slow) for name in STRUCTURES],
)
@pytest.mark.few(1)
def test_gibbs_moves_points_among_the_components_of_a_class(structure, prior):
    """Three components of which two are of one class: crossing moves exchange points of these alone."""
    data, constants = standardised(), informative(structure, 3, 2)
    labels, owner = [0, 1, 0, -1, -1, -1], np.array([0, 0, 1])
    known = np.zeros((6, 3))
    for row in range(3):
        known[row] = np.where(owner == labels[row], 0.0, -np.inf)
    model = model_of(constants)
    if prior == "independent":
        if structure != "full":
            pytest.skip("one structure is enough: the moves are those of the conjugate prior")
        model = bg.GaussianMixture(3, prior=bg.IndependentNormalInverseWishart())
    method = bg.Gibbs(draws=3000, thin=5, crossing=0.5)
    ours = bg.fit(model, data, method, rng=4, labels=labels, components_of={0: 2})
    if prior == "independent":  # two seeds and no crossing moves have the same posterior
        other = bg.fit(model, data, bg.Gibbs(draws=3000, thin=5, crossing=0.0), rng=5, labels=labels,
                       components_of={0: 2})  # fmt: skip
        apart = [(ours.params.weights[..., 2].mean() - other.params.weights[..., 2].mean())]
        assert abs(apart[0]) < 0.02  # 12,000 draws with a standard deviation of 0.15
        return
    exact = oracle.Enumeration(data, constants, known)
    scores = [z_score(ours.params.weights[..., 2], exact.weights()[2])]
    scores.append(z_score((ours.params.weights**2).sum(-1), exact.sum_squared_weights()))
    n_occupied = exact.occupied() @ np.arange(1, 4)
    scores.append(z_score(ours.estimate.sample_stats["n_occupied"].astype(float), n_occupied))
    assert np.abs(scores).max() < Z_LIMIT
    assert not ours.estimate.is_aligned
    shares = ours.class_probabilities(data)
    np.testing.assert_allclose(shares.sum(1), 1.0)
    parts = [np.exp(exact.log_parts(x)) for x in data]
    expected = np.array([part @ (owner[:, None] == np.arange(2)) / part.sum() for part in parts])
    np.testing.assert_allclose(shares, expected, atol=0.05)


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.few(1)
def test_the_evidence_is_the_enumerated_one(known):
    data, constants = standardised(), informative("full", 2, 2)
    exact = oracle.Enumeration(data, constants, KNOWN[known][0])
    ours = bg.fit(model_of(constants), data, bg.Gibbs(draws=1000, thin=5), rng=3, **KNOWN[known][1])
    assert bg.log_evidence(ours, "exact").value == pytest.approx(exact.log_evidence, rel=1e-9)
    for method in ("bridge", "chib"):
        found = bg.log_evidence(ours, method)
        assert abs(found.value - exact.log_evidence) < 4.0 * max(found.se, 0.005)  # one in 16,000


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.few(1)
def test_only_the_orders_of_components_alike_are_in_the_evidence(k):
    """A prior that is the same for all: the labels alone tell the components apart, or a class and another one."""
    owner = [0, 0, 1] if k == 3 else [0, 1]
    known = {"labels": [0, 1, 0, -1, -1, -1], "components_of": {0: owner.count(0)}}
    ours = bg.fit(bg.GaussianMixture(k), standardised(), bg.Gibbs(draws=1000, thin=5), rng=3, **known)
    exact = bg.log_evidence(ours, "exact").value
    for method in ("bridge", "chib"):
        found = bg.log_evidence(ours, method)
        assert abs(found.value - exact) < 4.0 * max(found.se, 0.005)  # one in 16,000; an order more is log 2


@every_structure
@pytest.mark.parametrize("known", KNOWN)
def test_the_flat_posterior_and_its_gradient_have_what_is_known(structure, known):
    data, constants = standardised(), informative(structure, 2, 2)
    model = model_of(constants).resolve(as_rows(data))
    fitted = bg.fit(model, data, bg.VB(n_init=1, moves=0), rng=0, **KNOWN[known][1])
    plain, posterior = FlatPosterior.of(model, as_rows(data)), FlatPosterior.of(model, fitted.rows)
    for seed in range(3):
        params = model.conjugate().sample(np.random.default_rng(seed), 1)[0]
        x = posterior.coordinates.flatten(params)
        scores = plain_joint(params, data)
        expected = logsumexp(scores + KNOWN[known][0], axis=1).sum() - logsumexp(scores, axis=1).sum()
        assert posterior(x)[0] - plain(x)[0] == pytest.approx(expected, abs=1e-9)
        steps = 1e-6 * np.eye(len(x))
        slope = [(posterior(x + step)[0] - posterior(x - step)[0]) / 2e-6 for step in steps]
        np.testing.assert_allclose(posterior(x)[1], slope, rtol=1e-5, atol=1e-5)  # differences of a step of 1e-6


def plain_joint(params, data):
    from bayesgmm.core.density import log_joint

    return log_joint(params.scores(), data)


# --- all engines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_answers_by_class(engine):
    one = fit(engine, labels=PARTLY)
    assert one.classes.names == ("ash", "birch", "cedar") and one.estimate.is_aligned
    assert (one.predict_classes(X) == NAMES).mean() > 0.9
    shares = one.class_probabilities(X)
    np.testing.assert_allclose(shares, one.responsibilities(X))
    assert one.summary().index[0] == "weight[0]"
    with pytest.raises(bg.NotApplicableError, match="one order already|a point fit"):
        bg.relabel(one)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.few(13)
def test_labels_are_offsets_of_minus_infinity(engine, structure):
    """Draw by draw: the same numbers come out of the same sums."""
    if structure != "full" and engine in ("NUTS", "ADVI", "Pathfinder"):
        pytest.skip("the flat posteriors are compared above")
    index = np.where(IS_KNOWN, TRUTH, -1)
    offsets = np.where((index < 0)[:, None] | (index[:, None] == np.arange(3)), 0.0, -np.inf)
    shares = np.where((index < 0)[:, None], np.nan, np.eye(3)[index])
    one = fit(engine, structure, labels=index)
    for other in (fit(engine, structure, offsets=offsets), fit(engine, structure, labels=shares)):
        assert are_equal(one, other)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.few(3)
def test_offsets_of_zero_change_nothing(engine):
    """But for starts, which none of them changes either."""
    assert are_equal(fit(engine), fit(engine, offsets=np.zeros((len(X), 3))))


@pytest.mark.parametrize("engine", ["EM", "VB", "Gibbs"])
def test_labelled_rows_have_weights_too(engine):
    weights = RNG.integers(0, 3, len(X)).astype(float)
    kept = weights > 0
    one = fit(engine, labels=PARTLY, sample_weight=weights)
    other = bg.fit(one.model, X[kept], ENGINES[engine], 1, labels=PARTLY[kept], sample_weight=weights[kept])
    assert are_equal(one, other)
    repeated = np.repeat(np.arange(len(X)), weights.astype(int))
    if engine == "Gibbs":
        assert are_equal(one, bg.fit(one.model, X[repeated], ENGINES[engine], 1, labels=PARTLY[repeated]))
    else:
        method = bg.EM() if engine == "EM" else bg.VB()  # with starts enough to find the best optimum twice
        one = bg.fit(one.model, X, method, 1, labels=PARTLY, sample_weight=weights)
        other = bg.fit(one.model, X[repeated], method, 1, labels=PARTLY[repeated])
        assert one.history[-1] == pytest.approx(other.history[-1], abs=1e-4)


def test_posterior_predictive_classes_in_closed_form():
    """All labels known: Student-t densities of each class by VB, and their Monte Carlo means by Gibbs and NUTS."""
    facts = of_labels(TRUTH, 3)
    model = bg.GaussianMixture(3).resolve(as_rows(X))
    prior = model.conjugate()
    stats = as_rows(X, facts).sweep(prior.expected_scores())
    from bayesgmm.priors.predictive import predictive

    expected = softmax(predictive(prior.update(stats)).log_joint(X), axis=1)
    for name, tolerance in (("VB", 1e-10), ("Gibbs", 0.05), ("NUTS", 0.05)):  # of 80 and of 60 draws
        ours = fit(name, labels=NAMES)
        np.testing.assert_allclose(ours.class_probabilities(X), expected, atol=tolerance)


# --- classes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "names", "unknown"),
    [
        (np.where(IS_KNOWN, TRUTH, -1), (0, 1, 2), -1),
        (np.where(IS_KNOWN, TRUTH + 5.5, np.nan), (5.5, 6.5, 7.5), None),
        (list(PARTLY), ("ash", "birch", "cedar"), None),
        (np.where(IS_KNOWN, NAMES, "-1"), ("ash", "birch", "cedar"), None),
        (
            [("x", 1, 2.5)[t] if is_known else None for t, is_known in zip(TRUTH, IS_KNOWN, strict=True)],
            (2.5, 1, "x"),
            None,
        ),
    ],
)
def test_labels_of_any_type(labels, names, unknown):
    one = fit("EM", labels=labels, k=4)
    assert one.classes.names == names and one.classes.owner == (0, 1, 2, -1)
    found = one.predict_classes(X)
    assert set(found.tolist()) <= {*names, unknown}
    free = 1.0 - one.class_probabilities(X).sum(1)
    np.testing.assert_allclose(free, one.responsibilities(X)[:, 3], atol=1e-12)


def test_labels_of_pandas():
    import pandas as pd

    series = pd.Series(PARTLY, dtype="category")
    one = fit("EM", labels=series)
    assert one.classes.names == ("ash", "birch", "cedar") and are_equal(one, fit("EM", labels=PARTLY))
    assert are_equal(one, fit("EM", labels=pd.Series(PARTLY, dtype="string")))
    shares = pd.DataFrame(np.where(IS_KNOWN[:, None], np.eye(3)[TRUTH], np.nan), columns=["ash", "birch", "cedar"])
    assert fit("EM", labels=shares).classes == one.classes
    numbered = shares.set_axis([3, 1, 2], axis=1)
    assert fit("EM", labels=numbered).classes.names == (3, 1, 2)


def test_labels_of_other_tables():
    pa = pytest.importorskip("pyarrow")
    assert fit("EM", labels=pa.array(PARTLY.tolist())).classes.names == ("ash", "birch", "cedar")
    days = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "datetime64[D]")[TRUTH]
    assert set(fit("EM", labels=days).predict_classes(X)) == set(days.tolist())
    assert fit("EM", labels=[("x", int(group)) for group in TRUTH]).classes.names == (("x", 0), ("x", 1), ("x", 2))


def test_a_class_of_several_components():
    labels = np.where(TRUTH == 2, "b", "a")
    one = fit("EM", labels=labels, components_of={"a": 2})
    assert one.classes.owner == (0, 0, 1)
    assert (one.predict_classes(X) == labels).all() and one.log_likelihood > fit("EM", k=3).log_likelihood - 60
    pairs = np.unique(one.predict(X[labels == "a"]))
    assert set(pairs) == {0, 1}


@pytest.mark.parametrize("engine", ["EM", "Gibbs", "Pathfinder", "VB"])
@pytest.mark.few(1)
def test_a_saved_fit_has_its_labels(engine, tmp_path):
    offsets = RNG.normal(size=(len(X), 3))
    for known in ({"labels": PARTLY}, {"labels": PARTLY, "offsets": offsets}):
        one = fit(engine, **known)
        for data in (True, False):
            one.save(tmp_path / "fit.nc", data=data)
            again = bg.load(tmp_path / "fit.nc")
            assert again.classes == one.classes and are_equal(one, again)
            assert again.estimate.is_aligned == one.estimate.is_aligned
            assert (again.predict_classes(X) == one.predict_classes(X)).all()
        one.save(tmp_path / "fit.nc")
        again = bg.load(tmp_path / "fit.nc")
        again.check_data()
        np.testing.assert_array_equal(again.facts.classes, one.facts.classes)
        np.testing.assert_array_equal(again.facts.offsets, one.facts.offsets)


def test_more_draws_of_labelled_rows():
    short, long = bg.Gibbs(draws=20, tune=20, chains=2), bg.Gibbs(draws=40, tune=20, chains=2)
    one, other = (bg.fit(bg.GaussianMixture(3), X, m, rng=0, labels=PARTLY) for m in (short, long))
    longer = one.extend(20)
    assert are_equal(longer, other) and longer.estimate.is_aligned


def test_a_file_of_rows_takes_labels(tmp_path):
    np.save(tmp_path / "x.npy", X)
    options = bg.OnlineEM(20, shuffle=False, passes=3)
    one = bg.fit(bg.GaussianMixture(3), tmp_path / "x.npy", options, rng=0, labels=PARTLY)
    other = bg.fit(bg.GaussianMixture(3), X, options, rng=0, labels=PARTLY)
    assert are_equal(one, other) and one.classes == other.classes


# --- what is asked of such fits ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_numbers_of_components_are_compared_with_the_labels_in_the_likelihood():
    fits = {f"K={k}": bg.fit(bg.GaussianMixture(k), X, bg.EM(), rng=0, labels=PARTLY) for k in (3, 4)}
    fits["VB"] = fit("VB", labels=PARTLY)
    fits["Gibbs"] = bg.fit(bg.GaussianMixture(3), X, bg.Gibbs(draws=200), rng=0, labels=PARTLY)
    found = bg.compare(fits, folds=0, labels=NAMES, progress=False)
    assert found.scores["VB"]["ari"].value > 0.8 and "values alone" in found.reasons["VB"]["ari"][0]
    for name in ("K=3", "K=4"):
        p = fits[name].n_parameters
        assert found.scores[name]["bic"].value == pytest.approx(
            fits[name].log_likelihood - 0.5 * p * np.log(len(X)), rel=1e-12
        )
    gibbs = found.scores["Gibbs"]
    assert gibbs["elpd_waic"].value == pytest.approx(gibbs["elpd_loo"].value, abs=2.0)
    assert gibbs["log_evidence_bridge"].value == pytest.approx(found.scores["VB"]["elbo"].value, abs=3.0)
    assert gibbs["log_evidence_bridge"].value > found.scores["VB"]["elbo"].value
    assert found.scores["VB"]["elbo_orders"].value == found.scores["VB"]["elbo"].value
    assert "labels or offsets" in found.reasons["K=3"]["icl"][0]
    assert "fewer components" not in str(found)  # than there are classes
    with pytest.raises(bg.ArgumentError, match="different data"):
        bg.compare({"labelled": fits["K=3"], "not": fit("EM")}, folds=0, progress=False)


def test_pointwise_densities_are_joint_ones():
    one = fit("Gibbs", labels=PARTLY)
    values = one.to_datatree()["log_likelihood"]["x"].values
    joint_of = plain_joint(one.params[0, 3], X)
    index = np.where(IS_KNOWN, TRUTH, 0)
    expected = np.where(IS_KNOWN, joint_of[np.arange(len(X)), index], logsumexp(joint_of, axis=1))
    np.testing.assert_allclose(values[0, 3], expected, rtol=1e-10)
    assert one.pointwise.total()[0, 3] == pytest.approx(expected.sum(), rel=1e-12)
    assert one.estimate.sample_stats["log_likelihood"][0, 3] == pytest.approx(expected.sum(), rel=1e-9)
    np.testing.assert_allclose(one.log_density_draws(X)[3], logsumexp(joint_of, axis=1), rtol=1e-10)


def test_intervals_of_labelled_rows_are_narrower():
    labelled, plain = fit("EM", labels=NAMES), fit("EM")
    ours, theirs = (bg.intervals(one).table["se"] for one in (labelled, plain))
    mean = [name for name in ours.index if name.startswith("mean")]
    counts = np.bincount(TRUTH)
    sd = np.array([X[TRUTH == k].std(0) / np.sqrt(counts[k]) for k in range(3)])
    np.testing.assert_allclose(ours[mean], sd.ravel(), rtol=1e-4)  # of discriminant analysis, in closed form
    assert len(theirs) == len(ours)


def test_what_takes_values_alone_is_refused():
    point, drawn = fit("EM", labels=PARTLY), fit("Gibbs", labels=PARTLY)
    for asked in (
        lambda: bg.intervals(point, "parametric"),
        lambda: bg.pymc_model(drawn),
        lambda: bg.prior_sensitivity(drawn),
        lambda: bg.likelihood_ratio_test(point, replicates=20),
        lambda: bg.partition(drawn),
    ):
        with pytest.raises(bg.NotApplicableError, match="labels or offsets of the rows"):
            asked()


@pytest.mark.parametrize("method", ["ecr", "ecr-iterative", "stephens", "pra", "data-based"])
@pytest.mark.few(2)
def test_relabelling_keeps_the_components_of_a_class_together(method):
    """Two of one class change places, and never with that of the other: their numbers stay those of the class."""
    labels = np.where(IS_KNOWN, np.where(TRUTH == 2, "b", "a"), None)
    one = bg.fit(bg.GaussianMixture(3), X, bg.Gibbs(draws=200, tune=100, chains=2, crossing=0.5), rng=2, labels=labels,
                 components_of={"a": 2})  # fmt: skip
    with pytest.raises(bg.NotApplicableError, match="not aligned"):
        one.responsibilities(X)
    aligned = bg.relabel(one, method)
    order = aligned.estimate.alignment.order
    assert (order[..., 2] == 2).all() and set(np.unique(order[..., :2])) <= {0, 1}
    np.testing.assert_allclose(aligned.class_probabilities(X), one.class_probabilities(X), rtol=1e-9)
    assert (aligned.predict_classes(X) == np.where(TRUTH == 2, "b", "a")).mean() > 0.9
    spread, before = (each.params.means[:, :, 0].std((0, 1)).max() for each in (aligned, one))
    if method in ("ecr", "stephens"):  # the others go by parameters, or by centres, of a component that is often empty
        assert spread < 0.3 * before  # the larger of the two, which stays at its place
    assert np.isfinite(bg.intervals(aligned).table["se"]).all()


def test_a_fit_without_its_data_is_scored_with_its_own_components(tmp_path):
    """Beside a fit of the same labels with other components, which has the data."""
    labels = np.where(IS_KNOWN, np.where(TRUTH == 2, "b", "a"), None)
    shares = np.where(IS_KNOWN[:, None], np.where((TRUTH == 2)[:, None], [0.1, 0.9], [0.8, 0.2]), np.nan)
    method = bg.Gibbs(draws=60, tune=60, chains=2)
    for known, first, second in ((labels, "a", "b"), (shares, 0, 1)):
        one = bg.fit(bg.GaussianMixture(3), X, method, rng=2, labels=known, components_of={first: 2})
        other = bg.fit(bg.GaussianMixture(4), X, method, rng=2, labels=known, components_of={second: 2})
        other.save(tmp_path / "bare.nc", data=False)
        bare = bg.load(tmp_path / "bare.nc")
        scores = [bg.compare({"one": one, "other": f}, folds=0, progress=False).scores["other"] for f in (other, bare)]
        for kind in ("elpd_loo", "elpd_waic"):
            assert scores[0][kind].value == scores[1][kind].value and np.isfinite(scores[0][kind].value)


def test_offsets_that_hardly_differ_identify_nothing():
    data = np.random.default_rng(1).normal(0, 1, (60, 1))
    shares = np.full((60, 2), 0.5)
    shares[0] = [0.5001, 0.4999]
    one = bg.fit(bg.GaussianMixture(2), data, bg.Gibbs(draws=100, tune=50, chains=2), rng=0, labels=shares)
    assert not one.estimate.is_aligned and bg.relabel(one).estimate.is_aligned
    with pytest.raises(bg.NotApplicableError, match="not aligned"):
        one.responsibilities(data)


def test_a_point_that_no_component_reaches_has_no_class():
    for engine in ("EM", "Gibbs"):
        one = fit(engine, labels=PARTLY)
        for asked in (one.class_probabilities, one.predict_classes):
            with pytest.raises(bg.DataError, match="Row 0"):
                asked([[1e200, 0.0]])


def test_a_refit_keeps_the_components_of_classes():
    one = fit("VB", labels=PARTLY)
    again = one.refit(X, labels=np.where(NAMES == "birch", "birch", None))
    assert again.classes == one.classes
    assert (again.predict_classes(X[NAMES == "birch"]) == "birch").mean() > 0.9
    with pytest.raises(bg.ArgumentError, match="'oak', and the classes of this fit are 'ash'"):
        one.refit(X, labels=["oak"] * len(X))


def test_maximum_likelihood_says_nothing_of_a_component_that_no_row_can_be_of():
    with pytest.raises(bg.NotApplicableError, match="component 3, by its labels"):
        fit("EM", labels=NAMES, k=4)
    assert fit("VB", labels=NAMES, k=4).status.is_usable
    offsets = np.tile([0.0, 0.0, -np.inf], (len(X), 1))
    offsets[7] = 0.0
    assert fit("MAP", offsets=offsets).status.is_usable
    with pytest.raises(bg.NotApplicableError, match="component 2, by its labels"):  # its only row has no weight
        fit("EM", offsets=offsets, sample_weight=np.where(np.arange(len(X)) == 7, 0.0, 1.0))


def test_every_other_start_is_made_of_the_known_rows():
    rows = as_rows(X, of_labels(np.where(IS_KNOWN, TRUTH, -1), 3))
    whitening = bg.Full().whitening(rows.moments(bg.Full().form)[1])
    for number, counts in ((0, np.bincount(TRUTH[IS_KNOWN])), (1, np.bincount(TRUTH))):
        made = starts(rows, bg.Full(), whitening, 3, "kmeans", np.random.default_rng(0), number)
        np.testing.assert_allclose(next(made).counts, counts, atol=0.0 if number == 0 else 3.0)


def test_the_evidence_of_a_search_counts_orders_of_empty_components_alike():
    """Two of class a and two of no class, of which one each is empty: their order is settled."""
    labels = np.where(TRUTH == 0, "a", None)
    one = bg.fit(bg.GaussianMixture(4), X, bg.VB(n_init=1, moves=0), rng=0, labels=labels, components_of={"a": 2})
    search = Landscape(one.model, one.rows)
    for counts, orders in (([20.0, 0.0, 40.0, 0.0], 0.0), ([20.0, 10.0, 0.0, 0.0], np.log(2.0))):
        found = SimpleNamespace(objective=0.0, stats=SimpleNamespace(counts=np.array(counts)))
        assert search._log_evidence(found) == pytest.approx(-orders)


def test_what_simulates_or_stacks_labelled_rows_is_refused():
    fits = {k: fit("Gibbs", labels=PARTLY, k=k) for k in (3, 4)}
    with pytest.raises(bg.NotApplicableError, match="labels or offsets"):
        fits[3].to_datatree(posterior_predictive=True)
    found = bg.compare({str(k): one for k, one in fits.items()}, folds=0, progress=False)
    with pytest.raises(bg.NotApplicableError, match="cannot be one fit"):
        found.stacked(column="elpd_loo")


def test_a_stream_that_is_sorted_by_class():
    """Its first rows know one class alone, which says nothing of the others."""
    order = np.argsort(TRUTH, kind="stable")
    one = bg.fit(bg.GaussianMixture(3), X[order], bg.OnlineEM(20, passes=20), rng=0, labels=NAMES[order])
    assert (one.predict_classes(X) == NAMES).mean() > 0.9


@pytest.mark.parametrize("k", [1, 2])
def test_one_class_may_have_all_components(k):
    """Then a row of weight 0 with the only label takes nothing away."""
    weights = np.where(np.arange(len(X)) == 3, 0.0, 1.0)
    labels = np.where(np.arange(len(X)) == 3, "a", None)
    one = fit("EM", k=k, labels=labels, components_of={"a": k}, sample_weight=weights)
    assert (one.predict_classes(X) == "a").all()


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "error", "words"),
    [
        ({"labels": NAMES[:5]}, bg.DataError, "There are 5 labels and 60 rows"),
        ({"labels": 3}, bg.DataError, "one label for each row"),
        ({"labels": "a" * 60}, bg.DataError, "one label for each row"),
        ({"labels": dict.fromkeys(range(60))}, bg.DataError, "one label for each row"),
        ({"labels": TRUTH[:, None]}, bg.DataError, "give that column alone"),
        ({"labels": [None] * 60}, bg.DataError, "unknown in every row"),
        ({"labels": [[1]] * 59 + [[1, 2]]}, bg.DataError, "probability of each class"),
        ({"labels": [1] * 59 + [{}]}, bg.DataError, r"label of row 59 .* must be a number, a text"),
        ({"labels": np.arange(60)}, bg.ArgumentError, "60 classes.*raise it to 60"),
        ({"labels": NAMES, "components_of": {"oak": 2}}, bg.ArgumentError, "names the class 'oak'.*'ash'"),
        ({"labels": NAMES, "components_of": {"ash": 0}}, bg.ArgumentError, r"components_of\['ash'\]=0"),
        ({"labels": NAMES, "components_of": {"ash": 2}}, bg.ArgumentError, "have 4 components"),
        ({"labels": NAMES, "components_of": 2}, bg.ArgumentError, "must be a dictionary"),
        ({"components_of": {"ash": 2}}, bg.ArgumentError, "give labels too"),
        ({"labels": np.full((60, 3), 0.5)}, bg.DataError, r"\(0.5, 0.5, 0.5\) in row 0"),
        ({"labels": np.full((60, 3), np.nan)}, bg.DataError, "unknown in every row"),
        ({"labels": np.eye(3)[np.zeros(60, int)]}, bg.DataError, "class 1 no probability"),
        ({"labels": np.full((9, 3), 1 / 3)}, bg.DataError, "There are 9 rows of labels"),
        ({"labels": [["a", "b"]] * 60}, bg.DataError, "probability of each class"),
        ({"offsets": np.zeros((60, 2))}, bg.DataError, r"shape \(60, 2\) and must be \(60, 3\)"),
        ({"offsets": np.full((60, 3), np.nan)}, bg.DataError, "nan in row 0, component 0"),
        ({"offsets": np.full((60, 3), np.inf)}, bg.DataError, "inf in row 0"),
        ({"offsets": np.full((60, 3), -np.inf)}, bg.DataError, "leave row 0"),
        ({"offsets": np.full((60, 3), 1e7)}, bg.DataError, "subtract from each row"),
        ({"labels": TRUTH, "sample_weight": (TRUTH != 1).astype(float)}, bg.DataError, "class 1 have sample_weight 0"),
        ({"offsets": "near"}, bg.DataError, "a number for each row and component"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(known, error, words):
    with pytest.raises(error, match=words):
        fit("EM", **known)


def test_a_label_whose_component_an_offset_forbids_is_named():
    offsets = np.zeros((len(X), 3))
    offsets[7, TRUTH[7]] = -np.inf
    with pytest.raises(bg.DataError, match="row 7 "):
        fit("EM", labels=TRUTH, offsets=offsets)


@pytest.mark.parametrize("model", [bg.DirichletProcessMixture(4), bg.MixtureOfFiniteMixtures(4)])
def test_components_without_lasting_numbers_have_no_labels(model):
    for known in ({"labels": PARTLY}, {"offsets": np.zeros((len(X), 4))}):
        with pytest.raises(bg.NotApplicableError, match="use a GaussianMixture"):
            bg.fit(model, X, bg.Gibbs(draws=10, tune=10), rng=0, **known)
