"""What a gallery was made from, with counts: the folders that were indexed by name, and those that are not known."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Mapping

from ipcir_tools.images.files import text_path
from ipcir_tools.images.storage import is_gone
from ipcir_tools.sources import source_folder, source_parts
from ipcir_tools.store.catalog import Catalog
from ipcir_tools.store.folders import FolderRow, innermost
from ipcir_tools.types import IndexedFolder

MOST_GROUPS = 12
"""Groups of files at most that belong to no known folder."""


def list_folders(catalog: Catalog) -> tuple[IndexedFolder, ...]:
    """What the gallery was made from, in the order of the paths."""
    rows = catalog.folders()
    files: dict[str, list[str]] = defaultdict(list)  # ids of the pictures in the files of each
    strays: dict[str, list[str]] = defaultdict(list)  # the same of folders that belong to none
    for text, stamp in catalog.stamps().items():
        home = innermost(text, rows)
        (strays[source_folder(text)] if home is None else files[home]).append(stamp.image_id)
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
        path = max(groups, key=lambda each: (len(source_parts(each)), each))
        parent = source_folder(path)
        if len(source_parts(parent)) < 3:  # the root and its folders say nothing about where a picture is from
            break
        groups[parent] = groups.pop(path) + groups.get(parent, [])
    return groups
