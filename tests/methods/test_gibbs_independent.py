"""Gibbs where means and covariances have independent priors: against quadrature, a limit, and published analyses."""

import numpy as np
import pytest
from testbed import oracle
from testbed.independent_oracle import IndependentConstants, IndependentEnumeration
from testbed.label_oracle import Sticks, UnknownNumber, Urn
from testbed.monte_carlo import Z_LIMIT, z_score

import bayesgmm as bg
from bayesgmm.core.density import log_density
from bayesgmm.rows import as_rows

X = np.array([[-2.0], [-1.6], [-0.3], [0.4], [1.5], [1.9]])
SCALES = {"known": 0.8, "hierarchical": (1.5, 1.2)}
LAWS = {
    "finite": lambda k: Urn(np.full(k, 1.3)),
    "DP": lambda k: Sticks(k, 0.7),
    "MFM": lambda k: UnknownNumber((1 / k,) * k, 0.8),
}
CASES = [(law, "full", scale) for law in LAWS for scale in SCALES]
LONG = [
    ("finite", "spherical", "known"),
    ("finite", "diagonal", "hierarchical"),
    ("finite", "tied", "hierarchical"),
    ("DP", "tied", "known"),
]
LONG += [("MFM", "isotropic", "hierarchical")]
CASES += [pytest.param(*case, marks=pytest.mark.slow) for case in LONG]


def model_of(law, structure, scale, k):
    """One column, so that every structure's scale is one number or a 1 x 1 matrix of it."""
    c = IndependentConstants(scale=SCALES[scale])
    shaped = np.array([[c.scale]]) if structure in ("full", "tied") and scale == "known" else c.scale
    prior = bg.IndependentNormalInverseWishart(
        [c.mean], c.variance, c.dof, bg.HierarchicalScale(*c.scale) if scale == "hierarchical" else shaped
    )
    if law == "finite":
        return bg.GaussianMixture(k, structure, bg.Dirichlet(1.3), prior), c
    if law == "DP":
        return bg.DirichletProcessMixture(k, structure, 0.7, prior), c
    return bg.MixtureOfFiniteMixtures(k, structure, bg.Dirichlet(0.8), bg.Uniform(), prior), c


@pytest.mark.parametrize(("law", "structure", "scale"), CASES)
@pytest.mark.filterwarnings("ignore::bayesgmm.TruncationWarning")
@pytest.mark.few(1)
def test_expectations_are_those_of_quadrature(law, structure, scale):
    k = 2 if structure in oracle.SHARED else 3
    model, constants = model_of(law, structure, scale, k)
    exact = IndependentEnumeration(X, constants, structure, k, LAWS[law](k))
    ours = bg.fit(model, X, bg.Gibbs(draws=2000, thin=10, crossing=0.5), rng=1)
    draws, stats = ours.params, ours.estimate.sample_stats
    scores = [z_score((draws.weights**2).sum(-1), exact.sum_squared_weights())]
    scores += [z_score((stats["n_occupied"] == t + 1).astype(float), p) for t, p in enumerate(exact.occupied())]
    points = np.array([[-1.8], [0.0], [1.0], [4.0]])
    densities = np.exp(log_density(draws, points))
    scores += [z_score(densities[..., i], np.exp(exact.log_density(x))) for i, x in enumerate(points)]
    assert np.abs(scores).max() < Z_LIMIT


