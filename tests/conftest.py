"""What holds for every test: quiet libraries, reproducible examples, no stale compiled code."""

import os
from pathlib import Path

# Before NumPy is imported: the tests run in several processes, whose BLAS threads would fight for the processors.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis  # noqa: E402
import pytest  # noqa: E402

PACKAGE = Path(__file__).parents[1] / "bayesgmm"

# The same examples in every run, so that a failure is the change's and not the day's; no test has a time limit.
hypothesis.settings.register_profile("bayesgmm", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("bayesgmm")


def pytest_configure(config: pytest.Config) -> None:
    """Delete compiled kernels that are older than a source file of theirs.

    Numba looks at the file that holds a cached function, and not at those of the functions inlined into
    it: after a change of core/blocks.py it would go on running the old sweep.
    """
    if hasattr(config, "workerinput"):
        return
    sources = [source for folder in ("core", "ppl") for source in (PACKAGE / folder).glob("*.py")]
    newest = max(source.stat().st_mtime for source in sources)
    for index in PACKAGE.rglob("*.nbi"):
        if index.stat().st_mtime < newest:
            index.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of other people's numbers; see its README."""
    return Path(__file__).parent / "reference"
