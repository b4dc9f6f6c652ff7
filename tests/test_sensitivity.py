"""Other priors: closed forms and exact sums, refits against weights, every model, and an interrupt."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma, invgamma, norm
from testbed import oracle
from testbed.cases import blobs
from testbed.exact_draws import ExactPosterior

import bayesgmm as bg
from bayesgmm.comparison.influence import LIMIT, PriorInfluence, prior_influence
from bayesgmm.comparison.priors import log_prior, with_prior
from bayesgmm.comparison.sensitivity import prior_sensitivity
from bayesgmm.errors import ArgumentError, NotApplicableError
from bayesgmm.plots import plot_prior_sensitivity
from bayesgmm.rows import as_rows

pytestmark = pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning", "ignore::bayesgmm.TruncationWarning")

X5 = np.random.default_rng(0).normal(size=(5, 2)) + np.repeat([0.0, 3.0], [3, 2])[:, None]
Z_LIMIT = 4.5
SHORT = bg.Gibbs(draws=200, tune=100, chains=2, thin=5)


@cache
def exact_evidence(structure, k, varied, factor):
    constants = oracle.default_constants(structure, X5, k)
    return oracle.Enumeration(X5, replace(constants, **{varied: factor * getattr(constants, varied)})).log_evidence


@pytest.mark.parametrize(
    "structure",
    [
        "isotropic",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("full", "tied", "diagonal", "shared_diagonal")),
    ],
)
def test_evidences_are_those_of_the_enumeration(structure):
    """Refits, the bridge between them, and weights, each with its error."""
    fit = bg.fit(bg.GaussianMixture(2, structure), X5, ExactPosterior(draws=1000, chains=2), rng=1)
    found = bg.prior_sensitivity(fit, scale=(0.5, 2.0), mean_precision=(4.0,))
    table, n_weighted = found.table, 0
    assert found.status.startswith("Complete. ") and len(table) == 5
    for (varied, factor), row in table.iterrows():
        exact = exact_evidence(structure, 2, varied, factor)
        change = exact - exact_evidence(structure, 2, varied, 1.0)
        assert abs(row["log_evidence"] - exact) < Z_LIMIT * row["log_evidence_se"] + 1e-9
        assert abs(row["log_evidence_change"] - change) <= Z_LIMIT * row["log_evidence_change_se"]
        assert row["log_evidence_change_se"] < 0.15
        if factor != 1.0 and np.isfinite(row["weighted_log_evidence_change"]):
            error = Z_LIMIT * row["weighted_log_evidence_change_se"]
            assert abs(row["weighted_log_evidence_change"] - change) < error
            n_weighted += 1
    assert n_weighted >= 2


@pytest.mark.slow
def test_the_factor_one_is_the_fit_itself():
    fit = bg.fit(bg.GaussianMixture(2), blobs(n=40, k=2), SHORT, rng=0)
    found = prior_sensitivity(fit, scale=(2,), mean_precision=())
    own = bg.compare({"own": fit}, folds=0).table.loc["own"]
    assert list(found.table.index) == [("scale", 1.0), ("scale", 2.0), ("mean_precision", 1.0)]
    for constant in ("scale", "mean_precision"):
        row = found.table.loc[constant, 1.0]
        assert row["elpd_loo"] == row["weighted_elpd_loo"] == own["elpd_loo"]
        assert row["log_evidence"] == own["log_evidence_bridge"]
        assert row["log_evidence_change"] == row["weighted_log_evidence_change"] == 0.0
        assert found.fits[constant, 1.0] is fit
    wider = bg.fit(with_prior(fit.model, "scale", 2.0), fit.X, SHORT, rng=0)
    assert found.table.at[("scale", 2.0), "elpd_loo"] == pytest.approx(
        bg.compare({"w": wider}, folds=0).table.at["w", "elpd_loo"]
    )
    assert found.table.at[("scale", 2.0), "value"] == 2.0 * found.table.at[("scale", 1.0), "value"]


@pytest.mark.parametrize(
    "model",
    [
        bg.DirichletProcessMixture(4),
        bg.MixtureOfFiniteMixtures(3),
        bg.GaussianMixture(2, prior=bg.IndependentNormalInverseWishart()),
        bg.GaussianMixture(2, prior=bg.IndependentNormalInverseWishart(scale=bg.HierarchicalScale())),
    ],
    ids=["process", "unknown", "independent", "hierarchical"],
)
@pytest.mark.few(1)
def test_refits_and_weights_agree_for_every_model(model):
    X = bg.load_dataset("galaxies").X[::3]
    fit = bg.fit(model, X, bg.Gibbs(draws=400, tune=200, chains=2, thin=20), rng=0)
    table = bg.prior_sensitivity(fit, scale=(0.8, 1.25), mean_precision=(0.8, 1.25)).table
    assert table["log_evidence_change"].notna().all()
    reliable = table["pareto_k"] <= table["pareto_k_limit"]
    assert reliable.sum() >= 2, "factors so near one leave reliable weights"
    changed = table[reliable]
    error = np.hypot(changed["log_evidence_change_se"], changed["weighted_log_evidence_change_se"])
    gap = (changed["weighted_log_evidence_change"] - changed["log_evidence_change"]).abs()
    assert (gap < Z_LIMIT * error).all() and (error < 0.3).all()
    # Some 1.5 nats: the noise of LOO from 800 autocorrelated draws, where it can be trusted at all.
    trusted = changed[(changed["elpd_loo_unreliable"] == 0) & (changed["weighted_elpd_loo_unreliable"] == 0)]
    assert ((trusted["weighted_elpd_loo"] - trusted["elpd_loo"]).abs() < 1.5).all()
    assert table["n_occupied"].between(1, model.n_components).all()
    assert ("n_components" in table) == isinstance(model, bg.MixtureOfFiniteMixtures)


def test_the_unknown_scale_is_integrated_out():
    """Against quadrature over the scale, for one column and two components."""
    prior = bg.IndependentNormalInverseWishart(
        mean=[1.0], mean_covariance=[[4.0]], dof=4.0, scale=bg.HierarchicalScale(shape=0.7, rate=[[0.3]])
    )
    model = bg.GaussianMixture(2, prior=prior).resolve(as_rows([[0.0], [1.0]]))
    params = bg.MixtureParams([[0.3, 0.7]], [[[0.0], [2.0]]], [[[[0.5]], [[1.5]]]])

    def density(one):
        shape, rate = one.prior.scale.shape, float(one.prior.scale.rate[0, 0])

        def integrand(scale):
            parts = invgamma(0.5 * one.prior.dof, scale=0.5 * scale).pdf([0.5, 1.5])
            return gamma(shape, scale=1.0 / rate).pdf(scale) * parts.prod()

        sd = np.sqrt(float(one.prior.mean_covariance[0, 0]))
        return np.log(quad(integrand, 0.0, np.inf)[0]) + norm(1.0, sd).logpdf([0.0, 2.0]).sum()

    for varied in ("scale", "mean_precision"):
        other = with_prior(model, varied, 3.0)
        ours = log_prior(other, params) - log_prior(model, params)
        assert ours[0] == pytest.approx(density(other) - density(model), abs=1e-6)  # of the quadrature


def test_weights_alone_take_no_refit():
    fit = bg.fit(bg.GaussianMixture(2), blobs(n=40, k=2), SHORT, rng=0)
    stubborn = replace(fit, method=Interrupting(0))
    found = prior_sensitivity(stubborn, refit=False)
    assert found.status.startswith("Complete. ") and len(found.table) == 10 and len(found.fits) == 2
    unreliable = found.table["pareto_k"] > found.table["pareto_k_limit"]
    assert (found.table["weighted_elpd_loo"].isna() == unreliable).all()
    for key in found.table.index[unreliable]:
        assert "only a refit tells" in found.reasons[key]["weighted_elpd_loo"]
    assert found.table["weighted_n_occupied_mean"].notna().any()


@dataclass(frozen=True)
class Interrupting:
    """Gibbs that is interrupted at its n-th run."""

    left: int
    runs: list | None = None

    def run(self, model, data, rng, progress):
        if len(self.runs or []) >= self.left:
            raise KeyboardInterrupt
        self.runs.append(1)
        return replace(SHORT, draws=100).run(model, data, rng, progress)


def test_an_interrupt_keeps_what_is_there():
    fit = bg.fit(bg.GaussianMixture(2), blobs(n=40, k=2), replace(SHORT, draws=100), rng=0)
    calls = []
    found = prior_sensitivity(replace(fit, method=Interrupting(2, [])), progress=lambda *call: calls.append(call))
    assert found.status == "Interrupted: 3 of 10 priors are there."
    assert list(found.table.index) == [("scale", 1.0), ("scale", 2.0), ("scale", 4.0)]
    assert [done for done, _, _ in calls] == [0, 1, 2, 3] and "Interrupted" in repr(found)
    plot_prior_sensitivity(found)


def test_a_variational_fit_moves_its_bound():
    fit = bg.fit(bg.GaussianMixture(2), blobs(n=60, k=2), bg.VB(n_init=2), rng=0)
    found = prior_sensitivity(fit, scale=(0.5, 2.0), mean_precision=(2.0,))
    assert found.table.at[("scale", 1.0), "elbo"] == fit.elbo and found.table["elbo"].nunique() == 4
    assert found.table["pareto_k"].isna().all() and "draws" in found.reasons["scale", 2.0]["pareto_k"]
    figure = plot_prior_sensitivity(found)
    assert figure.axes[0].get_title() == "evidence lower bound"


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda f: prior_sensitivity("fit"), ArgumentError, "must be a Fit"),
        (lambda f: prior_sensitivity(f, scale=(0.0, 1.0)), ArgumentError, "scale=.* positive"),
        (lambda f: prior_sensitivity(f, mean_precision=(np.nan,)), ArgumentError, "mean_precision"),
        (lambda f: prior_sensitivity(replace(f, X=None)), NotApplicableError, "without its data"),
        (lambda f: prior_sensitivity(bg.fit(f.model, f.X, bg.EM(), rng=0)), NotApplicableError, "kind 'point'"),
    ],
)
def test_what_has_no_other_prior_says_why(call, error, words):
    fit = bg.fit(bg.GaussianMixture(1), blobs(n=30, k=1), bg.VB(n_init=1), rng=0)
    with pytest.raises(error, match=words):
        call(fit)


@pytest.mark.slow
def test_draws_of_another_program_have_weights():
    X = blobs(n=40, k=2)
    model = bg.GaussianMixture(2)
    tree = bg.fit(model, X, SHORT, rng=0).to_datatree()
    with pytest.raises(NotApplicableError, match="prior of these draws is not known"):
        prior_sensitivity(bg.from_datatree(tree, X, covariances="covariances"))
    known = bg.from_datatree(tree, X, covariances="covariances", model=model)
    with pytest.raises(NotApplicableError, match="With refit=False there are importance weights"):
        prior_sensitivity(known)
    assert prior_sensitivity(known, (0.8,), (), refit=False).table["weighted_elpd_loo"].notna().all()


# What the prior decides.


def with_a_tight_cluster(n=150, sd=0.3):
    """Three clusters, one of which is much narrower in one column than all data are."""
    rng = np.random.default_rng(0)
    parts = [rng.normal((0, 0), (8, sd), (n, 2)), rng.normal((-15, 3), (10, 2), (35, 2)),
             rng.normal((12, 25), (9, 14), (30, 2))]  # fmt: skip
    return np.vstack(parts)


@pytest.mark.parametrize("method", [SHORT, bg.VB(n_init=3)], ids=["gibbs", "vb"])
@pytest.mark.slow
def test_a_prior_that_widens_a_tight_cluster_decides_it(method):
    X = with_a_tight_cluster()
    fit = bg.fit(bg.GaussianMixture(3), X, method, rng=0)
    found = prior_influence(fit)
    names = [name for name, *_ in found.apart]
    assert names == ["sd[0, x1]"], "component 0 is the largest, and only the tight column is widened"
    ((_, ours, theirs),) = found.apart
    assert ours.estimate == pytest.approx(0.3, rel=0.15) and theirs.estimate > 1.5 * ours.estimate
    said = " ".join(found.sentences)
    assert f"sd[0, x1] is {ours.estimate:.3g} (" in said and "decides the evidence" in said and "weak" not in said
    status = prior_sensitivity(fit, scale=(0.25, 4.0), mean_precision=(), refit=fit.kind == "variational").status
    assert status.startswith("Complete. The prior decides parameters of components: sd[0, x1] is ")


def test_a_prior_is_weak_only_where_both_questions_were_answered_so():
    fit = bg.fit(bg.GaussianMixture(3), bg.load_dataset("galaxies").X, bg.VB(), rng=0)
    found = prior_influence(fit)
    assert not found.decides and "The prior is weak for these data" in found.sentences[0]
    # The bridge between refits says -2.86 and -1.08 (docs/combining.md); a bound may follow within some tenths.
    assert found.changes[0.25] == pytest.approx(-2.86, abs=0.3) and found.changes[4.0] == pytest.approx(-1.08, abs=0.3)
    for changes, reason in (
        ({}, ""),
        ({0.25: 1.0}, ""),
        ({0.5: 1.0, 2.0: 1.0}, ""),
        ({0.25: 1.0, 4.0: 1.0}, "why"),
        ({}, "why"),
    ):
        one = PriorInfluence(changes, reason=reason)
        assert "weak" not in " ".join(one.sentences) and "known" in one.sentences[0] and not one.decides
        assert ("why" in one.sentences[0]) == bool(reason)
    assert "weak" in PriorInfluence({0.25: -LIMIT, 4.0: 0.0}).sentences[0]
    assert "decides the evidence" in PriorInfluence({0.25: -LIMIT - 0.1, 4.0: 0.0}).sentences[0]


@pytest.mark.parametrize("structure", ["full", "tied", "diagonal", "shared_diagonal", "spherical", "isotropic"])
def test_the_bound_moves_with_the_scale_as_the_exact_evidence_does(structure):
    """With one component the bound is the evidence, which has a closed form."""
    fit = bg.fit(bg.GaussianMixture(1, structure), blobs(n=40, k=2), bg.VB(n_init=1), rng=0)
    assert fit.X is not None
    exact = {
        f: bg.log_evidence(replace(fit, model=with_prior(fit.model, "scale", f)), "exact").value for f in (0.25, 1, 4)
    }
    for factor, change in prior_influence(fit).changes.items():
        assert change == pytest.approx(exact[factor] - exact[1], abs=1e-8)


def test_components_that_only_the_prior_keeps_from_collapsing_are_said_to_be_held_up():
    rng = np.random.default_rng(1)
    X = np.vstack([rng.normal(size=(60, 2)), np.full((3, 2), 9.0) + 1e-7 * rng.normal(size=(3, 2))])
    fit = bg.fit(bg.GaussianMixture(2), X, bg.VB(n_init=2), rng=0)
    found = prior_influence(fit)
    assert found.is_held_up and found.decides and "no sound optimum" in found.sentences[0]


def test_models_without_components_to_follow_are_judged_by_their_evidence():
    X = bg.load_dataset("galaxies").X[::2]
    process = prior_influence(bg.fit(bg.DirichletProcessMixture(4), X, bg.VB(n_init=1), rng=0))
    assert set(process.changes) == {0.25, 4.0} and "no fixed number" in process.reason
    for fit in (
        bg.fit(bg.GaussianMixture(2), X, bg.EM(n_init=1), rng=0),
        replace(bg.fit(bg.GaussianMixture(1), X, bg.VB(n_init=1), rng=0), X=None),
    ):
        with pytest.raises(NotApplicableError, match="whether a prior decides"):
            prior_influence(fit)


def test_what_is_printed_is_for_people():
    """Lines that a terminal holds, one word on how each refit ended, and the verdict."""
    X = np.concatenate([np.random.default_rng(0).normal(c, 1.0, (30, 2)) for c in (0.0, 8.0)])
    fit = bg.fit(bg.GaussianMixture(2), X, bg.VB(), rng=0)
    found = bg.prior_sensitivity(fit, scale=(0.25, 4.0), mean_precision=(1.0,))
    text, html = repr(found), found._repr_html_()
    assert max(map(len, text.splitlines())) <= 120 and "NaN" not in text and text.count(" converged") == 4
    assert "ELBO" in text and "log evidence  " not in text  # which a variational fit has not
    assert found.status.split(".")[1] in " ".join(text.split()) and "<table" in html and "converged" in html
