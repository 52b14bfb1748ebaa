"""The database behind a catalog: opened, read and written in transactions, with errors of one line."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache, partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote, unquote

from sqlalchemy import (
    URL,
    BindParameter,
    ColumnElement,
    Connection,
    Engine,
    PoolProxiedConnection,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    create_engine,
    event,
    func,
    inspect,
    select,
)
from sqlalchemy.dialects import postgresql as postgresql_dialect
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.schema import CreateColumn
from sqlalchemy.sql.dml import Insert

from ipcir_tools.batches import chunked
from ipcir_tools.errors import CatalogError
from ipcir_tools.private import private_file, private_folder
from ipcir_tools.settings import Settings
from ipcir_tools.store import postgresql
from ipcir_tools.store.checksums import CHECKSUM, Storable, row_checksum, with_checksum
from ipcir_tools.store.damage import DamageLog
from ipcir_tools.store.exposure import warn_of_exposure
from ipcir_tools.store.migration import add_checksums
from ipcir_tools.store.quick import QuickStatements, Values
from ipcir_tools.store.schema import files, meta, metadata
from ipcir_tools.store.unstored import SEARCH_SECONDS, in_search
from ipcir_tools.store.working_copy import CATALOG, is_at_rest, is_full, is_read_only, working_copy
from ipcir_tools.text import error_sentence, masked, one_line, shorten


class Database:
    """The database at one SQLAlchemy URL: SQLite, or PostgreSQL when several machines share it.

    Every method raises CatalogError when it cannot be read or written.
    """

    read_only: Path | None = None
    """The folder of the catalog, where that cannot be written: this one is a copy of it."""
    full = False
    """Whether its disk had no room left when it was opened: it is only read."""
    folder: Path | None = None
    """The folder of this database, for what is stored beside it; None for a server's."""

    def __init__(self, url: str | URL) -> None:
        try:
            self._place, self._secrets = place_of(url), secrets_of(url)
            with explained(self._place, self._secrets):
                self._engine = open_engine(url)
        except (ArgumentError, ModuleNotFoundError) as error:
            raise CatalogError(f"No catalog can be opened at this URL: {error_sentence(error)}") from error
        self._reader, self._writer = reading(self._engine), writing(self._engine)
        self._hurried = self._writer.execution_options(sqlite_wait=SEARCH_SECONDS)
        self._glancer = glancing(self._engine)
        self._quick = QuickStatements(self._engine) if self._engine.dialect.name == "sqlite" else None
        self.damage = DamageLog()
        self._writing = threading.RLock() if self._engine.dialect.name == "sqlite" else None
        """SQLite has one writer at a time, and who waits for it sleeps ever longer: threads queue here instead."""

    @property
    def url(self) -> str:
        """Its URL, with the password if it has one: for another process, never to be shown."""
        return self._engine.url.render_as_string(hide_password=False)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The catalog that the settings name: on a server that several machines share, or in the home folder."""
        if settings.catalog_url is None:
            return cls.open(settings.home)
        return cls(postgresql.server_url(settings.catalog_url.get_secret_value()))

    @classmethod
    def open(cls, home: Path) -> Self:
        """The catalog ``home/catalog.sqlite``; makes the folder, for its owner alone, and the file if need be.

        Where it cannot be written, a copy of it in the user's cache folder: see :mod:`ipcir_tools.store.working_copy`.
        """
        home = home.expanduser().absolute()
        try:
            private_folder(home)
        except FileExistsError as error:
            raise CatalogError(f"{home} is a file where a folder is needed: {CHOOSE}.") from error
        except OSError as error:
            raise CatalogError(f"The folder {home} cannot be made ({error.strerror}): {CHOOSE}.") from error
        read_only = is_read_only(home)
        folder = working_copy(home) if read_only else home
        file = folder / CATALOG
        if not read_only:
            warn_of_exposure(home)
            with suppress(OSError):  # what SQLite makes beside its file has the same permissions
                private_file(file)
        try:
            opened = cls(URL.create("sqlite", database=str(file)))
        except CatalogError:
            if not (is_full(folder) and is_at_rest(file)):
                raise
            # There is no room for the memory that its users share: it is read as what nobody changes.
            opened = cls(URL.create("sqlite", database=f"file:{quote(str(file))}", query=_UNCHANGING))
            opened.full = True
        opened.folder, opened.read_only = folder, home if read_only else None
        return opened

    def check_changeable(self) -> None:
        """Raises CatalogError where pictures cannot be added or removed: this is a copy, or its disk is full."""
        if self.full:
            raise CatalogError(f"The catalog {self._place} cannot be used (its disk is full). {_WAYS_OUT['full']}.")
        if self.read_only is not None:
            raise CatalogError(
                f"The gallery in {self.read_only} cannot be written, only searched: make the folder writable, "
                f"or {CHOOSE}."
            )

    def close(self) -> None:
        """Close the connections."""
        if self._quick is not None:
            self._quick.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with explained(self._place, self._secrets), self._reader.begin() as connection:
            yield connection

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to read with, for what looks at all tables; what it reads is of one moment."""
        return self._read()

    def writing(self) -> AbstractContextManager[Connection]:
        """A connection to write with, for what mends all tables: all of it, or nothing."""
        self.check_changeable()
        return self._write()

    @contextmanager
    def _glance(self) -> Iterator[Connection]:
        """A connection for a single statement that reads, which needs no transaction around it."""
        with explained(self._place, self._secrets), self._glancer.connect() as connection:
            yield connection

    def _rows(self, statement: Select[Any], values: Iterable[str], **others: Any) -> list[Row[Any]]:
        """The rows of a statement made beforehand, whose parameter ``values`` is a list; read in chunks.

        One statement for up to ``CHUNK`` values, none for none.
        """
        parts = list(chunked(dict.fromkeys(values), CHUNK))
        if len(parts) < 2:
            return self._glanced(statement, {"values": parts[0], **others}) if parts else []
        with self._read() as connection:
            return [row for part in parts for row in connection.execute(statement, {"values": part, **others})]

    def _glanced(self, statement: Select[Any], values: Values) -> list[Row[Any]]:
        """The rows of a single statement made beforehand, with columns by name and position."""
        if self._quick is None:
            with self._glance() as connection:
                return list(connection.execute(statement, values).all())
        with explained(self._place, self._secrets):
            return self._quick.rows(statement, values)

    def _insert(self, table: Table, rows: Sequence[dict[str, Any]]) -> int:
        """Insert rows in a transaction of their own, with their checksums; how many of their keys were not taken yet.

        Raises CatalogError, caused by the database's IntegrityError, where a row refers to one that is not there.
        """
        if self._quick is None or self._quick.is_watched:
            with self._write() as connection:
                ordered = _in_order(table, rows, storable_text(connection))
                return connection.execute(insertion(connection.dialect.name, table), ordered).rowcount
        wait = self._seconds_to_write()
        with explained(self._place, self._secrets), self._turn_to_write(wait):
            begin = partial(_begin_to_write, wait)
            return self._quick.insert(insertion("sqlite", table), _in_order(table, rows), begin)

    def _is_whole(self, table: Table, row: Row[Any], *key: str) -> bool:
        """Whether a row of ``table``, whose key is this, is as it was written; one that is not is noted."""
        fields = {
            column.key: row._mapping[column] if isinstance(row, Row) else getattr(row, column.key)
            for column in table.columns
        }
        if row_checksum(table, fields) == row.checksum:
            return True
        self.damage.add(table.name, tuple(map(str, key)), "it does not match its checksum")
        return False

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        wait = self._seconds_to_write()
        writer = self._writer if wait is None else self._hurried
        with explained(self._place, self._secrets), self._turn_to_write(wait), writer.begin() as connection:
            yield connection

    def _seconds_to_write(self) -> float | None:
        """How long to wait for others that write, here and in other processes; None: as ever. Raises CatalogError where
        nothing can be written."""
        if self.full:
            self.check_changeable()
        return SEARCH_SECONDS if in_search() is not None else None

    @contextmanager
    def _turn_to_write(self, seconds: float | None) -> Iterator[None]:
        """This thread's turn to write, after ``seconds`` at most."""
        if self._writing is None:
            yield
            return
        if not self._writing.acquire(timeout=-1 if seconds is None else seconds):
            raise CatalogError(f"The catalog {self._place} cannot be used (another thread is writing). Try again.")
        try:
            yield
        finally:
            self._writing.release()


