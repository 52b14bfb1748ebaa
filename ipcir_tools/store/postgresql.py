"""A PostgreSQL server as the catalog of several machines: its URL, its connections, its tables, its errors.

What differs from SQLite is here or follows from it: texts compare and sort by their code points (collation ``C``),
a transaction that reads sees one state of the database, and long paths have indexes that take them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, func, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError

from ipcir_tools.errors import CatalogError
from ipcir_tools.store.schema import files, folders
from ipcir_tools.text import MASK

DRIVER = "postgresql+psycopg"
VARIABLE = "IPCIR_CATALOG_URL"
HOW = f"write postgresql://USER:PASSWORD@HOST/DATABASE in {VARIABLE} or --catalog-url"

LOCK_SECONDS = 30
"""How long a statement waits for another process that writes."""
IDLE_SECONDS = 300
"""How long a transaction may wait for its process, which a lost machine leaves open with all that it locked."""
_CONNECT: Mapping[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "application_name": "ipcir",
    "prepare_threshold": None,
}
"""Options of a connection, each unless the URL has it. By the keep-alives a server that has vanished is noticed in a
minute. Nothing is prepared: the plan for an empty table would be kept while it grows, and poolers between may not."""

_NAME = re.compile(r"[\w.,:\[\]/$ -]+")

LONG_KEYS = (files, folders)
"""Tables whose key is a path. An index entry of PostgreSQL takes 2,704 bytes, a path may have 4,096: so their key is
unique by its digest, and a hash index finds it."""

_WAYS_OUT = {
    "28": f"check user and password in {VARIABLE}",
    "3D000": "make it: createdb --encoding UTF8 --template template0 DATABASE",
    "42501": "let that user make tables in this database, or, where they are made, read and write them: "
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public and USAGE ON ALL SEQUENCES IN SCHEMA public",
    "25006": "the server only lets read: name the one that writes",
    "55P03": "another process has been writing for long: wait for it and try again",
    "53300": "the server has too many connections: close some, or raise its max_connections",
    "53": "the server lacks space or memory: make room there",
    "22P05": "the database must be in UTF8: make one with createdb --encoding UTF8 --template template0",
    "57": "the server is stopping: try again once it runs, a new connection is made by itself",
}
"""By the beginning of an SQLSTATE."""
_GONE = f"start that server, or check host, port and {VARIABLE}; a new connection is made by itself"


def is_postgresql(url: str | URL) -> bool:
    """Whether a URL names a PostgreSQL database; also for a text that is no URL in all else."""
    name = url.drivername if isinstance(url, URL) else url.partition(":")[0]
    return name.partition("+")[0].lower() in ("postgresql", "postgres")


def server_url(url: str | URL) -> URL:
    """The URL with psycopg as its driver. Raises CatalogError, which never shows the URL: it may hold a password."""
    try:
        parsed = make_url(url)
        if not is_postgresql(parsed) or not parsed.database:
            raise ValueError("another database, or none")
    except (ArgumentError, ValueError):
        raise CatalogError(f"The catalog's URL is none of a PostgreSQL database: {HOW}.") from None
    # Only the one between user and host is no part of a name: any other may leave a part of a password behind it.
    known = parsed.username is not None
    if (isinstance(url, str) and url.count("@") > known) or "@" in f"{parsed.host}{parsed.database}":
        raise CatalogError(f"The catalog's URL has an '@' inside a password or a name: write %40 there, and {HOW}.")
    return parsed.set(drivername=DRIVER)


def server_place(url: URL) -> str:
    """The server and the database for messages, as far as they are names for certain: no password, and no options,
    which may hold one too."""
    return _place(_certain(_host(url)), url.port, _certain(url.database or ""))


def server_key(url: URL) -> str:
    """The same with all of the names, to tell databases apart; never to be shown."""
    return _place(_host(url), url.port, url.database or "")


def _place(host: str, port: int | None, database: str) -> str:
    return f"postgresql://{host or 'localhost'}{f':{port}' if port else ''}/{database}"


def server_secrets(url: URL) -> list[str]:
    """What the driver may repeat and no message is to show: passwords, users, options, and what is no plain name."""
    options = [
        each
        for name, value in url.query.items()
        if name not in _CONNECT and name not in ("host", "port")
        for each in ((value,) if isinstance(value, str) else value)
    ]
    # A driver names users and databases in quotes; without those, "a" would be masked in every word.
    names = (name for name in url.query if name not in _CONNECT)
    hidden = [each for each in (url.username, url.password, *options, *names) if each]
    doubtful = [name for name in (_host(url), url.database or "") if name and _certain(name) != name]
    long = [each for each in (url.password or "", *options) if len(each) > 3]
    return [*(f'"{each}"' for each in hidden), *long, *doubtful]


def _host(url: URL) -> str:
    host = url.host or url.query.get("host") or ""
    return host if isinstance(host, str) else ",".join(host)


def _certain(name: str) -> str:
    """A name of a host, a folder of sockets or a database; a mask where it may be a part of something else."""
    return name if not name or _NAME.fullmatch(name) else MASK


def open_server(url: URL) -> Engine:
    """An engine for a server. Raises CatalogError where its driver is not installed."""
    options = {name: value for name, value in _CONNECT.items() if name not in url.query}
    try:
        engine = create_engine(url, pool_size=16, connect_args=options)
    except ModuleNotFoundError as error:
        raise CatalogError(
            f"A catalog on PostgreSQL needs psycopg ({error}): pip install 'ipcir-tools[postgres]'."
        ) from error
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "checkout", _check_alive)
    return engine


def reading(engine: Engine) -> Engine:
    """The engine for transactions that read: all statements of one see the same state, as in SQLite."""
    return engine.execution_options(isolation_level="REPEATABLE READ")


def finish_tables(connection: Connection) -> None:
    """What tables that were just made have on PostgreSQL alone."""
    for table in LONG_KEYS:
        name = table.name
        connection.execute(text(f"ALTER TABLE {name} DROP CONSTRAINT {name}_pkey"))
        connection.execute(text(f"CREATE UNIQUE INDEX {name}_path ON {name} (md5(path))"))
        connection.execute(text(f"CREATE INDEX {name}_by_path ON {name} USING hash (path)"))
    # Vectors do not compress: kept in their row as long as a page holds it, they are read in one go.
    connection.execute(text("ALTER TABLE features ALTER COLUMN vector SET STORAGE EXTERNAL"))
    connection.execute(text("ALTER TABLE features SET (toast_tuple_target = 8160)"))


def conflict_key(table: Table) -> list[Any]:
    """By what two rows are the same."""
    return [func.md5(table.c.path)] if table in LONG_KEYS else list(table.primary_key.columns)


def way_out(error: BaseException) -> str:
    """What to do about an error of the driver."""
    state = getattr(error, "sqlstate", None)
    if state is None:  # no answer: the server could not be reached, or the connection broke
        lowered = str(error).lower()
        if "authentication failed" in lowered or "no password supplied" in lowered:
            return _WAYS_OUT["28"]
        if "does not exist" in lowered:
            return _WAYS_OUT["3D000"] if "database" in lowered else _WAYS_OUT["28"]
        return _WAYS_OUT["53300"] if "too many" in lowered else _GONE
    return next((way for start, way in _WAYS_OUT.items() if state.startswith(start)), "try again, or see its log")


def _prepare(connection: Any, _record: Any) -> None:
    """A new connection: texts made storable, no endless waiting, and a database that can hold every text."""
    if connection.info.parameter_status("server_encoding") != "UTF8":
        found = connection.info.parameter_status("server_encoding")
        raise CatalogError(f"The catalog's database stores texts in {found}, which not every text fits: "
                           f"{_WAYS_OUT['22P05']}.")  # fmt: skip
    connection.adapters.register_dumper(str, _storable_dumper())
    connection.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
    connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
    connection.commit()


def _check_alive(connection: Any, _record: Any, _proxy: Any) -> None:
    """Drop a connection that the server has closed, without asking it anything: two calls find what it sent last, and
    that nothing comes after it."""
    import psycopg

    try:
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except psycopg.Error as error:
        raise DisconnectionError("the server has closed the connection") from error


def _storable_dumper() -> type[Any]:
    from psycopg.types.string import StrDumper

    class StorableDumper(StrDumper):
        """Texts as PostgreSQL takes them: NUL and halves of surrogate pairs become U+FFFD."""

        def dump(self, obj: str) -> Any:
            """The text in UTF-8."""
            return super().dump(storable(obj))

    return StorableDumper


def storable(text: str) -> str:
    """A text as PostgreSQL takes it: NUL and halves of surrogate pairs become U+FFFD."""
    if "\0" in text or not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    return text
