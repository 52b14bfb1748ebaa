"""A catalog copied into one file while it is in use, and put back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from ipcir_tools.errors import CatalogError, InvalidRequestError, NotFoundError
from ipcir_tools.files import output
from ipcir_tools.private import private_folder
from ipcir_tools.settings import Settings
from ipcir_tools.store.database import EXTENDED, SCHEMA, place_of
from ipcir_tools.store.sqlite_file import (
    JOURNAL,
    SHARED,
    WAL,
    check_alone,
    copy_database,
    opened_to_read,
    problems,
    put_in_place,
)
from ipcir_tools.store.working_copy import CATALOG
from ipcir_tools.text import error_line
from ipcir_tools.types import Value


class Backup(Value):
    """A backup that was made or put back."""

    file: str
    pictures: int
    turns: int
    bytes: int
    kept: str | None = None
    """Where the catalog is now in whose place a backup was put."""


def back_up(settings: Settings, file: Path, *, replace: bool = False) -> Backup:
    """Copy the catalog into ``file``, as it is at one moment, whoever else uses it. What is made from it is left out.

    Raises InvalidRequestError where ``file`` is there already, unless it is to be replaced, or cannot be written.
    """
    catalog = _catalog(settings)
    if not catalog.exists():
        raise NotFoundError(f"There is no gallery in {catalog.parent}: name another folder with --home or IPCIR_HOME.")
    if file.resolve() in [catalog.resolve().with_name(catalog.name + end) for end in ("", WAL, SHARED, JOURNAL)]:
        raise InvalidRequestError(f"{file} is the catalog itself, or a part of it: name another file.")
    if file.exists() and not replace:
        raise InvalidRequestError(f"{file} is there already: name another file, or replace it with --replace.")
    try:
        with output(file) as part:
            copy_database(catalog, part)
            made = _described(part)
    except sqlite3.Error as error:
        raise CatalogError(f"The catalog {catalog} cannot be copied ({error_line(error)}).") from error
    return made.model_copy(update={"file": str(file)})


def restore(settings: Settings, file: Path, *, replace: bool = False) -> Backup:
    """Put a backup into the home folder; a catalog that is there is only replaced where that is asked for, and kept.

    Raises InvalidRequestError where there is one, CatalogError for a file that is no whole backup, and where another
    process has the catalog open.
    """
    catalog = _catalog(settings)
    if not file.exists():
        raise NotFoundError(f"There is no file {file}: name one that `ipcir backup` made.")
    found = _described(file)
    if catalog.exists() and not replace:
        raise InvalidRequestError(
            f"There is a gallery in {catalog.parent} already: name another folder with --home, or put the backup in "
            "its place with --replace; the catalog that is there is kept beside it."
        )
    part = catalog.with_name(f".{uuid4().hex[:8]}-{CATALOG}")
    try:
        private_folder(catalog.parent)
        copy_database(file, part)  # before the look at who has the catalog open, which holds for a moment only
        check_alone(catalog)
        kept = put_in_place(part, catalog, "before-restore")
    except (OSError, sqlite3.Error) as error:
        raise CatalogError(f"The backup cannot be put into {catalog.parent} ({error_line(error)}).") from error
    finally:
        part.unlink(missing_ok=True)
    return found.model_copy(update={"kept": str(kept) if kept else None})


def _catalog(settings: Settings) -> Path:
    if settings.catalog_url is not None:
        place = place_of(settings.catalog_url.get_secret_value())
        raise InvalidRequestError(
            f"The catalog is on a server, {place}, which has its own way: "
            "`pg_dump --format=custom --file=FILE DATABASE` makes a backup while it is in use, and "
            "`pg_restore --dbname=DATABASE FILE` puts it back."
        )
    return settings.home.expanduser().absolute() / CATALOG


def _described(file: Path) -> Backup:
    """What is in a backup. Raises CatalogError for a file that is none, or is damaged."""
    if wrong := problems(file):
        raise CatalogError(f"{file} is no backup, or a damaged one ({wrong[0]}): name another.")
    try:
        with closing(opened_to_read(file)) as connection:
            (schema,) = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() or ("none",)
            pictures = connection.execute("SELECT count(DISTINCT image_id) FROM files").fetchone()[0]
            turns = connection.execute("SELECT count(*) FROM turns").fetchone()[0]
    except sqlite3.Error as error:
        raise CatalogError(f"{file} is no backup of a catalog ({error_line(error)}): name another.") from error
    if schema not in (*EXTENDED, str(SCHEMA)):
        raise CatalogError(
            f"{file} has the schema {schema}, and this ipcir-tools has {SCHEMA}: use the version that made it."
        )
    return Backup(file=str(file), pictures=pictures, turns=turns, bytes=file.stat().st_size)
