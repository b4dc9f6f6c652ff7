"""Quasi-Newton: exact coordinates, the metric of the complete data, fewer sweeps to the same optimum, never down."""

import numpy as np
import pytest
from testbed.cases import STRUCTURES, blobs

import bayesgmm as bg
from bayesgmm.core.sweep import sweep
from bayesgmm.families.gaussian import STRUCTURES as OBJECTS
from bayesgmm.methods.climbing.acceleration import QuasiNewton
from bayesgmm.methods.climbing.chart import Chart
from bayesgmm.methods.em import MaximumLikelihood
from bayesgmm.methods.vb import VariationalUpdate

every_structure = pytest.mark.parametrize("structure", STRUCTURES)
METHODS = {"EM": bg.EM, "MAP": bg.MAP, "VB": bg.VB, "DP": bg.VB}
pytestmark = pytest.mark.filterwarnings("ignore::bayesgmm.errors.TruncationWarning")  # three sticks are few
MODELS = dict.fromkeys(METHODS, bg.GaussianMixture) | {"DP": bg.DirichletProcessMixture}


def overlapping(n=600, d=2, k=3):
    return blobs(seed=8, n=n, d=d, k=k, apart=1.0)


def at_hand(structure, k=3, d=2, seed=0):
    """A chart and parameters of a structure."""
    X = blobs(seed=seed, d=d, k=k)
    fit = bg.fit(bg.GaussianMixture(k, structure), X, bg.MAP(n_init=1), rng=0)
    spread = np.cov(X.T)
    form = OBJECTS[structure]
    return X, fit, Chart(form, form.whitening(np.diag(spread) if form.is_diagonal else spread))


@every_structure
def test_coordinates_are_a_mixture_of_the_structure_and_back(structure):
    _, fit, chart = at_hand(structure, d=3)
    vector = chart.vector(fit.params)
    again = chart.params(vector, 3)
    for name in ("weights", "means", "precision_chol"):
        assert np.allclose(getattr(again, name), getattr(fit.params, name), rtol=1e-12, atol=1e-12)
    moved = chart.params(chart.vector(fit.params) + 0.1 * chart.shrink(fit.params, np.ones(len(vector))), 3)
    form = OBJECTS[structure]
    expanded = form.expand(form.compact(moved.precision_chol), 3, 3)
    assert np.array_equal(moved.precision_chol, expanded)  # what is shared stays shared, exactly
    assert np.isclose(moved.weights.sum(), 1.0)


def test_a_vector_that_leaves_float64_is_no_mixture():
    _, fit, chart = at_hand("full")
    vector = chart.vector(fit.params)
    for bad in (np.nan, np.inf, -1e4):
        changed = vector.copy()
        changed[9] = bad  # the logarithm of a scale
        assert chart.params(changed, 3) is None


@every_structure
def test_the_metric_is_the_information_of_a_point_whose_component_is_known(structure):
    """Against the expected log density ratio between the mixture and one beside it: its second order is half of it."""
    _, fit, chart = at_hand(structure, d=2)
    params, rng = fit.params, np.random.default_rng(0)
    direction = chart.shrink(params, rng.normal(size=len(chart.vector(params))))
    length = np.linalg.norm(chart.stretch(params, direction))
    step = 1e-4
    beside = chart.params(chart.vector(params) + step / length * direction, 3)
    divergence = (params.weights * np.log(params.weights / beside.weights)).sum()
    for w, mean, cov, other, wide in zip(
        params.weights, params.means, params.covariances, beside.means, beside.covariances, strict=True
    ):
        inverse = np.linalg.inv(wide)
        ratio = np.linalg.slogdet(wide)[1] - np.linalg.slogdet(cov)[1]
        shift = (other - mean) @ inverse @ (other - mean)
        divergence += w * 0.5 * (np.trace(inverse @ cov) - len(mean) + ratio + shift)
    assert np.isclose(divergence, 0.5 * step**2, rtol=2e-3)  # third order: a step of 1e-4; differences of 1e-16