SCHEMA = 5
"""Version of these tables, stored in ``meta`` under ``schema``."""

EXTENDED = ("2", "3", "4")
"""Earlier versions that differ from this one only by tables and columns that it adds."""

_TEXT = partial(str, encoding="utf-8", errors="surrogateescape")
"""Reads texts of SQLite: one that is damaged fails its checksum, not the statement."""

_UNCHANGING = {"immutable": "1", "uri": "true"}

BUSY_SECONDS = 30
"""How long a statement waits for another process that writes."""

MIN_PREFIX = 4
"""Characters of an id or a key that may stand for the whole."""

CHUNK = 500
"""Values of one ``IN (...)``; databases cap the number of parameters."""

VALUES: BindParameter[Any] = bindparam("values", expanding=True)
"""The list of a statement for ``Database._rows``."""

CHOOSE = "choose another folder with --home or IPCIR_HOME"
_DAMAGED = (
    "`ipcir verify --repair` mends what can be mended, `ipcir restore FILE` puts a backup back; or move it away and "
    f"run `ipcir index FOLDER` again, or {CHOOSE}"
)
_WAYS_OUT = {
    "locked": "Another process has been writing for long: wait for it and try again",
    "not a database": _DAMAGED,
    "malformed": _DAMAGED,
    "no such table": _DAMAGED,
    "full": f"Free some space, or {CHOOSE}",
}
"""By a word of the database's message."""

