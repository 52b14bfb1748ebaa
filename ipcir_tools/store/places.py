"""Where the gallery's pictures are and what they are like as a whole: folders, names, formats, cameras, dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select

from ipcir_tools.store.database import Database
from ipcir_tools.store.schema import files, folders, pictures


@dataclass(frozen=True)
class GallerySummary:
    """What a gallery, or a folder of it, has: counts by value, the most frequent first."""

    pictures: int
    folders: Mapping[str, int]
    """Pictures by the folder that they are in themselves, in the order of their paths."""
    formats: Mapping[str, int]
    cameras: Mapping[str, int]
    first: str | None
    last: str | None
    """When the earliest and the latest picture were taken, ISO 8601; None where no date is known."""


class StoredPlaces(Database):
    """The places and kinds of the gallery's pictures."""

    def files_ending(self, end: str, limit: int = 6) -> dict[str, str]:
        """Up to ``limit`` pictures of the gallery with a file whose path ends with these parts: the path by id.

        Where no path ends exactly so, upper and lower case are the same (with SQLite, for ASCII).
        """
        ends = files.c.path.endswith("/" + end, autoescape=True)
        with self._read() as connection:
            rows = connection.execute(select(files.c.path, files.c.image_id).where(ends).order_by(files.c.path)).all()
        exact = [row for row in rows if row.path.endswith("/" + end)]
        found: dict[str, str] = {}
        for row in exact or rows:
            found.setdefault(row.image_id, row.path)
        return dict(list(found.items())[:limit])

    def indexed_paths(self) -> list[str]:
        """The folders and files that were indexed by name, sorted."""
        with self._read() as connection:
            return sorted(connection.scalars(select(folders.c.path)))

    def picture_folders(self) -> dict[str, int]:
        """The folders of the gallery's pictures, and how many each has itself, in the order of their paths."""
        return dict(sorted(self._counts(pictures.c.folder, _in_gallery()).items()))

    def summary(self, folder: str | None = None) -> GallerySummary:
        """What the gallery has, or what is in ``folder``, an absolute path, and below it."""
        among = _in_gallery()
        if folder is not None:
            below = pictures.c.folder.startswith(folder.rstrip("/") + "/", autoescape=True)
            among = and_(among, or_(pictures.c.folder == folder, below))
        with self._read() as connection:
            taken = pictures.c.taken
            n, first, last = connection.execute(
                select(func.count(), func.min(taken), func.max(taken)).where(among)
            ).one()
        return GallerySummary(
            pictures=n,
            folders=dict(sorted(self._counts(pictures.c.folder, among).items())),
            formats=self._counts(pictures.c.format, among),
            cameras=self._counts(pictures.c.camera, among),
            first=first,
            last=last,
        )

    def _counts(self, column: ColumnElement[str], among: ColumnElement[bool]) -> dict[str, int]:
        """How many pictures have each value of a column, the most frequent first."""
        count = func.count()
        wanted = select(column, count).where(among, column.is_not(None)).group_by(column).order_by(count.desc(), column)
        with self._read() as connection:
            return {row[0]: row[1] for row in connection.execute(wanted)}


def _in_gallery() -> ColumnElement[bool]:
    return pictures.c.id.in_(select(files.c.image_id))
