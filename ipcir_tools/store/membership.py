"""Membership of the gallery: its files and pictures, within a transaction of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import PurePath

from sqlalchemy import Connection, func, select, update

from ipcir_tools.sources import source_folder
from ipcir_tools.store.changes import log_changes, raise_facts
from ipcir_tools.store.database import among, put, set_meta
from ipcir_tools.store.schema import changes, features, files, meta, pictures


def members(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Those of ``ids`` that are in the gallery."""
    return {row.image_id for row in among(connection, select(files.c.image_id).distinct(), files.c.image_id, ids)}


def pictures_of(connection: Connection, paths: Iterable[str]) -> set[str]:
    """The ids of the pictures that the catalog has for these files."""
    return {row.image_id for row in among(connection, select(files.c.image_id), files.c.path, paths)}


def locked_revision(connection: Connection) -> int:
    """The gallery's revision, held until the transaction ends: one at a time changes who belongs to the gallery.

    On a server the row is locked before anything is read; SQLite's writers have the whole file.
    """
    return int(connection.scalar(select(meta.c.value).where(meta.c.key == "revision").with_for_update()) or 0)


@contextmanager
def changing_files(connection: Connection, ids: set[str]) -> Iterator[set[str]]:
    """Around a change to the files of ``ids``, which the body may extend.

    Raises the revision if a picture enters or leaves the gallery. Afterwards a picture's source is the
    first of its files, whatever the order of the changes.
    """
    revision = locked_revision(connection)
    before = members(connection, ids)
    touched = set(ids)
    yield touched
    # Pictures that the body added were in the gallery before.
    before |= touched - ids
    after = members(connection, touched)
    if before != after:
        raised = revision + 1
        set_meta(connection, "revision", str(raised))
        log_changes(connection, raised, entered=after - before, left=before - after)
    _update_sources(connection, touched)
    raise_facts(connection)


def enter_again(connection: Connection, items: set[str]) -> None:
    """Store that these features were made again: whoever holds an earlier snapshot reads those of the gallery anew."""
    ids = members(connection, items) if items else set()
    if ids:
        raised = locked_revision(connection) + 1
        set_meta(connection, "revision", str(raised))
        put(connection, changes, [{"image_id": id_, "revision": raised, "entered": True} for id_ in ids], replace=True)


def _update_sources(connection: Connection, ids: set[str]) -> None:
    # Two questions, each answered from an index: joined, a database that has not counted its rows yet reads them all.
    paths = select(files.c.image_id, func.min(files.c.path).label("path")).group_by(files.c.image_id)
    first = {row.image_id: row.path for row in among(connection, paths, files.c.image_id, ids)}
    sources = among(connection, select(pictures.c.id, pictures.c.source), pictures.c.id, first)
    for id_ in sorted(row.id for row in sources if row.source != first[row.id]):
        connection.execute(update(pictures).where(pictures.c.id == id_).values(**source_columns(first[id_])))


def require_features(connection: Connection, ids: set[str], space: str) -> None:
    """Raise ValueError unless each of ``ids`` has its feature in ``space``."""
    have = select(features.c.item).where(features.c.space == space)
    missing = ids - {row.item for row in among(connection, have, features.c.item, ids)}
    if missing:
        raise ValueError(f"no feature in {space} for the picture {min(missing)}")


def source_columns(source: str) -> dict[str, str]:
    """The columns of a picture's place: its source, and name and folder for filters."""
    return {"source": source, "name": PurePath(source).name, "folder": source_folder(source)}
