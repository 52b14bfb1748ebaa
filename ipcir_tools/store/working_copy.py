"""A catalog in a folder that cannot be written is searched in a copy of it, in the user's cache folder.

The copy takes what a search stores: turns, features of texts, replies. It is made again when the catalog has changed,
and keeps what was stored in the one before. Without a cache folder it is a temporary one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock

from ipcir_tools.errors import CatalogError
from ipcir_tools.models.user_cache import cache_folder
from ipcir_tools.store.sqlite_file import SHARED, WAL, copy_database
from ipcir_tools.text import error_line

CATALOG = "catalog.sqlite"
_ROOM = 128_000
"""Bytes that an open catalog needs beside it."""
_TRIES = 5
"""How often a catalog is copied that another process changes in the meantime."""

_STORED_BY_SEARCHES = {
    "pictures": "id, source, name, folder, bytes, width, height, format, taken, camera, latitude, longitude, damaged, "
    "checksum",
    "features": "item, space, vector, checksum",
    "captions": "image_id, captioner, caption, checksum",
    "replies": "key, reply, kind, model, prompt, calls, repairs, seconds, input_tokens, output_tokens, created, "
    "checksum",
    "turns": "id, parent, created, body, conversation, checksum",
}
"""The columns, by table, that are taken over from the copy before."""


def is_read_only(home: Path) -> bool:
    """Whether the catalog in ``home`` is there and can be read, but not written."""
    return (home / CATALOG).is_file() and not (can_write(home) and can_write(home / CATALOG))


def is_full(folder: Path) -> bool:
    """Whether the disk of a folder has no room left."""
    return shutil.disk_usage(folder).free < _ROOM


def is_at_rest(catalog: Path) -> bool:
    """Whether all of a catalog is in its one file: nothing waits in its log."""
    log = catalog.with_name(catalog.name + WAL)
    return catalog.is_file() and not (log.is_file() and log.stat().st_size)


def can_write(path: Path) -> bool:
    """Whether this process may write a file, or make files in a folder; also False on a file system without writing."""
    return os.access(path, os.W_OK)


def working_copy(home: Path) -> Path:
    """The folder with a copy of the catalog in ``home`` as it is now. Raises CatalogError where none can be made."""
    digest = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]
    try:
        folder = _made(cache_folder() / "galleries" / digest)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="ipcir-"))  # left to the system, as what is in it may still be wanted
    try:
        with FileLock(folder / "lock"):
            return _current_copy(home / CATALOG, folder)
    except (OSError, sqlite3.Error) as error:
        raise CatalogError(
            f"The gallery in {home} cannot be written, and its catalog cannot be copied to {folder} "
            f"({error_line(error)}): make room there, name another folder in XDG_CACHE_HOME, or make {home} writable."
        ) from error


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not can_write(folder):
        raise PermissionError(f"{folder} cannot be written")
    return folder


def _current_copy(catalog: Path, folder: Path) -> Path:
    """A folder of its own for each state of the catalog: no process ever sees its copy change under it."""
    for _ in range(_TRIES):
        state = _state(catalog)
        copy = folder / hashlib.sha256(state.encode()).hexdigest()[:16]
        if (copy / CATALOG).is_file():
            return copy
        part = folder / f"part-{uuid4().hex}"
        part.mkdir()
        try:
            if not _copied_in_use(catalog, part / CATALOG):
                _copy_files(catalog, part / CATALOG)
                if _state(catalog) != state:
                    continue  # torn in the middle of a change
            earlier = sorted(folder.glob("*/" + CATALOG), key=lambda path: path.stat().st_mtime_ns, reverse=True)
            kept = [path for path in earlier if path.parent != part]
            if kept:
                _take_over(kept[0], part / CATALOG)
            part.rename(copy)
            for path in kept[1:]:  # the last one may still be open somewhere
                shutil.rmtree(path.parent, ignore_errors=True)
            return copy
        finally:
            shutil.rmtree(part, ignore_errors=True)
    raise OSError("another process goes on writing it")


def _state(catalog: Path) -> str:
    """What changes with every write: size and time of the catalog's two files."""
    stats = []
    for path in (catalog, catalog.with_name(catalog.name + WAL)):
        with suppress(FileNotFoundError):
            stat = path.stat()
            stats.append(f"{stat.st_size}:{stat.st_mtime_ns}")
    return " ".join(stats)


def _copied_in_use(catalog: Path, copy: Path) -> bool:
    """Copy a database that another process has open, as it is at one moment; whether that could be done.

    By the memory that they share, which is a file beside it: without one, what is beside it is left as it is.
    """
    if not catalog.with_name(catalog.name + SHARED).is_file():
        return False
    try:
        copy_database(catalog, copy)
    except sqlite3.Error:
        copy.unlink(missing_ok=True)
        return False
    return True


def _copy_files(catalog: Path, copy: Path) -> None:
    """Copy the database with what waits in its log; SQLite itself could not open them where it may not write."""
    for end in ("", WAL):
        with suppress(FileNotFoundError):
            shutil.copyfile(catalog.with_name(catalog.name + end), copy.with_name(copy.name + end))
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _take_over(earlier: Path, copy: Path) -> None:
    """Put what searches stored in an earlier copy into a new one."""
    with closing(sqlite3.connect(copy)) as connection, suppress(sqlite3.OperationalError):  # of another version
        connection.execute("ATTACH DATABASE ? AS earlier", (str(earlier),))
        with connection:
            for table, columns in _STORED_BY_SEARCHES.items():
                order = "serial" if table == "turns" else "1"
                connection.execute(
                    f"INSERT OR IGNORE INTO main.{table} ({columns}) "
                    f"SELECT {columns} FROM earlier.{table} ORDER BY {order}"
                )
