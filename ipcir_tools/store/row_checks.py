"""All rows of a catalog against their checksums, against what they can be, and against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, func, select

from ipcir_tools.store.checksums import CHECKSUM, content_fault, dimension_of, row_checksum
from ipcir_tools.store.contents import fault_of
from ipcir_tools.store.database import get_meta, whole_number
from ipcir_tools.store.membership import source_columns
from ipcir_tools.store.migration import CHECKED, NONE, Place, rows_of
from ipcir_tools.store.schema import captions, changes, features, files, folders, meta, pictures, replies, turns

NAMES = {"files": "path", "folders": "path", "features": "item", "captions": "image_id", "replies": "key"}
"""The column by which a row is named to people, where it is not ``id``."""

UNFINISHED = "note:mending"
"""Set while rows of files are lost that an index run finds again."""
_WRONG_SUM, _NO_SUM = "do not match their checksum", "have no checksum"


@dataclass(frozen=True)
class RowFault:
    """A row that is not as it was written, or makes no sense."""

    table: Table
    place: Place
    row: Mapping[str, Any]
    why: str
    """Of several, such as ``do not match their checksum``."""
    content: str | None
    """What is wrong with its content by itself; None where it can be used."""

    @property
    def name(self) -> str:
        """The row for people."""
        return ascii(self.row[NAMES.get(self.table.name, "id")])[1:-1]


def row_faults(connection: Connection, counts: Counter[str]) -> Iterator[RowFault]:
    """The faults of all rows, each looked at by itself; ``counts`` gets how many there are in each table."""
    sizes = _dimensions(connection)
    for table in CHECKED:
        for rows in rows_of(connection, table):
            counts[table.name] += len(rows)
            for place, row in rows:
                fault = _fault(table, place, row, sizes)
                if fault is not None:
                    yield fault


def _fault(table: Table, place: Place, row: Mapping[str, Any], sizes: Mapping[str, int]) -> RowFault | None:
    stored = row[CHECKSUM]
    if stored == _sum(table, row):
        if table is features and len(row["vector"]) != sizes.get(row["space"], len(row["vector"])):
            return RowFault(table, place, row, "are of another length than those of their space", "it is too short")
        return None
    content = fault_of(table.name, row)
    if content is None and table is features:
        size = sizes.get(row["space"])
        content = content_fault(row["vector"], size // 4 if size else None)
    why = _NO_SUM if stored is None else "were of no use already" if stored == NONE else _WRONG_SUM
    return RowFault(table, place, row, why, content)


def _sum(table: Table, row: Mapping[str, Any]) -> int:
    try:
        return row_checksum(table, row)
    except (ValueError, UnicodeError):  # a number where a text was
        return NONE


def _dimensions(connection: Connection) -> dict[str, int]:
    """Bytes of a feature by space: as its name says, else as most have."""
    size = func.length(features.c.vector)
    counted = connection.execute(select(features.c.space, size, func.count()).group_by(features.c.space, size)).all()
    most: dict[str, tuple[int, int]] = {}
    for space, length, n in counted:
        if length is not None:
            most[space] = max(most.get(space, (0, 0)), (n, length))
    named = {space: dimension_of(space) if isinstance(space, str) else None for space in most}
    return {space: 4 * named[space] if named[space] else most[space][1] for space in most}  # type: ignore[operator]


# --- rows against each other


@dataclass(frozen=True)
class Relations:
    """What of the catalog does not fit together."""

    without_record: list[str]
    """Files of a picture that has no record, by path."""
    without_feature: list[str]
    """Pictures of the gallery without a feature in its space."""
    misplaced: dict[str, str]
    """Pictures of the gallery whose record names no file of theirs, or not by name and folder as it is: the first of
    their files, by id."""
    orphans: list[str]
    """Turns whose parent is not there."""
    counters: list[str]
    """What is wrong with the gallery's revision, size, log and space."""
    space: str
    """The gallery's space, as far as its features tell."""

    @property
    def is_sound(self) -> bool:
        """Whether all of it fits."""
        return not (self.without_record or self.without_feature or self.misplaced or self.orphans or self.counters)


