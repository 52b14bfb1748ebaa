"""Nothing on standard error about odd pictures: what Pillow warns of is no news to whoever indexes a folder.

Python's filters of warnings belong to the whole process, and ``warnings.catch_warnings`` sets and restores them for all
threads at once. The filter here stands among them only while a picture is opened, and matches only warnings that come
from Pillow or a plugin, and in the thread that opens it: the program around it and its other threads see all of theirs.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

_here = threading.local()
_lock = threading.Lock()
_open = 0
"""Calls that are running, in all threads."""


class _OwnCalls(logging.Filter):
    """In the place of a pattern of module names in a filter of warnings, and a filter of Pillow's log records."""

    def match(self, module: str) -> bool:
        return _is_quiet() and module.startswith(("PIL.", "pillow_"))

    def filter(self, record: logging.LogRecord) -> bool:
        return not _is_quiet()


_FILTER = cast(Any, ("ignore", None, Warning, _OwnCalls(), 0))
_LOGGERS = ("PIL.Image", "PIL.ImageFile", "PIL.TiffImagePlugin", "PIL.PngImagePlugin")
"""Those that log: a filter holds for the very logger that it was added to."""


def _is_quiet() -> bool:
    return getattr(_here, "depth", 0) > 0


@contextmanager
def quiet() -> Iterator[None]:
    """What Pillow warns of or logs in this thread is dropped."""
    _enter()
    _here.depth = getattr(_here, "depth", 0) + 1
    try:
        yield
    finally:
        _here.depth -= 1
        _leave()


def _enter() -> None:
    global _open
    with _lock:
        _open += 1
        if _FILTER not in warnings.filters[:1]:  # a program may have added its own, or taken all away
            cast("list[Any]", warnings.filters).insert(0, _FILTER)
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_FILTER[3])  # once, however often it is added


def _leave() -> None:
    global _open
    with _lock:
        _open -= 1
        if _open == 0:
            filters = cast("list[Any]", warnings.filters)
            while _FILTER in filters:
                filters.remove(_FILTER)
            for name in _LOGGERS:
                logging.getLogger(name).removeFilter(_FILTER[3])
