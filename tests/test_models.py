"""Models describe themselves, resolve their constants once, and are refused by methods that cannot fit them."""

import numpy as np
import pytest

import bayesgmm as bg
from bayesgmm.rows import as_rows

X = bg.load_dataset("faithful").X
UNKNOWN = [bg.DirichletProcessMixture(10), bg.MixtureOfFiniteMixtures(10)]


@pytest.mark.parametrize("model", UNKNOWN)
def test_default_scale_goes_by_the_expected_components(model):
    """D = 2: cov / K, with K = 5 whatever the truncation."""
    resolved = model.resolve(as_rows(X))
    np.testing.assert_allclose(resolved.prior.scale, np.cov(X.T) / 5, rtol=1e-12)
    assert resolved.resolve(as_rows(X[:50])).prior.scale is not None
    np.testing.assert_array_equal(resolved.resolve(as_rows(X[:50])).prior.scale, resolved.prior.scale)
    assert resolved.n_components == 10
    assert resolved.n_parameters(2) == 9 + 20 + 30


@pytest.mark.parametrize("kind", [bg.DirichletProcessMixture, bg.MixtureOfFiniteMixtures])
@pytest.mark.parametrize("value", [0, -1, 2.5, True, "3", None])
def test_sizes_are_positive_integers(kind, value):
    with pytest.raises(bg.ArgumentError, match="integer of at least 1"):
        kind(value)
    with pytest.raises(bg.ArgumentError, match="expected_components"):
        kind(5, expected_components=value)


@pytest.mark.parametrize("value", [0.0, -1, np.nan, "high", [1.0, 2.0]])
def test_concentration_out_of_range(value):
    with pytest.raises(bg.ArgumentError, match="concentration"):
        bg.DirichletProcessMixture(5, concentration=value)


def test_arguments_of_the_wrong_kind():
    with pytest.raises(bg.ArgumentError, match="prior"):
        bg.DirichletProcessMixture(5, prior=bg.Dirichlet())
    with pytest.raises(bg.ArgumentError, match="components_prior"):
        bg.MixtureOfFiniteMixtures(5, components_prior=bg.Gamma())
    with pytest.raises(bg.ArgumentError, match="one concentration|one\nconcentration"):
        bg.MixtureOfFiniteMixtures(5, weights=bg.Dirichlet([1.0, 2.0]))


@pytest.mark.parametrize("model", [bg.DirichletProcessMixture, bg.MixtureOfFiniteMixtures])
def test_components_share_one_prior(model):
    means = np.zeros((5, 2))
    with pytest.raises(bg.ArgumentError, match="share one prior"):
        model(5, prior=bg.NormalInverseWishart(mean=means)).resolve(as_rows(X))


@pytest.mark.parametrize("model", UNKNOWN)
@pytest.mark.parametrize("method", [bg.EM(), bg.MAP()])
def test_methods_that_cannot_fit_a_model_say_which_can(model, method):
    """Before any work: data that would be refused are not even looked at."""
    with pytest.raises(bg.NotApplicableError, match=f"cannot fit a {type(model).__name__}; .*Gibbs"):
        bg.fit(model, "no data", method)
