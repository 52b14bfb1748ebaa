"""The connections of one call to a server, so that a call that is given up really ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar


class CallScope:
    """What one call began, and how to end it. Safe for two threads, a caller and a reader."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: list[Callable[[], None]] = []
        self._closed = False

    def on_close(self, end: Callable[[], None]) -> None:
        """Run ``end`` when the call is given up; at once where it was already."""
        with self._lock:
            if not self._closed:
                self._ends.append(end)
                return
        end()

    def close(self) -> None:
        """End what the call began; what has ended by itself ignores it."""
        with self._lock:
            self._closed, ends, self._ends = True, self._ends, []
        for end in ends:
            end()


current_call: ContextVar[CallScope | None] = ContextVar("ipcir_call", default=None)
"""The scope of the call that the running thread makes; None outside of one."""
