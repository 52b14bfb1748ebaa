"""Where the gallery's files are: by the ends of their paths, by folder."""

from __future__ import annotations

from sqlalchemy import func, select

from ipcir_tools.store.changes import StoredChanges
from ipcir_tools.store.schema import files, pictures


class StoredPlaces(StoredChanges):
    """The places of the gallery's files."""

    def files_ending(self, end: str, limit: int = 6) -> dict[str, str]:
        """Up to ``limit`` pictures of the gallery with a file whose path ends with these parts: the path by id.

        Where no path ends exactly so, upper and lower case are the same (for ASCII).
        """
        ends = files.c.path.iendswith("/" + end, autoescape=True)
        with self._read() as connection:
            rows = connection.execute(select(files.c.path, files.c.image_id).where(ends).order_by(files.c.path)).all()
        exact = [row for row in rows if row.path.endswith("/" + end)]
        found: dict[str, str] = {}
        for row in exact or rows:
            found.setdefault(row.image_id, row.path)
        return dict(list(found.items())[:limit])

    def picture_folders(self) -> dict[str, int]:
        """The folders of the gallery's pictures, and how many each has itself, in the order of their paths."""
        return self.while_unchanged("folders", self._picture_folders)

    def _picture_folders(self) -> dict[str, int]:
        counted = select(pictures.c.folder, func.count()).where(pictures.c.id.in_(select(files.c.image_id)))
        with self._read() as connection:
            rows = connection.execute(counted.group_by(pictures.c.folder).order_by(pictures.c.folder)).all()
        return {row[0]: row[1] for row in rows}
