"""Draws from the prior, against closed forms: moments, the Student-t prior predictive, numbers of components."""

import numpy as np
import pytest
from scipy.stats import kstest, t

import bayesgmm as bg
from bayesgmm.errors import ArgumentError, DataError
from bayesgmm.plots import plot_prior

N_DRAWS = 4000
Z_LIMIT = 5.0  # some 200 comparisons at a family-wise level of 1e-4
PSI = np.array([[3.0, 1.0], [1.0, 2.0]])
NIW = bg.NormalInverseWishart(mean=[1.0, -2.0], mean_precision=0.5, dof=12.0, scale=PSI)


def near(values, expected):
    """Whether the mean over draws is the expectation, within Monte Carlo error."""
    error = values.std(0) / np.sqrt(len(values))
    assert (np.abs(values.mean(0) - expected) <= Z_LIMIT * error + 1e-12).all()


@pytest.mark.parametrize("structure", ["full", "tied", "diagonal", "shared_diagonal", "spherical", "isotropic"])
def test_moments_of_a_finite_mixture(structure):
    scale = {"diagonal": np.diag(PSI), "shared_diagonal": np.diag(PSI), "spherical": 2.0, "isotropic": 2.0}.get(
        structure, PSI
    )
    prior = bg.NormalInverseWishart(mean=NIW.mean, mean_precision=0.5, dof=12.0, scale=scale)
    model = bg.GaussianMixture(2, structure, bg.Dirichlet([2.0, 6.0]), prior)
    found = bg.sample_prior(model, (5, 2), N_DRAWS, rng=1)
    near(found.params.weights, [0.25, 0.75])
    near(found.params.means, np.array([1.0, -2.0]))
    matrix = np.diag(np.broadcast_to(scale, 2)) if np.ndim(scale) < 2 else PSI
    expected = matrix / (12.0 - 3.0 if np.ndim(scale) == 2 else 12.0 - 2.0)  # E IW = Psi / (nu - p - 1)
    near(found.params.covariances, expected)
    offset = found.params.means - np.array([1.0, -2.0])
    near(offset[..., :, None] * offset[..., None, :], expected / 0.5)
    assert found.X.shape == (N_DRAWS, 5, 2) and found.observed is None
    near((found.labels == 1).mean(1), 0.75)
    if structure in ("tied", "shared_diagonal", "isotropic"):
        np.testing.assert_allclose(found.params.covariances[:, 0], found.params.covariances[:, 1])


def test_the_prior_predictive_is_a_student_t():
    prior = bg.NormalInverseWishart(mean=[3.0], mean_precision=0.2, dof=4.0, scale=[[5.0]])
    found = bg.sample_prior(bg.GaussianMixture(3, prior=prior), (2, 1), N_DRAWS, rng=2)
    law = t(4.0, 3.0, np.sqrt(5.0 / 4.0 * 1.2 / 0.2))
    assert kstest(found.X[:, 0, 0], law.cdf).pvalue > 1e-4


def test_a_process():
    model = bg.DirichletProcessMixture(6, concentration=bg.Gamma(3.0, 2.0), prior=NIW)
    found = bg.sample_prior(model, (30, 2), N_DRAWS, rng=3)
    alpha = found.unknowns["concentration"]
    near(alpha, 1.5)
    first = found.params.weights[:, 0]
    near(first - 1.0 / (1.0 + alpha), 0.0)  # E[v_1 | alpha]
    near(found.params.weights[:, 1] - alpha / (1.0 + alpha) ** 2, 0.0)
    np.testing.assert_allclose(found.params.weights.sum(1), 1.0)
    fixed = bg.sample_prior(bg.DirichletProcessMixture(4, concentration=0.7, prior=NIW), (3, 2), 10, rng=3)
    assert (fixed.unknowns["concentration"] == 0.7).all()


def test_an_unknown_number_of_components():
    model = bg.MixtureOfFiniteMixtures(4, weights=bg.Dirichlet(2.0), prior=NIW)
    found = bg.sample_prior(model, (20, 2), N_DRAWS, rng=4)
    counts = found.unknowns["n_components"]
    expected = np.exp(model.components_prior.log_probability(4))
    for k in range(1, 5):
        near((counts == k).astype(float), expected[k - 1])
    assert ((found.params.weights > 0).sum(1) == counts).all()
    near(found.params.weights[counts == 3][:, :3], 1.0 / 3.0)
    assert (found.n_occupied <= counts).all()


