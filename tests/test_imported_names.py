"""Trees of this package, and names that are numbers: axes are found by what they are called, or refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesgmm as bg
from bayesgmm.criteria.evidence import log_evidence
from bayesgmm.errors import ArgumentError
from bayesgmm.families.gaussian import STRUCTURES

pytestmark = pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")


def two_groups():
    rng = np.random.default_rng(0)
    a = np.r_[rng.normal(0, 1, 60), rng.normal(6, 1, 60)]
    return pd.DataFrame({"a": a, "b": np.r_[rng.normal(20, 2, 60), rng.normal(30, 2, 60)]})


@pytest.fixture(scope="module")
def fit():
    return bg.fit(bg.GaussianMixture(2), two_groups(), bg.Gibbs(draws=40, tune=40, chains=2), rng=0)


@pytest.fixture(scope="module")
def posterior(fit):
    return fit.to_datatree(log_likelihood=False)["posterior"].to_dataset()


def swapped(posterior, names):
    """Both axes of features in reverse, with the coordinates that belong to them there."""
    found = posterior.isel(feature=[1, 0], feature_bis=[1, 0])
    return found.assign_coords(feature=names[::-1], feature_bis=names[::-1])


@pytest.mark.parametrize("names", [[2001, 2002], [0, 1], [7, 3], [1.5, 2.5]])
def test_coordinates_that_are_numbers_are_names_of_columns(fit, posterior, names):
    df = two_groups()
    found = bg.from_datatree(swapped(posterior, names), df.set_axis(names, axis=1), covariances="covariances")
    assert np.allclose(found.log_density(df.to_numpy()), fit.log_density(df), rtol=1e-10)


def test_coordinates_that_are_other_numbers_are_refused(posterior):
    with pytest.raises(ArgumentError, match="coordinates 2002, 2001 along 'feature', and X has the columns a, b"):
        bg.from_datatree(swapped(posterior, [2001, 2002]), two_groups(), covariances="covariances")


@pytest.mark.parametrize("first", [0, 1])
def test_coordinates_that_count_say_nothing(fit, posterior, first):
    """Libraries make them where nobody has given any; beside columns that count otherwise they are ambiguous."""
    df = two_groups()
    counted = posterior.assign_coords(feature=[first, first + 1], feature_bis=[first, first + 1])
    found = bg.from_datatree(counted, df, covariances="covariances")
    assert np.allclose(found.log_density(df), fit.log_density(df), rtol=1e-10)
    with pytest.raises(ArgumentError, match="cannot be told"):
        bg.from_datatree(counted, df.set_axis([first + 1, first], axis=1), covariances="covariances")


def test_counts_along_all_axes_do_not_make_features_of_components(fit, posterior):
    """As many components as columns, unnamed axes, and a frame whose columns only count: places decide."""
    df = two_groups().set_axis([0, 1], axis=1)
    arrays = {"weights": posterior["weights"], "means": posterior["means"], "covariances": posterior["covariances"]}
    counted = xr.Dataset(
        {
            name: (("chain", "draw", *(f"{name}_dim_{i}" for i in range(a.ndim - 2))), a.values)
            for name, a in arrays.items()
        }
    )
    counted = counted.assign_coords({dim: [0, 1] for dim in counted.dims if "_dim_" in dim})
    found = bg.from_datatree(counted, df, covariances="covariances")
    assert np.allclose(found.log_density(df), fit.log_density(df.to_numpy()), rtol=1e-10)


def test_a_dict_of_labelled_arrays_keeps_its_names(fit, posterior):
    other = swapped(posterior, ["a", "b"]).transpose("draw", "chain", ...)
    found = bg.from_datatree({name: other[name] for name in other.data_vars}, two_groups(), covariances="covariances")
    assert np.allclose(found.log_density(two_groups()), fit.log_density(two_groups()), rtol=1e-10)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.few(1)
def test_a_tree_of_ours_is_read_under_the_model_that_it_came_from(structure):
    model = bg.GaussianMixture(2, structure)
    fit = bg.fit(model, two_groups(), bg.Gibbs(draws=200, tune=50, chains=2), rng=0)
    found = bg.from_datatree(fit.to_datatree(), two_groups(), covariances="covariances", model=model)
    assert found.model.covariance == model.covariance
    assert found.params.precision_chol.shape == fit.params.precision_chol.shape
    assert np.allclose(found.params.precision_chol, fit.params.precision_chol, rtol=1e-9)
    one, other = (log_evidence(each, "bridge") for each in (fit, found))
    assert abs(one.value - other.value) < 5 * np.hypot(one.se, other.se) + 0.01


@pytest.mark.parametrize(
    ("draws", "model"),
    [
        ("full", "tied"),
        ("full", "diagonal"),
        ("diagonal", "shared_diagonal"),
        ("diagonal", "spherical"),
        ("spherical", "isotropic"),
        ("tied", "full"),
        ("spherical", "full"),
    ],
)
def test_draws_of_another_structure_are_refused(draws, model):
    fit = bg.fit(bg.GaussianMixture(2, draws), two_groups(), bg.Gibbs(draws=10, tune=10, chains=2), rng=0)
    posterior = fit.to_datatree(log_likelihood=False)["posterior"].to_dataset()
    named = {"covariances": "covariances"}
    if draws == "tied" and model == "full":
        posterior["one"] = posterior["covariances"].isel(component=0)
        named = {"covariances": "one"}
    if draws == "spherical" and model == "full":
        sd = np.sqrt(posterior["covariances"].isel(feature=0, feature_bis=0))
        posterior["sd"] = xr.DataArray(sd.values, dims=("chain", "draw", "component"))
        named = {"sd": "sd"}
    with pytest.raises(ArgumentError, match=f"the model has covariance='{model}' and the draws are"):
        bg.from_datatree(posterior, two_groups(), **named, model=bg.GaussianMixture(2, model))
