"""A process that decodes pictures for another one, and that may be ended at any time.

It reads requests from its standard input and writes pictures to its standard output, each as the length of a JSON
object, the object, and as many bytes as that says. It has a limit on the time of its processor for each picture, and
on memory: what it asked for and was given. What libraries print goes nowhere.
"""

from __future__ import annotations

import json
import math
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

SPARE = 128_000_000
"""Bytes beyond what was given: threads and tables of the libraries."""


def send(file: BinaryIO, head: dict[str, Any], body: bytes = b"") -> None:
    """Write one message."""
    text = json.dumps(head | {"bytes": len(body)}).encode()
    file.write(len(text).to_bytes(4, "big") + text)
    file.write(body)
    file.flush()


def receive(file: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """Read one message. Raises EOFError where the other side has ended."""
    head = json.loads(_exactly(file, int.from_bytes(_exactly(file, 4), "big")))
    return head, _exactly(file, head["bytes"])


def _exactly(file: BinaryIO, n: int) -> bytes:
    data = file.read(n)
    if len(data) < n:
        raise EOFError
    return data


def main(idle: float) -> None:
    """Decode until the other side ends, or asks for nothing for ``idle`` seconds."""
    with suppress(ValueError, OSError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asked decides what an interruption means
    source = os.fdopen(os.dup(0), "rb")
    target = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for each in (0, 1, 2):
        os.dup2(nowhere, each)
    with suppress(EOFError, OSError):
        while _is_asked(source, idle):
            head, data = receive(source)
            _answer(source, target, head, data)


def _is_asked(source: BinaryIO, idle: float) -> bool:
    if sys.platform == "win32":  # which waits for sockets alone
        return True
    return bool(select.select([source], [], [], idle)[0])


def _answer(source: BinaryIO, target: BinaryIO, head: dict[str, Any], data: bytes) -> None:
    from ipcir_tools.errors import BadImageError
    from ipcir_tools.images.decoding import DecodingRequest, decode_here

    def claim(size: int) -> None:
        send(target, {"claim": size})
        answer, _ = receive(source)
        if refused := answer.get("refused"):
            raise BadImageError(refused)
        _limit_memory(size)

    _limit_time(head["seconds"])
    try:
        loaded = decode_here(data, DecodingRequest(**head["request"]), claim, dear=True)
        pictures = [each for each in (loaded.pixels, loaded.for_people) if each is not None]
        made = {"record": loaded.record.model_dump(), "sizes": [each.size for each in pictures]}
        body = b"".join(each.tobytes() for each in pictures)
    except BadImageError as error:
        made, body = {"error": str(error)}, b""
    _limit_memory(None)
    send(target, made, body)


def _limit_time(seconds: int) -> None:
    """The system counts in whole seconds: a picture has up to one less."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        end = math.floor(time.process_time()) + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (end if most < 0 else min(end, most), most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_memory(size: int | None) -> None:
    """Only Linux counts what a process has written to memory against a limit."""
    if sys.platform != "linux":
        return
    with suppress(ImportError, ValueError, OSError, IndexError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        status = Path("/proc/self/status").read_text()
        now = int(status.split("VmData:")[1].split()[0]) * 1024
        limit = most if size is None else now + size + SPARE + 9_000_000 * (os.cpu_count() or 1)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