def relations(connection: Connection) -> Relations:
    """What does not fit together."""
    members = select(files.c.image_id)
    bound = get_meta(connection, "space") or ""
    space = _space(connection, bound)
    have = select(features.c.item).where(features.c.space == space)
    without = select(files.c.image_id).where(files.c.image_id.not_in(have)).distinct().order_by(files.c.image_id)
    parents = select(turns.c.id)
    wrong = list(_counters(connection))
    if space != bound:
        wrong.append(f"the gallery's space is {bound!r}, and its features are of {space!r}")
    return Relations(
        without_record=_list(connection, select(files.c.path).where(files.c.image_id.not_in(select(pictures.c.id)))),
        without_feature=_list(connection, without) if space else [],
        misplaced=_misplaced(connection, members),
        orphans=_list(
            connection, select(turns.c.id).where(turns.c.parent.is_not(None), turns.c.parent.not_in(parents))
        ),
        counters=wrong,
        space=space,
    )


def _space(connection: Connection, bound: str) -> str:
    """The space of most features of the gallery's pictures; the one that is stored where that is as good."""
    of_members = features.c.item.in_(select(files.c.image_id))
    counted = select(features.c.space, func.count()).where(of_members).group_by(features.c.space)
    found: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
    return max(found, key=lambda space: (found[space], space == bound)) if found else bound


def _misplaced(connection: Connection, members: Any) -> dict[str, str]:
    first = select(files.c.image_id, func.min(files.c.path)).group_by(files.c.image_id)
    paths = {row[0]: row[1] for row in connection.execute(first)}
    columns = select(pictures.c.id, pictures.c.source, pictures.c.name, pictures.c.folder)
    found = {}
    for row in connection.execute(columns.where(pictures.c.id.in_(members))):
        expected = source_columns(paths[row.id])
        if (row.source, row.name, row.folder) != (expected["source"], expected["name"], expected["folder"]):
            found[row.id] = paths[row.id]
    return found


def _counters(connection: Connection) -> Iterator[str]:
    if get_meta(connection, UNFINISHED):
        yield "a repair was not finished: folders are to be indexed again"
    numbers: dict[str, int] = {}
    for key in ("revision", "facts", "size", "changes"):
        text = get_meta(connection, key)
        number = whole_number(text)
        if text is not None and number is None:
            yield f"{key} is {text[:40]!r}, no number"
        numbers[key] = number or 0
    if get_meta(connection, "revision") is None:
        yield "revision is missing"
    held = set(_list(connection, select(files.c.image_id).distinct()))
    if numbers["size"] != len(held):
        yield f"size is {numbers['size']}, and there are {len(held)} pictures"
    log = connection.execute(select(changes.c.image_id, changes.c.revision, changes.c.entered)).all()
    newest = max((row.revision for row in log if type(row.revision) is int), default=0)
    if newest > numbers["revision"] or numbers["changes"] > numbers["revision"]:
        yield f"the log of changes is ahead of the revision, {numbers['revision']}"
    wrong = [row.image_id for row in log if bool(row.entered) != (row.image_id in held)]
    if wrong:
        yield f"the log of changes is wrong about {len(wrong)} pictures"
    if numbers["changes"] == 0 and numbers["revision"] and held - {row.image_id for row in log}:
        yield "the log of changes lacks pictures"


def _list(connection: Connection, statement: Any) -> list[str]:
    return list(connection.scalars(statement))


def table_counts(counts: Counter[str]) -> dict[str, int]:
    """What was looked at, in the words of a report."""
    order: Iterable[Table] = (pictures, files, folders, features, captions, turns, replies)
    return {each.name: counts[each.name] for each in order if each is not meta}
