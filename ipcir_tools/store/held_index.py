"""The index that searches use: opened when it pays, replaced when there is a newer one, given up when it fails."""

from __future__ import annotations

import logging
import sys
import threading
import time
from dataclasses import dataclass

from ipcir_tools.batches import Progress
from ipcir_tools.errors import IPCIRError
from ipcir_tools.store.candidates import BrokenIndexError, ChromaCollection, IndexStore, OpenedIndex
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.changes import GalleryState
from ipcir_tools.store.merged_index import MergedIndex
from ipcir_tools.store.snapshot import Snapshot

log = logging.getLogger(__name__)

GUARD_SECONDS = 0.5
"""How long a search waits for another thread that opens the index."""


@dataclass(frozen=True)
class IndexPolicy:
    """When an index is used, and when it is written again."""

    least: int = 0
    """Pictures from which on it is used; below, all are scored."""
    changes: int = 0
    """Fewest pictures that must have entered or left before it is written again."""
    share: float = 0.0
    """The share of the gallery, of 1, that must have changed before."""
    searches: int = 0
    """Searches that are answered without it before it is opened, by a thread of its own; 0: it is opened at once."""

    @property
    def at_once(self) -> bool:
        """Whether the index is opened with the gallery, and written where it is missing."""
        return not self.searches

    def is_far_behind(self, changed: int, size: int) -> bool:
        """Whether what was written before ``changed`` pictures entered or left is to be written again."""
        return changed > 0 and changed >= max(self.changes, self.share * size)


ALWAYS = IndexPolicy()
"""It is used at any size, and current after each ``sync``."""

WHERE_IT_PAYS = IndexPolicy(least=30_000, changes=1_000, share=0.1, searches=8)
"""As ``ipcir bench --only query`` measures on two cores: scoring all takes longer than the index above that."""


NEVER = IndexPolicy(least=sys.maxsize)
"""All pictures are scored, at any size."""


class HeldIndex:
    """The open index of one catalog, if any. Safe for many threads; no search waits for an index to be written."""

    def __init__(self, catalog: Catalog, store: IndexStore, policy: IndexPolicy) -> None:
        self._catalog, self._store, self._policy = catalog, store, policy
        self._guard = threading.RLock()  # held while an index is opened or closed, not while one is written
        self._writing = threading.Lock()
        self._starting = threading.Lock()
        self._held: MergedIndex | None = None
        self._missed = 0
        self._catching_up: threading.Thread | None = None
        self._unusable = ("", 0.0)  # the note of an index that could not be used, and until when it is not tried

    @property
    def opened(self) -> OpenedIndex | None:
        """The index that is open."""
        held = self._held
        return held.opened if held is not None else None

    def ready(self, snapshot: Snapshot, state: GalleryState) -> MergedIndex | None:
        """The index, if it is worth asking and open, or can be opened at once."""
        if len(snapshot) < max(1, self._policy.least):
            return None
        held = self._held
        if held is not None and held.opened.seal == state.note:
            return held
        if self._unusable[0] == state.note and time.monotonic() < self._unusable[1]:
            return held
        if self._policy.at_once:
            return self._open() if self._store.revision(state.note) is not None else None
        self._missed += 1
        if held is not None or self._missed >= self._policy.searches:
            self._catch_up_soon()
        return held

    def sync(self, progress: Progress | None = None) -> None:
        """Write the index where it pays and the last one is missing, damaged or far behind."""
        if self._catalog.size() < max(1, self._policy.least):
            return
        with self._writing:
            behind = self._is_far_behind()
            if self._policy.at_once and not behind:
                behind = self._open() is None  # it is damaged
            if behind and self._store.write(progress) and self._policy.at_once:
                self._open()

    def collection(self, progress: Progress | None = None) -> ChromaCollection | None:
        """The index of the gallery as it is now, at any size, for Chroma's own client; None where it cannot be had."""
        with self._writing:
            return self._store.collection(progress)

    def give_up(self, index: MergedIndex, error: BrokenIndexError) -> None:
        """Forget an index that failed, so that the next ``sync`` writes a new one."""
        with self._guard:
            if self._held is not index:
                return  # another thread has just replaced it, and that was the error
            self._drop()
            if self._note() == index.opened.seal:  # else another process has replaced it
                self._store.failed(error)

    def discard(self) -> None:
        """Forget the index."""
        with self._guard:
            self._drop()
            self._store.discard()

    def close(self) -> None:
        """Close the index; what a thread of its own writes is left half done, what it opens is waited for."""
        if self._catching_up is not None:
            while self._catching_up.is_alive():
                self._store.interrupt()
                self._catching_up.join(0.2)
        with self._guard:
            self._drop()

    # --- opening

    def _open(self, timeout: float = GUARD_SECONDS) -> MergedIndex | None:
        """The last finished index, opened unless it is open already; None where it cannot be used."""
        if not self._guard.acquire(timeout=timeout):
            return None
        try:
            note = self._note()
            if self._held is not None and self._held.opened.seal == note:
                return self._held
            opened = self._store.open()
            if opened is None or not self._catalog.changes_reach(opened.revision):
                self._leave(note)
                return None
            self._drop()
            self._held = MergedIndex(opened, self._catalog)
            return self._held
        finally:
            self._guard.release()

    def _catch_up_soon(self) -> None:
        """Open the last index, or write it first, in a thread of its own."""
        with self._starting:
            if self._catching_up is None or not self._catching_up.is_alive():
                self._catching_up = threading.Thread(target=self._catch_up, name="ipcir-index")
                self._catching_up.start()

    def _catch_up(self) -> None:
        try:
            with self._writing:
                usable = not self._is_far_behind() or self._store.write()
            if not usable or self._open(timeout=-1) is None:
                self._leave(self._note())
        except IPCIRError as error:
            log.info("the index could not be opened: %s", error)

    def _is_far_behind(self) -> bool:
        revision = self._store.revision(self._note())
        if revision is None or not self._catalog.changes_reach(revision):
            return True
        changed = self._catalog.count_changes(revision)
        return self._policy.is_far_behind(changed, self._catalog.size()) if changed else False

    def _leave(self, note: str) -> None:
        self._unusable = (note, time.monotonic() + self._store.retry_seconds)

    def _note(self) -> str:
        return self._catalog.note(self._store.note) or ""

    def _drop(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            try:
                held.opened.index.close()
            except BrokenIndexError as error:
                log.info("the index did not close: %s", error)