_OPENING = 0x69706369
"""The lock under which PostgreSQL lets one process at a time make the tables."""


def open_engine(url: str | URL) -> Engine:
    """Engine for ``url`` with its tables made, read in plain transactions.

    Raises CatalogError where another version of the package made the tables; SQLAlchemy's errors pass.
    """
    if postgresql.is_postgresql(url):
        engine = postgresql.open_server(postgresql.server_url(url))
        if _is_ready(engine):  # else every start would wait for its turn, and need the right to make tables
            return engine
    else:
        engine = create_engine(url, pool_size=16, pool_use_lifo=True)
        if engine.dialect.name == "sqlite":
            _tune_sqlite(engine)
            if _is_ready(engine):  # a reader needs no lock, and another process may be writing
                return engine
    with writing(engine).begin() as connection:
        on_server = engine.dialect.name == "postgresql"
        if on_server:  # SQLite's write lock is held already
            connection.execute(select(func.pg_advisory_xact_lock(_OPENING)))
        is_new = not inspect(connection).has_table("meta")
        _check_version(connection)
        metadata.create_all(connection)
        _add_columns(connection)
        if on_server and is_new:
            postgresql.finish_tables(connection)
        put(connection, meta, [{"key": "schema", "value": str(SCHEMA)}, {"key": "revision", "value": "0"}])
        _begin_log(connection)
        if not is_new:
            add_checksums(connection, storable_text(connection))
    return engine


def _begin_log(connection: Connection) -> None:
    """Where the log of changes begins, and how many pictures there are then: of a catalog of an earlier version."""
    if get_meta(connection, "changes") is None:
        size = connection.scalar(select(func.count(files.c.image_id.distinct())))
        set_meta(connection, "size", str(size or 0))
        set_meta(connection, "changes", get_meta(connection, "revision") or "0")


def _is_ready(engine: Engine) -> bool:
    """Whether the tables of this version are there."""
    with reading(engine).begin() as connection:
        return inspect(connection).has_table("meta") and get_meta(connection, "schema") == str(SCHEMA)


