"""The thread pool: any number of threads, errors, nesting and forks."""

import os
import threading

import pytest

from bayesgmm.core.threads import n_threads, run_in_threads
from bayesgmm.errors import ArgumentError


@pytest.fixture(params=["1", "2", "5"], autouse=True)
def threads(request, monkeypatch):
    monkeypatch.setenv("BAYESGMM_NUM_THREADS", request.param)


@pytest.mark.parametrize("n", [0, 1, 2, 50])
def test_every_item_is_done_once(n):
    done = []
    run_in_threads(done.append, range(n))
    assert sorted(done) == list(range(n))


def test_an_error_reaches_the_caller():
    def task(item):
        if item == 3:
            raise ValueError("the third")

    with pytest.raises(ValueError, match="the third"):
        run_in_threads(task, range(8))


def test_a_task_may_use_the_pool_itself():
    done = []
    run_in_threads(lambda i: run_in_threads(lambda j: done.append((i, j)), range(4)), range(4))
    assert len(set(done)) == 16


def test_callers_in_several_threads_share_the_pool():
    done = []
    callers = [threading.Thread(target=run_in_threads, args=(done.append, range(100))) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
        assert not caller.is_alive()
    assert len(done) == 400


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_its_own_pool():
    run_in_threads(lambda item: None, range(8))
    child = os.fork()
    if child == 0:
        done = []
        run_in_threads(done.append, range(8))
        os._exit(0 if len(done) == 8 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("asked", ["0", "-1", "two", "1.5"])
def test_the_number_of_threads_must_be_one(monkeypatch, asked):
    monkeypatch.setenv("BAYESGMM_NUM_THREADS", asked)
    with pytest.raises(ArgumentError, match="BAYESGMM_NUM_THREADS"):
        n_threads()


def test_without_the_variable_it_is_the_processors(monkeypatch):
    monkeypatch.delenv("BAYESGMM_NUM_THREADS")
    assert 1 <= n_threads() <= os.cpu_count()
