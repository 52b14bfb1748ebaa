"""The dot products of many rows with one vector."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from ipcir_tools.types import FloatArray

APART = 32_768
"""Fewest rows that are worth a thread of their own."""

_dots: Callable[..., Any] = getattr(np, "vecdot", lambda rows, vector, out: np.einsum("ij,j->i", rows, vector, out=out))
"""Row by row. A product of matrix and vector is as fast on an idle machine, but its threads wait for each other, up to
8 ms for 10,000 rows on two cores in other use, and it rounds a row by its place among the others."""


def dots(rows: FloatArray, vector: FloatArray) -> FloatArray:
    """The dot products ``[n]`` of ``rows`` ``[n, d]`` with ``vector`` ``[d]``, by as many threads as are worth it."""
    out = np.empty(len(rows), np.float32)
    parts = min(_cores(), len(rows) // APART)
    if parts < 2:
        _dots(rows, vector, out=out)
        return out
    bounds = np.linspace(0, len(rows), parts + 1).astype(int)
    spans = [slice(*ends) for ends in pairwise(bounds)]
    list(_pool().map(lambda span: _dots(rows[span], vector, out=out[span]), spans))
    return out


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_cores(), thread_name_prefix="ipcir-scan")


@cache
def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
