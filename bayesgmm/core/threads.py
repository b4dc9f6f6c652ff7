"""How many threads the sweep may use, and the one place that starts them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

Item = TypeVar("Item")


def n_threads() -> int:
    """``BAYESGMM_NUM_THREADS`` where it is set, else the processors this process may run on."""
    asked = os.environ.get("BAYESGMM_NUM_THREADS")
    return max(1, int(asked)) if asked else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_in_threads(task: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Call `task` (which releases the GIL) on every item; the order of the calls is free."""
    workers = min(n_threads(), len(items))
    if workers <= 1:
        for item in items:
            task(item)
    else:
        list(_pool(workers).map(task, items))


@lru_cache(maxsize=None)
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="bayesgmm")
