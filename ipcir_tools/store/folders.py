"""The folders and files that a gallery was made from: their table, their names, and a list of them with counts."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from ipcir_tools.batches import chunked
from ipcir_tools.images.excluding import folder_text
from ipcir_tools.images.files import is_gone, located, path_text, text_path
from ipcir_tools.store.database import CHUNK, Database, put
from ipcir_tools.store.schema import folders
from ipcir_tools.types import IndexedFolder

if TYPE_CHECKING:
    from ipcir_tools.store.catalog import Catalog

MOST_GROUPS = 12
"""Groups of files at most that belong to no known folder."""


@dataclass(frozen=True)
class FolderRow:
    """A folder or file that was indexed by its name."""

    path: str
    """Absolute, as ``path_text`` writes it."""
    exclude: tuple[str, ...]
    """Patterns of what is left out below it."""
    seen: str
    """When it was last indexed: UTC time, ISO 8601."""


class StoredFolders(Database):
    """The folders and files in a catalog that were indexed by their names."""

    def folders(self) -> dict[str, FolderRow]:
        """All of them by path, in the order of their paths."""
        with self._read() as connection:
            rows = connection.execute(select(folders.c.path, folders.c.exclude, folders.c.seen)).all()
        read = (FolderRow(row.path, tuple(json.loads(row.exclude)), row.seen) for row in rows)
        return {row.path: row for row in sorted(read, key=lambda row: row.path)}

    def put_folders(self, rows: Iterable[FolderRow]) -> None:
        """Store these, in place of earlier ones with the same paths."""
        values = [{"path": row.path, "exclude": json.dumps(row.exclude), "seen": row.seen} for row in rows]
        with self._write() as connection:
            put(connection, folders, values, replace=True)

    def forget_folders(self, paths: Iterable[str]) -> None:
        """Drop these, without dropping their files."""
        with self._write() as connection:
            for some in chunked(paths, CHUNK):
                connection.execute(delete(folders).where(folders.c.path.in_(some)))


# --- names


def names_of(path: str | Path) -> tuple[str, ...]:
    """The names under which the catalog may know a path that a person wrote, which need not exist any more."""
    text = os.path.expanduser(path)  # noqa: PTH111 - Path's raises for unknown users
    if "\0" in text:
        return ()
    forms = (located(Path(text)), Path(os.path.realpath(text)), located(text_path(text)))
    return tuple(dict.fromkeys([*map(path_text, forms), str(path)]))


def at_or_below(path: str, texts: Iterable[str]) -> set[str]:
    """Those of ``texts`` that are ``path`` itself or below it."""
    beginning = folder_text(path)
    return {text for text in texts if text == path or text.startswith(beginning)}


def innermost(path: str, known: Collection[str]) -> str | None:
    """The innermost of the ``known`` folders that ``path`` is in, or ``path`` itself where it is one."""
    while path not in known:
        parent = os.path.dirname(path)  # noqa: PTH120 - of text that need not be a path of this machine
        if parent == path:
            return None
        path = parent
    return path


# --- the list


def list_folders(catalog: Catalog) -> tuple[IndexedFolder, ...]:
    """What the gallery was made from, in the order of the paths."""
    rows = catalog.folders()
    files: dict[str, list[str]] = defaultdict(list)  # ids of the pictures in the files of each
    strays: dict[str, list[str]] = defaultdict(list)  # the same of folders that belong to none
    for text, stamp in catalog.stamps().items():
        home = innermost(text, rows)
        (strays[str(PurePath(text).parent)] if home is None else files[home]).append(stamp.image_id)
    listed = [_listed(row.path, files[row.path], row) for row in rows.values()]
    listed += [_listed(path, ids) for path, ids in _grouped(strays).items()]
    return tuple(sorted(listed, key=lambda each: each.path))


def _listed(path: str, ids: Collection[str], row: FolderRow | None = None) -> IndexedFolder:
    return IndexedFolder(
        path=path,
        exclude=row.exclude if row else (),
        pictures=len(set(ids)),
        files=len(ids),
        seen=row.seen if row else None,
        gone=is_gone(text_path(path)),
    )


def _grouped(strays: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Folders put together with those around them, until there are few: the deepest first, never up to the root."""
    groups = {path: list(ids) for path, ids in strays.items()}
    for path in sorted(groups, key=len, reverse=True):
        outer = innermost(os.path.dirname(path), groups)  # noqa: PTH120 - as above
        if outer is not None and outer != path:
            groups[outer] += groups.pop(path)
    while len(groups) > MOST_GROUPS:
        path = max(groups, key=lambda each: (len(PurePath(each).parts), each))
        parent = str(PurePath(path).parent)
        if len(PurePath(parent).parts) < 3:  # the root and its folders say nothing about where a picture is from
            break
        groups[parent] = groups.pop(path) + groups.get(parent, [])
    return groups
