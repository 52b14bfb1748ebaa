"""The folders and files of one index run: those that are named, those known below them, and what each leaves out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ipcir_tools.errors import FolderGoneError, InvalidRequestError
from ipcir_tools.images.excluding import check_patterns, pattern_for
from ipcir_tools.images.files import located, path_text, text_path
from ipcir_tools.images.storage import exists, is_gone, may_be_folder, not_there
from ipcir_tools.sources import Source, folders_around, url_text
from ipcir_tools.store.catalog import Catalog, FileStamp
from ipcir_tools.store.folders import FolderRow, at_or_below, check_name, innermost, names_of
from ipcir_tools.text import path_excerpt
from ipcir_tools.types import MissingFolder


@dataclass(frozen=True)
class Roots:
    """What an index run looks at."""

    named: tuple[str, ...]
    """The folders and files that were named, without those that are gone."""
    below: tuple[str, ...]
    """Those that were named in earlier runs and lie below them."""
    rows: Mapping[str, FolderRow]
    """All that the catalog knows after this run, by path."""
    missing: tuple[MissingFolder, ...]
    """Those of a run over all known folders that are gone."""


def roots_of(
    paths: Sequence[str | Source] | None, exclude: Sequence[str], catalog: Catalog, stamps: Mapping[str, FileStamp]
) -> Roots:
    """The roots of a run over ``paths``, or over all that is known where it is None.

    ``stamps`` are the catalog's. ``exclude`` adds patterns to those that are kept with each folder; an empty one first
    drops all earlier ones. Raises NotFoundError where one of ``paths`` does not exist, FolderGoneError where the
    gallery has pictures from it, and InvalidRequestError for an empty name, a wrong pattern, and where nothing is
    known.
    """
    check_patterns(exclude)
    rows = catalog.folders()
    if paths is None and not rows:
        raise InvalidRequestError("No folder is known yet: name the folder with your pictures, `ipcir index FOLDER`.")
    named = list(rows) if paths is None else [_existing(path, rows, stamps) for path in paths]
    gone = [path for path in named if is_gone(text_path(path))] if paths is None else []
    present = tuple(dict.fromkeys(path for path in named if path not in gone))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for path in present:
        _name_again(path, rows)
        kept = rows[path].exclude if path in rows else ()
        patterns = _updated(kept, exclude) if may_be_folder(text_path(path)) else ()
        rows[path] = FolderRow(path, patterns, now)
    named_now = set(present)
    below = sorted(each for each in rows.keys() - named_now if innermost(each, named_now) is not None)
    return Roots(present, tuple(below), rows, tuple(missing(path, stamps, empty=False) for path in gone))


def missing(path: str, stamps: Mapping[str, FileStamp], *, empty: bool) -> MissingFolder:
    """A folder that cannot be looked at, with the number of pictures that the gallery has from it."""
    return MissingFolder(path=path, empty=empty, pictures=pictures_from(path, stamps))


def pictures_from(path: str, stamps: Mapping[str, FileStamp]) -> int:
    """How many pictures of the gallery are in files at or below ``path``."""
    return len({stamps[text].image_id for text in at_or_below(path, stamps)})


def _existing(path: str | Source, rows: Collection[str], stamps: Mapping[str, FileStamp]) -> str:
    check_name(path)
    root = located(path)
    if exists(root):
        return path_text(root)
    named = path_text(url_text(path) or path)
    for name in names_of(path):
        if at_or_below(name, rows) or at_or_below(name, stamps):
            n = pictures_from(name, stamps)
            shown = path_excerpt(named, 200)
            raise FolderGoneError(
                f"{shown} is gone, and the gallery has {n:,} picture{'' if n == 1 else 's'} from it: connect its "
                f"drive, or take what it had out of the gallery with `ipcir remove {shown}`."
            )
    raise not_there(named)


def _name_again(path: str, rows: dict[str, FolderRow]) -> None:
    """Drop the patterns by which ``path`` was removed from the folders around it: it was named, so it is wanted."""
    for folder in folders_around(path):
        if (row := rows.get(folder)) is not None:
            removed = {pattern_for(path, folder, is_folder) for is_folder in (False, True)}
            rows[folder] = replace(row, exclude=tuple(each for each in row.exclude if each not in removed))


def _updated(kept: Iterable[str], given: Iterable[str]) -> tuple[str, ...]:
    patterns = list(kept)
    for each in given:
        if each.strip():
            patterns.append(each)
        else:
            patterns.clear()
    return tuple(dict.fromkeys(patterns))
