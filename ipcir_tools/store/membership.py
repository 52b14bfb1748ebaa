"""Who is in the gallery: the files that hold its pictures, counted inside a transaction of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import PurePath

from sqlalchemy import Connection, func, select, update

from ipcir_tools.store.database import among, set_meta
from ipcir_tools.store.schema import features, files, meta, pictures


def inside(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Those of ``ids`` that are in the gallery."""
    return {row.image_id for row in among(connection, select(files.c.image_id).distinct(), files.c.image_id, ids)}


def owners(connection: Connection, paths: Iterable[str]) -> set[str]:
    """The pictures that these files hold now."""
    return {row.image_id for row in among(connection, select(files.c.image_id), files.c.path, paths)}


@contextmanager
def counted(connection: Connection, ids: set[str]) -> Iterator[set[str]]:
    """Around a change to the files of ``ids``, which the body may extend: moves the revision if any enters or leaves.

    A picture's source then is the first of its files, whatever the order in which they came and went.
    """
    # The row is locked before anything is read, so that two writers cannot both count from the same number.
    revision = connection.scalar(select(meta.c.value).where(meta.c.key == "revision").with_for_update())
    before = inside(connection, ids)
    touched = set(ids)
    yield touched
    # Whatever the body found to be touched was in the gallery before.
    before |= touched - ids
    if before != inside(connection, touched):
        set_meta(connection, "revision", str(int(revision or 0) + 1))
    _settle_sources(connection, touched)


def _settle_sources(connection: Connection, ids: set[str]) -> None:
    first = func.min(files.c.path)
    joined = select(pictures.c.id, first.label("path")).join(files, files.c.image_id == pictures.c.id)
    moved = joined.group_by(pictures.c.id, pictures.c.source).having(first != pictures.c.source)
    for row in list(among(connection, moved, pictures.c.id, ids)):
        connection.execute(update(pictures).where(pictures.c.id == row.id).values(**source_columns(row.path)))


def require_features(connection: Connection, ids: set[str], space: str) -> None:
    """Raise ValueError unless each of ``ids`` has its feature in ``space``."""
    have = select(features.c.item).where(features.c.space == space)
    missing = ids - {row.item for row in among(connection, have, features.c.item, ids)}
    if missing:
        raise ValueError(f"no feature in {space} for the picture {min(missing)}")


def source_columns(source: str) -> dict[str, str]:
    """The columns of a picture that say where it is: the name and the folder are there to be filtered by."""
    path = PurePath(source)
    return {"source": source, "name": path.name, "folder": str(path.parent)}
