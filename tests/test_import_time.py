"""`import bayesgmm` is light: no test of the clock, but of what it loads."""

import subprocess
import sys

HEAVY = (
    "pymc pytensor nutpie sklearn pandas polars pyarrow matplotlib arviz arviz_base arviz_stats arviz_plots "
    "xarray h5netcdf rich typer jinja2"
).split()


def loaded_after(code):
    script = f"{code}\nimport sys\nprint(' '.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_the_package_loads_no_heavy_part_of_scipy():
    code = "import bayesgmm, sys; print(sorted({'scipy.optimize', 'scipy.stats'} & set(sys.modules)))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_importing_the_package_loads_no_heavy_library():
    loaded = loaded_after("import bayesgmm")
    assert {"bayesgmm", "numpy", "numba"} <= loaded
    assert loaded.isdisjoint(HEAVY), sorted(loaded.intersection(HEAVY))


def test_loading_a_data_set_and_checking_it_loads_no_heavy_library():
    loaded = loaded_after(
        "import bayesgmm as bg\nfrom bayesgmm.data import as_matrix\nas_matrix(bg.load_dataset('iris').X)"
    )
    assert loaded.isdisjoint(HEAVY), sorted(loaded.intersection(HEAVY))
