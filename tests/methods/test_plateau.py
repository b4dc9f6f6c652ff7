"""A plateau is not the end: far groups, narrow peaks and sentinels; saddles are left, and floors and priors own up."""

import numpy as np
import pytest
from testbed.cases import STRUCTURES, blobs

import bayesgmm as bg
from bayesgmm.core.sweep import Assign, sweep
from bayesgmm.families.gaussian import STRUCTURES as OBJECTS
from bayesgmm.methods.climbing.beginning import first_parameters
from bayesgmm.methods.climbing.dominance import is_by_chance
from bayesgmm.methods.climbing.saddle import SLOW, largest
from bayesgmm.rows.kmeans import whitened_distances


def groups(centres, sd=1.0, n=50, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(c, sd, n) for c in centres])[:, None]


FAR = {
    "0, 8 and 1000": ((0, 8, 1000), 1.0),
    "peaks of 0.02 over 1000": ((0, 1, 500, 1000), 0.02),
    "range over sd of 1e5": ((0, 5e4, 1e5, 1e5 + 10), 1.0),
    "one far away": ((-3e4, 0, 7), 1.0),
}


@pytest.mark.parametrize("name", FAR)
@pytest.mark.parametrize("seed", range(3))
def test_em_finds_narrow_groups_over_a_wide_range(name, seed):
    centres, sd = FAR[name]
    X = groups(centres, sd, seed=seed)
    fit = bg.fit(bg.GaussianMixture(len(centres)), X, bg.EM(), rng=seed)
    assert fit.status.is_converged and not fit.diagnostics.flags
    order = np.argsort(fit.params.means[:, 0])
    assert np.allclose(fit.params.means[order, 0], centres, atol=sd)
    assert np.allclose(fit.params.covariances[order, 0, 0], sd**2, rtol=0.7)  # of 50 points: three standard errors


def test_sentinels_leave_the_other_components_alone():
    """5 % of -9999: a group of tied values is flagged, as its likelihood has no bound, and the status says why."""
    rng = np.random.default_rng(1)
    X = np.concatenate([rng.normal(0, 1, 475), rng.normal(8, 1, 475), np.full(50, -9999.0)])[:, None]
    with pytest.warns(bg.NotConvergedWarning, match="all but tied"):
        fit = bg.fit(bg.GaussianMixture(3), X, bg.EM(), rng=0)
    order = np.argsort(fit.params.means[:, 0])
    assert np.allclose(fit.params.means[order, 0], [-9999, 0, 8], atol=0.2)
    assert np.allclose(fit.params.covariances[order[1:], 0, 0], 1.0, rtol=0.2)


def test_a_floor_above_the_scatter_of_a_group_is_named_with_a_number():
    X = groups((0, 100, 1000))
    with pytest.warns(bg.NotConvergedWarning, match=r"The floor=0.0001 outweighs .* give floor=1e-07 or less"):
        fit = bg.fit(bg.GaussianMixture(3), X, bg.EM(floor=1e-4), rng=0)
    assert bg.fit(fit.model, X, bg.EM(floor=1e-7), rng=0).status.is_converged


@pytest.mark.parametrize("method", [bg.MAP(), bg.VB()], ids=["MAP", "VB"])
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.few(5)
def test_a_prior_above_the_scatter_of_a_group_is_named_with_a_number(method, structure):
    X = np.hstack([groups((0, 500, 1000), 0.02, seed=s) for s in (1, 2)])
    fit = bg.fit(bg.GaussianMixture(3, structure), X, method, rng=0)
    assert "The prior's scale= outweighs the scatter of" in fit.status.sentence
    scale = 4e-4 if OBJECTS[structure].is_diagonal else 4e-4 * np.eye(2)
    pulled = bg.GaussianMixture(3, structure, prior=bg.NormalInverseWishart(scale=scale))
    # 0.01 points at the data's mean, 500 away, add 2500 to the scatter: that part of the prior is named then.
    assert "The prior's mean_precision= outweighs" in bg.fit(pulled, X, method, rng=0).status.sentence
    narrower = bg.NormalInverseWishart(scale=scale, mean_precision=1e-9)
    fit = bg.fit(bg.GaussianMixture(3, structure, prior=narrower), X, method, rng=0)
    assert "outweighs" not in fit.status.sentence
    assert np.allclose(np.sqrt(np.diagonal(fit.params.covariances, axis1=1, axis2=2)), 0.02, rtol=0.4)


@pytest.mark.parametrize("name", ["faithful", "acidity"])
def test_a_prior_that_does_not_decide_is_not_named(name):
    fit = bg.fit(bg.GaussianMixture(2), bg.load_dataset(name).X, bg.VB(), rng=0)
    assert "outweighs" not in fit.status.sentence


