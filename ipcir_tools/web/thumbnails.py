"""Small pictures by id, made once: the page never names a path."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from ipcir_tools.engine.engine import Engine
from ipcir_tools.images.thumbnails import encode_jpeg

SIDES = {"s": 160, "m": 384, "l": 1600}
"""Pixels of the longer side by the name of a size: a strip, a grid, one picture alone."""

MOST_BYTES = 96_000_000
"""Of all thumbnails in memory: about 4,000 of a grid."""

_AT_A_TIME = 4
"""Pictures decoded at a time, so that a page of many does not take the machine from the searches."""

_NICE = 10
"""By how much the threads that decode stand behind all else, the browser of the same machine above all: in a quick
scroll through thousands of pictures its frames come first."""

GONE = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="384" height="384">'
    b'<rect width="64" height="64" fill="#8883"/><g fill="none" stroke="#888" stroke-width="1.5">'
    b'<rect x="21" y="23" width="22" height="18" rx="2"/><path d="M21 38l7-6 5 4 4-3 6 5M19 45l26-26"/></g></svg>'
)
"""What is shown for a picture whose file is gone."""


class Thumbnails:
    """JPEGs of the catalog's pictures, held in memory up to :data:`MOST_BYTES`. Safe for many threads."""

    def __init__(self, engine: Engine, most: int = MOST_BYTES) -> None:
        self._engine, self._most = engine, most
        self._held: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._decoding = ThreadPoolExecutor(_AT_A_TIME, "thumbnails", _stand_behind)

    async def get(self, id: str, size: str) -> bytes | None:
        """The picture with this id as a JPEG of a size of :data:`SIDES`; None where it cannot be read.

        It is waited for without a thread: those of all other requests would wait for pictures.
        """
        key = id, size
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        return await asyncio.wrap_future(self._decoding.submit(self._made, id, size))

    def _made(self, id: str, size: str) -> bytes | None:
        components = self._engine.components
        picture = components.load_large(id, SIDES[size]) if size == "l" else components.load_image({}, id)
        if isinstance(picture, str):
            return None
        data = encode_jpeg(picture, SIDES[size])
        if size != "l":
            self._keep((id, size), data)
        return data

    def _keep(self, key: tuple[str, str], data: bytes) -> None:
        with self._lock:
            self._bytes += len(data) - len(self._held.pop(key, b""))
            self._held[key] = data
            while self._bytes > self._most:
                self._bytes -= len(self._held.popitem(last=False)[1])


def _stand_behind() -> None:
    """Lower the priority of this thread, where threads have their own (Linux)."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
