"""Small statements to SQLite, by its driver alone.

For a statement that looks up or adds a few rows SQLAlchemy takes several times as long as SQLite does. So the hot ones
of a search are compiled by SQLAlchemy once, for each size of their lists, and their text is given to the driver on one
of the engine's own connections, of which a few are kept at hand. Where somebody listens to the engine's statements, the
same text goes by SQLAlchemy.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Engine, PoolProxiedConnection, Select
from sqlalchemy.sql.dml import Insert

from ipcir_tools.store.schema import encodable

Values = Mapping[str, Any]
"""Parameters by name; a list, of one member at least, for one that expands."""

_Shape = tuple[tuple[str, int], ...]
"""The lists among the parameters, and how many members they are written for."""


@dataclass(frozen=True)
class _Written:
    """The text of one statement for lists of certain sizes."""

    text: str
    places: tuple[tuple[str, int], ...]
    """For each mark in the text its parameter, and the member of a list; -1 for one that is none."""
    constants: Values

    def positional(self, values: Values) -> tuple[Any, ...]:
        """What takes the marks' places. A list that is too short is filled up by its last member."""
        given = {**self.constants, **values}
        return tuple(
            encodable(given[name] if member < 0 else given[name][min(member, len(given[name]) - 1)])
            for name, member in self.places
        )


AT_HAND = 2
"""Connections that are not given back to the pool at once: taking one from it is half the time of a small statement."""


class QuickStatements:
    """The statements of one SQLite engine. Safe for many threads; what the driver raises passes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._written: dict[tuple[Any, _Shape], _Written] = {}
        self._shown: dict[Any, tuple[Callable[[Sequence[Any]], Any], tuple[tuple[int, Callable[[Any], Any]], ...]]] = {}
        self._inserts: dict[Insert, tuple[str, list[str]]] = {}
        self._at_hand: list[PoolProxiedConnection] = []
        self._closings = 0

    @property
    def is_watched(self) -> bool:
        """Whether somebody listens to the engine's statements."""
        return bool(self._engine.dispatch.before_cursor_execute)

    def close(self) -> None:
        """Give all connections back to the pool; those that are lent follow as soon as they are free."""
        self._closings += 1
        while self._at_hand:
            self._at_hand.pop().close()

    @contextmanager
    def _lent(self) -> Iterator[PoolProxiedConnection]:
        """One of the engine's connections, outside of a transaction."""
        try:
            lent = self._at_hand.pop()
        except IndexError:
            lent = self._engine.raw_connection()
        is_usable, closings = False, self._closings
        try:
            yield lent
            is_usable = len(self._at_hand) < AT_HAND and closings == self._closings
        finally:
            if is_usable:
                self._at_hand.append(lent)
            else:
                lent.close()

    def rows(self, statement: Select[Any], values: Values) -> list[Any]:
        """The rows, with columns by name and position, of a statement that is made once and kept."""
        lists: _Shape = tuple((name, _size(len(some))) for name, some in values.items() if isinstance(some, list))
        written = self._written.get((statement, lists)) or self._write(statement, lists)
        shown, processors = self._shown.get(statement) or self._show(statement)
        parameters = written.positional(values)
        if self.is_watched:
            with self._engine.execution_options(sqlite_begin=None).connect() as watched:
                found: list[Any] = list(map(tuple, watched.exec_driver_sql(written.text, parameters)))
        else:
            with self._lent() as lent:
                found = cast("Any", lent.driver_connection).execute(written.text, parameters).fetchall()
        if processors:
            found = [_processed(row, processors) for row in found]
        return list(map(shown, found))

    def insert(self, statement: Insert, rows: Sequence[Values], begin: Callable[[PoolProxiedConnection], None]) -> int:
        """Insert rows, of one shape, in a transaction of their own, which ``begin`` begins; how many were new."""
        text, names = self._inserts.get(statement) or self._write_insert(statement, rows[0])
        parameters = [tuple(encodable(row[name]) for name in names) for row in rows]
        with self._lent() as lent:
            driver = cast("Any", lent.driver_connection)
            begin(lent)
            try:
                new = driver.executemany(text, parameters).rowcount
                driver.execute("COMMIT")
            except BaseException:  # an interrupt, too: the connection is used again
                driver.rollback()
                raise
        return int(new)

    def _write_insert(self, statement: Insert, row: Values) -> tuple[str, list[str]]:
        compiled = statement.compile(dialect=self._engine.dialect, column_keys=list(row))
        self._inserts[statement] = made = str(compiled), list(compiled.positiontup or ())
        return made

    def _write(self, statement: Select[Any], shape: _Shape) -> _Written:
        """Compile a statement for lists of these sizes."""
        compiled = statement.compile(dialect=self._engine.dialect)
        needed = {name: "" for name, bound in compiled.binds.items() if bound.required}
        state = compiled.construct_expanded_state({**needed, **{name: [""] * n for name, n in shape}})
        members = {each: (name, i) for name, of in state.parameter_expansion.items() for i, each in enumerate(of)}
        places = tuple(members.get(name, (name, -1)) for name in state.positiontup or ())
        given = {name: value for name, value in compiled.params.items() if not compiled.binds[name].required}
        made = _Written(state.statement, places, given)
        self._written[statement, shape] = made
        return made

    def _show(self, statement: Select[Any]) -> Any:
        """What makes a row of the driver's values, and what its columns' types make of some of them."""
        columns = list(statement.selected_columns)
        kinds = [column.type.dialect_impl(self._engine.dialect) for column in columns]
        processors = [(i, kind.result_processor(self._engine.dialect, None)) for i, kind in enumerate(kinds)]
        row = namedtuple("Row", [column.key for column in columns], rename=True)  # type: ignore[misc]
        self._shown[statement] = made = row._make, tuple((i, each) for i, each in processors if each is not None)
        return made


def _processed(row: Sequence[Any], processors: Sequence[tuple[int, Callable[[Any], Any]]]) -> list[Any]:
    values = list(row)
    for i, process in processors:
        values[i] = process(values[i])
    return values


def _size(n: int) -> int:
    """The power of two that a list of ``n`` is written for, so that there are few texts of each statement."""
    return 1 << (n - 1).bit_length()
