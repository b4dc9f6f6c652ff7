"""Data that come a stretch at a time: the same rows from every source, and checked as they come."""

import numpy as np
import pandas as pd
import pytest

import bayesgmm as bg
from bayesgmm.data import DataMatrix, as_matrix

X = np.random.default_rng(0).normal(size=(1000, 3))


def array(folder):
    return X


def frame(folder):
    return pd.DataFrame(X, columns=["x0", "x1", "x2"])


def memmap(folder):
    np.save(folder / "x.npy", X)
    return np.load(folder / "x.npy", mmap_mode="r")


def npy(folder):
    np.save(folder / "x.npy", X)
    return str(folder / "x.npy")


def parquet(folder):
    frame(folder).to_parquet(folder / "x.parquet", row_group_size=170)
    return folder / "x.parquet"


def parquets(folder):
    for i, rows in enumerate((slice(0, 333), slice(333, 334), slice(334, None))):
        frame(folder)[rows].to_parquet(folder / f"x{i}.parquet")
    return [folder / f"x{i}.parquet" for i in range(3)]


def iterator(folder):
    return iter([X[:1], X[1:1], X[1:700], X[700:]])


def factory(folder):
    return lambda: (frame(folder)[i : i + 77] for i in range(0, 1000, 77))


SOURCES = (array, frame, memmap, npy, parquet, parquets, iterator, factory)
every_source = pytest.mark.parametrize("make", SOURCES, ids=lambda make: make.__name__)


@every_source
@pytest.mark.parametrize("n_rows", [1, 170, 256, 1000, 5000])
@pytest.mark.few(11)
def test_every_source_gives_the_same_stretches(make, n_rows, tmp_path):
    source = bg.data_source(make(tmp_path))
    assert np.array_equal(source.first(300).values, X[:300]) and source.feature_names == ("x0", "x1", "x2")
    for _ in range(2 if source.is_repeatable else 1):
        stretches = list(source.stretches(n_rows))
        assert [len(rows) for rows in stretches[:-1]] == [n_rows] * (len(stretches) - 1)
        assert np.array_equal(np.concatenate(stretches), X)
    assert source.n_obs in (1000, None) and (source.values is None) == (make not in (array, frame))


@every_source
def test_float32_stays_float32(make, tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "X", X.astype(np.float32))
    assert all(rows.dtype == np.float32 for rows in bg.data_source(make(tmp_path)).stretches(300))


@every_source
def test_a_missing_value_is_named_before_its_stretch_is_seen(make, tmp_path, monkeypatch):
    broken = X.copy()
    broken[617, 1] = np.nan
    monkeypatch.setitem(globals(), "X", broken)
    seen = []
    with pytest.raises(bg.DataError, match=r"Row 617 \(counted from 0\) of column 'x1' is NaN"):
        for rows in bg.data_source(make(tmp_path)).stretches(100):
            seen.append(rows)
    assert all(np.isfinite(rows).all() for rows in seen)


def test_a_source_in_memory_is_not_copied():
    source = bg.data_source(X)
    assert source.values is X and all(np.shares_memory(rows, X) for rows in source.stretches(100))
    assert source.digest() == bg.data_source(X.copy()).digest() != bg.data_source(X + 1).digest()
    assert isinstance(source.first(10), DataMatrix)


def test_the_stamp_of_a_file_knows_its_contents_by_name_size_and_time(tmp_path):
    one, two = bg.data_source(npy(tmp_path)), bg.data_source(tmp_path / "x.npy")
    assert one.digest() == two.digest()
    np.save(tmp_path / "x.npy", X[:-1])
    assert bg.data_source(tmp_path / "x.npy").digest() != one.digest()