@pytest.mark.parametrize("structure", STRUCTURES)
def test_states_of_vb_come_back_from_their_coordinates(structure):
    X = blobs()
    fit = bg.fit(bg.GaussianMixture(3, structure), X, bg.VB(n_init=1, moves=0), rng=0)
    _, _, chart = at_hand(structure)
    readout, state = VariationalUpdate(fit.model.conjugate(), chart.whitening), fit.estimate.posterior
    place = readout.place(state)
    again = readout.at(readout.chart.params(readout.chart.vector(place), 3), state)
    assert np.allclose(again.weights.concentration, state.weights.concentration, rtol=1e-9)
    for name in ("mean", "mean_precision", "dof", "scale"):
        assert np.allclose(getattr(again.components, name), getattr(state.components, name), rtol=1e-9, atol=1e-9)


@every_structure
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.few(5)
def test_fewer_sweeps_to_the_same_optimum_and_never_down(name, structure):
    X, model = overlapping(), MODELS[name](3, structure)
    options = {"n_init": 1, "max_iter": 5000, "init": "kmeans++"} | ({"moves": 0} if METHODS[name] is bg.VB else {})
    with_default = bg.fit(model, X, METHODS[name](**options), rng=0)
    start = bg.fit(model, X, METHODS[name](**options, accelerate=False), rng=0)
    assert with_default.status.is_converged and start.status.is_converged
    assert np.diff(with_default.history).min() >= -1e-12 * abs(with_default.history[-1])
    assert with_default.diagnostics.n_iter <= 1.1 * start.diagnostics.n_iter
    # Both stop where at most tol = 1e-8 a point is still to come; the search beside the optimum adds at most 1e-3.
    assert with_default.history[-1] >= start.history[-1] - 1e-8 * len(X) - 1e-3


def test_a_proposal_that_shows_no_gain_is_taken_back():
    """A memory that is wrong on purpose proposes nonsense: the climb goes on by steps of EM."""
    X = overlapping()
    honest = QuasiNewton._two_loops

    def absurd(self, *args):
        white, change = honest(self, *args)
        return white, -change

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QuasiNewton, "_two_loops", absurd)
        fit = bg.fit(bg.GaussianMixture(3), X, bg.EM(n_init=1, max_iter=5000), rng=0)
    assert np.diff(fit.history).min() >= -1e-12 * abs(fit.log_likelihood)
    assert fit.status.is_converged and fit.diagnostics.n_iter > len(fit.history)  # sweeps that have no entry


def test_the_floor_holds_for_proposals_too():
    X = blobs(seed=3, k=4) @ np.array([[1.0, 0.7], [0.0, 0.4]])
    form = OBJECTS["full"]
    readout = MaximumLikelihood(form, form.whitening(np.cov(X.T)), 0.3)
    params = bg.MixtureParams([0.5, 0.5], X[:2], [np.cov(X.T), 1e-4 * np.cov(X.T)])
    admitted = readout.at(params, params)
    assert form.form.narrowest(admitted.precision_chol, readout.whitening)[0].min() >= 0.3 * (1 - 1e-9)
    assert np.isfinite(sweep(X, admitted.scores()).log_likelihood)


@pytest.mark.parametrize("method", [bg.EM, bg.MAP, bg.VB])
@pytest.mark.parametrize("value", [1, None, "yes"])
def test_accelerate_is_a_truth_value(method, value):
    with pytest.raises(bg.ArgumentError, match="accelerate"):
        method(accelerate=value)


SHAPES = ((20_000, 2, 6), (100_000, 4, 10), (20_000, 16, 8), (50_000, 8, 8))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Stopped after 5000")  # plain steps on the flattest case need more than 15,000
def test_three_times_fewer_sweeps_on_overlapping_components():
    from benchmarks.cases import simulated

    ratios = []
    for shape in SHAPES:
        X, start = simulated(*shape)
        plain, hurried = (
            bg.fit(bg.GaussianMixture(shape[2]), X, bg.EM(max_iter=5000, init=start, accelerate=value), rng=0)
            for value in (False, True)
        )
        ratios.append(hurried.diagnostics.n_iter / plain.diagnostics.n_iter)
        assert hurried.log_likelihood >= plain.log_likelihood - 1e-7 * shape[0]
    assert np.median(ratios) <= 1 / 3 and max(ratios) <= 1.1
