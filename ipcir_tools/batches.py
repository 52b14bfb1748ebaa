"""Blocks of long lists, and the progress through them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

Progress = Callable[[str, int, int], None]
"""Called now and then with what is being done, how many are done and how many there are."""


def no_progress(what: str, done: int, total: int) -> None:
    """Reports nothing."""


T = TypeVar("T")


def chunked(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """``values`` in lists of ``size``, the last one shorter."""
    rest = iter(values)
    return iter(lambda: list(islice(rest, size)), [])
