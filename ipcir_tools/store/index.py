"""The gallery: nearest pictures, from a snapshot of the catalog's features and an index of neighbours over them.

The catalog is the truth; the snapshot's file and the index only make it fast. All pictures are scored where that is as
fast, and until an index is open, and whenever it fails. Its candidates are scored again by the same features, with what
came in since it was written: scores are exact, and all that an index can do is to miss a picture (recall is measured by
`ipcir bench`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from ipcir_tools.batches import Progress
from ipcir_tools.errors import CatalogError, EmptyGalleryError, InvalidRequestError
from ipcir_tools.store.best_rows import Ranking, best_rows
from ipcir_tools.store.candidates import BrokenIndexError, ChromaCollection, IndexStore
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.changes import GalleryState
from ipcir_tools.store.current_snapshot import CurrentSnapshot
from ipcir_tools.store.filter_masks import FilterMasks
from ipcir_tools.store.held_index import ALWAYS, HeldIndex, IndexPolicy
from ipcir_tools.store.merged_index import CANDIDATES as CANDIDATES
from ipcir_tools.store.sealed_index import SealedIndex
from ipcir_tools.store.sealing import ApartIndex
from ipcir_tools.store.search_parts import part
from ipcir_tools.store.snapshot import Mask, Snapshot
from ipcir_tools.store.vector_file import DamagedVectorsError, VectorFile
from ipcir_tools.types import FloatArray, Probe, Where

T = TypeVar("T")


class Gallery:
    """The pictures of one catalog, searched by vector. Safe for many threads."""

    def __init__(
        self,
        catalog: Catalog,
        folder: Path,
        captioner: Callable[[], str] | None = None,
        policy: IndexPolicy = ALWAYS,
        store: IndexStore | None = None,
    ) -> None:
        """``folder`` is for what makes searches fast; ``captioner`` gives the id of the captioner whose captions a
        filter means; ``policy`` says when the index is used; ``store`` is where it is kept, in ``folder`` by default.
        """
        self._catalog = catalog
        self._captioner = captioner
        self._policy = policy
        if store is None:
            store = (SealedIndex if policy.at_once else ApartIndex)(catalog, folder, captioner)
        self._index = HeldIndex(catalog, store, policy)
        self._file = VectorFile(catalog, folder)
        self._current = CurrentSnapshot(catalog, self._file, store.note)
        self._masks = FilterMasks(catalog)

    @classmethod
    def open(
        cls,
        catalog: Catalog,
        folder: Path,
        progress: Progress | None = None,
        captioner: Callable[[], str] | None = None,
        policy: IndexPolicy = ALWAYS,
        store: IndexStore | None = None,
    ) -> Self:
        """The gallery, with an index that is used at once updated or rebuilt where it is behind or damaged.

        It always opens: without a usable index it searches exactly.
        """
        gallery = cls(catalog, folder, captioner, policy, store)
        if policy.at_once:
            gallery.sync(progress)
        return gallery

    def close(self) -> None:
        """Close the index."""
        self._index.close()
        self._current.drop()

    def sync(self, progress: Progress | None = None) -> None:
        """Write the features' file and the index again, where they are missing or far behind the catalog."""
        size = self._catalog.size()
        if not size:
            return
        seal = self._file.seal()
        changed = size if seal is None else self._catalog.count_changes(seal.revision)
        if self._policy.is_far_behind(changed, size) or seal is None:
            self._file.write()
            self._current.drop()
        self._index.sync(progress)

    def rebuild(self, progress: Progress | None = None) -> None:
        """Write the features' file and the index again from the catalog, whatever there is of them."""
        self.discard()
        if self._catalog.size():
            self._file.write()
            self._current.drop()
            self._index.sync(progress)

    def collection(self, progress: Progress | None = None) -> ChromaCollection:
        """The gallery as it is now as a Chroma collection, written first where it is missing or behind; for reading.

        Raises EmptyGalleryError, and CatalogError where it cannot be written.
        """
        if self._catalog.is_empty():
            raise EmptyGalleryError("The gallery is empty: run `ipcir index FOLDER` first.")
        found = self._index.collection(progress)
        if found is None:
            raise CatalogError(
                "The gallery's Chroma collection cannot be written or opened: see the warning before, and check the "
                "home folder, or IPCIR_CHROMA_URL and its server."
            )
        return found

    def discard(self) -> None:
        """Drop the index: ``exact`` answers until ``sync`` writes a new one."""
        self._index.discard()

    # --- searching

    def nearest(self, probe: Probe, k: int, where: Where | None = None, exclude: Collection[str] = ()) -> Ranking:
        """The ``k`` best pictures as (id, score), by falling score, then by id; all of them where there are fewer.

        An index's candidates are scored again by the probe on the snapshot's features. Where there is none, and where
        the candidates cannot settle the order, all pictures are scored. Raises EmptyGalleryError, and
        InvalidRequestError for a wrong filter or k.
        """
        with part("nearest"):
            ranking = self._reading(lambda: self._from_candidates(probe, k, where, exclude)) if k > 0 else None
            if ranking is not None:
                return ranking
            with part("candidates"):
                return self.exact(probe, k, where, exclude)

    def exact(self, probe: Probe, k: int, where: Where | None = None, exclude: Collection[str] = ()) -> Ranking:
        """What ``nearest`` gives, by scoring every picture of the gallery."""
        if k < 1:
            raise InvalidRequestError(f"k must be 1 or more, not {k}.")

        def rank() -> Ranking:
            snapshot, state = self._current.read()
            allowed = self._allowed(where, snapshot, state)
            if not len(snapshot) and self._catalog.is_empty():
                raise EmptyGalleryError("The gallery is empty: run `ipcir index FOLDER` first.")
            rows = snapshot.living if allowed is snapshot.alive else np.flatnonzero(allowed)
            return best_rows(probe, k, snapshot, rows, exclude)

        return self._reading(rank)

    def snapshot(self) -> Snapshot:
        """The gallery's ids and features as they are now, shared: one statement where nothing has changed."""
        return self._current.read()[0]

    def vectors(self, ids: Iterable[str]) -> dict[str, FloatArray]:
        """The features ``[d]`` of those of ``ids`` that are in the gallery, by id; no statement where all are known."""
        wanted = list(dict.fromkeys(ids))

        def read() -> dict[str, FloatArray]:
            held = self._current.held()
            found = held.vectors(wanted) if held is not None else {}
            return found if len(found) == len(wanted) else self.snapshot().vectors(wanted)

        return self._reading(read)

    @property
    def captioner_id(self) -> str | None:
        """Whose captions a filter means; None: everybody's."""
        return self._captioner() if self._captioner else None

    def check_filter(self, where: Where, *, tell_folders: bool = True) -> None:
        """Raises InvalidRequestError for a filter that no picture can pass; see :meth:`Catalog.check_filter`."""
        self._catalog.check_filter(where, self.captioner_id, tell_folders=tell_folders)

    # --- within a search

    def _from_candidates(self, probe: Probe, k: int, where: Where | None, exclude: Collection[str]) -> Ranking | None:
        """The ranking by the index's candidates; None where there is no index, or it cannot settle the order."""
        snapshot, state = self._current.read()
        index = self._index.ready(snapshot, state)
        if index is None:
            return None
        try:
            return index.rank(probe, k, snapshot, self._allowed(where, snapshot, state), exclude)
        except DamagedVectorsError:
            raise
        except BrokenIndexError as error:
            self._index.give_up(index, error)
            return None

    def _allowed(self, where: Where | None, snapshot: Snapshot, state: GalleryState) -> Mask:
        """The rows that are in the gallery and pass the filter."""
        return snapshot.alive if where is None else self._masks.mask(where, self.captioner_id, snapshot, state)

    def _reading(self, work: Callable[[], T]) -> T:
        """What ``work`` gives on the snapshot, which is read from the catalog where its file is damaged."""
        try:
            return work()
        except DamagedVectorsError as error:
            self._file.forget(self._file.seal(), str(error))
            self._current.drop()
            return work()
