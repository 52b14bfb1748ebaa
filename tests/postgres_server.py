"""A PostgreSQL server for tests: pgserver's or the system's, on a socket of its own, one database for each test."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

_SPEED = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")


class PostgresServer:
    """A server that can be stopped and started again, as one that is gone for a while."""

    def __init__(self, folder: Path) -> None:
        import pgserver

        self._folder = folder
        self._free: list[str] = []
        self._server: Any = pgserver.get_server(folder, cleanup_mode=None)
        for setting in _SPEED:
            self.run(f"ALTER SYSTEM SET {setting}")
        self.run("SELECT pg_reload_conf()")

    def run(self, statement: str, database: str = "postgres") -> list[Any]:
        """The rows of one statement, if any."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def url(self, database: str) -> str:
        """As libpq and the package read it."""
        return str(self._server.get_uri(database))

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database, which the next one who asks gets emptied: to make one takes 7 MB of disk."""
        name = self._free.pop() if self._free else self._made()
        yield self.url(name)
        self.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        self.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC", name)
        self._free.append(name)

    def _made(self) -> str:
        name = f"test_{uuid4().hex}"
        self.run(f"CREATE DATABASE {name} STRATEGY file_copy")
        return name

    def stop(self, how: str = "fast") -> None:
        """End the server and every connection to it; ``immediate`` as a fall of the machine does."""
        self._control("-m", how, "stop")

    def start(self) -> None:
        """Start it again, at the same place."""
        self._control("-l", str(self._folder / "log"), "-o", f'-h "" -k {self._folder}', "start")

    def _control(self, *arguments: str) -> None:
        import pgserver

        pgserver.pg_ctl(["-w", *arguments], pgdata=self._folder, user=self._server.system_user)


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server, or a skip where no PostgreSQL can be had."""
    pytest.importorskip("psycopg")
    pytest.importorskip("pgserver")
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp" if os.path.isdir("/tmp") else None))  # noqa: PTH112
    server = PostgresServer(folder)
    try:
        yield server
    finally:
        with contextlib.suppress(Exception):
            server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
