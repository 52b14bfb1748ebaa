"""How the gallery's files are named to agents: by name, below the gallery's folders, or by their whole paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import PurePath

from ipcir_tools.settings import ShowPaths
from ipcir_tools.sources import folders_around, is_object_url, joined, source_parts
from ipcir_tools.store.catalog import Catalog

FileNamer = Callable[[str], str]
"""The path of a file -> its name for an agent."""


def base_name(source: str) -> str:
    """The name of a file without its folder."""
    return PurePath(source).name


def file_namer(catalog: Catalog, show: ShowPaths) -> FileNamer:
    """How files are named under the setting ``show_paths``.

    A name below the gallery's folders begins with the folder's own: ``Photos/2024/beach.jpg``. Such a name may be given
    as a reference.
    """
    if show == "name":
        return base_name
    if show == "path":
        return str
    starts = root_names(gallery_roots(catalog))

    def below_root(source: str) -> str:
        root = next((each for each in (source, *folders_around(source)) if each in starts), None)
        if root is None:
            return base_name(source)
        return joined([starts[root], *source_parts(source)[len(source_parts(root)) :]])

    return below_root


@dataclass(frozen=True)
class FileNames:
    """Names of the files of hits, with the folder that all of them are in named once."""

    folder: str = ""
    """Empty where they share none, or none is shown."""
    below: Mapping[str, str] = field(default_factory=dict)
    """Their names below that folder, by path."""

    def of(self, source: str) -> str:
        """The name of a hit's file."""
        return self.below.get(source) or base_name(source)


def shared_folder(sources: Sequence[str], namer: FileNamer) -> FileNames:
    """The names of these files."""
    names = {source: source_parts(namer(source)) for source in sources}
    folders = [parts[:-1] for parts in names.values()] or [()]
    shared = [parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))]
    below = {source: joined(parts[len(shared) :]) for source, parts in names.items()}
    return FileNames(joined(shared) if shared else "", below)


def gallery_roots(catalog: Catalog) -> list[str]:
    """The folders and files that were indexed by name; of an older catalog, the folder that all its files are in."""
    if roots := list(catalog.folders()):
        return roots
    folders = [folder for folder in catalog.picture_folders() if not is_object_url(folder)]
    return [os.path.commonpath(folders)] if folders else []


def root_names(roots: Sequence[str]) -> dict[str, str]:
    """The last part of each path; more of its parts where several end alike."""
    parts = {root: _name_parts(root) for root in roots}
    longest = max(map(len, parts.values()), default=0)
    for depth in range(1, longest + 1):
        names = {root: joined(each[-depth:]) for root, each in parts.items()}
        if len(set(names.values())) == len(names):
            return names
    return {root: root for root in roots}


def _name_parts(root: str) -> tuple[str, ...]:
    """Its parts; of a URL without the protocol, which stands before the bucket."""
    parts = source_parts(root)
    return (parts[0].rpartition("/")[2], *parts[1:]) if is_object_url(root) else parts
