"""The values that a gallery's pictures have for filters, and why a filter that nothing passes never will be."""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from ipcir_tools.errors import InvalidRequestError
from ipcir_tools.sources import ObjectUrl, is_object_url
from ipcir_tools.store.filter_fields import FIELDS, Condition, Known, compare
from ipcir_tools.store.filters import about_files, condition, terms
from ipcir_tools.store.folders import at_or_below
from ipcir_tools.store.schema import captions, files, folders, pictures
from ipcir_tools.text import excerpt
from ipcir_tools.types import FilterValues, Where

MAX_LISTED = 12
"""Values that a refusal lists."""
MAX_COMPARED = 2_000
"""Values among which the nearest are looked for."""

_ID = pictures.c.id
_SHAPE = case(
    (pictures.c.width > pictures.c.height, "landscape"),
    (pictures.c.width < pictures.c.height, "portrait"),
    else_="square",
)


def passing(connection: Connection, where: Where, captioner: str | None) -> Select[tuple[str]]:
    """The ids of the gallery's pictures that pass a filter. Raises InvalidRequestError for a wrong one.

    Where it is about files, one file of the picture must pass all of it.
    """
    chosen = condition(where, _known(connection, captioner))
    if not about_files(where):
        return _chosen(chosen)
    return _chosen(chosen, select(files.c.path).where(files.c.image_id == _ID, _of_files(connection, where, captioner)))


def passing_files(connection: Connection, where: Where, captioner: str | None) -> Select[tuple[str, str]]:
    """The ids of pictures, each with a path of theirs that passes a filter."""
    joined = select(files.c.image_id, files.c.path).join(pictures, files.c.image_id == _ID)
    return joined.where(_of_files(connection, where, captioner))


def _of_files(connection: Connection, where: Where, captioner: str | None) -> Condition:
    return condition(where, replace(_known(connection, captioner), of_files=True))


def _chosen(chosen: Condition, file: Select[tuple[str]] | None = None) -> Select[tuple[str]]:
    return select(_ID).where(chosen, _in_gallery() if file is None else file.exists())


def _known(connection: Connection, captioner: str | None) -> Known:
    def has_file(file: Condition) -> bool:
        return connection.scalar(select(files.c.path).where(file).limit(1)) is not None

    return Known(captioner, has_file)


# --- what there is


def filter_values(connection: Connection, captioner: str | None, limit: int) -> FilterValues:
    """How many pictures of the gallery have which values; at most ``limit`` folders and cameras."""
    placed, cameras = _folders(connection), _counts(connection, pictures.c.camera)
    size, first, last, with_gps, damaged = connection.execute(
        select(
            func.count(),
            func.min(pictures.c.taken),
            func.max(pictures.c.taken),
            func.count(pictures.c.latitude),
            func.count(case((pictures.c.damaged, 1))),
        ).where(_in_gallery())
    ).one()
    return FilterValues(
        pictures=size,
        formats=dict(_counts(connection, pictures.c.format).most_common()),
        orientations=dict(_counts(connection, _SHAPE).most_common()),
        folders=dict(placed.most_common(limit)),
        more_folders=max(0, len(placed) - limit),
        cameras=dict(cameras.most_common(limit)),
        more_cameras=max(0, len(cameras) - limit),
        taken=None if first is None else (first, last),
        with_gps=with_gps,
        captioned=_count(connection, _is_captioned(captioner)),
        damaged=damaged,
    )


def _is_captioned(captioner: str | None) -> Condition:
    said = select(captions.c.image_id)
    return _ID.in_(said if captioner is None else said.where(captions.c.captioner == captioner))


def _in_gallery() -> Condition:
    # Looked up in the index picture by picture: a set of all pictures would be made anew for every query.
    return select(files.c.image_id).where(files.c.image_id == _ID).exists()


def _count(connection: Connection, *conditions: Condition) -> int:
    return connection.scalar(select(func.count()).select_from(pictures).where(_in_gallery(), *conditions)) or 0


def _counts(connection: Connection, column: ColumnElement[Any]) -> Counter[str]:
    rows = connection.execute(select(column, func.count()).where(_in_gallery()).group_by(column).order_by(column))
    return Counter({value: n for value, n in rows if value is not None})


def _taken(connection: Connection) -> tuple[str, str] | None:
    first, last = connection.execute(
        select(func.min(pictures.c.taken), func.max(pictures.c.taken)).where(_in_gallery())
    ).one()
    return None if first is None else (first, last)