@pytest.mark.parametrize("structure", ["full", "tied", "diagonal", "shared_diagonal", "isotropic"])
@pytest.mark.few(2)
def test_an_unknown_scale(structure):
    is_matrix = structure in ("full", "tied")
    rate = np.linalg.inv(PSI) if is_matrix else 0.5
    prior = bg.IndependentNormalInverseWishart(
        mean=[1.0, -2.0], mean_covariance=PSI if is_matrix else [3.0, 2.0], dof=14.0,
        scale=bg.HierarchicalScale(shape=2.5, rate=rate),
    )  # fmt: skip
    found = bg.sample_prior(bg.GaussianMixture(2, structure, prior=prior), (4, 2), N_DRAWS, rng=5)
    expected = 2.5 * PSI if is_matrix else 2.5 / 0.5  # shape rate^-1
    near(found.unknowns["scale"], expected)
    dof = 14.0 - 3.0 if is_matrix else 14.0 - 2.0
    near(found.params.covariances, (expected if is_matrix else expected * np.eye(2)) / dof)
    offset = found.params.means - np.array([1.0, -2.0])
    near(offset[..., :, None] * offset[..., None, :], PSI if is_matrix else np.diag([3.0, 2.0]))


def test_a_known_scale_and_independent_means():
    prior = bg.IndependentNormalInverseWishart(mean=[[0.0], [5.0]], mean_covariance=4.0, dof=9.0, scale=[[3.0]])
    found = bg.sample_prior(bg.GaussianMixture(2, prior=prior), (4, 1), N_DRAWS, rng=6)
    near(found.params.means[..., 0], [0.0, 5.0])
    near(found.params.covariances[..., 0, 0], 3.0 / 7.0)
    # Independent: the squared offset does not go with the covariance, as it does under the conjugate prior.
    offset = (found.params.means[..., 0] - [0.0, 5.0]) ** 2
    near((offset - 4.0) * (found.params.covariances[..., 0, 0] - 3.0 / 7.0), 0.0)


def test_data_give_the_constants_of_a_fit():
    X = bg.load_dataset("faithful").X
    model = bg.GaussianMixture(2)
    found = bg.sample_prior(model, X, 20, rng=0)
    fitted = bg.fit(model, X, bg.VB(n_init=1), rng=0)
    np.testing.assert_array_equal(found.model.prior.scale, fitted.model.prior.scale)
    assert found.X.shape == (20, *X.shape) and found.observed is not None
    again = bg.sample_prior(model, X, 20, rng=0)
    np.testing.assert_array_equal(found.X, again.X)
    tree = found.to_datatree()
    assert tree["prior_predictive"]["x"].shape == (1, 20, *X.shape) and "observed_data" in tree.children
    np.testing.assert_array_equal(tree["prior"]["means"].values[0], found.params.means)
    figure = plot_prior(found)
    assert len(figure.axes) == 3 and "20" not in figure.axes[2].get_xlabel()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: bg.sample_prior(bg.GaussianMixture(2), (10, 2)), ArgumentError, "takes constants from the data"),
        (lambda: bg.sample_prior(bg.GaussianMixture(2, prior=NIW), (0, 2)), ArgumentError, "two positive integers"),
        (lambda: bg.sample_prior(bg.GaussianMixture(2, prior=NIW), (10, 3)), ArgumentError, "3 columns"),
        (lambda: bg.sample_prior(bg.GaussianMixture(2, prior=NIW), (10**6, 2), 1000), ArgumentError, "GiB"),
        (lambda: bg.sample_prior(bg.GaussianMixture(2, prior=NIW), (10, 2), 0), ArgumentError, "draws=0"),
        (lambda: bg.sample_prior(bg.EM(), (10, 2)), ArgumentError, "model object"),
        (lambda: bg.sample_prior(bg.GaussianMixture(2), [[np.nan]]), DataError, "NaN"),
    ],
)
def test_what_cannot_be_sampled_says_why(call, error, words):
    with pytest.raises(error, match=words):
        call()
