"""Work in a thread that can be ended from outside, when nobody waits for it any more.

A thread cannot be stopped; work in it can be asked to stop where it waits, or between two steps. Who runs work sets
``current_work`` in the thread; what waits, or takes long, asks it::

    with ending(connection.close):      # what ends the wait
        reply = connection.read()
    check_work()
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class WorkEndedError(BaseException):
    """Nobody waits for this work any more. As an interrupt it is no failure of anything: no handler of errors takes it,
    and who shares the work with others does not pass it on."""


class Work:
    """One piece of work, and how to end it. Safe for the thread that does it and others that end it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._acts: dict[object, Callable[[], None]] = {}
        self._ended = threading.Event()

    @property
    def ended(self) -> bool:
        """Whether it was ended."""
        return self._ended.is_set()

    def end(self) -> None:
        """Let the work end, at once where it waits for something that can be ended."""
        with self._lock:
            self._ended.set()
            acts = list(self._acts.values())
        for act in acts:
            act()

    def check(self) -> None:
        """Raise WorkEndedError where it was ended."""
        if self.ended:
            raise WorkEndedError

    @contextmanager
    def ending(self, act: Callable[[], None]) -> Iterator[None]:
        """Do ``act`` when the work is ended within this block, from another thread. Raises WorkEndedError where it was
        ended before."""
        key = object()
        with self._lock:
            self.check()
            self._acts[key] = act
        try:
            yield
        finally:
            with self._lock:
                del self._acts[key]

    def sleep(self, seconds: float) -> None:
        """Sleep. Raises WorkEndedError as soon as the work is ended."""
        self._ended.wait(seconds)
        self.check()


current_work: ContextVar[Work | None] = ContextVar("ipcir_work", default=None)
"""The work that the running thread does; None for work that nobody can end."""


def check_work() -> None:
    """Raise WorkEndedError where the running thread's work was ended."""
    if (work := current_work.get()) is not None:
        work.check()


@contextmanager
def ending(act: Callable[[], None]) -> Iterator[None]:
    """As :meth:`Work.ending`, of the running thread's work; nothing where it cannot be ended."""
    work = current_work.get()
    if work is None:
        yield
    else:
        with work.ending(act):
            yield


def sleep(seconds: float) -> None:
    """As :meth:`Work.sleep`, of the running thread's work."""
    work = current_work.get()
    if work is None:
        time.sleep(seconds)
    else:
        work.sleep(seconds)


def wait_for(future: Future[Any]) -> None:
    """Wait until a future is done. Raises WorkEndedError as soon as the running thread's work is ended."""
    settled = threading.Event()
    future.add_done_callback(lambda _: settled.set())
    with ending(settled.set):
        settled.wait()
    if not future.done():
        check_work()