@pytest.mark.parametrize("structure", oracle.STRUCTURES)
def test_means_that_are_known_leave_inverse_wisharts(structure):
    """With a tiny variance of the means and one component the posterior has a closed form, in two columns."""
    data = bg.load_dataset("faithful").X[:20] * [1.0, 0.1]
    mean, dof = np.array([3.4, 7.0]), 6.0
    is_matrix = structure in ("full", "tied")
    scale = np.array([[2.0, 0.5], [0.5, 1.0]]) if is_matrix else np.array([2.0, 1.0])
    if structure in ("spherical", "isotropic"):
        scale = np.array([1.5])
    tiny = 1e-12 * (np.eye(2) if is_matrix else np.ones(2))
    prior = bg.IndependentNormalInverseWishart(mean, tiny, dof, scale)
    ours = bg.fit(bg.GaussianMixture(1, structure, prior=prior), data, bg.Gibbs(draws=2000, tune=10, thin=1), rng=0)
    scatter = (data - mean).T @ (data - mean)
    if is_matrix:
        expected = (scale + scatter) / (dof + len(data) - 3)
    elif len(scale) == 2:
        expected = np.diag((scale + np.diag(scatter)) / (dof + len(data) - 2))
    else:
        expected = np.eye(2) * (scale + np.trace(scatter)) / (dof + 2 * len(data) - 2)
    covariances = ours.params.covariances[..., 0, :, :]
    scores = [z_score(covariances[..., i, j], expected[i, j]) for i in range(2) for j in range(i + 1)]
    assert np.abs(scores).max() < Z_LIMIT
    np.testing.assert_allclose(ours.params.means, np.broadcast_to(mean, ours.params.means.shape), atol=1e-5)


@pytest.mark.parametrize("structure", oracle.STRUCTURES)
def test_covariances_that_are_known_leave_a_normal_mean(structure):
    """With very many degrees of freedom and one component: N(Q^-1 (B^-1 m + n S^-1 xbar), Q^-1), Q = B^-1 + n S^-1."""
    data = bg.load_dataset("faithful").X[:6] * [1.0, 0.1]
    mean, dof, is_matrix = np.array([3.0, 6.0]), 1e9, structure in ("full", "tied")
    known = np.array([[2.0, 0.7], [0.7, 1.0]]) if is_matrix else np.diag([2.0, 1.0])
    spread = np.array([[0.5, -0.2], [-0.2, 0.3]]) if is_matrix else np.diag([0.5, 0.3])
    if structure in ("spherical", "isotropic"):
        known = np.eye(2) * 1.5
    scale = known * dof if is_matrix else np.diag(known)[: 1 if structure in ("spherical", "isotropic") else 2] * dof
    prior = bg.IndependentNormalInverseWishart(mean, spread if is_matrix else np.diag(spread), dof, scale)
    ours = bg.fit(bg.GaussianMixture(1, structure, prior=prior), data, bg.Gibbs(draws=2000, tune=10, thin=1), rng=0)
    precision = np.linalg.inv(spread) + len(data) * np.linalg.inv(known)
    center = np.linalg.inv(spread) @ mean + len(data) * np.linalg.inv(known) @ data.mean(0)
    expected, covariance = np.linalg.solve(precision, center), np.linalg.inv(precision)
    offset = ours.params.means[..., 0, :] - expected
    scores = [z_score(offset[..., i], 0.0) for i in range(2)]
    scores += [z_score(offset[..., i] * offset[..., j], covariance[i, j]) for i in range(2) for j in range(i + 1)]
    assert np.abs(scores).max() < Z_LIMIT


@pytest.mark.parametrize("method", [bg.EM(), bg.MAP(), bg.VB(), bg.OnlineEM(), bg.StochasticVB()])
def test_methods_that_need_a_conjugate_prior_say_so_at_once(method):
    model = bg.GaussianMixture(2, prior=bg.IndependentNormalInverseWishart())
    with pytest.raises(bg.NotApplicableError, match=r"IndependentNormalInverseWishart\(\.\.\.\).*NUTS and Gibbs.* can"):
        bg.fit(model, np.zeros((3, 1)), method)


@pytest.mark.filterwarnings("ignore::bayesgmm.errors.NotConvergedWarning")  # of so few draws
@pytest.mark.parametrize("structure", ["full", "diagonal", "isotropic"])
def test_a_saved_fit_is_the_same(structure, tmp_path):
    data = bg.load_dataset("faithful").X
    prior = bg.IndependentNormalInverseWishart(scale=bg.HierarchicalScale())
    ours = bg.fit(bg.GaussianMixture(2, structure, prior=prior), data, bg.Gibbs(draws=200, tune=100, thin=1), rng=0)
    ours.save(tmp_path / "fit.nc")
    again = bg.load(tmp_path / "fit.nc")
    for name, value in ours.model.prior.constants().items():
        np.testing.assert_array_equal(again.model.prior.constants()[name], value)
    stats, others = ours.estimate.sample_stats, again.estimate.sample_stats
    np.testing.assert_array_equal(stats["scale_log_det"], others["scale_log_det"])
    np.testing.assert_array_equal(ours.log_density(data[:5]), again.log_density(data[:5]))
    assert "prior_mean_covariance" in ours.to_datatree()["constant_data"]


