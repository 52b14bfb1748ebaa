"""Whether files are there, without waiting for a drive that does not answer."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from queue import SimpleQueue

from ipcir_tools.images.files import local_name, text_path
from ipcir_tools.images.own_disks import is_on_own_disk, learn
from ipcir_tools.images.storage import is_gone
from ipcir_tools.sources import ObjectUrl, source_folder

PATIENCE = 1.0
"""Seconds that all files together may take."""

SEEN_SECONDS = 60.0
"""For so long an object that was seen is taken to be there: each look is a request to its store."""

MOST_SEEN = 10_000
"""Objects that are remembered so."""

WORKERS = 8
"""Files that are looked at at a time, so that one drive that hangs does not hold up the others."""

SOON = 0.02
"""Seconds after which one worker is not enough: a drive of this machine has answered for hundreds of files by then."""

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENODEV, errno.ENXIO)

_hanging: set[str] = set()
"""Folders that did not answer in time and still have not: they are not asked again until they do."""
_seen: dict[str, float] = {}
"""When objects were seen, by URL."""
_lock = threading.Lock()


def gone_files(paths: Iterable[str], seconds: float = PATIENCE) -> set[str]:
    """Those of ``paths``, as ``path_text`` writes them, where there is no file.

    What is not known is no member: a file whose drive does not answer within ``seconds``, or that may not be seen.
    """
    gone, others = set(), []
    for path in dict.fromkeys(paths):
        folder = _folder(path)
        there = _is_there(path) if is_on_own_disk(folder) else None
        if there is False:
            gone.add(path)
        elif there is None and folder not in _hanging:
            others.append((path, folder))
    return gone | _Search(others).gone(seconds) if others else gone


def _is_there(path: str) -> bool | None:
    """Whether a file of a disk of this machine is there; None for a link, which may lead to another drive."""
    try:
        return None if stat.S_ISLNK(os.lstat(local_name(path)).st_mode) else True
    except (OSError, ValueError) as error:
        return not _means_gone(error)


def _folder(path: str) -> str:
    """What hangs together."""
    return source_folder(path) if "://" in path else os.path.dirname(path)  # noqa: PTH120 - a fifth of the time


class _Search:
    """Looks at files in other threads, which are left behind where a drive hangs."""

    def __init__(self, paths: Iterable[tuple[str, str]]) -> None:
        """``paths``, each with its folder."""
        self._waiting = deque(paths)
        self._asked: dict[int, str] = {}
        self._found: set[str] = set()
        self._done = threading.Event()

    def gone(self, seconds: float) -> set[str]:
        _workers.run(self._work)
        if not self._done.wait(min(SOON, seconds)):
            for _ in range(min(WORKERS, len(self._waiting) + 1) - 1):
                _workers.run(self._work)
            self._done.wait(max(0.0, seconds - SOON))
        with _lock:
            self._waiting.clear()
            _hanging.update(filter(None, self._asked.values()))
            return set(self._found)

    def _work(self) -> None:
        me = threading.get_ident()
        self._asked[me] = ""  # before a file is taken: who finds none left and nobody at work ends the search
        while (taken := self._next()) is not None:
            path, folder = taken
            self._asked[me] = folder
            if _is_gone(path):
                self._found.add(path)
            if "://" not in folder:
                learn(folder)
            with _lock:  # it has answered: from here on nobody takes it for one that hangs
                self._asked[me] = ""
                _hanging.discard(folder)
        with _lock:
            del self._asked[me]
            if not self._asked:
                self._done.set()

    def _next(self) -> tuple[str, str] | None:
        try:
            return self._waiting.popleft()
        except IndexError:
            return None


class _Workers:
    """Daemon threads that are used again, as starting one takes longer than looking at a few files.

    One that hangs is not missed: a job for which no worker is idle gets a new one.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0

    def run(self, job: Callable[[], None]) -> None:
        """Have a worker do it."""
        with self._lock:
            is_new = not self._idle
            self._idle -= not is_new
        self._jobs.put(job)
        if is_new:
            threading.Thread(target=self._loop, name="ipcir-files", daemon=True).start()

    def _loop(self) -> None:
        while True:
            self._jobs.get()()
            with self._lock:
                if self._idle >= WORKERS:
                    return
                self._idle += 1


_workers = _Workers()
if hasattr(os, "register_at_fork"):  # threads do not come along
    os.register_at_fork(after_in_child=_workers.__init__)  # type: ignore[misc]


def _is_gone(path: str) -> bool:
    try:
        source = text_path(path)
        if isinstance(source, ObjectUrl):
            return _is_object_gone(source)
        os.stat(source)  # noqa: PTH116 - Path.exists would also be False where it may not be seen
    except (OSError, ValueError) as error:
        return _means_gone(error)
    return False


def _means_gone(error: OSError | ValueError) -> bool:
    """Whether an error says that there is no such file; ValueError: no file name can be written so."""
    return error.errno in _GONE if isinstance(error, OSError) else True


def _is_object_gone(url: ObjectUrl) -> bool:
    now = time.monotonic()
    if now - _seen.get(url.text, -SEEN_SECONDS) < SEEN_SECONDS:
        return False
    if is_gone(url):
        _seen.pop(url.text, None)
        return True
    if len(_seen) >= MOST_SEEN:
        _seen.clear()
    _seen[url.text] = now
    return False
