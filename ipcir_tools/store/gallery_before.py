"""The gallery as it was before a run, read only as far as it is asked for: adding three pictures lists no others."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Set

from ipcir_tools.store.catalog import Catalog, FileStamp

KEPT = 4096
"""Answers whether a picture was there; more than are in flight between reading a file and committing its batch."""


class FilesBefore(Mapping[str, FileStamp]):
    """The gallery's files by path: those of the places that were named, or all where no place was."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._stamps: dict[str, FileStamp] | None = None

    def only(self, places: Iterable[str]) -> None:
        """From now on these are the files at or below ``places``, as they are in the catalog now."""
        self._stamps = self._catalog.stamps(places)

    def _known(self) -> dict[str, FileStamp]:
        if self._stamps is None:
            self._stamps = self._catalog.stamps()
        return self._stamps

    def __getitem__(self, path: str) -> FileStamp:
        return self._known()[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())


class PicturesBefore(Set[str]):
    """The ids of the gallery's pictures as they were when this was made.

    Whether one is among them is asked of the catalog, before the run adds that picture; what left meanwhile counts.
    The answers about the last ``KEPT`` ids at least are kept: a run asks again while it commits a batch. Safe for many
    threads.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._revision = catalog.revision()
        self._lock = threading.Lock()
        self._asked: dict[str, bool] = {}
        self._asked_earlier: dict[str, bool] = {}

    def ask(self, ids: Iterable[str]) -> dict[str, bool]:
        """Whether each of these is among them, found out at once."""
        wanted = dict.fromkeys(ids)
        with self._lock:
            known = {id_: held[id_] for held in (self._asked_earlier, self._asked) for id_ in wanted if id_ in held}
        unknown = [id_ for id_ in wanted if id_ not in known]
        if not unknown:
            return known
        found = self._catalog.members_at(self._revision, unknown)
        answers = {id_: id_ in found for id_ in unknown}
        with self._lock:
            self._asked.update(answers)
            if len(self._asked) > KEPT:
                self._asked_earlier, self._asked = self._asked, {}
        return known | answers

    def __contains__(self, id_: object) -> bool:
        return isinstance(id_, str) and self.ask([id_])[id_]

    def __iter__(self) -> Iterator[str]:
        return iter(self._catalog.members_at(self._revision))

    def __len__(self) -> int:
        return len(self._catalog.members_at(self._revision))

    @classmethod
    def _from_iterable(cls, it: Iterable[str]) -> Set[str]:  # type: ignore[override]
        return frozenset(it)
