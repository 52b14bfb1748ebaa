"""A bound on the memory that pictures take while several threads decode them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PIXEL_BYTES = 512 * 2**20
"""Bytes of pixels that are decoded at a time: eight pictures of 16 million pixels, two of the largest allowed."""


class PixelBudget:
    """Lets threads decode as long as their pictures fit together; one picture alone always fits."""

    def __init__(self, limit: int = PIXEL_BYTES) -> None:
        self._limit = limit
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Within the block, what it gives takes the bytes of one picture, once, and waits until they are free."""
        taken = 0

        def claim(size: int) -> None:
            nonlocal taken
            with self._changed:
                self._changed.wait_for(lambda: not self._held or self._held + size <= self._limit)
                self._held += size
                taken += size

        try:
            yield claim
        finally:
            with self._changed:
                self._held -= taken
                self._changed.notify_all()
