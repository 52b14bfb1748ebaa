"""Taking folders, files and pictures out of the gallery, whether they are still there or not."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path, PurePath

from ipcir_tools.errors import InvalidRequestError, NotFoundError
from ipcir_tools.images.excluding import pattern_for
from ipcir_tools.images.files import path_text, text_path
from ipcir_tools.images.storage import is_gone, may_be_folder
from ipcir_tools.sources import ObjectUrl, Source, source_folder
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.store.folders import at_or_below, innermost, names_of
from ipcir_tools.text import excerpt
from ipcir_tools.types import KeptOut, RemovalReport

_ID = re.compile(r"[0-9a-f]{6,16}", re.IGNORECASE)
_NEAR = 3
"""Names that an error offers."""


@dataclass(frozen=True)
class _Target:
    """What one argument stands for: files of the gallery, and folders that are known by name."""

    name: str
    files: frozenset[str]
    folders: frozenset[str] = frozenset()
    places: tuple[str, ...] = ()
    """The paths that a later run must leave out."""


def remove(targets: Sequence[str | Path], catalog: Catalog) -> RemovalReport:
    """Take out the files of folders, of paths and of pictures named by id, or by the only id that begins so.

    What is still there and lies in an indexed folder is left out of it from now on, by a pattern that is kept with that
    folder. Raises NotFoundError for what the gallery does not know, and InvalidRequestError for the beginning of
    several ids, before anything is changed; CatalogError where the catalog cannot be changed.
    """
    catalog.check_changeable()
    stamps, known = catalog.stamps(), set(catalog.folders())
    found = [_target(each, stamps, known, catalog) for each in targets]
    leaving = {folder for target in found for folder in target.folders}
    kept_out = _keep_out([place for target in found for place in target.places], catalog, leaving)
    files = {file for target in found for file in target.files}
    gone = catalog.forget(files)
    catalog.forget_folders(leaving)
    names = tuple(dict.fromkeys(target.name for target in found))
    return RemovalReport(removed=names, files=len(files), pictures=len(gone), kept_out=kept_out)


def _target(named: str | Path, stamps: Mapping[str, FileStamp], known: Collection[str], catalog: Catalog) -> _Target:
    for name in names_of(named):
        files, folders = at_or_below(name, stamps), at_or_below(name, known)
        if files or folders:
            return _Target(name, frozenset(files), frozenset(folders), (name,))
    if isinstance(named, str) and _ID.fullmatch(named):
        members = {stamp.image_id for stamp in stamps.values() if stamp.image_id.startswith(named.lower())}
        if len(members) > 1:
            raise InvalidRequestError(f"{len(members)} pictures have an id that begins with {named}: give more of it.")
        if members:
            files = {path for path, stamp in stamps.items() if stamp.image_id in members}
            return _Target(members.pop(), frozenset(files), frozenset(files & set(known)), tuple(sorted(files)))
    raise NotFoundError(_unknown(named, stamps, known))


def _unknown(named: str | Path, stamps: Iterable[str], known: Iterable[str]) -> str:
    text = path_text(Path(named)) if isinstance(named, Path) else named
    near = _near(names_of(named)[0] if names_of(named) else text, list(stamps), list(known))
    hint = f"near it there is {', '.join(excerpt(each, 200) for each in near)}" if near else "it is empty"
    return f"The gallery has nothing from {excerpt(text, 200)}: {hint} (`ipcir folders` lists what it was made from)."


def _near(path: str, files: Sequence[str], known: Sequence[str]) -> list[str]:
    """Paths of the gallery that may have been meant: of the same name elsewhere, else those written most alike."""
    name = PurePath(path).name.lower()
    same = [each for each in (*known, *files) if PurePath(each).name.lower() == name]
    places = list(dict.fromkeys([*known, *(source_folder(file) for file in files)]))
    beside = [file for file in files if os.path.dirname(file) == os.path.dirname(path)]  # noqa: PTH120 - as text
    alike = get_close_matches(path, [*places, *beside[:2_000]], _NEAR, cutoff=0.6)
    return list(dict.fromkeys([*same, *alike, *places]))[:_NEAR]


def _keep_out(places: Iterable[str], catalog: Catalog, leaving: Collection[str]) -> tuple[KeptOut, ...]:
    """Add patterns to the folders that would bring back what is still there."""
    rows = {path: row for path, row in catalog.folders().items() if path not in leaving}
    kept_out = []
    for place in dict.fromkeys(places):
        folder = innermost(os.path.dirname(place), rows)  # noqa: PTH120 - as text
        path = text_path(place)
        if folder is None or not _may_be_there(path):
            continue
        pattern = pattern_for(place, folder, may_be_folder(path))
        if pattern not in rows[folder].exclude:
            rows[folder] = replace(rows[folder], exclude=(*rows[folder].exclude, pattern))
        kept_out.append(KeptOut(path=place, folder=folder, pattern=pattern))
    catalog.put_folders(rows[folder] for folder in {each.folder for each in kept_out})
    return tuple(kept_out)


def _may_be_there(source: Source) -> bool:
    """Whether a later run could find it: a link to nothing too, and an object of which that cannot be found out."""
    return not is_gone(source) if isinstance(source, ObjectUrl) else os.path.lexists(source)
