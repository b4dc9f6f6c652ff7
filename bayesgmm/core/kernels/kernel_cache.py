"""Where compiled kernels are kept: on the disk, under the contents of every file that they were compiled from.

Numba's own cache looks at the file of the function alone, and so goes on running an old kernel after a change in a file
that the kernel imports; and where it finds no folder to write in, it fails.
"""

from __future__ import annotations

import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

from numba.core import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache
from numba.misc.appdirs import AppDirs

PACKAGE = Path(__file__).parents[2]
IMPORT = re.compile(r"^\s*from\s+(bayesgmm[\w.]*)\s+import\s+(\([^)]*\)|[^\n]*)|^\s*import\s+(bayesgmm[\w.]*)", re.M)
MESSAGE = (
    "bayesgmm: no folder can be written in to keep compiled code, so every new process compiles it anew; set "
    "NUMBA_CACHE_DIR to a folder that can."
)

_is_said = threading.Event()


def kernel_cache(function: Callable) -> FunctionCache | NullCache:
    """The cache of one compiled function; one that keeps nothing, said once, where no folder can be written in."""
    if not Path(function.__code__.co_filename).is_file():  # typed in, or made by `exec`
        return NullCache()
    try:
        return _KernelCache(function)
    except _NoFolder:
        if not _is_said.is_set():
            _is_said.set()
            print(MESSAGE, file=sys.stderr, flush=True)
        return NullCache()


@cache
def content(source: Path) -> str:
    """A hash of a file of this package and of every other one that it imports, directly or not."""
    digest = sha256()
    for path in sorted(imported(source)):
        name = path.relative_to(PACKAGE) if path.is_relative_to(PACKAGE) else path.name
        digest.update(f"{name}\0{_text(path)}\0".encode())
    return digest.hexdigest()


def imported(source: Path) -> set[Path]:
    """`source` and the files of this package that it imports, directly or not."""
    found, waiting = set(), [source]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_direct(path))
    return found


@cache
def _direct(source: Path) -> tuple[Path, ...]:
    """The files that one file imports from; what an ``__init__`` of theirs imports is not what a kernel calls."""
    return tuple(path for module in _modules(_text(source)) if (path := _file(module)) is not None)


def _modules(text: str) -> Iterator[str]:
    for whole, names, plain in IMPORT.findall(text):
        yield whole or plain
        yield from (f"{whole}.{name}" for name in re.findall(r"\w+", names))


def _file(module: str) -> Path | None:
    path = PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")
    return path if path.is_file() else None


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


class _NoFolder(Exception):
    pass


class _Locator:
    """What Numba asks of a place for compiled code: a folder, and a stamp that makes older code stale.

    A folder of the user's own (NUMBA_CACHE_DIR) may serve several copies of this package, and each of them finds there
    what any of them has compiled; so its name has the hash too.
    """

    def __init__(self, folder: Path, stamp: str, line: int, source: str):
        self._folder, self._stamp, self._line, self._py_file = folder, stamp, line, source

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return self._stamp

    def get_disambiguator(self) -> str:
        return str(self._line)

    def ensure_cache_path(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    @classmethod
    def from_function(cls, function: Callable, source: str) -> _Locator:
        path = Path(source).resolve()
        stamp = content(path)
        folder = _folder(path.parent, stamp)
        if folder is None:
            raise _NoFolder
        return cls(folder, stamp, function.__code__.co_firstlineno, source)


def _folder(source_folder: Path, stamp: str) -> Path | None:
    """The first folder that can be written in: the user's own, beside the source, the user's cache."""
    name = f"bayesgmm-{source_folder.name}-{stamp[:16]}"
    own = [Path(config.CACHE_DIR) / name] if config.CACHE_DIR else []
    fallback = Path(AppDirs(appname="numba", appauthor=False).user_cache_dir) / name
    return next((folder for folder in (*own, source_folder / "__pycache__", fallback) if is_writable(folder)), None)


@cache
def is_writable(folder: Path) -> bool:
    """Whether a file can be made there; the folder is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


class _KernelCacheImpl(CompileResultCacheImpl):
    _locator_classes = [_Locator]


class _KernelCache(FunctionCache):
    _impl_class = _KernelCacheImpl

    def load_overload(self, sig, target_context):
        """The kept code; none where two processes that saved at once took the same file, and it is the other's."""
        found = super().load_overload(sig, target_context)
        asked = sig if isinstance(sig, tuple) else sig.args
        return None if found is None or tuple(found.signature.args) != tuple(asked) else found

    def save_overload(self, sig, data) -> None:
        """Keep the code; a full disk, or a folder that is gone, costs the next process time and nothing else."""
        try:
            super().save_overload(sig, data)
        except OSError:
            pass
