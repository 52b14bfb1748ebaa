"""Mending the rows of a catalog: one wrong bit is turned back, what can be used is kept, the rest is made again.

A row is only deleted where nothing of it can be used, and is then written into a file beside the catalog first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from ipcir_tools.store.checksums import CHECKSUM, Storable, corrected, covered, encoded_value, is_binary, row_checksum
from ipcir_tools.store.contents import fault_of
from ipcir_tools.store.database import get_meta, set_meta, whole_number
from ipcir_tools.store.membership import source_columns
from ipcir_tools.store.migration import NONE, change_rows, delete_rows
from ipcir_tools.store.row_checks import Relations, RowFault
from ipcir_tools.store.schema import changes, files, meta, pictures, turns
from ipcir_tools.types import Turn

_SEALS = ("note:index:", "note:vectors:", "note:chroma:")
"""Notes on what is made from the catalog, each with the gallery's revision then."""
_REVISION = re.compile(r'"revision":\s*(\d{1,18})')
_FOUND_AGAIN = {"pictures", "files", "folders"}
"""Tables whose rows an index run writes again."""
_MADE_AGAIN = {"features", "captions", "replies"}
"""Tables of what models make: what cannot be made right is made again, not kept as it reads."""


Wanted = Callable[[RowFault], bool]
"""Whether a row that cannot be corrected is to be made again now."""


@dataclass
class Mended:
    """What became of damaged rows, by table and name."""

    corrected: list[RowFault] = field(default_factory=list)
    """A bit was wrong, or the checksum alone: they are as they were."""
    to_make: list[RowFault] = field(default_factory=list)
    """Still as they were: to be made again from a picture's file."""
    kept: list[RowFault] = field(default_factory=list)
    """Kept as they read, with a new checksum."""
    dropped: list[RowFault] = field(default_factory=list)
    """Nothing of them could be used."""
    rerooted: list[str] = field(default_factory=list)
    """Turns whose parent is lost."""

    reread: bool = False
    """Whether folders are to be read again for what was dropped."""


def mend_rows(connection: Connection, faults: Iterable[RowFault], wanted: Wanted, storable: Storable | None) -> Mended:
    """Mend these rows; files come before the pictures that they refer to.

    What is ``wanted`` and can be made again by a model stays as it is until it is.
    """
    mended = Mended()
    for fault in sorted(faults, key=lambda each: each.table.name == "pictures"):
        row = corrected_row(fault)
        if row is not None:
            mended.corrected.append(fault)
        elif wanted(fault):
            mended.to_make.append(fault)
            continue
        elif fault.content is None and fault.table.name not in _MADE_AGAIN:
            row = _as_it_reads(fault, storable)
            mended.kept.append(fault)
        if row is None:
            _drop(connection, fault)
            mended.reread |= fault.table.name in _FOUND_AGAIN
            mended.dropped.append(fault)
        else:
            _change(connection, fault, row, mended)
    return mended


def _change(connection: Connection, fault: RowFault, row: dict[str, Any], mended: Mended) -> None:
    changed = {name: value for name, value in row.items() if name == CHECKSUM or value != fault.row[name]}
    try:
        with connection.begin_nested():
            change_rows(connection, fault.table, {fault.place: changed})
    except IntegrityError:  # it was made again meanwhile, and stands in its place
        _drop(connection, fault)
        mended.dropped.append(fault)


def _as_it_reads(fault: RowFault, storable: Storable | None) -> dict[str, Any]:
    """The row with a checksum; what an index run can read again from a file is marked so that it does."""
    marks: dict[str, dict[str, Any]] = {"pictures": {"taken": None}, "files": {"mtime_ns": 0}}
    row: dict[str, Any] = _as_texts(fault) | marks.get(fault.table.name, {})
    return {**row, CHECKSUM: row_checksum(fault.table, row, storable)}


def _drop(connection: Connection, fault: RowFault) -> None:
    if fault.table is pictures:
        connection.execute(delete(files).where(files.c.image_id == fault.row["id"]))
    if fault.table is turns:
        connection.execute(update(turns).where(turns.c.parent == fault.row["id"]).values(parent=None))
    delete_rows(connection, fault.table, [fault.place])


