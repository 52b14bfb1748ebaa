"""A value that several threads want at a time is made by one of them; no lock is held while it is made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from ipcir_tools.work import wait_for

T = TypeVar("T")


class Once(Generic[T]):
    """Makes a value for all who ask for it while it is made. What was made is not held: that is for the caller.

    A lock that is held while a model is loaded or asked stops everybody who wants it for something else; here nobody
    waits but for the very value that he wants. Safe for many threads; ``make`` must not ask for its own key.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._making: dict[Hashable, Future[T]] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """``make()``, or what another thread is making under ``key`` just now, be it an error.

        An interrupt is raised only to whom it came; another of those who wait makes the value then.
        """
        while True:
            with self._lock:
                other = self._making.get(key)
                own: Future[T] = self._making.setdefault(key, Future())
            if other is None:
                return self._made(key, own, make)
            wait_for(other)
            if (error := other.exception()) is None:
                return other.result()
            if isinstance(error, Exception):
                raise error

    def is_making(self, key: Hashable) -> bool:
        """Whether some thread is making the value of ``key`` just now."""
        with self._lock:
            return key in self._making

    def _made(self, key: Hashable, own: Future[T], make: Callable[[], T]) -> T:
        try:
            value = make()
        except BaseException as error:
            self._settle(key)
            own.set_exception(error)
            raise
        self._settle(key)
        own.set_result(value)
        return value

    def _settle(self, key: Hashable) -> None:
        with self._lock:
            del self._making[key]
