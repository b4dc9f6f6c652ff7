"""How many threads the sweep may use, and the one place that starts them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from bayesgmm.errors import ArgumentError

Item = TypeVar("Item")


def n_threads() -> int:
    """``BAYESGMM_NUM_THREADS`` where it is set, else the processors this process may run on."""
    asked = os.environ.get("BAYESGMM_NUM_THREADS")
    if asked:
        if not asked.strip().isdecimal() or int(asked) < 1:
            raise ArgumentError(
                f"the environment variable BAYESGMM_NUM_THREADS={asked!r} must be an integer of at least 1."
            )
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_in_threads(task: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Call `task` (which releases the GIL) on every item; the order of the calls is free.

    The calling thread works too and only waits for helpers that have begun, so calls from several threads,
    or from within a task, share the pool and cannot block each other.
    """
    n_helpers = min(n_threads(), len(items)) - 1 if len(items) > 1 else 0
    if n_helpers < 1:
        for item in items:
            task(item)
        return
    waiting = list(reversed(items))  # popping from a list is atomic

    def work() -> None:
        while waiting:
            try:
                item = waiting.pop()
            except IndexError:  # another thread was faster
                return
            task(item)

    pool = _pool(n_threads() - 1)
    helpers = [pool.submit(work) for _ in range(n_helpers)]
    try:
        work()
    finally:
        waiting.clear()
        for helper in helpers:
            if not helper.cancel():
                helper.result()


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="bayesgmm")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked child inherits the pool, but not its threads
