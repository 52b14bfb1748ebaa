"""The gallery as it was before a run, read only as far as it is asked for: adding three pictures lists no others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

from ipcir_tools.store.catalog import Catalog, FileStamp


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

    Whether one is among them is asked of the catalog once, and must be asked before the run adds that picture; what
    left meanwhile counts. Safe for many threads.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._revision = catalog.revision()
        self._asked: dict[str, bool] = {}

    def ask(self, ids: Iterable[str]) -> None:
        """Find out about these at once."""
        unknown = [id_ for id_ in dict.fromkeys(ids) if id_ not in self._asked]
        found = self._catalog.members_at(self._revision, unknown) if unknown else set()
        self._asked.update((id_, id_ in found) for id_ in unknown)

    def __contains__(self, id_: object) -> bool:
        if not isinstance(id_, str):
            return False
        self.ask([id_])
        return self._asked[id_]

    def __iter__(self) -> Iterator[str]:
        return iter(self._catalog.members_at(self._revision))

    def __len__(self) -> int:
        return len(self._catalog.members_at(self._revision))

    @classmethod
    def _from_iterable(cls, it: Iterable[str]) -> Set[str]:  # type: ignore[override]
        return frozenset(it)
