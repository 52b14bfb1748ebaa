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
        _helpers().put(scan.take_part)
    return scan.result()


class _Scan:
    """One scan that several threads take part in. Who began it never waits for another: a block that a thread has
    taken and not finished, because it has no core, is done once more."""

    def __init__(self, rows: FloatArray, chosen: Rows | None, vector: FloatArray, out: FloatArray) -> None:
        self._rows, self._chosen, self._vector, self._out = rows, chosen, vector, out
        self._starts = range(0, len(out), BLOCK) if len(out) >= 2 * BLOCK else range(1)
        self._size = BLOCK if len(self._starts) > 1 else len(out)
        self._waiting = deque(self._starts)
        self._done: set[int] = set()

    def result(self) -> FloatArray:
        """Take part, then do what other threads have not finished."""
        self.take_part()
        for start in set(self._starts) - self._done:
            self._do(start)
        return self._out

    def take_part(self) -> None:
        """Take block after block until none is left."""
        while self._waiting:
            try:
                start = self._waiting.popleft()
            except IndexError:  # another thread took the last one
                return
            self._do(start)
            self._done.add(start)

    def _do(self, start: int) -> None:
        block = slice(start, start + self._size)
        rows = self._rows[block] if self._chosen is None else self._rows.take(self._chosen[block], axis=0)
        made = np.empty(len(rows), np.float32)
        _dots(rows, self._vector, out=made)
        self._out[block] = made  # at once: where it is there already it is the same, and somebody may be reading it


@cache
def _helpers() -> SimpleQueue[Callable[[], None]]:
    """Takes work for the threads that help, one for each core but one, as far as that pays."""
    jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def help_out() -> None:
        while True:
            with suppress(Exception):  # what is not done here is done, or raised, by whom it is for
                jobs.get()()

    for _ in range(min(_cores(), MOST) - 1):
        threading.Thread(target=help_out, name="ipcir-scan", daemon=True).start()
    return jobs


if hasattr(os, "register_at_fork"):  # threads do not come along
    os.register_at_fork(after_in_child=_helpers.cache_clear)


@cache
def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
