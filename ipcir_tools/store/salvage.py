"""A SQLite catalog whose file is damaged: its indexes made again, or what can be read of it copied into a new file."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import URL, Table

from ipcir_tools.errors import CatalogError
from ipcir_tools.store.database import SCHEMA, open_engine
from ipcir_tools.store.row_checks import UNFINISHED
from ipcir_tools.store.schema import changes, metadata, pictures
from ipcir_tools.store.sqlite_file import WAL, check_alone, opened_to_read, problems, put_in_place
from ipcir_tools.text import error_line

_PROBES = 64
"""Places between two damaged ones from which reading is tried."""
_HEAD = b"SQLite format 3\0" + bytes([0x40, 0x00, 2, 2, 0, 64, 32, 32])
"""How every catalog begins: pages of 16 kB, in WAL."""
_NEVER = -(1 << 63)


def mend_file(path: Path) -> list[str]:
    """Make a damaged catalog readable; what was done, empty where nothing had to be.

    All is done in copies, and the damaged file stays beside the new one. Raises CatalogError where nothing can be read,
    and where another process has the catalog open.
    """
    lost = _lost_tables(path)
    if not lost and not problems(path):
        return []
    check_alone(path)
    with TemporaryDirectory(dir=path.parent, prefix=".mending-") as folder:
        try:
            copy, fresh = Path(folder) / "copy", Path(folder) / "fresh"
            _copy(path, copy)
            if not lost and _reindexed(copy):
                aside = put_in_place(copy, path, "damaged")
                return [f"the catalog's indexes were damaged and are made again; the file before is kept as {aside}"]
            copied = _copied(copy, fresh)
            if not copied:
                raise CatalogError(_nothing(path, "no row can be read"))
            aside = put_in_place(fresh, path, "damaged")
        except (sqlite3.Error, OSError) as error:
            raise CatalogError(_nothing(path, error_line(error))) from error
    return [f"the catalog's file was damaged: {copied:,} rows are copied into a new one, and it is kept as {aside}"]


def _lost_tables(path: Path) -> set[str]:
    """Tables that a catalog of this version had and has no more."""
    with suppress(sqlite3.Error), closing(opened_to_read(path)) as connection:
        there = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if pictures.name not in there:
            return set()
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        return set(metadata.tables) - there if row == (str(SCHEMA),) else set()
    return set()


def _copy(path: Path, copy: Path) -> None:
    for end in ("", WAL):
        beside = path.with_name(path.name + end)
        if beside.exists():
            shutil.copyfile(beside, copy.with_name(copy.name + end))
    copy.chmod(0o600)


def _reindexed(path: Path) -> bool:
    """Make the indexes again; whether that was all that was wrong."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        connection.execute("REINDEX")
        connection.execute("PRAGMA journal_mode=DELETE")
    return not problems(path)


def _nothing(path: Path, why: str) -> str:
    return (
        f"The catalog {path} cannot be mended ({why}): put a backup in its place with `ipcir restore FILE`, or move it "
        "away and run `ipcir index FOLDER` again."
    )


def _copied(path: Path, fresh: Path) -> int:
    """How many rows were copied into a new catalog; all but the log of changes, which is begun anew."""
    with path.open("r+b") as stream:
        if stream.read(16) != _HEAD[:16]:
            stream.seek(0)
            stream.write(_HEAD)
    engine = open_engine(URL.create("sqlite", database=str(fresh)))
    engine.dispose()
    n = 0
    with closing(sqlite3.connect(path)) as damaged, closing(sqlite3.connect(fresh)) as written:
        damaged.text_factory = written.text_factory = bytes
        for table in (each for each in metadata.sorted_tables if each is not changes):
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            places = ", ".join("CAST(? AS TEXT)" if _is_text(table, i) else "?" for i in range(len(table.columns)))
            statement = f"INSERT OR REPLACE INTO {table.name} ({names}) VALUES ({places})"
            for row in _readable(damaged, table.name, names):
                with suppress(sqlite3.IntegrityError):  # a column that must have a value has none
                    n += table.name != "meta" and written.execute(statement, row).rowcount
        written.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (CAST(? AS TEXT), 'yes')", (UNFINISHED,))
        written.commit()
        written.execute("PRAGMA journal_mode=DELETE")
    return n


def _is_text(table: Table, i: int) -> bool:
    return bool(getattr(table.columns[i].type, "length", 0) is None and table.columns[i].name != "vector")


def _readable(connection: sqlite3.Connection, table: str, names: str) -> Iterator[tuple[object, ...]]:
    """The rows that can be read: from the first on, from the last back, and from places between."""
    seen: set[int] = set()
    ends = []
    for order, past in (("", ">"), ("DESC", "<")):
        last = _NEVER if past == ">" else -_NEVER - 1
        for row in _until_damage(connection, f"SELECT rowid, {names} FROM {table} ORDER BY rowid {order}"):
            if row[0] in seen:
                return
            seen.add(row[0])
            last = row[0]
            yield row[1:]
        ends.append(last)
    low, high = ends
    if low == _NEVER or high == -_NEVER - 1:
        return
    for i in range(1, _PROBES):
        start = low + (high - low) * i // _PROBES
        between = f"SELECT rowid, {names} FROM {table} WHERE rowid >= {start} AND rowid < {high} ORDER BY rowid"
        for row in _until_damage(connection, between):
            if row[0] in seen:
                break
            seen.add(row[0])
            yield row[1:]


def _until_damage(connection: sqlite3.Connection, statement: str) -> Iterator[tuple[int, ...]]:
    with suppress(sqlite3.Error):
        yield from connection.execute(statement)
