"""What holds for every test: quiet libraries, reproducible examples."""

import os
from collections import defaultdict
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
OF_NUMBERS = {"core", "families", "priors", "conformance", "labels", "partitions", "assessment", "uncertainty"}
OF_NUMBERS |= {"test_equivariance.py"}
OF_NUMBERS |= {f"test_{name}.py" for name in ("em", "map", "vb", "vb_process", "moves", "online", "search", "restarts")}
OF_NUMBERS |= {f"test_{name}.py" for name in ("acceleration", "plateau", "portfolio", "tied_data", "wide_data", "loop")}
OF_NUMBERS |= {f"test_{name}.py" for name in ("mclust", "initialize", "given_starts", "enough", "occupancy")}
OF_NUMBERS |= {f"test_gibbs{name}.py" for name in ("", "_unknown", "_independent", "_modes")}
TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items):
    few, often = defaultdict(list), defaultdict(list)
    for item in items:
        if OF_NUMBERS & set(item.path.relative_to(TESTS).parts):
            item.add_marker(pytest.mark.numbers)
        if item.get_closest_marker("few") and not item.get_closest_marker("slow"):
            few[item.path, item.originalname].append(item)
        if item.get_closest_marker("often"):
            often[item.path, item.originalname].append(item)
    for same in few.values():
        n = same[0].get_closest_marker("few").args[0]
        hidden = spread(same, n)[1]
        for item in hidden:
            item.add_marker(pytest.mark.slow)
        if "conformance" not in same[0].path.parts:  # every cell of its table is tried by CI
            mark_exhaustive(hidden, 4 * n)
    for same in often.values():
        mark_exhaustive(same, same[0].get_closest_marker("often").args[0])


def mark_exhaustive(items, n):
    for item in spread(items, n)[1]:
        item.add_marker(pytest.mark.exhaustive)


def spread(items, n):
    """n of the items, spread evenly, and the others."""
    kept = {round(i * (len(items) - 1) / max(n - 1, 1)) for i in range(n)}
    return [item for i, item in enumerate(items) if i in kept], [item for i, item in enumerate(items) if i not in kept]


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of other people's numbers; see its README."""
    return Path(__file__).parent / "reference"
