"""EM: monotone, exact under its floor, flags what is spurious, stops where it says, keeps what it has."""

import numpy as np
import pytest
from scipy import optimize
from testbed import oracle
from testbed.cases import STRUCTURES, blobs, random_spd

import bayesgmm as bg
from bayesgmm.core.statistics import SufficientStatistics
from bayesgmm.families.family import Frame
from bayesgmm.families.gaussian import STRUCTURES as OBJECTS

every_structure = pytest.mark.parametrize("structure", STRUCTURES)
# A gain below the rounding of a sum of n terms of size log density is no gain.
ROUNDING = 1e-11


def em(structure, X, k=3, rng=0, prior=None, **options):
    return bg.fit(bg.GaussianMixture(k, structure), X, bg.EM(**options), rng=rng)


@every_structure
@pytest.mark.parametrize("init", ["kmeans", "kmeans++", "random"])
@pytest.mark.few(7)
def test_log_likelihood_never_falls_and_is_that_of_the_result(structure, init):
    X = blobs()
    fit = em(structure, X, init=init, n_init=3)
    assert np.diff(fit.history).min() >= -ROUNDING * abs(fit.log_likelihood)
    assert fit.history[-1] == fit.log_likelihood
    expected = oracle.log_likelihood(X, fit.params.weights, fit.params.means, fit.params.covariances)
    assert np.isclose(fit.log_likelihood, expected, rtol=1e-12)
    assert fit.status.is_converged and len(fit.diagnostics.restarts) == 3


@every_structure
@pytest.mark.few(3)
def test_an_optimum_is_a_fixed_point(structure):
    """At the end another step changes nothing: the responsibilities reproduce weights and means."""
    X = blobs()
    fit = em(structure, X, tol=None, param_tol=1e-10)
    r = fit.responsibilities(X)
    assert np.allclose(r.mean(0), fit.params.weights, atol=1e-8)
    assert np.allclose(r.T @ X / r.sum(0)[:, None], fit.params.means, atol=1e-7)


@every_structure
@pytest.mark.parametrize("d", [1, 3])
def test_one_component_is_the_sample_moments(structure, d):
    X = blobs(d=d) * np.linspace(0.1, 10, d)
    fit, cov = em(structure, X, k=1), np.atleast_2d(np.cov(X.T, bias=True))
    expected = {"full": cov, "tied": cov, "diagonal": np.diag(np.diag(cov)), "shared_diagonal": np.diag(np.diag(cov))}
    expected = expected.get(structure, np.trace(cov) / d * np.eye(d))
    assert np.allclose(fit.params.means[0], X.mean(0), rtol=1e-12)
    assert np.allclose(fit.params.covariances[0], expected, rtol=1e-11, atol=1e-12)
    assert fit.params.weights.tolist() == [1.0]


@every_structure
@pytest.mark.parametrize("floor", [0.1, 0.5])
def test_likelihood_never_falls_while_the_floor_is_active(structure, floor):
    X = blobs(seed=3, k=4) @ np.array([[1.0, 0.7], [0.0, 0.4]])
    with pytest.warns(bg.NotConvergedWarning, match="variance floor"):
        fit = em(structure, X, k=4, floor=floor, n_init=2)
    assert np.diff(fit.history).min() >= -ROUNDING * abs(fit.log_likelihood)
    spread = np.cov(X.T)
    whitening = OBJECTS[structure].whitening(np.diag(spread) if OBJECTS[structure].is_diagonal else spread)
    variances, _ = OBJECTS[structure].form.narrowest(fit.params.precision_chol, whitening)
    assert variances.min() >= floor * (1 - 1e-9)


@every_structure
def test_the_step_under_the_floor_is_the_constrained_maximum(structure):
    """Against a search over covariances W^-T (floor + L L^T) W^-1, which are the ones allowed."""
    rng, k, d, floor = np.random.default_rng(5), 2, 2, 0.4
    form, spread = OBJECTS[structure], random_spd(rng, d)
    whitening = form.whitening(np.diag(spread) if form.is_diagonal else spread)
    counts, scatters = np.array([30.0, 12.0]), np.stack([random_spd(rng, d) * 20, random_spd(rng, d) * 0.5])
    second = np.diagonal(scatters, axis1=1, axis2=2).copy() if form.is_diagonal else scatters
    stats = SufficientStatistics(0.0, counts, np.zeros((k, d)), second, np.zeros((k, d)), 42.0)
    found = form.maximise(stats, None, Frame(whitening, floor)).covariances
    root = np.linalg.inv(np.diag(whitening) if form.is_diagonal else whitening)

    def allowed(free):
        shape = form.compact_shape(k, d)
        inner = free.reshape(shape)
        if form.is_diagonal:
            inner = np.broadcast_to(inner**2, (k, d))[:, :, None] * np.eye(d)
        else:
            inner = np.broadcast_to(inner @ np.swapaxes(inner, 1, 2), (k, d, d))
        return root.T @ (floor * np.eye(d) + inner) @ root

    def loss(covariances):
        quadratic = np.einsum("kij,kji->k", np.linalg.inv(covariances), scatters)
        return 0.5 * (counts @ np.linalg.slogdet(covariances)[1] + quadratic.sum())

    best = np.inf
    for seed in range(5):  # x^2 and L L^T have saddle points at zero
        free = np.random.default_rng(seed).normal(size=int(np.prod(form.compact_shape(k, d))))
        best = min(best, optimize.minimize(lambda v: loss(allowed(v)), free, method="BFGS").fun)
    assert np.isclose(loss(found), best, atol=1e-7)
    assert loss(found) <= best + 1e-9


