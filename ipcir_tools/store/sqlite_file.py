"""The file of a SQLite catalog as a whole: checked, copied while it is in use, put in the place of another."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from ipcir_tools.errors import CatalogError
from ipcir_tools.private import private_file
from ipcir_tools.text import error_line

WAL, SHARED, JOURNAL = "-wal", "-shm", "-journal"
_MOST = 20
"""Problems of a file that are named."""


def problems(path: Path) -> list[str]:
    """What SQLite finds wrong with the file itself; empty for a whole one. What it cannot open is a problem, too."""
    try:
        with closing(opened_to_read(path)) as connection:
            found = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_MOST})")]
    except sqlite3.Error as error:
        return [error_line(error)]
    return [] if found == ["ok"] else [line for text in found for line in text.splitlines()][:_MOST]


def opened_to_read(path: Path) -> sqlite3.Connection:
    """A connection that only reads, and needs no right to write: beside a process that writes, or in a folder that
    cannot be written. Raises sqlite3.Error."""
    place = f"file:{quote(os.fspath(path.absolute()))}"
    connection = sqlite3.connect(f"{place}?mode=ro", uri=True, timeout=30)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema")
        return connection
    except sqlite3.Error:
        connection.close()
        if path.with_name(path.name + WAL).exists():
            raise
    # Nobody has it open, and no file of shared memory can be made: it does not change while it is read.
    connection = sqlite3.connect(f"{place}?immutable=1", uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def copy_database(source: Path, copy: Path) -> None:
    """Copy a database as it is at one moment, what waits in its log included, while others use it; into a file that is
    new or empty, for its owner alone. Raises sqlite3.Error and OSError."""
    private_file(copy)
    with closing(opened_to_read(source)) as reading, closing(sqlite3.connect(copy)) as written:
        reading.backup(written)
        written.execute("PRAGMA journal_mode=DELETE")
    with copy.open("rb") as stream:
        os.fsync(stream.fileno())


def put_in_place(fresh: Path, path: Path, why: str) -> Path | None:
    """Put a database in the place of another that nobody has open, in one step; where that one is kept, if there was
    one. A kill at any moment leaves one of the two in its place."""
    aside = None
    if path.exists():
        aside = path.with_name(f"{path.name}.{why}-{datetime.now(UTC):%Y%m%d-%H%M%S}")
        try:
            aside.hardlink_to(path)
        except OSError:  # a file system without links
            shutil.copyfile(path, private_file(aside))
        for end in (WAL, SHARED):  # what could not be taken in, because it is damaged
            beside = path.with_name(path.name + end)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + end))
    fresh.replace(path)
    return aside


def check_alone(path: Path) -> None:
    """Raises CatalogError where another process has the database open just now, whose changes would be lost.

    Leaving WAL needs the database for oneself; it is entered again when the catalog is opened.
    """
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=1.0)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise CatalogError(
                f"The catalog {path} is in use: end the other programs that have this gallery open, and try again."
            ) from error
    except sqlite3.DatabaseError:
        pass  # it is damaged, and nothing can be found out so
