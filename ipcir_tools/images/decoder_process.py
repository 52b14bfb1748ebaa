"""Decoding in processes that can be ended: for formats whose libraries nothing stops, and for dear pictures.

A few processes are started when they are first needed, serve one picture at a time, and end when they were not needed
for half a minute, or when this process ends. A picture that takes more than its time or memory, or crashes its
library, is a bad image, and costs one process.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import Any, BinaryIO, cast

from PIL import Image

from ipcir_tools.errors import BadImageError
from ipcir_tools.images.budget import decoder_share
from ipcir_tools.images.decoder_worker import receive, send
from ipcir_tools.images.decoding import DecodingRequest, LoadedImage
from ipcir_tools.types import ImageRecord

SECONDS = 4
"""Seconds of the processor that one picture may take: five by the clock, with the start of a process."""
WALL = 20.0
"""Seconds that a picture may take by the clock, on a machine that is busy with other things."""

IDLE = 30.0
"""Seconds without a request after which a process ends."""
ENDING = 5.0
"""Seconds that a process which has closed its pipes may take to end, on a machine that is busy with other things."""
MOST = 4
"""Processes at a time; no more than there are cores."""

_CRASHED = "cannot be decoded (its decoder crashed)"


class _Decoder:
    """One process."""

    def __init__(self) -> None:
        # The modules are found as here, whatever changed the path since this process began.
        program = (
            f"import sys; sys.path[:] = {sys.path!r}\nfrom ipcir_tools.images.decoder_worker import main; main({IDLE})"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self._input, self._output = cast(BinaryIO, self._process.stdin), cast(BinaryIO, self._process.stdout)
        self._late = False

    def decode(self, data: bytes, request: DecodingRequest, total: int) -> LoadedImage:
        """The picture. Raises BadImageError; EOFError and OSError where the process has ended before it began."""
        send(self._input, {"request": asdict(request), "seconds": SECONDS}, data)
        with decoder_share(total) as claim:
            head, body = self._answer()
            while "claim" in head:
                try:
                    claim(head["claim"])
                except BadImageError as error:
                    send(self._input, {"refused": str(error)})
                else:
                    send(self._input, {})
                head, body = self._answer()
            if "error" in head:
                raise BadImageError(head["error"])
            pictures, place = list[Image.Image](), 0
            for width, height in head["sizes"]:
                part = memoryview(body)[place : (place := place + 3 * width * height)]
                pictures.append(Image.frombytes("RGB", (width, height), part))
            return LoadedImage(ImageRecord(**head["record"]), pictures[0], pictures[1] if pictures[1:] else None)

    def _answer(self) -> tuple[dict[str, Any], bytes]:
        timer = threading.Timer(WALL, self._end_late)
        timer.daemon = True
        timer.start()
        try:
            return receive(self._output)
        finally:
            timer.cancel()

    def _end_late(self) -> None:
        self._late = True
        self._process.kill()

    def why_ended(self) -> str:
        """Why there is no answer, as a reason."""
        ended = self.end()
        late = self._late or (hasattr(signal, "SIGXCPU") and ended == -signal.SIGXCPU)
        return f"takes more than {SECONDS} seconds to decode" if late else _CRASHED

    def is_there(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def end(self, seconds: float = 0.0) -> int:
        """End it, where it has not ended by itself within so many seconds; its exit code."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self._process.kill()
        for file in (self._input, self._output):
            with suppress(OSError):
                file.close()
        return self._process.wait()


class DecoderProcesses:
    """The processes of this one. Safe for many threads."""

    def __init__(self) -> None:
        self._idle: list[_Decoder] = []
        self._room = threading.BoundedSemaphore(min(MOST, os.cpu_count() or 1))

    def decode(self, data: bytes, request: DecodingRequest, total: int) -> LoadedImage:
        """The picture in ``data``, within ``total`` bytes of the budget. Raises BadImageError."""
        with self._room:
            while True:
                decoder = self._taken()
                try:
                    loaded = decoder.decode(data, request, total)
                except BadImageError:
                    self._idle.append(decoder)
                    raise
                except (EOFError, OSError) as error:
                    if decoder.end(ENDING) != 0:  # else it was not needed for long, and ended when it was
                        raise BadImageError(decoder.why_ended()) from error
                except BaseException:  # an interrupt, too: half an answer may be left in the pipe
                    decoder.end()
                    raise
                else:
                    self._idle.append(decoder)
                    return loaded

    def _taken(self) -> _Decoder:
        while self._idle:
            decoder = self._idle.pop()
            if decoder.is_there():
                return decoder
            decoder.end()
        try:
            return _Decoder()
        except OSError as error:
            raise BadImageError(f"cannot be decoded (no process can be started: {error.strerror})") from error

    def end(self) -> None:
        """End those that are idle."""
        while self._idle:
            self._idle.pop().end()


_processes = DecoderProcesses()
_forgotten: list[DecoderProcesses] = []


def decode_apart(data: bytes, request: DecodingRequest, total: int) -> LoadedImage:
    """The picture in ``data``, decoded in another process. Raises BadImageError."""
    return _processes.decode(data, request, total)


def _forget() -> None:
    """A copy of this process has no right to the pipes of its processes."""
    global _processes
    _forgotten.append(_processes)  # which are not to be waited for, either
    _processes = DecoderProcesses()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
atexit.register(lambda: _processes.end())