SADDLE = bg.MixtureParams([0.34, 0.33, 0.33], [[4.0], [4.0], [1000.0]], [[[17.0]], [[17.0]], [[1.0]]])


def test_a_saddle_is_left_and_the_status_says_so():
    """Two equal components on two groups: every step of EM keeps them equal, to the last bit."""
    X = groups((0, 8, 1000))
    fit = bg.fit(bg.GaussianMixture(3), X, bg.EM(init=SADDLE), rng=0)
    best = bg.fit(bg.GaussianMixture(3), X, bg.EM(), rng=0)
    assert np.isclose(fit.log_likelihood, best.log_likelihood, atol=1e-4) and fit.status.is_converged
    assert "A search beside the first optimum raised the objective by 75.2" in fit.status.sentence
    assert np.diff(fit.history).min() >= -1e-12 * abs(fit.log_likelihood)


@pytest.mark.parametrize("method", [bg.MAP, bg.VB], ids=["MAP", "VB"])
def test_saddles_of_a_posterior_are_left_too(method):
    """Of the ELBO a component that has emptied is a true local optimum, which the moves leave."""
    X = groups((0, 8, 20))
    equal = bg.MixtureParams([0.34, 0.33, 0.33], [[4.0], [4.0], [20.0]], [[[17.0]], [[17.0]], [[1.0]]])
    fit = bg.fit(bg.GaussianMixture(3), X, method(init=equal), rng=0)
    best = bg.fit(bg.GaussianMixture(3), X, method(), rng=0)
    assert fit.status.is_converged and np.isclose(fit.history[-1], best.history[-1], atol=1e-3)


def test_the_largest_eigenvalue_is_found_by_products_alone():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    for top in (0.3, 0.97, 0.999, 1.2):
        values = np.append(np.linspace(0.0, 0.2, 29), top)
        matrix = (basis * values) @ basis.T
        value, vector = largest(lambda v, m=matrix: m @ v, lambda v: v, rng.normal(size=30), SLOW)
        if top < SLOW:
            assert value < SLOW
        else:
            assert np.isclose(value, top, atol=5e-3) and abs(vector @ basis[:, -1]) > 0.9  # a fifth of |1 - top|


@pytest.mark.parametrize("structure", STRUCTURES)
def test_first_parameters_have_their_own_scatter_whatever_is_far_away(structure):
    form, rng = OBJECTS[structure], np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(60, 2)), rng.normal(size=(60, 2)) + 1e6])
    spread = np.cov(X.T)
    whitening = form.whitening(np.diag(spread) if form.is_diagonal else spread)
    stats = sweep(X, whitened_distances(np.array([[0.0, 0.0], [1e6, 1e6]]), whitening), Assign.HARD)
    params = first_parameters(stats, form, whitening, 1e-14)
    ratios = np.linalg.eigvals(np.linalg.solve(np.cov(X[:60].T), params.covariances[0])).real
    assert np.abs(np.log(ratios[np.isfinite(ratios)].min())) < np.log(3.0)
    if form.is_diagonal:  # a full one has a thousandth of the data's shape, which is a line here
        assert np.abs(np.log(ratios.max())) < np.log(3.0)


def test_few_points_borrow_their_size_and_many_do_not():
    X = np.concatenate([groups((0,), 1.0, 100), groups((100,), 1.0, 100), [[50.0]], [[50.0 + 1e-9]]])
    form, whitening = OBJECTS["full"], OBJECTS["full"].whitening(np.atleast_2d(np.cov(X.T)))
    stats = sweep(X, whitened_distances(np.array([[0.0], [100.0], [50.0]]), whitening), Assign.HARD)
    variances = first_parameters(stats, form, whitening, 1e-12).covariances[:, 0, 0]
    assert np.allclose(variances[:2], 1.0, rtol=0.4) and variances[2] > 1e-8  # not the spike on the pair


def test_what_is_narrow_by_chance():
    assert is_by_chance(1e-7, 5, 2) and is_by_chance(1e-9, 12, 2)
    assert not is_by_chance(1e-7, 50, 2) and not is_by_chance(1e-5, 5, 2)


def test_a_chance_spike_is_passed_over_under_the_low_floor():
    X = np.vstack([blobs(seed=1, n=80, k=2), [[0.0, 0.0], [1e-4, 1e-4], [2e-4, 2.1e-4]]])
    fit = bg.fit(bg.GaussianMixture(3), X, bg.EM(init="random", n_init=25), rng=0)
    assert not fit.diagnostics.flags and "passed over" in fit.status.sentence
