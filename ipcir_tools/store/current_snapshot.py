"""The snapshot of a catalog's gallery, kept up to date: read once, then extended by what changed."""

from __future__ import annotations

import threading

from ipcir_tools.errors import CatalogError
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.changes import GalleryState
from ipcir_tools.store.damage import MENDING
from ipcir_tools.store.snapshot import Snapshot, base_segment
from ipcir_tools.store.vector_file import VectorFile

WORTH_A_FILE = 1_000
"""Pictures from which on a gallery that is read gets a file: below, it is read from the catalog as fast."""


class CurrentSnapshot:
    """The last snapshot of one catalog's gallery. Safe for many threads: one brings it up to date, the others wait."""

    def __init__(self, catalog: Catalog, file: VectorFile, note: str = "") -> None:
        """``note``: the key of the catalog's note that is wanted with each state."""
        self._catalog, self._file, self._note = catalog, file, note
        self._guard = threading.Lock()
        self._held: Snapshot | None = None

    def read(self) -> tuple[Snapshot, GalleryState]:
        """The snapshot of the gallery as it is now, by one statement where nothing has changed; and its state."""
        state = self._catalog.state(self._note)
        held = self._held
        if held is None or held.revision < state.revision:
            with self._guard:
                held = self._updated(self._held, state)
                self._held = held
        return held, state

    def held(self) -> Snapshot | None:
        """The last snapshot, without a look at the catalog."""
        return self._held

    def drop(self) -> None:
        """Let go of it."""
        self._held = None

    def _updated(self, held: Snapshot | None, state: GalleryState) -> Snapshot:
        if held is not None and held.revision >= state.revision:  # another thread has just been here
            return held
        if state.size and not state.space:
            raise CatalogError(f"The catalog does not say which encoder made its features: {MENDING}.")
        known = self._extended(held, state) or self._extended(self._from_file(state), state) or self._read_whole(state)
        if known.revision == state.revision and len(known) != state.size:
            self._catalog.note_hidden(known.ids, state)
        return known

    def _extended(self, held: Snapshot | None, state: GalleryState) -> Snapshot | None:
        """A snapshot with what changed since; None where that is not known."""
        if held is None or held.revision >= state.revision:
            return held
        changes = self._catalog.changes(held.revision)
        if changes is None:
            return None
        entered = [change.id for change in changes if change.entered]
        vectors = self._catalog.features(entered, state.space) if entered else {}
        if len(vectors) < len(entered):
            self._catalog.lacking_features(state.space)  # damaged ones are noted already
        revision = max([state.revision, *(change.revision for change in changes)])
        return held.extended(changes, vectors, revision)

    def _from_file(self, state: GalleryState) -> Snapshot | None:
        """The gallery as the file has it, which is written if need be; None where there is none."""
        opened = self._file.open()
        if opened is None and state.size >= WORTH_A_FILE and self._file.write():
            opened = self._file.open()
        return Snapshot.of(*opened) if opened is not None else None

    def _read_whole(self, state: GalleryState) -> Snapshot:
        # What comes in while this is read is read again as a change, never missed.
        ids, matrix = self._catalog.matrix(state.space)
        return Snapshot.of(base_segment(ids, matrix, state.revision), state.revision)
