"""The gallery: nearest pictures, from a Chroma index over the catalog.

The catalog is the truth, the index only makes it fast. An index that does not match the catalog is rebuilt from it,
without encoding anything. Until then, and whenever Chroma fails, ``exact`` answers.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Self

import numpy as np

from ipcir_tools.batches import Progress
from ipcir_tools.errors import EmptyGalleryError, InvalidRequestError
from ipcir_tools.store.best_rows import TIE, Ranking, best_rows
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.chroma import BrokenIndexError, NeighbourIndex
from ipcir_tools.store.current_snapshot import CurrentSnapshot
from ipcir_tools.store.dots import dots
from ipcir_tools.store.sealed_index import Opened, Seal, SealedIndex, close_index
from ipcir_tools.store.snapshot import Snapshot
from ipcir_tools.types import FloatArray, Probe, Where

log = logging.getLogger(__name__)

CANDIDATES = 100
"""Fewest candidates that are rescored."""

PER_HIT = 4
"""Candidates per wanted picture, for larger k."""

GUARD_SECONDS = 0.5
"""How long a search waits for another thread that writes the index."""


class Gallery:
    """The pictures of one catalog, searched by vector. Safe for many threads."""

    def __init__(self, catalog: Catalog, folder: Path, captioner: Callable[[], str] | None = None) -> None:
        self._catalog = catalog
        self._captioner = captioner
        self._sealed = SealedIndex(catalog, folder)
        self._guard = threading.RLock()
        self._index: NeighbourIndex | None = None
        self._seal: Seal | None = None
        self._current = CurrentSnapshot(catalog)

    @classmethod
    def open(
        cls,
        catalog: Catalog,
        folder: Path,
        progress: Progress | None = None,
        captioner: Callable[[], str] | None = None,
    ) -> Self:
        """The gallery with its index in ``folder``, updated or rebuilt where it is behind or damaged.

        It always opens: without a usable index it searches exactly. ``captioner`` gives the id of the captioner whose
        captions a filter means.
        """
        gallery = cls(catalog, folder, captioner)
        gallery.sync(progress)
        return gallery

    def close(self) -> None:
        """Close the index."""
        with self._guard:
            self._drop_index()
            self._current.drop()

    def sync(self, progress: Progress | None = None) -> None:
        """Bring the index up to the catalog's revision."""
        with self._guard:
            if not self._is_current() and not self._reopen() and self._catalog.size():
                self._drop_index()
                self._use(self._sealed.write(progress))

    def discard(self) -> None:
        """Drop the index: ``exact`` answers until ``sync`` writes a new one."""
        with self._guard:
            self._drop_index()
            self._sealed.discard()

    def nearest(self, probe: Probe, k: int, where: Where | None = None, exclude: Collection[str] = ()) -> Ranking:
        """The ``k`` best pictures as (id, score), by falling score, then by id; all of them where there are fewer.

        Chroma's candidates are scored again by the probe on the catalog's vectors. With a filter, and where the
        candidates cannot settle the order, all pictures are scored. Raises EmptyGalleryError, and
        InvalidRequestError for a wrong filter or k.
        """
        breadth = max(CANDIDATES, PER_HIT * k) + len(exclude)
        index = None if where is not None or k < 1 else self._ready(breadth)
        if index is not None:
            try:
                ranking = self._from_candidates(index, probe, k, breadth, exclude)
            except BrokenIndexError as error:
                self._give_up(index, error)
            else:
                if ranking is not None:
                    return ranking
        return self.exact(probe, k, where, exclude)

    def exact(self, probe: Probe, k: int, where: Where | None = None, exclude: Collection[str] = ()) -> Ranking:
        """What ``nearest`` gives, by scoring every picture of the gallery."""
        if k < 1:
            raise InvalidRequestError(f"k must be 1 or more, not {k}.")
        passing = None if where is None else self._catalog.matching(where, self.captioner_id)
        snapshot = self.snapshot()
        if not len(snapshot):
            raise EmptyGalleryError("The gallery is empty: run `ipcir index FOLDER` first.")
        allowed = snapshot.alive
        if passing is not None:
            allowed = snapshot.mask(passing)
        if exclude:
            allowed = allowed & ~snapshot.mask(exclude)
        return best_rows(probe, k, snapshot, np.flatnonzero(allowed))

    def snapshot(self) -> Snapshot:
        """The gallery's ids and features as they are now, shared: one statement where nothing has changed."""
        return self._current.read()[0]

    def vectors(self, ids: Iterable[str]) -> dict[str, FloatArray]:
        """The features ``[d]`` of those of ``ids`` that are in the gallery, by id; no statement where all are known."""
        wanted = list(ids)
        held = self._current.held()
        found = held.vectors(wanted) if held is not None else {}
        return found if found.keys() >= set(wanted) else self.snapshot().vectors(wanted)

    @property
    def captioner_id(self) -> str | None:
        """Whose captions a filter means; None: everybody's."""
        return self._captioner() if self._captioner else None

    def check_filter(self, where: Where, *, tell_folders: bool = True) -> None:
        """Raises InvalidRequestError for a filter that no picture can pass; see :meth:`Catalog.check_filter`."""
        self._catalog.check_filter(where, self.captioner_id, tell_folders=tell_folders)

    # --- searching

    def _ready(self, breadth: int) -> NeighbourIndex | None:
        """The index, if it is of the catalog's revision and has more pictures than ``breadth``."""
        if not self._guard.acquire(timeout=GUARD_SECONDS):
            return None
        try:
            if not self._is_current() and not self._reopen():
                return None
            return self._index if self._seal is not None and self._seal.count > breadth else None
        finally:
            self._guard.release()

    def _from_candidates(
        self, index: NeighbourIndex, probe: Probe, k: int, breadth: int, exclude: Collection[str]
    ) -> Ranking | None:
        """The ranking among Chroma's candidates; None where it would not be certain."""
        found = index.nearest(probe.vector, breadth)
        snapshot = self.snapshot()
        rows = snapshot.rows(sorted(set(found) - set(exclude)))
        if len(found) < breadth or (rows < 0).any():
            raise BrokenIndexError(f"{len(found)} of {breadth} candidates, {np.sum(rows < 0)} of them unknown")
        cosines = dots(snapshot.features(rows), probe.vector)
        if probe.linear and np.partition(cosines, -k)[-k] <= cosines.min() + TIE:
            return None  # more pictures tie for the last place than there are candidates
        return best_rows(probe, k, snapshot, rows)

    def _give_up(self, index: NeighbourIndex, error: BrokenIndexError) -> None:
        with self._guard:
            if self._index is index:  # else another thread has just replaced it, and that was the error
                log.warning("the search index failed and will be rebuilt at the next start: %s", error)
                self.discard()

    # --- the index

    def _is_current(self) -> bool:
        return self._index is not None and self._seal is not None and self._seal.revision == self._catalog.revision()

    def _reopen(self) -> bool:
        """Whether the last finished index could be opened."""
        return self._use(self._sealed.open())

    def _use(self, opened: Opened | None) -> bool:
        if opened is None:
            return False
        self._drop_index()
        self._index, self._seal = opened
        return True

    def _drop_index(self) -> None:
        index, self._index, self._seal = self._index, None, None
        close_index(index)
