"""The seal of the Chroma index: what it holds, and whether that is what the catalog says."""

from __future__ import annotations

import logging
from pathlib import Path

from ipcir_tools.store.chroma import BrokenIndexError, NeighbourIndex, digest
from ipcir_tools.types import Value

log = logging.getLogger(__name__)

LOCK_SECONDS = 5.0
"""How long to wait for another process that writes the index."""

BLOCK = 5_000
"""Vectors carried from the catalog to the index at a time."""


class Seal(Value):
    """What a finished index folder must look like."""

    folder: str
    revision: int
    count: int
    digest: str


def _verified(parent: Path, seal: Seal) -> NeighbourIndex:
    """The sealed index, open. The graph's files are compared before Chroma reads them: it may crash on wrong ones."""
    folder = parent / seal.folder
    if digest(folder) != seal.digest:
        raise BrokenIndexError("its files have changed")
    index = NeighbourIndex.open(folder)
    try:
        if index.count() != seal.count or len(index.ids()) != seal.count:
            raise BrokenIndexError("its count is wrong")
    except BrokenIndexError:
        _close(index)
        raise
    return index


def _close(index: NeighbourIndex | None) -> None:
    if index is not None:
        try:
            index.close()
        except BrokenIndexError as error:
            log.info("the index did not close: %s", error)