def _folders(connection: Connection) -> Counter[str]:
    """Files by folder, each named from the folder on that was indexed: ``photos/2024/may``."""
    held = Counter(os.path.dirname(path) for path in connection.scalars(select(files.c.path)))  # noqa: PTH120 - quick
    roots = sorted(connection.scalars(select(folders.c.path)), key=len, reverse=True)
    local = [folder for folder in held if not is_object_url(folder)]
    if local and not roots and os.path.basename(common := os.path.commonpath(local)):  # noqa: PTH119
        roots = [common]  # a gallery of an earlier version
    named = Counter[str]()
    for folder, n in held.items():
        named[_from_root(folder, roots)] += n
    return Counter(dict(sorted(named.items())))  # databases give rows in orders of their own


def _from_root(folder: str, roots: Sequence[str]) -> str:
    if is_object_url(folder):
        root = next((each for each in roots if at_or_below(each, [folder])), folder)
        return folder[len(root) - len(ObjectUrl(root).name) :]
    path = PurePath(folder)
    above = next((PurePath(each) for each in roots if path.is_relative_to(each)), path.parent)
    return path.relative_to(above.parent).as_posix() if above.name else path.as_posix()


# --- why there is nothing


def explain_no_match(connection: Connection, where: Where, captioner: str | None, *, tell_folders: bool) -> None:
    """Raises InvalidRequestError for the first term that names what no picture of the gallery has.

    A number or a text that just happens to be in none is no mistake.
    """
    known = _known(connection, captioner)
    for field, name, value in terms(where):
        found = connection.scalar(_chosen(compare(field, name, value, known)).limit(1))
        if found is None and (problem := _problem(connection, field, value, captioner, tell_folders)):
            raise InvalidRequestError(f"No picture passes the filter: {problem}.")


def _problem(connection: Connection, field: str, value: Any, captioner: str | None, tell_folders: bool) -> str:
    """What is wrong with a term that no picture passes; empty where nothing is."""
    wanted = [str(each) for each in value] if isinstance(value, list) else [str(value)]
    kind, said = FIELDS[field], excerpt(", ".join(wanted))
    if kind == "date":
        span = _taken(connection)
        return f"none was taken then ({said}), they are from {span[0][:10]} to {span[1][:10]}" if span else ""
    if kind == "place":
        some = _count(connection, pictures.c.latitude.is_not(None))
        return (
            "none of them says where it was taken" if not some else f"none of the {some} with a place was taken there"
        )
    if field == "caption":
        return "" if _count(connection, _is_captioned(captioner)) else _NO_CAPTIONS
    if kind == "flag":
        return "none is damaged" if value is True else ""
    if field == "folder" and not tell_folders:
        return f"none has the folder {said}"
    there = _there(connection, field)
    if there is None:
        return ""
    if not there:
        return f"none of them has a {field}"
    return f"none has the {field} {said}; there {_listed(there, wanted[0])}"


_NO_CAPTIONS = "none has a caption: run `ipcir index FOLDER --captions` first"


def _there(connection: Connection, field: str) -> Counter[str] | None:
    """The values of a field that has few enough to list."""
    if field == "folder":
        return _folders(connection)
    if field == "name":
        return Counter(os.path.basename(path) for path in connection.scalars(select(files.c.path)))  # noqa: PTH119
    columns = {"format": pictures.c.format, "camera": pictures.c.camera, "orientation": _SHAPE}
    return _counts(connection, columns[field]) if field in columns else None


def _listed(there: Counter[str], wanted: str) -> str:
    """The values that exist, with how often: the nearest first, then the most frequent."""
    shown = [value for value, _ in there.most_common(MAX_COMPARED)]
    near = difflib.get_close_matches(_last(wanted), {_last(value) for value in shown}, MAX_LISTED, 0.6)
    first = [value for last in near for value in shown if _last(value) == last]
    listed = list(dict.fromkeys([*first, *shown]))[:MAX_LISTED]
    more = len(there) - len(listed)
    names = ", ".join(f"{excerpt(value)} ({there[value]:,})" for value in listed)
    return f"{'is' if len(there) == 1 else 'are'} {names}{f' and {more:,} more' if more else ''}"


def _last(value: str) -> str:
    """The last part of a folder; any other value whole."""
    return value.lower().rstrip("/").rpartition("/")[2]
