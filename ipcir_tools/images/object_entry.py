"""One entry in the listing of a folder of objects."""

from __future__ import annotations

from dataclasses import dataclass

from ipcir_tools.images.file_status import ObjectStatus


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """An object, or a folder of objects: of ``os.DirEntry`` the part that scanning needs."""

    name: str
    """Empty for what is in a key such as ``photos//a.jpg``, which no listing leads to."""
    path: str
    """Its URL."""
    status: ObjectStatus | None
    """None for a folder."""

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a folder."""
        return self.status is None

    def is_symlink(self) -> bool:
        """Object stores have none."""
        return False
