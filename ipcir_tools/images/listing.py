"""What is in a folder, of this machine or of an object store; the answers of a store are asked for ahead."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from ipcir_tools.images.object_entry import ObjectEntry
from ipcir_tools.sources import ObjectUrl, Source

AT_A_TIME = 16
"""Folders of an object store that are listed at a time: each answer takes as long as the way there and back."""

Entry = os.DirEntry[str] | ObjectEntry


class Listings:
    """Listings of folders, each sorted by name."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._asked: dict[ObjectUrl, Future[list[ObjectEntry]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def expect(self, folders: Iterable[Source]) -> None:
        """Ask for these folders already, those of an object store."""
        for folder in folders:
            if isinstance(folder, ObjectUrl):
                self._pool = self._pool or ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="ipcir-list")
                self._asked[folder] = self._pool.submit(_objects, folder)

    def of(self, folder: Source) -> list[Entry]:
        """What is in a folder. Raises OSError, and for an object store NotFoundError and UnreadableFileError."""
        if not isinstance(folder, ObjectUrl):
            return sorted(os.scandir(folder), key=_name)
        asked = self._asked.pop(folder, None)
        return sorted(asked.result() if asked else _objects(folder), key=_name)


def _objects(folder: ObjectUrl) -> list[ObjectEntry]:
    from ipcir_tools.images.object_store import list_objects

    return list_objects(folder)


def _name(entry: Entry) -> str:
    return entry.name
