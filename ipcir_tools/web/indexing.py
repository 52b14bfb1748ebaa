"""Indexing from the page: one job at a time, in a thread of the program, so that it goes on when the page is closed."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

from ipcir_tools.display.sentences import without_pictures
from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import InvalidRequestError, IPCIRError
from ipcir_tools.sources import ObjectUrl, Source, source_of
from ipcir_tools.text import printable_line, shorten
from ipcir_tools.types import IndexReport
from ipcir_tools.web.requests import whole_path

log = logging.getLogger(__name__)

MOST_NAMED = 20
"""Skipped files."""


class CancelledError(Exception):
    """The person stopped the run; what is committed stays, and the next run goes on there."""


class Indexing:
    """The run that is at work, or the last one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._thread: threading.Thread | None = None
        self._state: dict[str, Any] = {"running": False}
        self._step: tuple[str, int, float] = ("", 0, 0.0)

    def start(self, folders: list[str] | None, *, captions: bool = False) -> None:
        """Begin to index folders; None: all that are known. Raises InvalidRequestError while another run is at work."""
        named = [_source(text) for text in folders] if folders is not None else None
        with self._lock:
            if self._state["running"]:
                raise InvalidRequestError("Pictures are being added already: wait for that to end, or stop it.")
            self._cancelled.clear()
            what = ", ".join(map(str, named)) if named else "all folders"
            self._state = {"running": True, "folder": shorten(printable_line(what), 120), "step": "starting"}
            self._thread = threading.Thread(target=self._run, args=(named, captions), name="ipcir-indexing")
        self._thread.start()

    def stop(self) -> None:
        """Ask the run to end after its batch."""
        self._cancelled.set()

    def close(self) -> None:
        """Stop, and wait for the batch that is at work."""
        self.stop()
        if self._thread is not None:
            self._thread.join()

    @property
    def state(self) -> dict[str, Any]:
        """What is being done, with rate and seconds left where they are known; or how the last run ended."""
        with self._lock:
            return dict(self._state)

    def _run(self, named: list[Source] | None, captions: bool) -> None:
        try:
            report = self._engine.index(named, self._progress, captions=captions or None)
            ended: dict[str, Any] = _told(report)
        except CancelledError:
            ended = {"told": "Stopped. What was added stays, and the next run goes on there."}
        except IPCIRError as error:
            ended = {"error": str(error)}
        except Exception as error:  # broad: the person must hear of it, and the page goes on
            log.exception("indexing failed")
            ended = {"error": f"Indexing failed inside ({type(error).__name__}): try it again."}
        with self._lock:
            self._state = {"running": False, "folder": self._state.get("folder", ""), **ended}

    def _progress(self, what: str, done: int, total: int) -> None:
        if self._cancelled.is_set():
            raise CancelledError
        now = time.monotonic()
        step, first, began = self._step
        if step != what or done < first:
            self._step = step, first, began = what, done, now
        rate = (done - first) / (now - began) if now > began and done > first else None
        left = round((total - done) / rate) if rate else None
        with self._lock:
            self._state |= {"step": what, "done": done, "total": total, "rate": rate, "left": left}


def _source(text: str) -> Source:
    if not text.strip():  # as a path it would be the working directory of the program
        raise InvalidRequestError("Name a folder of pictures.")
    source = source_of(text.strip())
    return source if isinstance(source, ObjectUrl) else whole_path(str(source))


def _told(report: IndexReport) -> dict[str, Any]:
    """A report in a sentence, and the files that were skipped."""
    parts = [f"{report.added:,} added"]
    for n, word in ((report.unchanged, "already there"), (report.moved, "moved"), (report.removed, "gone")):
        parts += [f"{n:,} {word}"] if n else []
    parts += [f"{len(report.skipped):,} skipped"] if report.skipped else []
    told = without_pictures(report) or f"{', '.join(parts)}."
    skipped = [f"{Path(each.source).name}: {each.reason}" for each in report.skipped[:MOST_NAMED]]
    return {
        "told": told,
        "added": report.added,
        "skipped": [printable_line(each) for each in skipped],
    }
