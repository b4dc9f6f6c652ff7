"""Files from elsewhere: nothing that they name is called, and damage of any kind ends in one DataError."""

import json
import os
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest

import bayesgmm as bg
from bayesgmm.result.files import SEAL, seal_of
from bayesgmm.result.generators import BIT_GENERATORS, generator_from

X = np.random.default_rng(0).normal(size=(60, 2))
MODEL = bg.GaussianMixture(2)
GIBBS = bg.Gibbs(draws=220, tune=20, chains=2, thin=1)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "fit.nc"
    bg.fit(MODEL, X, bg.EM(n_init=1), rng=0).save(path)
    return path


def sampled(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bg.NotConvergedWarning)
        return bg.fit(MODEL, X, GIBBS, rng=0, checkpoint=folder)


@pytest.mark.parametrize("name", BIT_GENERATORS)
def test_every_generator_goes_on_where_it_was(name):
    rng = np.random.Generator(BIT_GENERATORS[name](3))
    rng.normal(size=5)
    assert generator_from(dict(rng.bit_generator.state)).normal() == rng.normal()


def test_only_generators_are_made_of_what_a_checkpoint_names(tmp_path, monkeypatch):
    """Any name of NumPy's was looked up and called; ``test`` runs pytest."""
    sampled(tmp_path / "run")
    monkeypatch.setattr(np.random, "test", lambda *arguments: pytest.fail("it was called"))
    path = tmp_path / "run" / "chain-0.json"
    facts = json.loads(path.read_text())
    facts["state"] = facts["state"].replace("PCG64", "test")
    facts["done"] = 100
    path.write_text(json.dumps(facts))
    with pytest.raises(bg.DataError, match="is damaged"):
        sampled(tmp_path / "run")


def test_a_saved_file_is_still_netcdf(saved):
    import xarray as xr

    assert SEAL in saved.read_bytes()[-100:]
    with xr.open_datatree(saved, engine="h5netcdf") as tree:
        assert "posterior" in tree.children


def test_a_file_without_its_seal_is_refused(saved, tmp_path):
    """What is behind the seal is trusted: numbers, names of columns, sentences that a terminal shows."""
    content = saved.read_bytes()
    (tmp_path / "cut.nc").write_bytes(content[: content.rindex(SEAL)])
    with pytest.raises(bg.DataError, match="was not written by"):
        bg.load(tmp_path / "cut.nc")


@pytest.mark.parametrize("where", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("how", ["flipped", "cut", "zeros"])
def test_a_damaged_file_is_said_to_be_so(where, how, saved, tmp_path):
    content = bytearray(saved.read_bytes())
    at = int(where * len(content))
    if how == "flipped":
        content[at] ^= 0xFF
    elif how == "cut":
        content = content[:at]
    else:
        content[at : at + 64] = bytes([1]) * 64
    (tmp_path / "bad.nc").write_bytes(content)
    with pytest.raises(bg.DataError, match="damaged|was not written by"):
        bg.load(tmp_path / "bad.nc")


@pytest.mark.parametrize(
    ("group", "name", "values"),
    [
        ("posterior", "means", np.zeros((1, 1, 3, 2))),
        ("posterior", "weights", np.full((1, 1, 2), 0.7)),
        ("observed_data", "x", np.zeros((10, 2))),
        ("fit", "history", np.zeros((2, 2))),
        ("fit", "precision_chol", np.zeros((2, 3, 2))),
    ],
)
def test_arrays_that_do_not_belong_together_are_damage(group, name, values, saved, tmp_path):
    import xarray as xr

    with xr.open_datatree(saved, engine="h5netcdf") as tree:
        groups = {path: node.to_dataset().load() for path, node in tree.children.items()}
        attrs = tree.attrs
    dataset = groups[group]
    others = dataset.drop_vars([other for other in dataset.data_vars if other != name]).drop_vars(name)
    others = others.drop_vars(list(others.coords))
    kept = {other: dataset[other].values for other in dataset.data_vars if other != name}
    arrays = kept | {name: values}
    groups[group] = xr.Dataset(
        {key: (tuple(f"{key}_{i}" for i in range(value.ndim)), value) for key, value in arrays.items()},
        attrs=dataset.attrs,
    )
    tree = xr.DataTree.from_dict(groups)
    tree.attrs.update(attrs)
    odd = tmp_path / "odd.nc"
    tree.to_netcdf(odd, engine="h5netcdf")
    odd.write_bytes(odd.read_bytes() + seal_of(odd, odd.stat().st_size))
    with pytest.raises(bg.DataError, match="is damaged"):
        bg.load(tmp_path / "odd.nc")


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"done": NaN, "state": null}', '{"done": 1e400, "state": 3}', '{"done": 5}', "null", "\x00", "{}"],
)
def test_a_damaged_chain_is_said_to_be_so(text, tmp_path):
    sampled(tmp_path / "run")
    (tmp_path / "run" / "chain-1.json").write_text(text)
    with pytest.raises(bg.DataError, match="chain-1.json is missing or cannot be read"):
        sampled(tmp_path / "run")


def test_a_folder_in_use_is_refused_and_is_free_after_the_end(tmp_path):
    script = f"""
        import sys
        from pathlib import Path
        from bayesgmm.result.lock import lock
        held = lock(Path({str(tmp_path / "run")!r}))
        print("held", flush=True)
        sys.stdin.read()
    """
    sampled(tmp_path / "run")
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert other.stdin is not None and other.stdout is not None
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(bg.ArgumentError, match="is in use by another fit"):
            sampled(tmp_path / "run")
    finally:
        other.stdin.close()
        other.wait()
        other.stdout.close()
    assert "All draws were read" in sampled(tmp_path / "run").status.sentence


@pytest.mark.slow
def test_no_damage_of_a_checkpoint_or_file_ends_otherwise(saved, tmp_path):
    """A fuzzer: bytes flipped, cut and put in, in every file; a result is the right one, and the rest a DataError."""
    import shutil

    rng = np.random.default_rng(0)
    right = sampled(tmp_path / "run").params.means
    files = sorted(path for path in (tmp_path / "run").rglob("*") if path.is_file() and path.name != "lock")
    for i in range(300):
        shutil.copytree(tmp_path / "run", tmp_path / "copy")
        victim = tmp_path / "copy" / files[i % len(files)].relative_to(tmp_path / "run")
        victim.write_bytes(_damaged(victim.read_bytes(), rng))
        try:
            found = sampled(tmp_path / "copy").params.means
        except (bg.DataError, bg.ArgumentError):  # a manifest that names another fit is an argument's error
            pass
        else:
            assert np.array_equal(found, right), victim
        shutil.rmtree(tmp_path / "copy")
    content, value = saved.read_bytes(), bg.load(saved).log_likelihood
    for _ in range(300):
        (tmp_path / "bad.nc").write_bytes(_damaged(content, rng))
        try:
            assert bg.load(tmp_path / "bad.nc").log_likelihood == value
        except bg.DataError:
            pass


def _damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with one fault of one kind."""
    data, at = bytearray(content), int(rng.integers(len(content)))
    kind = rng.integers(4)
    if kind == 0:
        data[at] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        data = data[:at]
    elif kind == 2:
        data[at:at] = rng.bytes(int(rng.integers(1, 50)))
    else:
        end = min(len(data), at + int(rng.integers(1, 200)))
        data[at:end] = rng.bytes(end - at)
    return bytes(data)
