"""What holds for every test: quiet libraries, reproducible examples."""

import os
from pathlib import Path

# Before NumPy is imported: the tests run in several processes, whose BLAS threads would fight for the processors.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis  # noqa: E402
import pytest  # noqa: E402

# The same examples in every run, so that a failure is the change's and not the day's; no test has a time limit.
hypothesis.settings.register_profile("bayesgmm", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("bayesgmm")


# Tests of numbers that NumPy and Numba alone make: no version of PyMC, ArviZ or pandas has a part in them.
OF_NUMBERS = {"core", "families", "priors", "conformance", "labels", "test_equivariance.py"}
OF_NUMBERS |= {f"test_{name}.py" for name in ("em", "map", "vb", "vb_process", "moves", "online", "search", "restarts")}
OF_NUMBERS |= {f"test_{name}.py" for name in ("acceleration", "plateau", "portfolio", "tied_data", "wide_data", "loop")}
OF_NUMBERS |= {f"test_gibbs{name}.py" for name in ("", "_unknown", "_independent", "_modes")}
TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if OF_NUMBERS & set(item.path.relative_to(TESTS).parts):
            item.add_marker(pytest.mark.numbers)


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of other people's numbers; see its README."""
    return Path(__file__).parent / "reference"
