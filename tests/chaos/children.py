"""Work in a process of its own that may be killed at any statement or moment, and what it said until then."""

from __future__ import annotations

import os
import pickle
import random
import resource
import select
import signal
import struct
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event

Say = Callable[[Any], None]
"""Tells the parent that something is done: what was said must hold, whatever comes then."""


@dataclass(frozen=True)
class Limits:
    """What happens to a child."""

    statements: int | None = None
    """It is killed before this statement of SQL."""
    seconds: float | None = None
    """It is killed after this time."""
    file_bytes: int | None = None
    """No file that it writes may be larger: the disk is full."""


@dataclass
class Ended:
    """How a child ended."""

    said: list[Any] = field(default_factory=list)
    value: Any = None
    error: str = ""
    """Its traceback, if it raised something."""
    killed: bool = False


def in_child(work: Callable[[Say], Any], limits: Limits = Limits(), patience: float = 120.0) -> Ended:
    """Fork, work, and tell: nothing of it stays in this process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _work(work, writer, limits)  # never returns
    os.close(writer)
    ended, began = Ended(), time.monotonic()
    until = began + (limits.seconds if limits.seconds is not None else patience)
    data = b""
    while True:
        left = until - time.monotonic()
        ready = select.select([reader], [], [], max(left, 0))[0]
        if not ready:
            os.kill(child, signal.SIGKILL)
            if limits.seconds is None:
                ended.error = f"it hung for {patience} s"
            until = time.monotonic() + patience
            continue
        part = os.read(reader, 1 << 16)
        if not part:
            break
        data += part
    os.close(reader)
    _, status = os.waitpid(child, 0)
    ended.killed = os.WIFSIGNALED(status)
    for kind, value in _messages(data):
        if kind == "said":
            ended.said.append(value)
        elif kind == "value":
            ended.value = value
        else:
            ended.error = value
    return ended


def _work(work: Callable[[Say], Any], writer: int, limits: Limits) -> None:
    def tell(kind: str, value: Any) -> None:
        content = pickle.dumps((kind, value))
        os.write(writer, struct.pack("<I", len(content)) + content)

    try:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        if limits.statements is not None:
            _kill_before(limits.statements)
        if limits.file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
        tell("value", work(lambda value: tell("said", value)))
    except BaseException:  # noqa: BLE001 - all of it is the parent's
        tell("error", traceback.format_exc())
    finally:
        os._exit(0)


def _kill_before(n: int) -> None:
    left = [n]

    @event.listens_for(Engine, "before_cursor_execute")
    @event.listens_for(Engine, "commit")
    def count(*_: Any) -> None:
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _messages(data: bytes) -> list[tuple[str, Any]]:
    found = []
    while len(data) >= 4:
        (size,) = struct.unpack("<I", data[:4])
        if len(data) < 4 + size:  # it was killed while it spoke
            break
        found.append(pickle.loads(data[4 : 4 + size]))
        data = data[4 + size :]
    return found


def some_kill(dice: random.Random, statements: int, seconds: float) -> Limits:
    """A kill before one of so many statements, or within so many seconds."""
    if dice.random() < 0.6:
        return Limits(statements=dice.randint(1, statements))
    return Limits(seconds=dice.uniform(0.005, seconds))
