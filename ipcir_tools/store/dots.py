"""The dot products of many rows with one vector."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipcir_tools.types import FloatArray

Rows = NDArray[np.intp]

BLOCK = 1_250
"""Rows that a thread takes at a time; for 500 and fewer numpy holds the interpreter's lock."""

MOST = 8
"""Threads of one scan at most: it is the memory that more of them wait for."""

_dots: Callable[..., Any] = getattr(np, "vecdot", lambda rows, vector, out: np.einsum("ij,j->i", rows, vector, out=out))
"""Row by row. A product of matrix and vector is as fast on an idle machine, but its threads wait for each other, up to
8 ms for 10,000 rows on two cores in other use, and it rounds a row by its place among the others."""


def dots(rows: FloatArray, vector: FloatArray, chosen: Rows | None = None) -> FloatArray:
    """The dot products ``[n]`` of ``rows`` ``[n, d]`` with ``vector`` ``[d]``, by as many threads as are idle; of the
    ``chosen`` rows alone, which are copied a block at a time."""
    n = len(rows) if chosen is None else len(chosen)
    scan = _Scan(rows, chosen, vector, np.empty(n, np.float32))
    for _ in range(min(_cores(), MOST, n // BLOCK) - 1):
        _helpers().put(scan.help_out)
    return scan.result()


class _Scan:
    """One scan that several threads take part in. Who began it never waits for another: a block that a thread has
    taken and not finished, because it has no core, is done once more. Nobody else writes into the result."""

    def __init__(self, rows: FloatArray, chosen: Rows | None, vector: FloatArray, out: FloatArray) -> None:
        self._rows, self._chosen, self._vector, self._out = rows, chosen, vector, out
        self._size = BLOCK if len(out) >= 2 * BLOCK else max(1, len(out))
        self._waiting = deque(range(0, len(out), self._size))
        self._made: dict[int, FloatArray] = {}

    def help_out(self) -> None:
        """Make block after block until none is left."""
        while (block := self._next()) is not None:
            self._made[block.start] = self._block(block, np.empty(block.stop - block.start, np.float32))

    def result(self) -> FloatArray:
        """Make block after block, then those that others have taken and not made."""
        own = []
        while (block := self._next()) is not None:
            self._block(block, self._out[block])
            own.append(block.start)
        for start in set(range(0, len(self._out), self._size)).difference(own):
            block, made = slice(start, min(start + self._size, len(self._out))), self._made.get(start)
            if made is None:
                self._block(block, self._out[block])
            else:
                self._out[block] = made
        return self._out

    def _next(self) -> slice | None:
        try:
            start = self._waiting.popleft()
        except IndexError:
            return None
        return slice(start, min(start + self._size, len(self._out)))

    def _block(self, block: slice, out: FloatArray) -> FloatArray:
        rows = self._rows[block] if self._chosen is None else self._rows.take(self._chosen[block], axis=0)
        _dots(rows, self._vector, out=out)
        return out


@cache
def _helpers() -> SimpleQueue[Callable[[], None]]:
    """Takes work for the threads that help, one for each core but one, as far as that pays."""
    jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def work() -> None:
        while True:
            with suppress(Exception):  # what is not done here is done, or raised, by whom it is for
                jobs.get()()

    for _ in range(min(_cores(), MOST) - 1):
        threading.Thread(target=work, name="ipcir-scan", daemon=True).start()
    return jobs


if hasattr(os, "register_at_fork"):  # threads do not come along
    os.register_at_fork(after_in_child=_helpers.cache_clear)


@cache
def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
