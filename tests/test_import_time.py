"""`import bayesgmm` is light: no test of the clock, but of what it loads."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bayesgmm as bg

STUB = Path(bg.__file__).with_suffix(".pyi")
HEAVY = (
    "pymc pytensor nutpie sklearn pandas polars pyarrow matplotlib arviz arviz_base arviz_stats arviz_plots "
    "xarray h5netcdf rich typer jinja2"
).split()


def loaded_after(code):
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_else():
    loaded = loaded_after("import bayesgmm")
    assert "bayesgmm" in loaded
    assert loaded.isdisjoint({*HEAVY, "numpy", "scipy", "numba"}), sorted(loaded.intersection(HEAVY))


def test_a_fit_by_em_loads_no_heavy_library_and_no_heavy_part_of_scipy():
    loaded = loaded_after("import bayesgmm as bg; bg.fit, bg.EM, bg.GaussianMixture")
    assert loaded.isdisjoint({*HEAVY, "scipy.optimize", "scipy.stats"}), sorted(loaded.intersection(HEAVY))


def test_every_public_name_is_there():
    names = ast.literal_eval(re.search(r"__all__ = (\[.*?\])", STUB.read_text(), re.DOTALL)[1])
    assert sorted(names) == sorted(bg.__all__) == sorted(dir(bg)) and all(getattr(bg, name) for name in names)
    with pytest.raises(AttributeError, match="bayesgmm.*nonsense"):
        bg.nonsense  # noqa: B018


def test_loading_a_data_set_and_checking_it_loads_no_heavy_library():
    loaded = loaded_after(
        "import bayesgmm as bg\nfrom bayesgmm.data import as_matrix\nas_matrix(bg.load_dataset('iris').X)"
    )
    assert loaded.isdisjoint(HEAVY), sorted(loaded.intersection(HEAVY))
