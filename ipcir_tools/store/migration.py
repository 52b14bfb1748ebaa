"""The rows of all tables with checksums: read with where they stand, and given checksums where they have none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    literal_column,
    select,
    tuple_,
    type_coerce,
    types,
    update,
)

from ipcir_tools.store import schema
from ipcir_tools.store.checksums import CHECKSUM, Storable, row_checksum
from ipcir_tools.store.contents import fault_of

CHECKED = (
    *(schema.pictures, schema.files, schema.folders, schema.features),
    *(schema.captions, schema.replies, schema.turns),
)
"""The tables whose rows have checksums; a picture comes before its files."""

NONE = -1
"""In the place of a checksum of a row whose content was of no use when it got one: no row has that."""

_BLOCK = 2_000
"""Rows read at a time."""

Place = tuple[Any, ...]
"""What finds a row again: its number in SQLite, where a damaged key finds nothing; its key elsewhere."""
PlacedRow = tuple[Place, dict[str, Any]]


def rows_of(connection: Connection, table: Table) -> Iterator[list[PlacedRow]]:
    """All rows of a table with their checksums, block by block; each block may be changed meanwhile.

    Values are as the database has them: a damaged one may be of another type.
    """
    keys = _keys(connection, table)
    columns = [type_coerce(each, types.NullType()).label(each.key) for each in table.columns]
    wanted = select(*(key.label(f"_key{i}") for i, key in enumerate(keys)), *columns).order_by(*keys).limit(_BLOCK)
    last: Place | None = None
    while True:
        after = wanted if last is None else wanted.where(tuple_(*keys) > tuple_(*last))
        found = connection.execute(after).all()
        names = [column.key for column in table.columns]
        rows = [(tuple(row[: len(keys)]), dict(zip(names, row[len(keys) :], strict=True))) for row in found]
        if not rows or (last is not None and rows[-1][0] <= last):  # a damaged tree may lead back
            return
        yield rows
        last = rows[-1][0]


def change_rows(connection: Connection, table: Table, changes: Mapping[Place, Mapping[str, Any]]) -> None:
    """Write these columns, the same of all, into the rows at these places."""
    if changes:
        columns = next(iter(changes.values()))
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
        rows = [
            {**_bound(place), **{f"new_{name}": value for name, value in row.items()}} for place, row in changes.items()
        ]
        connection.execute(update(table).where(_at(connection, table)).values(values), rows)


def delete_rows(connection: Connection, table: Table, places: list[Place]) -> None:
    """Delete the rows at these places."""
    if places:
        connection.execute(delete(table).where(_at(connection, table)), [_bound(place) for place in places])


def add_checksums(connection: Connection, storable: Storable | None) -> None:
    """Give every row that has none its checksum; one whose content is of no use gets ``NONE``."""
    for table in CHECKED:
        for rows in rows_of(connection, table):
            lacking = [(place, row) for place, row in rows if row[CHECKSUM] is None]
            sums = {
                place: row_checksum(table, row, storable) if fault_of(table.name, row) is None else NONE
                for place, row in lacking
            }
            change_rows(connection, table, {place: {CHECKSUM: each} for place, each in sums.items()})


def _keys(connection: Connection, table: Table) -> list[ColumnElement[Any]]:
    if connection.dialect.name == "sqlite":
        return [literal_column(f"{table.name}.rowid", types.Integer())]
    return list(table.primary_key.columns)


def _at(connection: Connection, table: Table) -> ColumnElement[bool]:
    return and_(*(key == bindparam(f"at_{i}") for i, key in enumerate(_keys(connection, table))))


def _bound(place: Place) -> dict[str, Any]:
    return {f"at_{i}": value for i, value in enumerate(place)}
