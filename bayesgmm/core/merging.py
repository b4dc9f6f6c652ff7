"""Sums of parts that threads make: the same bits for any number of threads, in bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from math import prod
from queue import LifoQueue

import numpy as np

from bayesgmm.core.threads import n_threads, run_in_threads

Arrays = list[np.ndarray]
Make = Callable[[int, int, int, Arrays], None]

ROOM = 32 * 2**20  # bytes: what all parts may take at once, well below the data of a problem that has such parts
MOST_BUFFERS = 7  # with the sums, eight parts are in memory at most


def summed(make: Make, portions: Sequence[tuple[int, int]], shapes: Sequence[tuple[int, ...]]) -> Arrays:
    """The sums, of these shapes, over parts that are made by threads and added one after the other.

    ``make(begin, end, offset, arrays)`` adds each part in begin:end to entry ``part - offset`` of the arrays.
    Small parts are all kept until the end; `portions` says which of them are made in one call.
    """
    n_parts = portions[-1][1]
    if n_parts * part_bytes(shapes) > ROOM:
        return _InOrder(make, shapes).run(n_parts)
    outputs = [np.zeros((n_parts, *shape)) for shape in shapes]
    run_in_threads(lambda portion: make(*portion, 0, outputs), portions)
    return [np.add.reduce(parts, axis=0) for parts in outputs]


def part_bytes(shapes: Sequence[tuple[int, ...]]) -> int:
    """Memory of one part."""
    return 8 * sum(map(prod, shapes))


class _InOrder:
    """Large parts: each is made in a buffer, which is free again when the part has been added.

    Parts are begun in order and only with a buffer at hand, so the next one to be added is always being made, and
    no thread waits in vain.
    """

    def __init__(self, make: Make, shapes: Sequence[tuple[int, ...]]):
        self.make, self.shapes = make, [(1, *shape) for shape in shapes]
        self.totals = self._zeros()
        self.lock, self.n_begun, self.n_added = threading.Lock(), 0, 0
        self.made: dict[int, Arrays] = {}  # parts that wait for an earlier one
        self.buffers: LifoQueue[Arrays | None] = LifoQueue()  # what was used last is taken first, so that few are made
        self.is_broken = False

    def run(self, n_parts: int) -> Arrays:
        for _ in range(min(n_parts, MOST_BUFFERS, n_threads() + 1)):
            self.buffers.put(None)  # it is made when it is first needed
        run_in_threads(self._make_next, range(n_parts))
        return [total[0] for total in self.totals]

    def _make_next(self, _: int) -> None:
        arrays = self.buffers.get()
        try:
            if self.is_broken:
                self.buffers.put(None)  # for the next one that waits
                return
            with self.lock:
                part, self.n_begun = self.n_begun, self.n_begun + 1
            if arrays is None:
                arrays = self._zeros()
            else:
                for array in arrays:
                    array.fill(0.0)
            self.make(part, part + 1, part, arrays)
            with self.lock:
                self.made[part] = arrays
                self._add_what_is_due()
        except BaseException:  # an interrupt, too: the others must not wait for a part that will never come
            self.is_broken = True
            self.buffers.put(None)
            raise

    def _add_what_is_due(self) -> None:
        while self.n_added in self.made:
            arrays = self.made.pop(self.n_added)
            for total, part in zip(self.totals, arrays, strict=True):
                total += part
            self.n_added += 1
            self.buffers.put(arrays)

    def _zeros(self) -> Arrays:
        return [np.zeros(shape) for shape in self.shapes]