def line_and_cloud(slope=0.5):
    """60 points of a cloud, and 8 exactly on a line through its middle."""
    cloud = np.random.default_rng(6).normal(size=(60, 2))
    t = np.linspace(3.0, 4.0, 8)
    return np.vstack([cloud, np.column_stack([t, slope * t])])


def given(means, covariances, weights=None):
    weights = np.full(len(means), 1 / len(means)) if weights is None else weights
    return bg.MixtureParams(weights, means, covariances)


def test_a_flag_names_component_points_and_direction():
    X = line_and_cloud()
    init = given([[0, 0], [3.5, 1.75]], [np.eye(2), [[0.1, 0.0499], [0.0499, 0.025]]], [0.88, 0.12])
    with pytest.warns(
        bg.NotConvergedWarning, match=r"component 1 \(8.* points\) sits at the variance floor, narrowest"
    ):
        fit = em("full", X, k=2, init=init, floor=1e-6)
    assert fit.status.outcome.name == "COLLAPSED" and "Every restart" in fit.status.sentence
    (flag,) = fit.diagnostics.flags
    assert flag.component == 1 and abs(flag.n_points - 8) < 0.1
    normal = np.array([-0.5, 1.0]) / np.hypot(0.5, 1.0)
    assert abs(abs(np.array(flag.direction) @ normal) - 1) < 1e-4  # the floor leaves a variance of 1e-6
    assert np.isclose(flag.whitened_variance, 1e-6, rtol=1e-3)
    assert np.isfinite(fit.log_likelihood) and np.isfinite(fit.log_density(X)).all()


def test_a_component_of_at_most_d_points_is_flagged_above_the_floor():
    X = np.vstack([np.random.default_rng(7).normal(size=(50, 2)), [[9.0, 9.0], [9.0, 10.0]]])
    init = given([[0, 0], [9, 9.5]], [np.eye(2)] * 2, [0.96, 0.04])
    with pytest.warns(bg.NotConvergedWarning, match="holds too few points for a mean and a covariance"):
        fit = em("spherical", X, k=2, init=init)
    (flag,) = fit.diagnostics.flags
    assert flag.component == 1 and np.isclose(flag.n_points, 2)


@pytest.mark.slow
def test_the_best_unflagged_restart_is_taken_and_the_rest_reported():
    """A tight pair far from nothing has the higher likelihood; some starts find it, others do not."""
    X = np.vstack([blobs(seed=1, n=80, k=2), [[0.0, 0.0], [1e-4, 1e-4], [2e-4, 2e-4]]])
    with pytest.warns(bg.NotConvergedWarning, match="300 iterations"):  # without a criterion each start makes them all
        fit = em("full", X, k=3, init="random", n_init=25, tol=None, max_iter=300)
    restarts = fit.diagnostics.restarts
    flagged = [r for r in restarts if r.flags]
    assert flagged and len(flagged) < len(restarts)
    assert max(r.objective for r in flagged) > fit.log_likelihood  # the temptation was there
    assert not fit.diagnostics.flags
    assert fit.log_likelihood == max(r.objective for r in restarts if not r.flags)
    assert f"{len(flagged)} of 25 restarts ended in a suspicious optimum" in fit.status.sentence
    assert "with a higher objective" in fit.status.sentence


def test_max_iter_is_a_status_and_a_warning():
    with pytest.warns(bg.NotConvergedWarning, match="Stopped after 2 iterations .* raise max_iter=2"):
        fit = em("full", blobs(), max_iter=2)
    assert fit.status.outcome.name == "NOT_CONVERGED" and fit.status.is_usable
    assert len(fit.history) == 3 and fit.diagnostics.n_iter == 2
    with pytest.warns(bg.NotConvergedWarning):
        plain = em("full", blobs(), max_iter=7, tol=None, accelerate=False)  # no criterion: as many as asked
        hurried = em("full", blobs(), max_iter=7, tol=None)
    assert len(plain.history) == 8 and plain.diagnostics.n_iter == hurried.diagnostics.n_iter == 7
    assert len(hurried.history) <= 8  # a proposal that was taken back has its sweep and no entry


