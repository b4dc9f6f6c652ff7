"""Where a number came from: versions, seed, data, command."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata

PACKAGES = ("bayesgmm", "numpy", "scipy", "numba", "pymc", "pytensor", "nutpie", "arviz-stats", "xarray")


def provenance(data_sha256: str) -> dict[str, str]:
    """Strings that identify the software, the data and the call."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "command": " ".join(sys.argv),
        "data_sha256": data_sha256,
        **versions(),
    }


@lru_cache
def versions() -> dict[str, str]:
    """The versions of the software that decides about the numbers."""
    return {f"version_{name}": _version(name) for name in PACKAGES}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
