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

from ipcir_tools.types import FloatArray

BLOCK = 1_250
"""Rows that a thread takes at a time; for 500 and fewer numpy holds the interpreter's lock."""

MOST = 8
"""Threads of one scan at most: it is the memory that more of them wait for."""

_dots: Callable[..., Any] = getattr(np, "vecdot", lambda rows, vector, out: np.einsum("ij,j->i", rows, vector, out=out))
"""Row by row. A product of matrix and vector is as fast on an idle machine, but its threads wait for each other, up to
8 ms for 10,000 rows on two cores in other use, and it rounds a row by its place among the others."""


def dots(rows: FloatArray, vector: FloatArray) -> FloatArray:
    """The dot products ``[n]`` of ``rows`` ``[n, d]`` with ``vector`` ``[d]``, by as many threads as are idle."""
    out = np.empty(len(rows), np.float32)
    helpers = min(_cores(), MOST, len(rows) // BLOCK) - 1
    if helpers < 1:
        _dots(rows, vector, out=out)
        return out
    scan = _Scan(rows, vector, out)
    for _ in range(helpers):
        _helpers().put(scan.take_part)
    scan.take_part()
    scan.finish()
    return out


class _Scan:
    """One scan that several threads take part in. Who began it never waits for another: a block that a thread has
    taken and not finished, because it has no core, is done once more."""

    def __init__(self, rows: FloatArray, vector: FloatArray, out: FloatArray) -> None:
        self._rows, self._vector, self._out = rows, vector, out
        self._waiting = deque(range(0, len(rows), BLOCK))
        self._done: set[int] = set()

    def take_part(self) -> None:
        """Take block after block until none is left."""
        while self._waiting:
            try:
                start = self._waiting.popleft()
            except IndexError:  # another thread took the last one
                return
            made = np.empty(min(BLOCK, len(self._rows) - start), np.float32)
            _dots(self._rows[start : start + BLOCK], self._vector, out=made)
            self._out[start : start + BLOCK] = made  # once more where it is there already, and the same
            self._done.add(start)

    def finish(self) -> None:
        """Do what other threads have not finished."""
        for start in set(range(0, len(self._rows), BLOCK)) - self._done:
            _dots(self._rows[start : start + BLOCK], self._vector, out=self._out[start : start + BLOCK])


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
