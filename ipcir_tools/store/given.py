"""The pictures that agents gave themselves, by their bytes or a URL: what they may name beside the gallery."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, literal, select, union

from ipcir_tools.batches import chunked
from ipcir_tools.store.database import CHUNK, VALUES, Database, put
from ipcir_tools.store.schema import files, meta

_GIVEN = "given:"
_KEYS: BindParameter[Any] = bindparam("keys", expanding=True)
_KNOWN = union(
    select(files.c.image_id.label("name")).where(files.c.image_id.in_(VALUES)),
    select(meta.c.key.label("name")).where(meta.c.key.in_(_KEYS)),
)
_HELD = select(literal(1)).where(files.c.path == bindparam("path"))


class StoredGiven(Database):
    """Which pictures of the catalog are in the gallery or were given by agents; all others are a person's own."""

    def in_gallery_or_given(self, ids: Iterable[str]) -> set[str]:
        """Those of ``ids`` that are in the gallery, or that an agent gave itself."""
        found: set[str] = set()
        for some in chunked(dict.fromkeys(ids), CHUNK):
            with self._glance() as connection:
                rows = connection.scalars(_KNOWN, {"values": some, "keys": [_GIVEN + id_ for id_ in some]})
                found.update(name.removeprefix(_GIVEN) for name in rows)
        return found

    def holds(self, path: str) -> bool:
        """Whether a file is in the gallery."""
        with self._glance() as connection:
            return connection.scalar(_HELD, {"path": path}) is not None


def note_given(connection: Connection, ids: Iterable[str]) -> None:
    """Store that an agent gave these pictures itself."""
    put(connection, meta, [{"key": _GIVEN + id_, "value": ""} for id_ in ids])
