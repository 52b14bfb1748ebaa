"""The sealed folders of the Chroma index: written from the catalog, verified before they are opened.

A writer never changes a folder that a reader may have open: it brings a copy up to date under a new name, seals it
with a digest, and then stores the seal in the catalog. A process that is killed at any moment leaves the last sealed
folder whole, and many processes may search while one writes.
"""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout
from pydantic import ValidationError

from ipcir_tools.batches import Progress, chunked
from ipcir_tools.errors import CatalogError
from ipcir_tools.store.candidates import BrokenIndexError, CandidateIndex, ChromaCollection, OpenedIndex
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.changes import GalleryState
from ipcir_tools.store.chroma import NeighbourIndex, digest
from ipcir_tools.store.collection_rows import Metadata, collection_rows
from ipcir_tools.store.unstored import storing
from ipcir_tools.types import Value

log = logging.getLogger(__name__)

LOCK_SECONDS = 5.0
"""How long to wait for another process that writes the index."""

BLOCK = 5_000
"""Vectors copied from the catalog to the index at a time."""


class Seal(Value):
    """The state of a finished index folder."""

    folder: str
    revision: int
    """The catalog's revision when the folder was written."""
    count: int
    digest: str
    facts: int = -1
    """The catalog's facts that all documents and metadata are of; -1: those of some pictures may be older."""

    def is_of(self, state: GalleryState, described: bool) -> bool:
        """Whether it holds the gallery as it is now; with ``described`` its documents and metadata, too."""
        return self.revision == state.revision and (not described or self.facts == state.facts)


