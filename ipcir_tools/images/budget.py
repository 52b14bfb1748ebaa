"""One bound on the memory that pictures take in this process, over all threads, requests and decoder processes.

It is paid before anything is decoded, from what the header says (:mod:`ipcir_tools.images.costs`). Whoever does not
get a share waits; a picture that could never have one is refused. The setting ``decode_memory`` is divided in fixed
parts, so that nobody waits for one part while holding another's share of it:

- a sixth is for the bytes of large files while they are read and decoded,
- the rest for decoding, of which an eighth is kept for small pictures: these pass while dear ones wait.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from ipcir_tools.errors import BadImageError
from ipcir_tools.text import byte_size

FILES = 6
"""The part of the memory that files have, as 1 / FILES."""
RESERVE = 8
"""The part of the decoders' memory that is for small pictures alone, as 1 / RESERVE."""
SMALL = 32
"""A picture is small that takes less than 1 / SMALL of the decoders' memory."""
FREE = 1_000_000
"""Bytes of a file that need no share."""
COPIES = 3
"""How many copies of a file there may be while it is decoded: as read, and without the parts that no decoder needs."""


def file_memory(total: int) -> int:
    """The part of ``decode_memory`` that files have."""
    return total // FILES


def decoder_memory(total: int) -> int:
    """The part that decoders have."""
    return total - file_memory(total)


class Budget:
    """Bytes that several threads share. The limit comes with each call, for settings are no process's own."""

    def __init__(self) -> None:
        self._small = self._large = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def held(self) -> int:
        """Bytes that are held now."""
        return self._small + self._large

    @contextmanager
    def hold(self, size: int, limit: int) -> Iterator[None]:
        """Hold ``size`` of ``limit`` bytes within the block; waits until they are free. Large pictures wait in their
        order, and behind them small ones have the reserve. A size beyond the limit is held alone."""
        small = size <= limit // SMALL
        (self._take_small if small else self._take_large)(size, limit)
        try:
            yield
        finally:
            with self._changed:
                if small:
                    self._small -= size
                else:
                    self._large -= size
                self._changed.notify_all()

    def _take_small(self, size: int, limit: int) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    not self.held
                    or self._small + size <= limit // RESERVE
                    or (not self._waiting and self.held + size <= limit)
                )
            )
            self._small += size

    def _take_large(self, size: int, limit: int) -> None:
        turn = object()
        with self._changed:
            self._waiting.append(turn)
            try:
                self._changed.wait_for(
                    lambda: (
                        self._waiting[0] is turn
                        and (not self._large or self._large + size <= limit - limit // RESERVE)
                        and (self._small <= limit // RESERVE or self.held + size <= limit)
                    )
                )
                self._large += size
            finally:
                self._waiting.remove(turn)
                self._changed.notify_all()


_DECODERS, _FILES = Budget(), Budget()
_here = threading.local()
_machine: Path | None = None
"""The lock of this machine's processes, where they share large pictures."""


def share_with_machine(lock: Path) -> None:
    """Let only one large picture at a time be decoded by all processes that name the same ``lock``: Ray's workers, each
    of which has a budget of its own."""
    global _machine
    _machine = lock


@contextmanager
def _machine_turn(size: int, limit: int) -> Iterator[None]:
    if _machine is None or size <= limit // SMALL:
        yield
        return
    lock = FileLock(_machine)
    with suppress(OSError):  # without a place for a lock, each process keeps to its own budget
        _machine.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def decoder_share(total: int) -> Iterator[Callable[[int], None]]:
    """Within the block, what it gives takes the memory of one picture, once, of ``decode_memory``.

    It raises BadImageError for a picture that takes more than a large one may ever have.
    """
    limit = decoder_memory(total)
    most = limit - limit // RESERVE
    with ExitStack() as held:

        def claim(size: int) -> None:
            if size > most:
                raise BadImageError(
                    f"takes {byte_size(size)} of memory to be decoded, more than {byte_size(most)} "
                    "(IPCIR_DECODE_MEMORY)"
                )
            held.enter_context(_DECODERS.hold(size, limit))
            held.enter_context(_machine_turn(size, limit))

        yield claim


@contextmanager
def file_share(size: int, total: int) -> Iterator[None]:
    """Hold the memory of a file of ``size`` bytes, and of what is made of it, while it is read and decoded.

    Within the block, the same thread needs no further share: one that waited for a second could wait for ever.
    """
    if size <= FREE or getattr(_here, "inside", False):
        yield
        return
    with _FILES.hold(COPIES * size, file_memory(total)):
        _here.inside = True
        try:
            yield
        finally:
            _here.inside = False
