"""Calls and streams under a deadline, and generators that return a value."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, TypeVar, cast

from ipcir_tools.llm.call_scope import CallScope, abandoned_calls, current_call
from ipcir_tools.llm.errors import AbandonedCallsError, DeadlineExceededError
from ipcir_tools.llm.streaming import close_stream

_T = TypeVar("_T")
_A = TypeVar("_A")
_B = TypeVar("_B")
_END = object()

MOST_ABANDONED = 32
"""Threads of calls that were given up and go on all the same; while there are so many, no further call is begun."""


def call_within(seconds: float, call: Callable[[], _T], left: Callable[[], float] | None = None) -> _T:
    """``call()``, or ``DeadlineExceededError`` after ``seconds``; the call is then ended, as ``iterate_within`` says.

    ``left`` is as for ``iterate_within``.
    """
    return next(iterate_within(seconds, lambda: _one(call), left))


def _one(call: Callable[[], _T]) -> Iterator[_T]:
    yield call()


def iterate_within(
    seconds: float, stream: Callable[[], Iterable[_T]], left: Callable[[], float] | None = None
) -> Iterator[_T]:
    """The items of ``stream()`` as they come. Raises ``DeadlineExceededError`` after ``seconds`` in all.

    Where there is a function ``left``, it is asked after these seconds how many more there are by now.

    A client's own timeout bounds each read, not the whole answer: a server may send a byte a second for ever. So
    another thread reads. It is a daemon, so that it never delays the interpreter's exit, and it stops reading when the
    consumer stops iterating: the connection of a client of :mod:`http_clients` is closed then. The client of another
    package may read on; raises ``AbandonedCallsError`` where ``MOST_ABANDONED`` do. Items that came in time are given
    out however late they are taken.
    """
    if (running := abandoned_calls.running) >= MOST_ABANDONED:
        raise AbandonedCallsError(running)
    received: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
    abandoned = Event()
    start = time.monotonic()
    context = copy_context()

    def remaining() -> float:
        own = start + seconds - time.monotonic()
        return own if left is None else max(own, left())

    def read() -> None:
        try:
            items = stream()
            try:
                for item in items:
                    if abandoned.is_set() or remaining() < 0:
                        return
                    received.put((item, None))
            finally:
                close_stream(items)
            received.put((_END, None))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            received.put((_END, error))
        finally:
            own_call.end()

    scope, own_call = CallScope(remaining), abandoned_calls.call()
    context.run(current_call.set, scope)
    Thread(target=context.run, args=(read,), name="ipcir-llm", daemon=True).start()
    try:
        while True:
            try:
                item, error = received.get(timeout=max(0.0, remaining()))
            except Empty:
                if remaining() > 0:
                    continue
                raise DeadlineExceededError from None
            if error is not None:
                raise error
            if item is _END:
                return
            yield cast("_T", item)
    finally:
        abandoned.set()
        scope.close()
        own_call.abandon()


def run_to_end(steps: Generator[Any, None, _T]) -> _T:
    """The return value of a generator."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return cast("_T", end.value)


def map_steps(change: Callable[[_A], _B | None], steps: Generator[_A, None, _T]) -> Generator[_B, None, _T]:
    """The generator with each item changed, left out where ``change`` gives None; its return value is the same."""
    try:
        while True:
            if (item := change(next(steps))) is not None:
                yield item
    except StopIteration as end:
        return cast("_T", end.value)
    finally:
        steps.close()
