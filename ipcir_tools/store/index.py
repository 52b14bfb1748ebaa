"""The gallery: nearest pictures, from a Chroma index over the catalog.

The catalog is the truth, the index only makes it fast. A writer never touches a folder that a reader may have open: it
brings a copy up to date under a new name, seals it with a digest, and then points the catalog to it. So a kill at any
moment leaves the last sealed folder whole, many processes may search while one writes, and whatever does not match its
seal is rebuilt from the catalog, without encoding anything. Until then, and whenever Chroma fails, ``exact`` answers.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from uuid import uuid4

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from pydantic import ValidationError

from ipcir_tools.batches import Progress, chunked
from ipcir_tools.errors import EmptyGalleryError, InvalidRequestError
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.chroma import BrokenIndexError, NeighbourIndex, digest
from ipcir_tools.store.sealed_index import BLOCK, LOCK_SECONDS, Seal, _close, _verified
from ipcir_tools.types import FloatArray, Probe, Where

log = logging.getLogger(__name__)

CANDIDATES = 100
"""Fewest candidates that are rescored."""

PER_HIT = 4
"""Candidates per wanted picture, for larger k."""

GUARD_SECONDS = 0.5
"""How long a search waits for another thread that writes the index."""

TIE = 1e-5
"""Scores closer than this may change places by rounding alone."""

Ranking = list[tuple[str, float]]


class Gallery:
    """The pictures of one catalog, searched by vector. Safe for many threads."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog = catalog
        self._folder = folder
        self._guard = threading.RLock()
        self._index: NeighbourIndex | None = None
        self._seal: Seal | None = None
        self._bad = ""
        self._rows: tuple[int, list[str], FloatArray] | None = None

    @classmethod
    def open(cls, catalog: Catalog, folder: Path, progress: Progress | None = None) -> Self:
        """The gallery with its index in ``folder``, mended or rebuilt where it is behind or damaged.

        It always opens: without a usable index it searches exactly.
        """
        gallery = cls(catalog, folder)
        gallery.sync(progress)
        return gallery

    def close(self) -> None:
        """Let go of the index."""
        with self._guard:
            index, self._index, self._seal, self._rows = self._index, None, None, None
            _close(index)

    def sync(self, progress: Progress | None = None) -> None:
        """Bring the index up to the catalog's revision."""
        with self._guard:
            if not self._is_current() and not self._open_sealed() and self._catalog.size():
                self._write(progress, keep=True)

    def rebuild(self, progress: Progress | None = None) -> None:
        """Make the index anew from the catalog."""
        with self._guard:
            self._write(progress, keep=False)

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
        passing = None if where is None else set(self._catalog.matching(where))
        ids, matrix = self._vectors()
        if not ids:
            raise EmptyGalleryError("The gallery is empty: run `ipcir index FOLDER` first.")
        if passing is not None or exclude:
            left_out = set(exclude)
            kept = [i for i, id_ in enumerate(ids) if id_ not in left_out and (passing is None or id_ in passing)]
            ids, matrix = [ids[i] for i in kept], matrix[kept]
        return _best(probe, ids, matrix, k)

    # --- searching

    def _ready(self, breadth: int) -> NeighbourIndex | None:
        """The index, if it is of the catalog's revision and has more pictures than would be asked for."""
        if not self._guard.acquire(timeout=GUARD_SECONDS):
            return None
        try:
            if not self._is_current() and not self._open_sealed():
                return None
            return self._index if self._seal is not None and self._seal.count > breadth else None
        finally:
            self._guard.release()

    def _from_candidates(
        self, index: NeighbourIndex, probe: Probe, k: int, breadth: int, exclude: Collection[str]
    ) -> Ranking | None:
        """The ranking among Chroma's candidates; None where it would not be certain."""
        found = index.nearest(probe.vector, breadth)
        ids = sorted(set(found) - set(exclude))
        vectors = self._catalog.features(ids, self._catalog.space() or "")
        if len(found) < breadth or len(vectors) < len(ids):
            raise BrokenIndexError(f"{len(found)} of {breadth} candidates, {len(vectors)} of {len(ids)} of them known")
        features = np.stack([vectors[id_] for id_ in ids])
        cosines = features @ probe.vector
        if probe.rescore is None and np.partition(cosines, -k)[-k] <= cosines.min() + TIE:
            return None  # more pictures tie for the last place than were asked for
        return _best(probe, ids, features, k)

    def _give_up(self, index: NeighbourIndex, error: BrokenIndexError) -> None:
        with self._guard:
            if self._index is index:  # else another thread has just replaced it, and that was the error
                log.warning("the search index failed and will be rebuilt at the next start: %s", error)
                self._drop_index()
                self._catalog.set_note(self._key, "")

    def _vectors(self) -> tuple[list[str], FloatArray]:
        revision = self._catalog.revision()
        rows = self._rows
        if rows is None or rows[0] != revision:
            rows = (revision, *self._catalog.matrix(self._catalog.space() or ""))
            self._rows = rows
        return rows[1], rows[2]

    # --- the index and its seal

    @property
    def _key(self) -> str:
        return f"index:{self._folder.name}"

    def _is_current(self) -> bool:
        return self._index is not None and self._seal is not None and self._seal.revision == self._catalog.revision()

    def _noted(self) -> Seal | None:
        """The seal of the last finished index."""
        try:
            return Seal.model_validate_json(self._catalog.note(self._key) or "")
        except ValidationError:
            return None

    def _open_sealed(self) -> bool:
        """Whether the last finished index is whole and of the catalog's revision; it is then open."""
        seal = self._noted()
        if seal is None or seal.folder == self._bad or seal.revision != self._catalog.revision():
            return False
        self._drop_index()
        try:
            self._index, self._seal = _verified(self._folder, seal), seal
        except (BrokenIndexError, OSError) as error:
            log.info("the index %s cannot be used: %s", seal.folder, error)
            self._bad = seal.folder
        return self._index is not None

    def _drop_index(self) -> None:
        index, self._index, self._seal = self._index, None, None
        _close(index)

    def _write(self, progress: Progress | None, *, keep: bool) -> None:
        """Make and open a new index, from the last one with ``keep``. Without success, ``exact`` answers."""
        self._drop_index()
        try:
            with self._locked():
                if keep and self._open_sealed():
                    return  # another process did it while this one waited
                seal = self._sealed(progress, keep=keep)
                self._catalog.set_note(self._key, seal.model_dump_json())
                self._open_sealed()
                self._clean(seal.folder)
        except Timeout:
            log.warning("another process is writing the index in %s: searching without it", self._folder)
        except (BrokenIndexError, OSError) as error:
            log.warning("no index can be made in %s (%s): searching without it", self._folder, error)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(self._folder / "lock", timeout=LOCK_SECONDS):
            yield

    def _sealed(self, progress: Progress | None, *, keep: bool) -> Seal:
        """A new finished index: the last one brought up to date, or where that fails, one from nothing."""
        last = self._noted() if keep else None
        if last is not None:
            try:
                return self._finished(progress, last)
            except (BrokenIndexError, OSError) as error:
                log.info("the index %s is rebuilt: %s", last.folder, error)
        return self._finished(progress, None)

    def _finished(self, progress: Progress | None, last: Seal | None) -> Seal:
        # The revision is read first: what comes in later makes the seal look old, never newer than it is.
        revision = self._catalog.revision()
        name = uuid4().hex
        folder = self._folder / name
        if last is None:
            index = NeighbourIndex.create(folder)
        else:
            _close(_verified(self._folder, last))
            shutil.copytree(self._folder / last.folder, folder)
            index = NeighbourIndex.open(folder)
        try:
            count = self._fill(index, progress)
        finally:
            _close(index)
        return Seal(folder=name, revision=revision, count=count, digest=digest(folder))

    def _fill(self, index: NeighbourIndex, progress: Progress | None) -> int:
        wanted, there = set(self._catalog.gallery_ids()), index.ids()
        index.drop(sorted(there - wanted))
        missing = sorted(wanted - there)
        for done, ids in enumerate(chunked(missing, BLOCK)):
            index.put(self._catalog.features(ids, self._catalog.space() or ""))
            if progress is not None:
                progress("search index", done * BLOCK + len(ids), len(missing))
        if index.ids() != wanted:
            raise BrokenIndexError("it does not hold what was put in")
        return len(wanted)

    def _clean(self, current: str) -> None:
        """Delete what earlier indexes left, as far as it lets itself be deleted."""
        for path in self._folder.iterdir():
            if path.is_dir() and path.name != current:
                shutil.rmtree(path, ignore_errors=True)


def _best(probe: Probe, ids: list[str], features: FloatArray, k: int) -> Ranking:
    """The ``k`` best of ``ids`` by score and id.

    A matrix product rounds a row by its place among the others. So the cosines that may be among the best are taken
    again in double precision, and equal pictures get equal scores wherever they stand.
    """
    if not ids:
        return []
    scores = probe.score(features)
    likely: NDArray[np.intp] = np.arange(len(ids))
    if k < len(ids):
        likely = np.flatnonzero(scores >= np.partition(scores, -k)[-k] - TIE)
    if probe.rescore is None:
        scores[likely] = features[likely].astype(np.float64) @ probe.vector.astype(np.float64)
    order = sorted(likely, key=lambda i: (-scores[i], ids[i]))[:k]
    return [(ids[i], float(scores[i])) for i in order]
