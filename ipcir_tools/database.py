"""The database behind a catalog: opened, read and written in transactions, its errors told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL, Connection
from sqlalchemy.exc import ArgumentError

from ipcir_tools import schema
from ipcir_tools.errors import CatalogError
from ipcir_tools.schema import CHOOSE, explained, first_line, place_of


class Database:
    """The database at one SQLAlchemy URL: SQLite, or PostgreSQL when several machines share it.

    Every method raises CatalogError when it cannot be read or written.
    """

    def __init__(self, url: str | URL) -> None:
        try:
            self._place = place_of(url)
            with explained(self._place):
                self._engine = schema.open_engine(url)
        except (ArgumentError, ModuleNotFoundError) as error:
            raise CatalogError(f"No catalog can be opened at this URL: {first_line(error)}.") from error
        self._writer = schema.writing(self._engine)

    @classmethod
    def open(cls, home: Path) -> Self:
        """The catalog ``home/catalog.sqlite``; makes the folder, for its owner alone, and the file if need be."""
        home = home.expanduser().absolute()
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError as error:
            raise CatalogError(f"{home} is a file where a folder is needed: {CHOOSE}.") from error
        except OSError as error:
            raise CatalogError(f"The folder {home} cannot be made ({error.strerror}): {CHOOSE}.") from error
        return cls(URL.create("sqlite", database=str(home / "catalog.sqlite")))

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with explained(self._place), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with explained(self._place), self._writer.begin() as connection:
            yield connection
