"""Options and sources of the wrong kind: one clear error each, never a traceback from inside and never a fit."""

import numpy as np
import pandas as pd
import pytest

import bayesgmm as bg
from bayesgmm.errors import ArgumentError, DataError

NO_NUMBERS = ("3", "0.5", None, [0.5], np.array([0.5, 0.5]), 0.5 + 0j, True, np.nan)
CALLS = {
    "crossing": (lambda v: bg.Gibbs(crossing=v), NO_NUMBERS),
    "target_accept": (lambda v: bg.NUTS(target_accept=v), NO_NUMBERS),
    "learning_rate": (lambda v: bg.ADVI(learning_rate=v), (*NO_NUMBERS, np.inf, 0)),
    "kind": (lambda v: bg.ADVI(kind=v), (np.array([1]), np.array(["mean-field"]), 1, None)),
    "nuts_sampler": (lambda v: bg.NUTS(nuts_sampler=v), (np.array([1, 2]), np.array(["pymc"]), 1, None)),
    "draws": (lambda v: bg.Gibbs(draws=v), (np.arange(100), "100")),
    "tune": (lambda v: bg.NUTS(tune=v), (np.arange(100), "100")),
    "stochastic": (lambda v: bg.OnlineEM(stochastic=v), ("3", np.nan, 1, None, np.array([True]))),
    "shuffle": (lambda v: bg.StochasticVB(shuffle=v), ("no", np.nan, 0, None)),
    "fit": (bg.stack_chains, ("x", None, np.arange(100))),
    "concentration": (lambda v: bg.DirichletProcessMixture(5, concentration=v), (*NO_NUMBERS, np.inf)),
    "Dirichlet": (lambda v: bg.Dirichlet(v), ("3", True, ["1", "2"], np.datetime64(3, "D"))),
    "Gamma": (lambda v: bg.Gamma(v), NO_NUMBERS),
    "BetaNegativeBinomial": (lambda v: bg.BetaNegativeBinomial(v), NO_NUMBERS),
}
BAD = [pytest.param(name, make, value, id=f"{name}-{value!r}") for name, (make, bad) in CALLS.items() for value in bad]


@pytest.mark.parametrize(("name", "make", "value"), BAD)
def test_options_of_the_wrong_kind(name, make, value):
    with pytest.raises(ArgumentError, match=name) as error:
        make(value)
    assert str(error.value).endswith(".") and "\n" not in str(error.value) and len(str(error.value)) < 420


@pytest.mark.parametrize("prior", [bg.NormalInverseWishart, bg.IndependentNormalInverseWishart])
@pytest.mark.parametrize("constants", [{"dof": "5"}, {"dof": True}, {"scale": [["1", "0"], ["0", "1"]]}], ids=str)
def test_constants_of_the_wrong_kind(prior, constants):
    X = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(ArgumentError, match=f"{prior.__name__}: {next(iter(constants))}"):
        bg.fit(bg.GaussianMixture(2, prior=prior(**constants)), X, bg.Gibbs(), rng=0)


def test_options_that_are_numbers_of_other_libraries():
    assert bg.Gibbs(crossing=np.float32(0.5)) == bg.Gibbs(crossing=0.5)
    assert bg.OnlineEM(shuffle=np.bool_(False)).shuffle == np.False_
    assert bg.Gamma(np.int64(2)) == bg.Gamma(np.array(2.0)) == bg.Gamma(2)


def test_files_that_lack_a_column(tmp_path):
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.5]})
    table.to_parquet(tmp_path / "x.parquet")
    table[["a"]].to_parquet(tmp_path / "other.parquet")
    paths = [tmp_path / "x.parquet", tmp_path / "other.parquet"]
    with pytest.raises(DataError, match=r"other.parquet has no column 'b', which x.parquet has"):
        bg.fit(bg.GaussianMixture(1), paths, bg.OnlineEM(), rng=0)
    assert bg.data_source(paths, columns=["a"]).n_obs == 4


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (lambda: iter([3]), "The iterator yielded 3: each chunk must be an array"),
        (lambda: iter([np.array([[1.0], [2.0]]), 3]), "The iterator yielded 3"),
        (lambda: iter([None]), "yielded None"),
        (lambda: lambda: 3, "The function returned 3: it must return an iterator"),
        (lambda: lambda: None, "The function returned None"),
    ],
    ids=["int", "int after rows", "None", "function of an int", "function of nothing"],
)
def test_chunks_that_are_none(X, message):
    with pytest.raises(DataError, match=message):
        bg.fit(bg.GaussianMixture(1), X(), bg.OnlineEM(), rng=0)
