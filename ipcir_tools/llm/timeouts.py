"""Waiting for a model, but not for ever: calls and streams under a deadline, and generators that come to something."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, TypeVar, cast

from ipcir_tools.llm.errors import DeadlineExceededError

_T = TypeVar("_T")
_A = TypeVar("_A")
_B = TypeVar("_B")
_END = object()


def within(seconds: float, call: Callable[[], _T]) -> _T:
    """``call()``, waited for at most ``seconds``. Raises ``Overdue`` after that; the call then ends unheard."""
    return next(overheard(seconds, lambda: iter((call(),))))


def overheard(seconds: float, stream: Callable[[], Iterable[_T]]) -> Iterator[_T]:
    """The items of ``stream()`` as they come, waited for at most ``seconds`` in all. Raises ``Overdue`` after that.

    A client's own timeout bounds each read, not the whole answer: a server may drip a byte a second for ever. So it is
    another thread that reads. It is a daemon, so it never holds up the interpreter's exit, and it reads no further when
    nobody listens any more. What came in time is handed out however late it is asked for.
    """
    came: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
    left_alone = Event()
    until = time.monotonic() + seconds
    context = copy_context()

    def read() -> None:
        try:
            for item in stream():
                if left_alone.is_set() or time.monotonic() > until:
                    return
                came.put((item, None))
            came.put((_END, None))
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits
            came.put((_END, error))

    Thread(target=context.run, args=(read,), name="ipcir-llm", daemon=True).start()
    try:
        while True:
            try:
                item, error = came.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                raise DeadlineExceededError from None
            if error is not None:
                raise error
            if item is _END:
                return
            yield cast("_T", item)
    finally:
        left_alone.set()


def outcome(steps: Generator[Any, None, _T]) -> _T:
    """What a generator returns in the end."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return cast("_T", end.value)


def mapped(change: Callable[[_A], _B | None], steps: Generator[_A, None, _T]) -> Generator[_B, None, _T]:
    """The generator with each item changed, and left out where it is changed to None; what it returns is the same."""
    try:
        while True:
            if (item := change(next(steps))) is not None:
                yield item
    except StopIteration as end:
        return cast("_T", end.value)
    finally:
        steps.close()
