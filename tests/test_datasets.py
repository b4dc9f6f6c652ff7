"""The data sets are the copies that the reference numbers were computed from."""

import csv

import numpy as np
import pytest

from bayesgmm.datasets import load_dataset
from bayesgmm.errors import ArgumentError
from bayesgmm.rows import as_rows

SHAPES = {"faithful": (272, 2), "iris": (150, 4), "galaxies": (82, 1), "diabetes": (145, 3), "acidity": (155, 1)}


@pytest.mark.parametrize("name", SHAPES)
def test_every_data_set_is_complete(name):
    data = load_dataset(name)
    assert data.X.shape == SHAPES[name] and data.X.dtype == np.float64
    assert np.array_equal(as_rows(data.X).values, data.X)
    assert len(data.feature_names) == data.X.shape[1] and "label" not in data.feature_names
    assert "doi:10." in data.source and data.source.endswith(".")


def test_labels_stand_beside_the_rows():
    iris, diabetes = load_dataset("iris"), load_dataset("diabetes")
    assert {name: int((iris.labels == name).sum()) for name in set(iris.labels)} == {
        "setosa": 50, "versicolor": 50, "virginica": 50,
    }  # fmt: skip
    assert {name: int((diabetes.labels == name).sum()) for name in set(diabetes.labels)} == {
        "Normal": 76, "Chemical": 36, "Overt": 33,
    }  # fmt: skip
    assert load_dataset("faithful").labels is None


def test_galaxies_are_the_copy_of_mass_and_say_so():
    data = load_dataset("galaxies")
    assert np.isin([26.690, 9.172, 34.279], data.X).all() and 26.960 not in data.X
    assert "26.690" in data.source and "1000 km/s" in data.source


@pytest.mark.parametrize("name", ["faithful", "diabetes", "galaxies", "acidity"])
def test_one_gaussian_has_the_log_likelihood_of_mclust(name, reference):
    """The maximised log likelihood of one Gaussian is a closed form of the data, and sees every digit of them."""
    X = load_dataset(name).X
    n, d = X.shape
    _, log_determinant = np.linalg.slogdet(np.atleast_2d(np.cov(X.T, bias=True)))
    log_likelihood = -0.5 * n * (d * np.log(2 * np.pi) + log_determinant + d)
    with (reference / "mclust.csv").open() as file:
        fitted = {(row["dataset"], row["G"], row["model"]): float(row["loglik"]) for row in csv.DictReader(file)}
    expected = fitted[name, "1", "E" if d == 1 else "VVV"]
    assert log_likelihood == pytest.approx(expected, abs=1e-7)  # printed to 8 decimals


def test_each_call_gives_data_of_its_own():
    load_dataset("faithful").X[:] = 0.0
    assert load_dataset("faithful").X.any()


def test_an_unknown_name_is_answered_with_the_names():
    with pytest.raises(ArgumentError, match="no data set 'faitful': choose one of faithful, iris, galaxies"):
        load_dataset("faitful")
