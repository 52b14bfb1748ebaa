"""Files that are to be read: their size and times, and their pictures, read, decoded and preprocessed by threads."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Container, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ipcir_tools.errors import BadImageError, NotFoundError, UnreadableFileError
from ipcir_tools.images.budget import file_share
from ipcir_tools.images.file_status import GONE, FileStatus
from ipcir_tools.images.pixels import crop_extreme
from ipcir_tools.images.reading import LoadedImage, decode, image_id, read_file
from ipcir_tools.settings import Settings
from ipcir_tools.sources import Source
from ipcir_tools.store.catalog import FileStamp
from ipcir_tools.types import ImageRecord, Skip

if TYPE_CHECKING:
    from PIL import Image

    from ipcir_tools.models.encoder import Encoder, Preprocessed

MAX_WORKERS = 32
FETCHING = 16
"""Threads where objects are read: they mostly wait for answers."""


@dataclass(frozen=True)
class NewPicture:
    """A picture whose content was not known."""

    record: ImageRecord
    item: Preprocessed | None
    """What the encoder takes; None where there was no encoder yet, or there is to be none."""
    pixels: Image.Image | None
    """Its pixels, where a captioner needs them."""
    failure: Exception | None = None
    """Why the encoder could not take it."""
    later: Callable[[Encoder], Preprocessed] | None = None
    """Makes the item where there was no encoder yet, from the file's bytes; it may raise anything."""


@dataclass(frozen=True)
class ReadFile:
    """A file that was read; ``picture`` is None where its content is known."""

    stamp: FileStamp
    picture: NewPicture | None


@dataclass(frozen=True)
class UnusableFile:
    """A file that gives no picture."""

    skip: Skip
    unread: bool
    """Whether its bytes could not be had: it may hold the same picture as before."""


class PictureReader:
    """From a file to what the encoder takes: bytes, id, pixels, preprocessing. Safe for many threads.

    Pictures with an id in ``known`` are not decoded. For the encoder a picture is always decoded at the size that its
    side needs; with ``keep_pixels`` pixels are kept as a captioner gets them elsewhere, which takes another decoding
    for large JPEGs and encoders of more than 256 pixels alone. ``encoder``
    gives the encoder, or None as long as there is none: then the file's bytes are kept until there is one, and not
    the pixels. None in its place: nothing is to be encoded.
    """

    def __init__(
        self,
        settings: Settings,
        encoder: Callable[[], Encoder | None] | None,
        *,
        known: Container[str] = (),
        keep_pixels: bool = False,
    ) -> None:
        self._settings, self._encoder = settings, encoder
        self._known, self._keep_pixels = known, keep_pixels

    def read(self, text: str, file: Source, status: FileStatus | None) -> ReadFile | UnusableFile:
        """One file, given with its text and its status when it was listed."""
        try:
            expected = min(status.size, self._settings.max_bytes) if status else 0
            with file_share(expected, self._settings.decode_memory):
                data = read_file(file, self._settings, status)
                id_ = image_id(data)
                picture = None if id_ in self._known else self._decoded(data, text, status)
        except (BadImageError, NotFoundError) as error:
            return UnusableFile(Skip(source=text, reason=str(error)), isinstance(error, UnreadableFileError))
        return ReadFile(FileStamp(text, id_, *(status or GONE)), picture)

    def _decoded(self, data: bytes, text: str, status: FileStatus | None) -> NewPicture:
        encoder = self._encoder() if self._encoder else None
        if encoder is None:
            record, pixels = self._for_captioner(data, text, status)
            later = partial(self._item, data, text) if self._encoder else None
            return NewPicture(record, None, pixels, later=later)
        loaded = self._loaded(data, text, status, encoder.picture_side)
        item, failure = preprocessed(encoder, loaded.pixels)
        record, pixels = loaded.record, loaded.for_people and crop_extreme(loaded.for_people)
        del loaded
        if self._keep_pixels and pixels is None:
            pixels = self._for_captioner(data, text, status)[1]
        return NewPicture(record, item, pixels, failure)

    def _for_captioner(
        self, data: bytes, text: str, status: FileStatus | None
    ) -> tuple[ImageRecord, Image.Image | None]:
        loaded = self._loaded(data, text, status)
        return loaded.record, crop_extreme(loaded.pixels) if self._keep_pixels else None

    def _item(self, data: bytes, text: str, encoder: Encoder) -> Preprocessed:
        return encoder.preprocess(self._loaded(data, text, None, encoder.picture_side).pixels)

    def _loaded(self, data: bytes, text: str, status: FileStatus | None, side: int | None = None) -> LoadedImage:
        modified = status.mtime_ns / 1e9 if status else None
        people = self._keep_pixels and side is not None
        return decode(data, text, self._settings, modified=modified, side=side, people=people)


def preprocessed(encoder: Encoder, pixels: Image.Image) -> tuple[Preprocessed | None, Exception | None]:
    """What the encoder takes, or why it does not take these pixels."""
    try:
        return encoder.preprocess(pixels), None
    except Exception as error:  # noqa: BLE001 - another package's encoder raises anything
        return None, error


def read_files(
    files: Iterable[tuple[str, Source, FileStatus | None]],
    reader: PictureReader,
    most: int,
    *,
    quickly: Callable[[], bool] = lambda: True,
    threads: int | None = None,
) -> Generator[ReadFile | UnusableFile, None, None]:
    """The files, each given with its text and status, in order, read by several threads.

    At most ``most`` are read ahead, and while ``quickly`` says no, only as many as keep the threads busy; ``threads``,
    if not as many as there are cores.
    """
    threads = threads or _workers()
    few = min(most, 2 * threads)
    waiting: deque[Future[ReadFile | UnusableFile]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="ipcir-decode", initializer=_stand_back) as pool:
        try:
            for each in files:
                waiting.append(pool.submit(reader.read, *each))
                while len(waiting) >= (most if quickly() else few):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


BEHIND = 10
"""How much nicer, as Unix calls it, the threads that decode are than the one that encodes."""


def _stand_back() -> None:
    """Let a thread that decodes run where the encoder leaves a core free, rather than in the place of one of its own
    threads, for which the others would wait. Only Linux knows of single threads."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BEHIND)


def _workers() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MAX_WORKERS, cores)
