"""References that people drop on the page: kept in the home folder, so that a turn shows its reference tomorrow."""

from __future__ import annotations

from contextlib import suppress

from ipcir_tools.engine.engine import Engine
from ipcir_tools.errors import BadImageError, InvalidRequestError
from ipcir_tools.files import replaced
from ipcir_tools.images.reading import image_id
from ipcir_tools.private import private_folder
from ipcir_tools.types import ImageRecord

FOLDER = "references"
"""In the home folder."""

MOST_BYTES = 1_000_000_000
"""Of all kept references together; the oldest make room."""


class Uploads:
    """The folder of references that came from browsers."""

    def __init__(self, engine: Engine, most: int = MOST_BYTES) -> None:
        self._engine, self._most = engine, most
        self._folder = (engine.catalog.folder or engine.settings.home.expanduser().absolute()) / FOLDER

    def add(self, data: bytes) -> ImageRecord:
        """Keep a picture and make it known to the catalog. Raises BadImageError for bytes that are none."""
        limit = self._engine.settings.max_bytes
        if not data:
            raise InvalidRequestError("The file is empty: choose a picture.")
        if len(data) > limit:
            raise BadImageError(
                f"The file has more than {limit:,} bytes: choose a smaller one, or set IPCIR_MAX_BYTES."
            )
        id_ = image_id(data)
        known = self._engine.catalog.records([id_]).get(id_)
        if known and not isinstance(self._engine.components.load_image({}, id_), str):
            return known
        private_folder(self._folder)
        file = self._folder / id_
        with replaced(file) as part:
            part.write_bytes(data)
        try:
            record, _ = self._engine.resolve(file)
        except BadImageError:
            file.unlink(missing_ok=True)
            raise BadImageError("The file is no picture that can be read: choose a JPEG, PNG, WebP or HEIC.") from None
        self._engine.catalog.remember([record])
        self._make_room()
        return record

    def _make_room(self) -> None:
        kept = []
        for each in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another upload makes room at the same time
                status = each.stat()
                kept.append((status.st_mtime, status.st_size, each))
        kept.sort()
        total = sum(size for _, size, _ in kept)
        for _, size, file in kept[:-1]:
            if total <= self._most:
                break
            file.unlink(missing_ok=True)
            total -= size