class SealedIndex:
    """The index folders of one catalog, all of them below ``folder``; the catalog stores the seal of the last one.

    It is an :class:`ipcir_tools.store.candidates.IndexStore`.
    """

    def __init__(self, catalog: Catalog, folder: Path, captioner: Callable[[], str] | None = None) -> None:
        self._catalog = catalog
        self._folder = folder
        self._captioner = captioner
        self._damaged = ""

    retry_seconds = math.inf

    @property
    def note(self) -> str:
        """The key of the catalog's note with the seal of the last finished index."""
        return f"index:{self._folder.name}"

    def revision(self, seal: str) -> int | None:
        """The catalog's revision of a seal; None where its folder is known to be damaged."""
        found = _parsed(seal)
        return None if found is None or found.folder == self._damaged else found.revision

    def open(self) -> OpenedIndex | None:
        """The last finished index, open; None unless it is whole."""
        text = self._catalog.note(self.note) or ""
        seal = _parsed(text)
        if seal is None or seal.folder == self._damaged:
            return None
        try:
            return OpenedIndex(self._verified(seal), seal.revision, seal.count, text)
        except (BrokenIndexError, OSError) as error:
            log.info("the index %s cannot be used: %s", seal.folder, error)
            if self._last() == seal:  # else another process has just replaced and deleted it
                self._damaged = seal.folder
        return None

    def write(self, progress: Progress | None = None, *, described: bool = False) -> bool:
        """A new index, made from the last one or from nothing; False, and a warning, where that fails.

        With ``described`` the documents and metadata of all pictures are those of the catalog, too; without, those of
        pictures that were in the index before may be older.
        """
        try:
            with storing(), self._locked():
                last, state = self._last(), self._catalog.state()
                if last is not None and last.is_of(state, described) and self._is_whole(last):
                    return True  # another process wrote it while this one waited
                seal = self._sealed(progress, described)
                self._catalog.set_note(self.note, seal.model_dump_json())
                self._remove_others(seal.folder)
                return True
        except Timeout:
            log.warning("another process is writing the index in %s: searching without it", self._folder)
        except (BrokenIndexError, OSError, CatalogError) as error:
            log.warning("no index can be made in %s (%s): searching without it", self._folder, error)
        return False

    def collection_folder(self, progress: Progress | None = None) -> Path | None:
        """The folder of a collection :data:`ipcir_tools.store.chroma.NAME` that is the catalog's gallery as it is now,
        with captions as documents; it is written if need be. None where that fails."""
        seal = self._last() if self.write(progress, described=True) else None
        return self._folder / seal.folder if seal is not None else None

    def interrupt(self) -> None:
        """Nothing to do: what writes here is this thread."""

    def failed(self, error: BrokenIndexError) -> None:
        """Forget the last index, which failed in a search."""
        log.warning("the search index failed and will be rebuilt: %s", error)
        self.discard()

    def collection(self, progress: Progress | None = None) -> ChromaCollection | None:
        """The folder of the gallery as it is now for Chroma's own client; None, and a warning, where that fails."""
        folder = self.collection_folder(progress)
        try:
            return NeighbourIndex.open(folder).as_collection() if folder is not None else None
        except BrokenIndexError as error:
            log.warning("the index %s cannot be opened: %s", folder, error)
            return None

    def discard(self) -> None:
        """Forget the last index, so that the next one is written from nothing."""
        self._catalog.set_note(self.note, "")

    def _is_whole(self, seal: Seal) -> bool:
        try:
            close_index(self._verified(seal))
        except (BrokenIndexError, OSError):
            return False
        return True

    def _last(self) -> Seal | None:
        return _parsed(self._catalog.note(self.note) or "")

    def _verified(self, seal: Seal) -> NeighbourIndex:
        """The sealed index, open. The graph's files are compared before Chroma reads them: it may crash on bad ones."""
        folder = self._folder / seal.folder
        if digest(folder) != seal.digest:
            raise BrokenIndexError("its files have changed")
        index = NeighbourIndex.open(folder)
        try:
            if index.count() != seal.count or len(index.ids()) != seal.count:
                raise BrokenIndexError("its count is wrong")
        except BrokenIndexError:
            close_index(index)
            raise
        return index

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(self._folder / "lock", timeout=LOCK_SECONDS):
            yield

    def _sealed(self, progress: Progress | None, described: bool) -> Seal:
        """A new finished folder: the last one brought up to date, or where that fails, one from nothing."""
        last = self._last()
        if last is not None:
            try:
                return self._finished(progress, last, described)
            except (BrokenIndexError, OSError) as error:
                log.info("the index %s is rebuilt: %s", last.folder, error)
        return self._finished(progress, None, described)

    def _finished(self, progress: Progress | None, last: Seal | None, described: bool) -> Seal:
        # The revision is read first: what comes in later makes the seal look old, never newer than it is.
        state = self._catalog.state()
        name = uuid4().hex
        folder = self._folder / name
        if last is None:
            index = NeighbourIndex.create(folder)
        else:
            close_index(self._verified(last))
            shutil.copytree(self._folder / last.folder, folder)
            index = NeighbourIndex.open(folder)
        try:
            count = self._fill(index, progress)
            if described and last is not None:
                self._describe(index)
        finally:
            close_index(index)
        facts = state.facts if described or last is None else -1
        return Seal(folder=name, revision=state.revision, count=count, digest=digest(folder), facts=facts)

    def _fill(self, index: NeighbourIndex, progress: Progress | None) -> int:
        # A picture whose feature is damaged is left out here as in every search; made again, it enters again.
        wanted, present = set(self._catalog.gallery_ids()), index.ids()
        index.drop(sorted(present - wanted))
        missing = sorted(wanted - present)
        for done, ids in enumerate(chunked(missing, BLOCK)):
            vectors = self._catalog.features(ids, self._catalog.space() or "")
            whole = [id_ for id_ in ids if id_ in vectors]
            wanted.difference_update(id_ for id_ in ids if id_ not in vectors)
            index.put({id_: vectors[id_] for id_ in whole}, *self._rows(whole))
            if progress is not None:
                progress("search index", done * BLOCK + len(ids), len(missing))
        if index.ids() != wanted:
            raise BrokenIndexError("it does not hold what was put in")
        return len(wanted)

    def _describe(self, index: NeighbourIndex) -> None:
        """Bring documents and metadata up to the catalog."""
        for ids in chunked(sorted(index.ids()), BLOCK):
            held, wanted = index.described(ids), dict(zip(ids, zip(*self._rows(ids), strict=True), strict=True))
            changed = [id_ for id_ in ids if held.get(id_) != wanted[id_]]
            index.describe({id_: wanted[id_] for id_ in changed})

    def _rows(self, ids: Sequence[str]) -> tuple[list[str], list[Metadata]]:
        return collection_rows(self._catalog, ids, self._captioner() if self._captioner else None)

    def _remove_others(self, current: str) -> None:
        """Delete the folders of earlier indexes, as far as the file system allows it."""
        for path in self._folder.iterdir():
            if path.is_dir() and path.name != current:
                shutil.rmtree(path, ignore_errors=True)


def _parsed(seal: str) -> Seal | None:
    try:
        return Seal.model_validate_json(seal)
    except ValidationError:
        return None


def close_index(index: CandidateIndex | None) -> None:
    """Close an index; a failure is logged and has no other effect."""
    if index is not None:
        try:
            index.close()
        except BrokenIndexError as error:
            log.info("the index did not close: %s", error)
