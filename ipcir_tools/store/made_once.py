"""What several threads want made is made by one of them, and what was made or read lately is held in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from ipcir_tools.types import FloatArray


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


class Claims:
    """Who makes what. Nobody waits for another while holding a claim, so that no two wait for each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[str, threading.Event] = {}

    @contextmanager
    def of(self, keys: Iterable[str]) -> Iterator[tuple[list[str], list[threading.Event]]]:
        """The keys that this caller is to make within the block, and what tells that the others were dealt with."""
        done = threading.Event()
        with self._lock:
            others = {key: self._taken[key] for key in keys if key in self._taken}
            own = [key for key in dict.fromkeys(keys) if key not in others]
            self._taken.update(dict.fromkeys(own, done))
        try:
            yield own, list(dict.fromkeys(others.values()))
        finally:
            with self._lock:
                for key in own:
                    del self._taken[key]
            done.set()