def reading(engine: Engine) -> Engine:
    """The same engine for transactions that read: all that one reads is of one moment."""
    return postgresql.reading(engine) if engine.dialect.name == "postgresql" else engine


def writing(engine: Engine) -> Engine:
    """The same engine for transactions that write.

    SQLite takes the write lock at their start: a transaction that reads first and writes later fails at once,
    without waiting, when another process wrote in between.
    """
    return engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")


def glancing(engine: Engine) -> Engine:
    """The same engine for single statements that read: each sees one state of the database by itself."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(sqlite_begin=None)
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def put(connection: Connection, table: Table, rows: list[dict[str, Any]], *, replace: bool = False) -> None:
    """Insert ``rows``; where the key is taken, the old row stays, or with ``replace`` the new one takes its place."""
    if rows:
        ordered = _in_order(table, rows, storable_text(connection))
        connection.execute(insertion(connection.dialect.name, table, replace=replace), ordered)


def _in_order(table: Table, rows: Iterable[dict[str, Any]], storable: Storable | None = None) -> list[dict[str, Any]]:
    """Rows with their checksums, in one order, so that two writers of the same rows wait for each other instead of both
    for ever."""
    keys = [column.key for column in table.primary_key.columns]
    ordered = sorted(rows, key=lambda row: [row[key] for key in keys if key in row])
    return [with_checksum(table, row, storable) for row in ordered] if CHECKSUM in table.c else ordered


def storable_text(connection: Connection) -> Callable[[str], str] | None:
    """What the database makes of a text that it does not take as it is, if anything."""
    return postgresql.storable if connection.dialect.name == "postgresql" else None


@cache
def insertion(dialect: str, table: Table, *, replace: bool = False) -> Insert:
    """The insert that raises no error for a taken key; ``dialect`` is SQLAlchemy's name of the database."""
    makers: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql_dialect.insert}
    if dialect not in makers:
        raise CatalogError(f"A catalog is stored in SQLite or PostgreSQL, not in {dialect}.")
    statement = makers[dialect](table)
    fresh = {column.key: statement.excluded[column.key] for column in table.columns if not column.primary_key}
    taken = postgresql.conflict_key(table) if dialect == "postgresql" else list(table.primary_key.columns)
    settled: Insert = (
        statement.on_conflict_do_update(index_elements=taken, set_=fresh)
        if replace
        else statement.on_conflict_do_nothing()
    )
    return settled


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the begin below is ours
        for pragma in (
            f"busy_timeout={BUSY_SECONDS * 1000}",
            "page_size=16384",  # the default of 4,096 holds one vector of 512 and wastes the rest
            "synchronous=NORMAL",
            "cache_size=-4096",  # kB of pages; indexing fills it, and a search gains nothing by more
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
        connection.text_factory = _TEXT
        _write_ahead(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if how := options.get("sqlite_begin", "BEGIN"):
            _wait_for(connection.connection, options.get("sqlite_wait", BUSY_SECONDS))
            connection.exec_driver_sql(how)


def _begin_to_write(seconds: float | None, lent: PoolProxiedConnection) -> None:
    """Begin a transaction that writes, as :func:`writing` does."""
    _wait_for(lent, BUSY_SECONDS if seconds is None else seconds)
    cast("Any", lent.driver_connection).execute("BEGIN IMMEDIATE")


def _wait_for(connection: PoolProxiedConnection, seconds: float) -> None:
    """Have SQLite's connection wait so long for other processes."""
    if connection.info.get("wait", BUSY_SECONDS) != seconds:
        connection.info["wait"] = seconds
        cast("Any", connection.driver_connection).execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")


def _write_ahead(connection: Any) -> None:
    """Switch to WAL. SQLite does not wait for other processes here, whatever the busy timeout, so this does."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _check_version(connection: Connection) -> None:
    """Raise CatalogError where the tables are of another version."""
    if not inspect(connection).has_table("meta"):
        return
    found = get_meta(connection, "schema")
    if found in EXTENDED:
        set_meta(connection, "schema", str(SCHEMA))
    elif found not in (None, str(SCHEMA)):
        raise CatalogError(
            f"The catalog {place_of(connection.engine.url)} has the schema {found}, and this ipcir-tools has {SCHEMA}: "
            f"use the version of ipcir-tools that made it, or {CHOOSE}."
        )


def _add_columns(connection: Connection) -> None:
    """Add to the tables of an earlier version what this one has in addition."""
    quote = connection.dialect.identifier_preparer.quote
    for table in metadata.sorted_tables:
        there = {column["name"] for column in inspect(connection).get_columns(table.name)}
        for column in (each for each in table.columns if each.name not in there):
            clause = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {quote(table.name)} ADD COLUMN {clause}")
        for index in table.indexes:
            index.create(connection, checkfirst=True)


_VALUE = select(meta.c.value).where(meta.c.key == bindparam("name"))


def get_meta(connection: Connection, key: str) -> str | None:
    """The value under ``key``, if any."""
    return connection.scalar(_VALUE, {"name": key})


def whole_number(text: str | None) -> int | None:
    """The number that a counter of the catalog says; None for a text that no counter ever was."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


_DIGITS = 18
"""Of a counter at most: databases have 64 bits."""


def set_meta(connection: Connection, key: str, value: str) -> None:
    """Put ``value`` under ``key``, in place of an earlier one."""
    put(connection, meta, [{"key": key, "value": value}], replace=True)


def beginning_with(column: Any, prefix: str) -> ColumnElement[bool]:
    """Whether a column of ids, in lower case, begins so; looked up in its index, where LIKE alone reads all rows."""
    begin = prefix.lower()
    return and_(column.startswith(begin, autoescape=True), column >= begin, column < begin + "\U0010ffff")


def among(connection: Connection, query: Select[Any], column: Any, values: Iterable[str]) -> Iterator[Row[Any]]:
    """Rows of ``query`` whose ``column`` is one of ``values``, read in chunks."""
    parts = chunked(dict.fromkeys(values), CHUNK)
    return chain.from_iterable(connection.execute(query.where(column.in_(part))) for part in parts)


@contextmanager
def explained(place: str, secrets: Sequence[str] = ()) -> Iterator[None]:
    """Turn a database's errors into a CatalogError of one line that names the ``place`` and the way out; ``secrets``
    are masked in it."""
    try:
        yield
    except (DBAPIError, PoolTimeout, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        reason = masked_line(cause, secrets).rstrip(".")
        if postgresql.is_postgresql(place):
            way = postgresql.way_out(cause)
        else:
            ways = (way for word, way in _WAYS_OUT.items() if word in reason)
            way = next(ways, f"Make it readable and writable, or {CHOOSE}")
        raise CatalogError(f"The catalog {place} cannot be used ({reason}). {way[:1].upper()}{way[1:]}.") from error


def gallery_place(settings: Settings) -> str:
    """Where the gallery of the settings is, for messages: its home folder, or the server without user and password."""
    return str(settings.home) if settings.catalog_url is None else place_of(settings.catalog_url.get_secret_value())


def masked_line(error: BaseException, secrets: Sequence[str]) -> str:
    """The message of an exception on one line, masked before it is shortened: of a secret no part is left."""
    return shorten(one_line(masked(str(error), secrets)), 200) or type(error).__name__


def secrets_of(url: str | URL) -> list[str]:
    """What no message about the database at ``url`` is to show."""
    return postgresql.server_secrets(postgresql.server_url(url)) if postgresql.is_postgresql(url) else []


def place_of(url: str | URL) -> str:
    """The file of a SQLite database, the server and database of any other."""
    if postgresql.is_postgresql(url):
        return postgresql.server_place(postgresql.server_url(url))
    parsed = make_url(url)
    if "immutable" in parsed.query:
        return unquote(str(parsed.database).removeprefix("file:"))
    is_file = parsed.drivername.startswith("sqlite") and parsed.database
    return str(parsed.database) if is_file else parsed.render_as_string()