def test_stopping_by_likelihood_by_parameters_or_by_both():
    X = blobs(seed=8, apart=1.5)  # overlapping: slow
    loose = em("full", X, tol=1e-4, n_init=1)
    tight = em("full", X, tol=1e-10, n_init=1)
    by_parameters = em("full", X, tol=None, param_tol=1e-8, n_init=1, max_iter=20000)
    both = em("full", X, tol=1e-4, param_tol=1e-8, n_init=1, max_iter=20000)
    assert len(loose.history) < len(tight.history) < len(by_parameters.history)
    assert len(both.history) == len(by_parameters.history)
    # tol bounds what is still to come, extrapolated: slow convergence is not taken for the end.
    assert 0 <= by_parameters.log_likelihood - tight.log_likelihood < 1e-9 * len(X)


def test_given_parameters_are_one_start():
    X = blobs()
    best = em("full", X, tol=None, param_tol=1e-10)
    again = em("full", X, init=best.params)
    assert len(again.diagnostics.restarts) == 1 and again.diagnostics.n_iter <= 3
    assert again.history[0] == best.log_likelihood
    assert np.allclose(again.params.means, best.params.means, atol=1e-8)


def test_a_given_start_of_another_form_is_read_as_it_is_meant():
    X, covariance = blobs(), np.diag([2.0, 3.0])
    means = X[:3]
    full = bg.MixtureParams(np.full(3, 1 / 3), means, [covariance] * 3)
    diagonal = bg.MixtureParams(np.full(3, 1 / 3), means, precision_chol=[1 / np.sqrt([2.0, 3.0])] * 3)
    for structure in ("full", "tied", "diagonal", "shared_diagonal"):
        one, other = (em(structure, X, init=init) for init in (full, diagonal))
        assert np.allclose(one.history, other.history, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.few(1)
def test_equal_seeds_equal_bits_and_a_generator_is_a_seed(seed):
    X = blobs()
    one, two = em("full", X, rng=seed, n_init=3), em("full", X, rng=seed, n_init=3)
    assert np.array_equal(one.history, two.history) and one.seed == seed
    third = em("full", X, rng=np.random.default_rng(seed), n_init=3)
    again = em("full", X, rng=third.seed, n_init=3)
    assert np.array_equal(third.params.means, again.params.means)
    drawn = em("isotropic", X, k=2, rng=None)  # the fit knows the seed that was drawn for it
    assert np.array_equal(drawn.refit(X).params.means, drawn.params.means)


def test_components_that_empty_out_are_flagged_and_not_fatal():
    X = np.repeat([[0.0, 0.0], [1.0, 3.0], [4.0, 1.0]], 10, axis=0)  # three different points, five components
    for structure in STRUCTURES:
        with pytest.warns(bg.NotConvergedWarning, match="suspicious"):
            fit = em(structure, X, k=5)
        assert np.isfinite(fit.log_likelihood) and np.isclose(fit.params.weights.sum(), 1)
        assert np.diff(fit.history).min() >= -ROUNDING * abs(fit.log_likelihood)


def test_nearly_dependent_columns_and_the_floor_leave_a_factor():
    rng = np.random.default_rng(9)
    X = rng.normal(size=(40, 2))
    X[:6] = X[0]
    for noise in (1e-3, 1e-5):
        Y = np.column_stack([X, X.sum(1) + noise * rng.normal(size=40)])
        Y[:6] = Y[0]
        init = given([Y[0], Y.mean(0)], [1e-3 * np.eye(3), np.eye(3)], [0.15, 0.85])
        with pytest.warns(bg.NotConvergedWarning, match="sits at the variance floor"):
            fit = em("full", Y, k=2, init=init)
        assert np.isfinite(fit.params.precision_chol).all()
        if noise == 1e-3:  # with 1e-5, rounding of the moments is as large as the floor
            assert np.diff(fit.history).min() >= -1e-9 * abs(fit.log_likelihood)


def test_a_given_start_below_the_floor_is_widened_to_it():
    X = blobs()
    narrow = bg.MixtureParams(np.full(3, 1 / 3), X[:3], [np.eye(2) * 1e-9] * 3)
    for structure in STRUCTURES:
        fit = em(structure, X, init=narrow)
        assert np.diff(fit.history).min() >= -ROUNDING * abs(fit.log_likelihood)