@pytest.mark.filterwarnings("ignore::bayesgmm.errors.NotConvergedWarning")  # of twenty draws
@pytest.mark.parametrize("scale", [None, bg.HierarchicalScale()], ids=SCALES)
@pytest.mark.parametrize("structure", oracle.STRUCTURES)
@pytest.mark.few(4)
def test_the_same_seed_gives_the_same_draws_in_any_units(structure, scale):
    """A change of the columns' units, one for all in round structures, changes no draw but by itself."""
    data = bg.load_dataset("faithful").X
    units = np.array([1e4, 1e4]) if structure in ("spherical", "isotropic") else np.array([1e6, 1e-4])
    model = bg.GaussianMixture(3, structure, prior=bg.IndependentNormalInverseWishart(scale=scale))
    method = bg.Gibbs(draws=20, tune=0, chains=1, thin=1)
    original, moved = (bg.fit(model, X, method, rng=0) for X in (data, data * units + 5.0))
    np.testing.assert_allclose(moved.params.weights, original.params.weights, rtol=1e-6)
    np.testing.assert_allclose(moved.params.means, original.params.means * units + 5.0, rtol=1e-6)
    expected = original.params.covariances * np.outer(units, units)
    np.testing.assert_allclose(moved.params.covariances, expected, rtol=1e-5)


@pytest.mark.parametrize("structure", ["full", "tied", "spherical", "isotropic"])
def test_constants_move_with_the_data(structure):
    """Under any affine map, or a rotation with one scale, with constants checked in Mahalanobis distances."""
    data, shift = bg.load_dataset("faithful").X, np.array([1e3, -7.0])
    A = (
        np.array([[2.0, -30.0], [0.5, 1e-2]])
        if structure in ("full", "tied")
        else 1e3 * np.array([[0.6, -0.8], [0.8, 0.6]])
    )
    prior = bg.IndependentNormalInverseWishart(scale=bg.HierarchicalScale())
    model = bg.GaussianMixture(2, structure, prior=prior)
    original, moved = (model.resolve(as_rows(X)).prior.constants() for X in (data, data @ A.T + shift))
    np.testing.assert_allclose(moved["mean"], A @ original["mean"] + shift)
    if structure in ("full", "tied"):
        np.testing.assert_allclose(moved["mean_covariance"], A @ original["mean_covariance"] @ A.T)
        np.testing.assert_allclose(A.T @ moved["scale_rate"] @ A, original["scale_rate"])
    else:
        np.testing.assert_allclose(moved["mean_covariance"], 1e6 * original["mean_covariance"])
        np.testing.assert_allclose(moved["scale_rate"], 1e-6 * original["scale_rate"])


def test_constants_of_one_column_are_those_of_richardson_and_green():
    """xi the midpoint, kappa = 1 / R^2, alpha = 2, g = 0.2, h = 10 / R^2 for beta = scale / 2."""
    data = bg.load_dataset("galaxies").X
    R = np.ptp(data)
    for structure in oracle.STRUCTURES:
        model = bg.MixtureOfFiniteMixtures(
            30, structure, prior=bg.IndependentNormalInverseWishart(scale=bg.HierarchicalScale())
        )
        found = model.resolve(as_rows(data)).prior.constants()
        expected = {
            "mean": data.min() + R / 2, "mean_covariance": R**2, "dof": 4.0, "scale_shape": 0.2, "scale_rate": 5 / R**2
        }  # fmt: skip
        assert {name: pytest.approx(value.item()) for name, value in found.items()} == expected
