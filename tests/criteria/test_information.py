"""AIC, BIC and ICL against mclust's at equal optima, and against their definitions."""

import csv

import numpy as np
import pytest

import bayesgmm as bg
from bayesgmm.criteria.information import aic, aicc, bic, icl
from bayesgmm.result.status import Outcome

STRUCTURES = {"EII": "isotropic", "VII": "spherical", "EEE": "tied", "EEI": "shared_diagonal", "VVI": "diagonal"}
STRUCTURES |= {"VVV": "full", "E": "tied"}
CELLS = [
    ("faithful", "VVV", 1), ("faithful", "VVV", 2), ("faithful", "EEE", 2), ("faithful", "VII", 2),
    ("faithful", "EII", 2), ("diabetes", "VVI", 3), ("diabetes", "EEE", 2), ("diabetes", "EEI", 2),
    ("galaxies", "E", 3), ("acidity", "E", 2),
]  # fmt: skip


@pytest.fixture(scope="module")
def mclust(reference):
    with open(reference / "mclust.csv", encoding="utf-8") as file:
        return {(row["dataset"], row["model"], int(row["G"])): row for row in csv.DictReader(file)}


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: " ".join(map(str, cell)))
def test_half_of_mclusts_value_at_equal_optima(cell, mclust):
    dataset, model, k = cell
    theirs = {name: float(mclust[cell][name]) for name in ("loglik", "df", "bic", "icl")}
    X = bg.load_dataset(dataset).X
    fit = bg.fit(bg.GaussianMixture(k, STRUCTURES[model]), X, bg.EM(tol=1e-12), rng=0)
    # Equal optima: mclust stops at a relative change of 1e-10 and prints eight decimals.
    assert fit.log_likelihood == pytest.approx(theirs["loglik"], rel=1e-9)
    assert aic(fit, X).value == pytest.approx(theirs["loglik"] - theirs["df"], abs=1e-5)
    assert bic(fit, X).value == pytest.approx(theirs["bic"] / 2, abs=1e-5)
    # The allocations are not at an optimum of their own, so they differ in first order of where mclust stops.
    assert icl(fit, X).value == pytest.approx(theirs["icl"] / 2, abs=1e-3)
    assert icl(fit, X).value <= bic(fit, X).value + 1e-9  # rounding at K = 1


def test_the_error_of_aic_is_that_of_the_log_densities():
    X = bg.load_dataset("faithful").X
    fit = bg.fit(bg.GaussianMixture(2), X, bg.EM(), rng=0)
    score = aic(fit, X)
    assert score.se == pytest.approx(np.sqrt(len(X) * np.var(fit.log_density(X), ddof=1)), rel=1e-12)
    assert score.pointwise.sum() == score.value
    assert bic(fit, X).is_exact and icl(fit, X).is_exact and not score.is_exact


def test_at_the_mode_of_a_posterior_the_likelihood_there_counts():
    X = bg.load_dataset("faithful").X
    em, mode = (bg.fit(bg.GaussianMixture(2), X, method, rng=0) for method in (bg.EM(), bg.MAP()))
    assert bic(mode, X).value == pytest.approx(mode.log_likelihood - 11 / 2 * np.log(len(X)), rel=1e-12)
    assert bic(mode, X).value < bic(em, X).value


def test_the_small_sample_correction():
    X = bg.load_dataset("acidity").X[:20]
    fit = bg.fit(bg.GaussianMixture(2), X, bg.EM(), rng=0)
    p, n = 5, 20
    usual = -2 * fit.log_likelihood + 2 * p * n / (n - p - 1)  # as Burnham and Anderson write it
    assert aicc(fit, X).value == pytest.approx(-usual / 2, rel=1e-12)
    assert aicc(fit, X).se == pytest.approx(aic(fit, X).se, rel=1e-9)  # a constant does not vary
    with pytest.raises(bg.NotApplicableError, match="6 points and 5 parameters"):
        aicc(fit, X[:6])
    table = bg.compare({"em": fit}, folds=0).table
    assert table.at["em", "aicc"] == pytest.approx(-usual / 2) and "aicc_diff_se" in table


def test_bic_at_a_mode_says_what_it_is():
    X = bg.load_dataset("faithful").X
    em, mode = (bg.fit(bg.GaussianMixture(2), X, method, rng=0) for method in (bg.EM(), bg.MAP()))
    assert any("Fraley and Raftery 2007" in note for note in bic(mode, X).notes) and not bic(em, X).notes


@pytest.mark.parametrize("criterion", [aic, aicc, bic, icl])
def test_only_of_point_estimates(criterion):
    X = bg.load_dataset("faithful").X
    fit = bg.fit(bg.GaussianMixture(1), X, bg.VB(), rng=0)
    with pytest.raises(bg.NotApplicableError, match="point estimate"):
        criterion(fit, X)


def test_a_suspicious_optimum_is_shown_and_not_ranked():
    X = np.vstack([bg.load_dataset("faithful").X[:30], [[100.0, 1000.0]]])
    with pytest.warns(bg.NotConvergedWarning, match="suspicious"):
        fit = bg.fit(bg.GaussianMixture(2), X, bg.EM(), rng=0)
    assert fit.status.outcome is Outcome.COLLAPSED
    for criterion in (aic, aicc, bic, icl):
        score = criterion(fit, X)
        assert np.isfinite(score.value) and not score.is_ranked and "suspicious" in score.notes[0]
