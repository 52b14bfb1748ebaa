"""The connections of one call to a server, so that a call that is given up really ends."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextvars import ContextVar


class CallScope:
    """What one call began, and how to end it. Safe for two threads, a caller and a reader."""

    def __init__(self, left: Callable[[], float] = lambda: math.inf) -> None:
        self.left = left
        """Seconds until the call is given up."""
        self._lock = threading.Lock()
        self._ends: list[Callable[[], None]] = []
        self._closed = False

    def on_close(self, end: Callable[[], None]) -> None:
        """Run ``end`` when the call is over, at once where it is already."""
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


class AbandonedCalls:
    """Counts the threads whose call was given up and that have not ended. Safe for many threads.

    The connections of our own HTTP clients end with the call. The client of another package may go on reading for as
    long as it likes: its thread cannot be stopped, and takes memory until it ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0

    @property
    def running(self) -> int:
        """How many there are."""
        return self._running

    def call(self) -> AbandonedCall:
        """A call of a thread that begins."""
        return AbandonedCall(self)

    def add(self, n: int) -> None:
        """Count one more, or one less."""
        with self._lock:
            self._running += n


class AbandonedCall:
    """One call: counted from when it is abandoned until it has ended. Safe for a caller and a reader."""

    def __init__(self, calls: AbandonedCalls) -> None:
        self._calls, self._lock = calls, threading.Lock()
        self._abandoned = self._ended = False

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            if not self._ended and not self._abandoned:
                self._abandoned = True
                self._calls.add(1)

    def end(self) -> None:
        """Its thread ends."""
        with self._lock:
            self._ended = True
            if self._abandoned:
                self._calls.add(-1)


abandoned_calls = AbandonedCalls()
"""Those of this process."""