def test_columns_of_parquet_are_chosen(tmp_path):
    pd.DataFrame({"id": ["a"] * 1000, "u": X[:, 0], "v": np.arange(1000)}).to_parquet(tmp_path / "y.parquet")
    source = bg.data_source(tmp_path / "y.parquet", columns=["v", "u"])
    assert source.feature_names == ("v", "u")
    rows = next(source.stretches(1000))
    assert np.array_equal(rows[:, 1], X[:, 0]) and np.array_equal(rows[:, 0], np.arange(1000))
    with pytest.raises(bg.DataError, match="'id'.*leave it out"):
        list(bg.data_source(tmp_path / "y.parquet").stretches(10))
    with pytest.raises(bg.ArgumentError, match="no column 'w'"):
        bg.data_source(tmp_path / "y.parquet", columns=["w"])
    with pytest.raises(bg.ArgumentError, match="columns"):
        bg.data_source(X, columns=["v"])


def test_row_groups_that_were_read_are_let_go(tmp_path):
    import pyarrow as pa

    many = pd.DataFrame(np.random.default_rng(1).normal(size=(200_000, 8)), columns=list("abcdefgh"))
    many.to_parquet(tmp_path / "many.parquet", row_group_size=5000)  # 12 MiB in 40 groups
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() for _ in bg.data_source(tmp_path / "many.parquet").stretches(5000)]
    assert max(held) - before < 2**21


REFUSED = {
    "no file": (lambda folder: folder / "none.parquet", "no file"),
    "not Parquet": (lambda folder: text(folder / "x.parquet"), "cannot be read as Parquet"),
    "not NumPy": (lambda folder: text(folder / "x.npy"), "cannot be read as a NumPy array"),
    "a CSV file": (lambda folder: text(folder / "x.csv"), "read the table and pass it"),
    "no chunks": (lambda folder: iter([]), "at least one row"),
    "a vector": (lambda folder: iter([X[:, 0]]), "one-dimensional"),
    "text": (lambda folder: iter([[["a", "b"]]]), "X holds text"),
}


def text(path):
    path.write_text("a,b\n1,2\n")
    return path


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_at_once(case, tmp_path):
    make, message = REFUSED[case]
    with pytest.raises(bg.DataError, match=message):
        bg.data_source(make(tmp_path))


def test_a_function_that_needs_arguments_is_no_source():
    with pytest.raises(bg.DataError, match="cannot be called without arguments: give a function that returns"):
        bg.data_source(lambda path: iter([X]))


def test_chunks_must_have_the_same_columns():
    with pytest.raises(bg.DataError, match="from row 10 on"):
        list(bg.data_source(iter([X[:10], X[:10, :2]])).stretches(5))
    named = (pd.DataFrame(X[:10], columns=list(names)) for names in ("abc", "acb"))
    rows = np.concatenate(list(bg.data_source(named).stretches(5)))
    assert np.array_equal(rows, np.concatenate([X[:10], X[:10, [0, 2, 1]]]))  # columns are told by their names
    others = (pd.DataFrame(X[:10], columns=list(names)) for names in ("abc", "abd"))
    with pytest.raises(bg.DataError, match="from row 10 on, has no column 'c', and the first one has a, b, c"):
        list(bg.data_source(others).stretches(5))


@pytest.mark.parametrize("method", [bg.EM(), bg.VB(), bg.Gibbs()], ids=lambda m: type(m).__name__)
def test_methods_that_need_all_data_say_so(method, tmp_path):
    for make in (npy, parquet, iterator, factory):
        with pytest.raises(bg.DataError, match="OnlineEM and StochasticVB"):
            bg.fit(bg.GaussianMixture(2), make(tmp_path), method)


def test_a_memory_map_still_serves_methods_that_need_all_data(tmp_path):
    model = bg.GaussianMixture(1)
    one, two = (bg.fit(model, data, bg.EM(), rng=0) for data in (X, memmap(tmp_path)))
    assert one.log_likelihood == two.log_likelihood
    assert as_matrix(memmap(tmp_path)).values.flags.writeable


def test_a_source_that_has_run_dry_is_said_in_good_english():
    batches = iter([[X[:5]], []])
    source = bg.data_source(lambda: iter(next(batches)))
    with pytest.raises(bg.DataError, match="There are no rows in the chunks: there must be at least one"):
        source.first(5)
