"""Compiled kernels: never stale, never another's, and no error where nothing can be kept."""

import os
import subprocess
import sys

import pytest

from bayesgmm.core.kernels import kernel_cache

PACKAGE = kernel_cache.PACKAGE
KERNELS = PACKAGE / "core" / "kernels"
KERNEL = """
from bayesgmm.core.kernels.compilation import jit
from bayesgmm.core.kernels.inner_toy import doubled
@jit
def kernel(x):
    return doubled(x) + 1.0
"""
INNER = """
from bayesgmm.core.kernels.compilation import inner
@inner
def doubled(x):
    return {factor} * x
"""
RUN = "from bayesgmm.core.kernels.outer_toy import kernel; print(kernel(3.0), sum(kernel.stats.cache_hits.values()))"


def test_a_kernel_is_known_by_every_file_that_it_imports():
    names = {path.stem for path in kernel_cache.imported(KERNELS / "row_kernels.py")}
    assert {"row_kernels", "blocks", "assignment", "moments", "simd", "compilation"} <= names
    assert "fit" not in names and "split_merge" not in names


@pytest.mark.parametrize(
    ("line", "modules"),
    [
        ("from bayesgmm.core.kernels import assignment, wide as p", {"assignment", "wide"}),
        ("from bayesgmm.core.kernels.blocks import (\n    BLOCK,\n    load,\n)", {"blocks"}),
        ("    import bayesgmm.core.sweep", {"sweep"}),
        ("from bayesgmm.core.nothing import x\nfrom numpy import core", set()),
    ],
)
def test_every_way_to_import_is_seen(line, modules):
    found = {kernel_cache._file(module) for module in kernel_cache._modules(line)} - {None}
    assert {path.stem for path in found} == modules


@pytest.fixture
def toy(tmp_path):
    """A small copy of the package with a kernel in one file that calls another file's."""
    kernels = tmp_path / "bayesgmm" / "core" / "kernels"
    kernels.mkdir(parents=True)
    for name in ("compilation", "kernel_cache"):
        (kernels / f"{name}.py").write_text((KERNELS / f"{name}.py").read_text())
    for folder in (kernels, kernels.parent, kernels.parent.parent):
        (folder / "__init__.py").write_text("")
    (kernels / "outer_toy.py").write_text(KERNEL)

    def run(factor: float, **environment: str) -> tuple[list[str], str]:
        (kernels / "inner_toy.py").write_text(INNER.format(factor=factor))
        settings = os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": ""} | environment
        command = [sys.executable, "-c", RUN]
        done = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, check=True)
        return done.stdout.split(), done.stderr

    return run


@pytest.mark.parametrize("is_own", [False, True])
def test_a_change_in_an_imported_file_is_compiled(toy, tmp_path, is_own):
    own = {"NUMBA_CACHE_DIR": str(tmp_path / "own")} if is_own else {}
    assert toy(2.0, **own)[0] == ["7.0", "0"]
    assert toy(2.0, **own)[0] == ["7.0", "1"]
    assert toy(5.0, **own)[0] == ["16.0", "0"]


def test_without_a_folder_to_write_in_kernels_compile_and_say_so_once(monkeypatch, capfd):
    from bayesgmm.core.kernels.compilation import jit

    monkeypatch.setattr(kernel_cache, "is_writable", lambda folder: False)
    kernel_cache._is_said.clear()
    for offset in (1.0, 2.0):
        assert jit(lambda x, offset=offset: x + offset)(1.0) == 1.0 + offset
    assert capfd.readouterr().err == kernel_cache.MESSAGE + "\n"


def test_code_of_another_signature_is_not_taken(tmp_path, monkeypatch):
    """Two processes that save at once can take the same file name for two signatures."""
    from numba import types

    from bayesgmm.core.kernels.compilation import jit

    monkeypatch.setattr(kernel_cache, "_folder", lambda source, stamp: tmp_path)

    def plus(x):
        return x + x

    jit(plus)(1)
    file = jit(plus)._cache._cache_file
    (index,) = (file._load_index(),)
    ((signature, *rest), name), *_ = index.items()
    file._save_index({((types.float64,), *rest): name})
    again = jit(plus)
    assert again(1.5) == 3.0 and not again.stats.cache_hits


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path, monkeypatch):
    from bayesgmm.core.kernels.compilation import jit

    monkeypatch.setattr(kernel_cache, "_folder", lambda source, stamp: tmp_path)
    kernel = jit(lambda x: 2 * x)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kernel._cache._cache_file, "_save_data", full)
    assert kernel(2) == 4