def _as_texts(fault: RowFault) -> dict[str, Any]:
    """The row with texts where a damaged type made bytes of them."""
    return {
        key: value.decode("utf-8", "replace") if isinstance(value, bytes) and not is_binary(fault.table, key) else value
        for key, value in fault.row.items()
    }


def corrected_row(fault: RowFault) -> dict[str, Any] | None:
    """The row as it was written, where one bit of a text or a blob, or of the checksum, is wrong; else None."""
    stored = fault.row[CHECKSUM]
    if not isinstance(stored, int) or stored == NONE:
        return None
    as_texts = _as_texts(fault)
    if row_checksum(fault.table, as_texts) == stored and fault_of(fault.table.name, as_texts) is None:
        return as_texts  # the bit that was wrong is that of a column's type
    keys = covered(fault.table)
    try:
        parts = [encoded_value(fault.row[key], is_float) for key, is_float in keys]
        actual = row_checksum(fault.table, fault.row)
    except (ValueError, UnicodeError):
        return None
    if fault.content is None and (actual ^ stored).bit_count() == 1:
        return {**fault.row, CHECKSUM: actual}
    for i, (key, _) in enumerate(keys):
        value = fault.row[key]
        if not isinstance(value, str | bytes):
            continue
        before = b"".join(part + b"\x1f" for part in parts[:i])
        after = b"".join(b"\x1f" + part for part in parts[i + 1 :])
        right = corrected(parts[i], before, after, stored)
        if right is None:
            continue
        row = {**fault.row, key: right if isinstance(value, bytes) else right.decode("utf-8", "replace")}
        if row_checksum(fault.table, row) == stored and fault_of(fault.table.name, row) is None:
            return row
    return None


def mend_relations(connection: Connection, found: Relations, storable: Storable | None) -> list[str]:
    """Make the catalog fit together again; the turns that became roots."""
    for path in found.without_record:
        connection.execute(delete(files).where(files.c.path == path))
    for id_, path in found.misplaced.items():
        connection.execute(update(pictures).where(pictures.c.id == id_).values(**source_columns(path)))
    for id_ in found.orphans:
        make_root(connection, id_, storable)
    if found.space and found.space != get_meta(connection, "space"):
        set_meta(connection, "space", found.space)
    return found.orphans


def make_root(connection: Connection, id_: str, storable: Storable | None) -> None:
    """Make a turn whose parent is lost the root of its dialogue."""
    row = dict(connection.execute(select(turns).where(turns.c.id == id_)).one()._mapping)
    body = Turn.model_validate_json(row["body"]).model_copy(update={"parent": None}).model_dump_json()
    fields = {**row, "parent": None, "body": body}
    fields[CHECKSUM] = row_checksum(turns, fields, storable)
    connection.execute(update(turns).where(turns.c.id == id_).values(fields))


def restart_log(connection: Connection) -> None:
    """Count the gallery again, and begin its log of changes anew: what was made from it is made again."""
    numbers = [get_meta(connection, key) or "" for key in ("revision", "changes")]
    notes = select(meta.c.value).where(or_(*(meta.c.key.startswith(each, autoescape=True) for each in _SEALS)))
    numbers += [number for text in connection.scalars(notes) for number in _REVISION.findall(text)]
    newest = connection.scalar(select(func.max(changes.c.revision)))
    known = [number for text in (*numbers, str(newest)) if (number := whole_number(text)) is not None]
    revision = max([0, *known]) + 1
    connection.execute(delete(changes))
    size = connection.scalar(select(func.count(files.c.image_id.distinct()))) or 0
    facts = whole_number(get_meta(connection, "facts") or "0")
    counted = {
        "revision": revision,
        "changes": revision,
        "size": size,
        "facts": revision if facts is None else facts + 1,
    }
    for key, value in counted.items():
        set_meta(connection, key, str(value))


def as_json(fault: RowFault) -> str:
    """A damaged row on one line, with all that is in it: bytes as hexadecimal digits."""
    shown: Mapping[str, Any] = {
        key: value.hex() if isinstance(value, bytes) else value for key, value in fault.row.items()
    }
    return json.dumps({"table": fault.table.name, "why": fault.why, "row": shown})
