"""Columns are told by their names wherever data enter, in every kind of table that has names."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from testbed.cases import blobs

import bayesgmm as bg
from bayesgmm.data import as_matrix, matching_columns
from bayesgmm.partitions.similarity import co_clustering
from bayesgmm.plots import plot_density

X = blobs(seed=2, n=30)
NAMES = ["length", "width"]
FRAME = pd.DataFrame(X, columns=NAMES)


class Subclass(pd.DataFrame):
    """What other libraries make of a frame."""


class Foreign:
    """Another library's table, which hands its columns over as Arrow's."""

    def __init__(self, frame):
        self.table = pa.Table.from_pandas(frame)

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Lazy:
    """A table that becomes an array and has names beside it."""

    def __init__(self, frame):
        self.columns, self.values = list(frame.columns), frame.to_numpy()

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


KINDS = {
    "pandas": lambda frame: frame,
    "subclass": Subclass,
    "polars": pl.from_pandas,
    "arrow": pa.Table.from_pandas,
    "record batch": lambda frame: pa.RecordBatch.from_pandas(frame),
    "xarray": lambda frame: xr.DataArray(
        frame.to_numpy(), dims=("row", "column"), coords={"column": list(frame.columns)}
    ),
    "stream": Foreign,
    "columns": Lazy,
}
every_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


@pytest.fixture(scope="module")
def fit():
    return bg.fit(bg.GaussianMixture(2), FRAME, bg.EM(n_init=1), rng=0)


@every_kind
def test_names_are_kept(make):
    data = as_matrix(make(FRAME))
    assert data.feature_names == ("length", "width") and data.is_named
    assert np.array_equal(data.values, X) and data.values.flags.c_contiguous and data.values.flags.writeable
    single = as_matrix(make(FRAME.astype(np.float32)))
    assert single.values.dtype == np.float32


@every_kind
def test_columns_in_another_order_are_put_in_that_of_the_fit(make, fit):
    turned = make(FRAME[NAMES[::-1]])
    assert np.array_equal(fit.log_density(turned), fit.log_density(X))
    assert np.array_equal(fit.predict(turned), fit.predict(X))
    assert np.array_equal(fit.refit(turned).X, X)


@every_kind
def test_another_name_is_refused(make, fit):
    for names, message in (
        (["length", "height"], "X has no column 'width', and this fit was made on length, width: rename the columns "),
        (["width", "height"], "X has no column 'length'"),
        (["a", "b"], r"X has no column 'length'.*\(a, b\), or give their values without names"),
    ):
        with pytest.raises(bg.DataError, match=message):
            fit.log_density(make(FRAME.set_axis(names, axis=1)))
    with pytest.raises(bg.DataError, match="X has a column 'height', and this fit was made on length, width: leave"):
        fit.log_density(make(FRAME.assign(height=1.0)))
    with pytest.raises(bg.DataError, match="X has no column 'width'"):
        fit.log_density(make(FRAME[["length"]]))


def test_without_names_the_order_is_the_users_word(fit):
    for data in (X, X.tolist(), pd.DataFrame(X), xr.DataArray(X), Subclass(X)):
        assert np.array_equal(fit.log_density(data), fit.log_density(FRAME))
    for first in (X, pd.DataFrame(X)):  # neither has names that a frame could be held against
        unnamed = bg.fit(bg.GaussianMixture(2), first, bg.EM(n_init=1), rng=0)
        assert np.array_equal(unnamed.log_density(FRAME), unnamed.log_density(X))
        with pytest.raises(bg.DataError, match="X has 1 column and this fit was made on 2"):
            unnamed.log_density(FRAME[["length"]])


def test_counted_names_are_names_where_a_frame_has_them():
    unnamed = bg.fit(bg.GaussianMixture(2), X, bg.EM(n_init=1), rng=0)
    turned = pd.DataFrame(X[:, ::-1], columns=["x1", "x0"])
    assert np.array_equal(unnamed.log_density(turned), unnamed.log_density(X))
    with pytest.raises(bg.DataError, match="X has no column 'x0', and this fit was made on x0, x1"):
        unnamed.log_density(pd.DataFrame(X, columns=["x1", "x2"]))
    counted = bg.fit(bg.GaussianMixture(2), pd.DataFrame(X), bg.EM(n_init=1), rng=0)
    assert np.array_equal(counted.log_density(pd.DataFrame(X)[[1, 0]]), counted.log_density(X))


def test_a_loaded_fit_knows_its_columns(fit, tmp_path):
    fit.save(tmp_path / "fit.nc")
    loaded = bg.load(tmp_path / "fit.nc")
    assert np.array_equal(loaded.log_density(FRAME[NAMES[::-1]]), fit.log_density(X))
    with pytest.raises(bg.DataError, match="X has no column 'width'"):
        loaded.log_density(FRAME.rename(columns={"width": "height"}))


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")  # few draws, few batches
def test_a_batch_goes_by_its_names():
    def learned(*batches):
        first = bg.fit(bg.GaussianMixture(2), FRAME, bg.OnlineEM(batch_size=10), rng=0)
        return [first.partial_fit(batch, rng=1).params.means for batch in batches]

    turned = FRAME[NAMES[::-1]]
    expected, *others = learned(X, turned, iter([turned]), lambda: iter([turned.iloc[:15], FRAME.iloc[15:]]))
    for means in others:
        assert np.array_equal(means, expected)
    with pytest.raises(bg.DataError, match="X has no column 'width'"):
        learned(FRAME.rename(columns={"width": "height"}))


@pytest.mark.filterwarnings("ignore::bayesgmm.NotConvergedWarning")  # few draws, few batches
def test_wherever_data_enter(fit):
    turned, wrong = FRAME[NAMES[::-1]], FRAME.rename(columns={"width": "height"})
    gibbs = bg.fit(bg.GaussianMixture(2), FRAME, bg.Gibbs(draws=200, tune=200, chains=2), rng=0)
    asked = {
        "log_density_draws": gibbs.log_density_draws,
        "log_density_blocks": lambda data: np.concatenate([block for _, block in gibbs.log_density_blocks(data)], 1),
        "responsibilities": fit.responsibilities,
        "similarity": lambda data: co_clustering(gibbs, data),
        "partition": lambda data: bg.partition(gibbs, X=data, rng=0).labels,
        "compare": lambda data: bg.compare({"em": fit}, X_new=data).table["elpd_holdout"].dropna().to_numpy(),
    }
    for name, ask in asked.items():
        one, other = ask(X), ask(turned)
        assert one.size and np.array_equal(one, other), name
        with pytest.raises(bg.DataError, match="has no column 'width'"):
            ask(wrong)
    with pytest.raises(bg.DataError, match="has no column 'width'"):
        plot_density(fit, X=wrong)
    plt.close("all")


def test_fits_that_call_the_columns_differently_share_no_new_data(fit):
    other = bg.fit(bg.GaussianMixture(1), FRAME.rename(columns={"width": "height"}), bg.EM(n_init=1), rng=0)
    unnamed = bg.fit(bg.GaussianMixture(1), X, bg.EM(n_init=1), rng=0)
    with pytest.raises(bg.ArgumentError, match="different names"):
        bg.compare({"one": fit, "other": other}, X_new=FRAME)
    for fits in ({"one": fit, "two": unnamed}, {"two": unnamed, "one": fit}):
        table = bg.compare(fits, X_new=FRAME[NAMES[::-1]]).table
        assert table.loc["two", "elpd_holdout"] == pytest.approx(unnamed.log_density(X).sum())


def test_nothing_is_copied_where_names_are_in_order(fit):
    data = np.ascontiguousarray(X)
    assert matching_columns(data, fit.feature_names) is data
