"""Files that are to be read: their size and times, and their pictures, read and decoded by several threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Container, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from ipcir_tools.errors import BadImageError, NotFoundError, UnreadableFileError
from ipcir_tools.images.file_status import GONE, FileStatus
from ipcir_tools.images.reading import LoadedImage, decode, image_id, read_file
from ipcir_tools.settings import Settings
from ipcir_tools.sources import ObjectUrl, Source
from ipcir_tools.store.catalog import FileStamp
from ipcir_tools.types import Skip

MAX_WORKERS = 32
FETCHING = 16
"""Threads where objects are read: they mostly wait for answers."""


@dataclass(frozen=True)
class ReadFile:
    """A file that was read; decoded unless its content is known."""

    stamp: FileStamp
    loaded: LoadedImage | None


@dataclass(frozen=True)
class UnusableFile:
    """A file that gives no picture."""

    skip: Skip
    unread: bool
    """Whether its bytes could not be had: it may hold the same picture as before."""


def read_files(
    files: Sequence[tuple[str, Source, FileStatus | None]],
    known: Container[str],
    settings: Settings,
) -> Generator[ReadFile | UnusableFile, None, None]:
    """The files, each given with its text and status, in order; read and decoded at most one batch ahead.

    Pictures with an id in ``known`` are not decoded.
    """

    def read(text: str, file: Source, status: FileStatus | None) -> ReadFile | UnusableFile:
        try:
            data = read_file(file, settings, status)
            id_ = image_id(data)
            modified = status.mtime_ns / 1e9 if status else None
            loaded = None if id_ in known else decode(data, text, settings, modified=modified)
        except (BadImageError, NotFoundError) as error:
            return UnusableFile(Skip(source=text, reason=str(error)), isinstance(error, UnreadableFileError))
        return ReadFile(FileStamp(text, id_, *(status or GONE)), loaded)

    waiting: deque[Future[ReadFile | UnusableFile]] = deque()
    with ThreadPoolExecutor(_workers(files), thread_name_prefix="ipcir-decode") as pool:
        try:
            for each in files:
                waiting.append(pool.submit(read, *each))
                if len(waiting) >= settings.batch_size:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _workers(files: Sequence[tuple[str, Source, FileStatus | None]]) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if any(isinstance(file, ObjectUrl) for _, file, _ in files):
        return max(FETCHING, min(MAX_WORKERS, cores))
    return min(MAX_WORKERS, cores)
