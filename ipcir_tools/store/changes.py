"""What has changed in the gallery since a revision, so that what was made from it need not be made again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import BigInteger as Whole
from sqlalchemy import Connection, bindparam, cast, func, literal, select, update
from sqlalchemy import String as Text

from ipcir_tools.errors import CatalogError
from ipcir_tools.store.damage import MENDING
from ipcir_tools.store.database import Database, get_meta, put, set_meta, whole_number
from ipcir_tools.store.schema import changes, meta


@dataclass(frozen=True)
class GalleryState:
    """Where the gallery stands: equal states have the same pictures, features, and answers to filters."""

    revision: int
    """Grows whenever pictures enter or leave the gallery."""
    facts: int
    """Grows whenever files of the gallery, records of pictures or captions change."""
    space: str
    """Empty before the first picture."""
    size: int = 0
    """How many pictures are in the gallery."""
    note: str = ""
    """The note that was asked for with it."""


@dataclass(frozen=True)
class Change:
    """The last change to one picture's membership of the gallery."""

    id: str
    revision: int
    """The gallery's revision after it."""
    entered: bool
    """Whether the picture entered the gallery; else it left."""


T = TypeVar("T")
MOST_HELD = 100
"""Results of ``while_unchanged`` that are held."""
_META = select(meta.c.key, meta.c.value).where(meta.c.key.in_(bindparam("keys", expanding=True)))


class StoredChanges(Database):
    """The gallery's revision, and what changed since an earlier one."""

    _held: tuple[GalleryState, dict[Hashable, Any]] | None = None
    _notes: frozenset[str] = frozenset({""})
    """The notes that were ever asked for with a state: they are read with it."""

    @cached_property
    def _steady(self) -> threading.local:
        return threading.local()

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Within the block this thread reads the state once: one query is answered as of one revision."""
        if getattr(self._steady, "meta", None) is not None:
            yield
            return
        self._steady.meta = self._read_meta()
        try:
            yield
        finally:
            self._steady.meta = None

    def state(self, note: str = "") -> GalleryState:
        """Revision, facts, space and size, and the note under the key ``note``, read by one statement.

        Within ``steady`` by none.
        """
        found: dict[str, str] | None = getattr(self._steady, "meta", None)
        if found is None or note not in self._notes:
            self._notes |= {note}
            found = self._read_meta() | (found or {})
        if getattr(self._steady, "meta", None) is not None:
            self._steady.meta = found
        revision, facts, size = (_number(found, key) for key in ("revision", "facts", "size"))
        return GalleryState(revision, facts, found.get("space", ""), size, found.get(f"note:{note}", ""))

    def while_unchanged(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` gave for ``key`` while the gallery's state was as it is now; made again where it has changed.

        For what takes a look at the whole gallery. A few results are held.
        """
        state, held = self.state(), self._held
        if held is None or held[0] != state or len(held[1]) >= MOST_HELD:
            self._held = held = state, {}
        if key not in held[1]:
            held[1][key] = make()
        made: T = held[1][key]
        return made

    def _read_meta(self) -> dict[str, str]:
        keys = ["revision", "facts", "space", "size", *(f"note:{note}" for note in sorted(self._notes))]
        return {row.key: row.value for row in self._glanced(_META, {"keys": keys})}

    def revision(self) -> int:
        """A number that grows whenever pictures enter or leave the gallery."""
        return self.state().revision

    def size(self) -> int:
        """How many pictures are in the gallery."""
        return self.state().size

    def changes(self, since: int) -> list[Change] | None:
        """The last change to each picture that entered or left after revision ``since``, by id.

        None where that is not known: the log of a catalog that an earlier version made begins later.
        """
        wanted = select(changes.c.image_id, changes.c.revision, changes.c.entered).where(changes.c.revision > since)
        with self._read() as connection:
            if not _reaches(connection, since):
                return None
            return sorted((Change(*row) for row in connection.execute(wanted)), key=lambda change: change.id)

    def changes_reach(self, since: int) -> bool:
        """Whether every change after revision ``since`` is known."""
        with self._read() as connection:
            return _reaches(connection, since)

    def count_changes(self, since: int) -> int:
        """How many pictures entered or left after revision ``since``, as far as that is known."""
        counted = select(func.count()).select_from(changes).where(changes.c.revision > since)
        with self._read() as connection:
            return connection.scalar(counted) or 0


def _number(found: Mapping[str, str], key: str) -> int:
    return _counted(found.get(key), key)


def _counted(text: str | None, key: str) -> int:
    number = whole_number(text or "0")
    if number is None:
        raise CatalogError(f"The catalog's {key} is damaged ({(text or '')[:40]!r} is no number): {MENDING}.")
    return number


def log_changes(connection: Connection, revision: int, *, entered: set[str], left: set[str]) -> None:
    """Store that these pictures entered or left with ``revision``, and how many there are now."""
    rows = [{"image_id": id_, "revision": revision, "entered": id_ in entered} for id_ in sorted(entered | left)]
    put(connection, changes, rows, replace=True)
    set_meta(connection, "size", str(max(0, _counted(get_meta(connection, "size"), "size") + len(entered) - len(left))))


def raise_facts(connection: Connection) -> None:
    """Store that something that a filter asks for may have changed."""
    put(connection, meta, [{"key": "facts", "value": "0"}])
    raised = cast(cast(meta.c.value, Whole) + literal(1), Text)
    connection.execute(update(meta).where(meta.c.key == "facts").values(value=raised))


def _reaches(connection: Connection, since: int) -> bool:
    """Whether the log has every change after ``since``."""
    begins = whole_number(get_meta(connection, "changes"))
    return begins is not None and begins <= since
