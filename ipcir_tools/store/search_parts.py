"""How long the parts of a search of the gallery take: measured where they are, told to whoever began the search."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SECONDS: ContextVar[dict[str, float] | None] = ContextVar("search_parts", default=None)


@contextmanager
def timing_parts() -> Iterator[dict[str, float]]:
    """The seconds by part of what is searched within the block, complete at its end."""
    seconds: dict[str, float] = {}
    token = _SECONDS.set(seconds)
    try:
        yield seconds
    finally:
        _SECONDS.reset(token)


@contextmanager
def part(name: str) -> Iterator[None]:
    """The block is that part; timed where somebody wants to know."""
    seconds = _SECONDS.get()
    if seconds is None:
        yield
        return
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
