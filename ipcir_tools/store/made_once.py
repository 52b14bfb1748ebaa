"""What several threads want made is made by one of them, and what was made or read lately is held in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager

from ipcir_tools.types import FloatArray
from ipcir_tools.work import wait_for


class HeldFeatures:
    """Features ``[d]`` by key, those used last, up to ``most``. They never change. Safe for many threads."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._held: OrderedDict[str, FloatArray] = OrderedDict()

    def get(self, keys: Iterable[str]) -> dict[str, FloatArray]:
        """Those that are held."""
        with self._lock:
            found = {key: self._held[key] for key in keys if key in self._held}
            for key in found:
                self._held.move_to_end(key)
            return found

    def put(self, features: Mapping[str, FloatArray]) -> None:
        """Hold more; what was not used for longest is let go."""
        with self._lock:
            for key, feature in features.items():
                self._held[key] = alone = feature.copy()  # a row would hold the rest of its array
                alone.setflags(write=False)
                self._held.move_to_end(key)
            while len(self._held) > self._most:
                self._held.popitem(last=False)


class Claim:
    """One thing that somebody is making."""

    def __init__(self) -> None:
        self._done = Future[None]()
        self.error: Exception | None = None
        """Why it was not made; None where it was, or where its maker was interrupted."""

    def wait(self) -> None:
        """Wait until it is made, or given up. Raises WorkEndedError where the running thread's work is ended."""
        wait_for(self._done)

    def settle(self, error: Exception | None) -> None:
        """Let those who wait go on."""
        if not self._done.done():
            self.error = error
            self._done.set_result(None)


Settle = Callable[[str, Exception | None], None]


class Claimed:
    """What one caller is to make, and what others are making that he wants."""

    def __init__(self, own: list[str], others: dict[str, Claim], settle: Settle) -> None:
        self.own = own
        """The keys that this caller is to make."""
        self.others = others
        """What tells that the other keys are dealt with, by key."""
        self._settle = settle

    def waited(self) -> Iterator[tuple[str, Exception | None]]:
        """The keys that others are making, each when it is dealt with, and why it was not made. For after the block:
        who waits holds no claim."""
        for key, other in self.others.items():
            other.wait()
            yield key, other.error

    def settle(self, keys: Iterable[str], error: Exception | None = None) -> None:
        """These keys are dealt with before the others: whoever waits for them goes on."""
        for key in keys:
            self._settle(key, error)


class Claims:
    """Who makes what. Nobody waits for another while holding a claim, so that no two wait for each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[str, Claim] = {}

    @contextmanager
    def of(self, keys: Iterable[str]) -> Iterator[Claimed]:
        """Claims to those of the keys that nobody is making, for the length of the block at most."""
        made: dict[str, Claim] = {}
        with self._lock:
            wanted = list(dict.fromkeys(keys))
            others = {key: self._taken[key] for key in wanted if key in self._taken}
            made |= {key: Claim() for key in wanted if key not in others}
            self._taken |= made

        def settle(key: str, error: Exception | None) -> None:
            with self._lock:
                if (claim := made.pop(key, None)) is not None:
                    del self._taken[key]
                    claim.settle(error)

        try:
            yield Claimed(list(made), others, settle)
        finally:
            for key in list(made):
                settle(key, None)
