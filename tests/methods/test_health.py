"""What makes a component suspicious follows from the structure: points against its own parameters."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

import bayesgmm as bg
from bayesgmm.families.gaussian import STRUCTURES as OBJECTS
from bayesgmm.result.diagnostics import Flag


@pytest.mark.parametrize("structure", ["diagonal", "shared_diagonal", "spherical", "isotropic"])
@pytest.mark.parametrize("seed", range(3))
def test_clear_clusters_of_fewer_points_than_columns_are_sound(structure, seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], 20)
    X = rng.normal(size=(60, 100)) + 4.0 * rng.normal(size=(3, 100))[labels]
    fit = bg.fit(bg.GaussianMixture(3, structure), X, bg.EM(), rng=seed)
    assert fit.status.is_converged and not fit.diagnostics.flags
    assert adjusted_rand_score(labels, fit.predict(X)) == 1.0


def test_a_single_point_is_sound_where_all_share_a_covariance():
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(40, 3)), [[30.0, 0.0, 0.0]]])
    fit = bg.fit(bg.GaussianMixture(2, "tied"), X, bg.EM(), rng=0)
    assert fit.status.is_converged and np.isclose(fit.params.weights.min(), 1 / 41)


@pytest.mark.parametrize(
    ("structure", "d", "expected"),
    [("full", 1, 2), ("full", 2, 2.5), ("full", 3, 3), ("full", 10, 10), ("diagonal", 1, 2), ("diagonal", 100, 2)]
    + [("spherical", 7, 2), ("tied", 5, 0.5), ("isotropic", 5, 0.5)],
)
def test_points_that_are_too_few(structure, d, expected):
    """(D + 3) / 2 points have as many values as a mean and a full covariance; the scatter of D has no inverse."""
    assert OBJECTS[structure].too_few_points(d) == expected


@pytest.mark.parametrize("structure", ["full", "diagonal", "spherical"])
def test_a_component_of_too_few_points_is_flagged(structure):
    rng = np.random.default_rng(1)
    X = np.vstack([rng.normal(size=(60, 3)), 20.0 + rng.normal(size=(2, 3))])
    covariance = np.eye(3)
    init = bg.MixtureParams([60 / 62, 2 / 62], [np.zeros(3), X[60:].mean(0)], [covariance] * 2)
    with pytest.warns(bg.NotConvergedWarning, match="suspicious"):
        fit = bg.fit(bg.GaussianMixture(2, structure), X, bg.EM(init=init))
    (flag,) = fit.diagnostics.flags
    assert flag.component == 1 and np.isclose(flag.n_points, 2.0)


def test_a_message_lists_the_few_largest_coefficients():
    direction = np.full(20_000, 1e-5)
    direction[[7, 12, 19_999]] = [-0.8, 0.3, 0.5]
    text = str(Flag(0, 3.0, 1e-6, tuple(direction), "sits at the variance floor"))
    assert "-0.8 of column 7, 0.5 of column 19999, 0.3 of column 12" in text and len(text) < 250
    assert "smaller parts of 19996 more" in text
    axis = str(Flag(0, 3.0, 1e-6, tuple(np.eye(50)[3]), "sits at the variance floor"))
    assert axis.endswith("narrowest in column 3")
    assert "column" not in str(Flag(0, 0.0, 1e-6, (0.6, -0.8), "is empty"))  # no points have no narrowest direction
    rounded = Flag(0, 3.0, 1e-6, (3e-18, 0.0, 1.0), "sits at the variance floor")
    assert str(rounded).endswith("narrowest in column 2")
    assert "(0.6, -0.8) of the columns" in str(Flag(0, 3.0, 1e-6, (0.6, -0.8), "sits at the variance floor"))
