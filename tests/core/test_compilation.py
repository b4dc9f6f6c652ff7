"""Compiling at first use: said when it takes a while, never otherwise; and kept on the disk."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from bayesgmm.core.facts import FACTS_TYPE, NO_FACTS
from bayesgmm.core.kernels import compilation, row_kernels

SWEEP = """
import numpy as np
from bayesgmm.core.params import ComponentScores
from bayesgmm.core.sweep import sweep
scores = ComponentScores(np.zeros(2), np.zeros((2, 1)), np.ones((2, 1)))
print(sweep(np.arange(5.0)[:, None], scores).counts)
"""


@pytest.fixture
def unsaid(monkeypatch):
    monkeypatch.setattr(compilation, "PATIENCE", 0.05)
    compilation._is_said.clear()


def test_a_long_compilation_is_said_once(unsaid, capfd):
    for _ in range(2):
        with compilation.announced_compilation():
            time.sleep(0.3)
    assert capfd.readouterr().err == compilation.MESSAGE + "\n"


def test_a_short_one_is_not(unsaid, capfd):
    with compilation.announced_compilation():
        pass
    time.sleep(0.3)
    assert capfd.readouterr().err == ""


def test_a_failed_one_is_not(unsaid, capfd):
    with pytest.raises(ZeroDivisionError), compilation.announced_compilation():
        raise ZeroDivisionError
    time.sleep(0.3)
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_the_first_process_says_so_and_the_second_does_not(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    run = [sys.executable, "-c", SWEEP]
    cold, warm = (subprocess.run(run, env=environment, capture_output=True, text=True, check=True) for _ in range(2))
    assert compilation.MESSAGE in cold.stderr and warm.stderr == ""
    assert cold.stdout == warm.stdout


def test_a_compiled_kernel_compiles_nothing_more():
    """Writable arrays go where read-only ones are declared; other types are an error, not another kernel."""
    vector, matrix = compilation.array_type(float, 1), compilation.array_type(float, 2)
    out = compilation.array_type(float, 2, is_output=True)
    index = compilation.array_type(np.int64, 1).dtype
    kernel = compilation.compiled(
        row_kernels.log_joint_rows, matrix, FACTS_TYPE, index, index, vector, matrix, matrix, out
    )
    X, result = np.ones((3, 2)), np.empty((3, 1))
    arguments = (np.zeros(1), np.zeros((1, 2)), np.ones((1, 2)))
    kernel(X, tuple(NO_FACTS), 0, 3, *arguments, result)
    assert np.array_equal(result, np.full((3, 1), -1.0))
    X.flags.writeable = False
    kernel(X, tuple(NO_FACTS), 0, 3, *arguments, result)
    with pytest.raises(TypeError):
        kernel(X.astype(np.float32), tuple(NO_FACTS), 0, 3, *arguments, result)
    assert len(kernel.signatures) == 1
