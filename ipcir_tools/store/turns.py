"""The turns in a catalog: stored once, found by id, followed to their root."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from sqlalchemy import Row, bindparam, literal, select
from sqlalchemy.exc import IntegrityError

from ipcir_tools.errors import CatalogError, InvalidRequestError, NotFoundError
from ipcir_tools.store.checksums import CHECKSUM, row_checksum
from ipcir_tools.store.damage import MENDING
from ipcir_tools.store.database import MIN_PREFIX, Database, beginning_with
from ipcir_tools.store.schema import turns as turn_rows
from ipcir_tools.store.unstored import in_search, searching
from ipcir_tools.types import Turn

_LOCK = threading.Lock()
MOST_WAITING = 1_000
"""Turns that could not be stored and are held in memory."""


class StoredTurns(Database):
    """The turns in a catalog; immutable, each naming its parent."""

    _waiting: dict[str, tuple[Turn, str | None]] = {}  # noqa: RUF012 - replaced, never changed
    """Turns of searches that could not be stored, with their conversations, oldest first: the next one stores them."""

    def put_turn(self, turn: Turn, conversation: str | None = None) -> None:
        """Store a turn, as one of a ``conversation`` where there is one.

        In a search, one that cannot be stored now is held in memory, and stored with the next. Raises CatalogError if
        another one has its id, NotFoundError if its parent is missing.
        """
        search = in_search()
        try:
            if search is not None and search.why:
                raise CatalogError(search.why)  # it has waited once
            self._store_waiting()
            self._put_turn(turn, conversation)
        except CatalogError as error:
            if search is None:
                raise
            search.failed(error)
            with _LOCK:
                self._waiting = dict([*self._waiting.items(), (turn.id, (turn, conversation))][-MOST_WAITING:])

    def _store_waiting(self) -> None:
        for id_, (turn, conversation) in list(self._waiting.items()):
            with suppress(NotFoundError):  # the turn before it was let go
                self._put_turn(turn, conversation)
            with _LOCK:
                self._waiting = {other: each for other, each in self._waiting.items() if other != id_}

    def close(self) -> None:
        """Store what waits, where that can be done now, and close the connections."""
        with suppress(CatalogError), searching():
            self._store_waiting()
        super().close()

    def _put_turn(self, turn: Turn, conversation: str | None) -> None:
        body = turn.model_dump_json()
        fields = {"id": turn.id, "parent": turn.parent, "created": turn.created, "body": body}
        try:
            is_new = self._insert(turn_rows, [{**fields, "conversation": conversation}]) == 1
        except CatalogError as error:
            if not isinstance(error.__cause__, IntegrityError | sqlite3.IntegrityError):
                raise
            # the one thing that a turn refers to is its parent
            raise NotFoundError(f"There is no turn {turn.parent} to continue from.") from error
        if not is_new and [row.body for row in self._glanced(_BODY, {"name": turn.id})] != [body]:
            raise CatalogError(
                f"Turn {turn.id} exists already and turns are never changed: give the new one its own id."
            )

    def turn(self, id: str) -> Turn:
        """The turn with this id, or with the only id that begins so (4 characters at least).

        Raises NotFoundError, or InvalidRequestError where several begin so.
        """
        if (held := self._held_in_memory(id)) is not None:
            return held
        with self._glance() as connection:
            row = connection.execute(_TURN, {"name": id}).one_or_none()
        return self._parsed(self._only_beginning(id) if row is None else row)

    def _held_in_memory(self, id: str) -> Turn | None:
        """The turn, not stored yet, with this id, or whose id alone among such begins so."""
        waiting = self._waiting
        found = [id] if id in waiting else [each for each in waiting if len(id) >= MIN_PREFIX and each.startswith(id)]
        return waiting[found[0]][0] if len(found) == 1 else None

    def _parsed(self, row: Row[Any]) -> Turn:
        """The turn of a row. Raises CatalogError where that is damaged."""
        if why := self._fault(row):
            raise CatalogError(f"The turn {row.id} is damaged in the catalog ({why}): {MENDING}; or refine another.")
        return Turn.model_validate_json(row.body)

    def _whole(self, rows: Iterable[Row[Any]]) -> list[Turn]:
        """The turns of the rows that are not damaged."""
        return [Turn.model_validate_json(row.body) for row in rows if not self._fault(row)]

    def _fault(self, row: Row[Any]) -> str | None:
        """What is wrong with a turn, noted; None for one as it was written."""
        why = None
        if row.checksum is None:
            why = "it has no checksum"
        elif row_checksum(turn_rows, row._asdict()) != row.checksum:
            why = "it does not match its checksum"
        if why:
            self.damage.add("turns", (str(row.id),), why)
        return why

    def _only_beginning(self, id: str) -> Row[Any]:
        """The row of the only turn whose id begins so."""
        begins = beginning_with(turn_rows.c.id, id)
        with self._read() as connection:
            found = connection.execute(select(*_COLUMNS).where(begins).limit(2))
            rows = found.all() if len(id) >= MIN_PREFIX else []
        if len(rows) == 1:
            return rows[0]
        if rows:
            raise InvalidRequestError(
                f"Several turns begin with {id}, {rows[0].id} and {rows[1].id} among them: give more of the id."
            )
        raise NotFoundError(
            f"There is no turn {id!r}: name one that a search printed, by its id or its first {MIN_PREFIX}+ characters."
        )

    def turn_ids(self, prefix: str, limit: int) -> list[str]:
        """Ids of up to ``limit`` turns that begin so, sorted; fewer than ``MIN_PREFIX`` characters must be all."""
        is_whole = len(prefix) < MIN_PREFIX
        begins = turn_rows.c.id == prefix if is_whole else beginning_with(turn_rows.c.id, prefix)
        held = [id_ for id_ in self._waiting if id_ == prefix or (id_.startswith(prefix) and not is_whole)]
        with self._glance() as connection:
            stored = connection.scalars(select(turn_rows.c.id).where(begins).order_by(turn_rows.c.id).limit(limit))
            return sorted({*held, *stored})[:limit]

    def turns(self, limit: int = 20, conversation: str | None = None) -> list[Turn]:
        """The last turns, newest first; of one conversation, or of all. Damaged ones are left out, and noted."""
        newest = select(*_COLUMNS).order_by(turn_rows.c.created.desc(), turn_rows.c.serial.desc()).limit(limit)
        if conversation is not None:
            newest = newest.where(turn_rows.c.conversation == conversation)
        with self._read() as connection:
            rows = connection.execute(newest).all()
        stored = self._whole(rows)
        held = [turn for turn, of in self._waiting.values() if conversation in (None, of)]
        return [*reversed(held), *stored][:limit]

    def path(self, id: str) -> list[Turn]:
        """The turns from the root to this one, by one statement for a whole id. Raises as ``turn`` does."""
        if (held := self._held_in_memory(id)) is not None:
            return [held] if held.parent is None else [*self.path(held.parent), held]
        with self._glance() as connection:
            rows = connection.execute(_PATH, {"name": id}).all()
        if not rows:
            whole = self.turn(id)
            return [whole] if whole.parent is None else [*self.path(whole.parent), whole]
        return [self._parsed(row) for row in rows]

    def dialogue(self, id: str) -> list[Turn]:
        """All turns of the dialogue that a turn belongs to, in the order in which they were taken, its root first.

        Damaged ones are left out, and noted. Raises as ``turn`` does.
        """
        root = self.path(id)[0].id
        with self._read() as connection:
            rows = connection.execute(_DIALOGUE, {"name": root}).all()
        found = self._whole(rows)
        known = {root, *(turn.id for turn in found)}
        for turn, _ in self._waiting.values():
            if turn.id == root or turn.parent in known:
                found.append(turn)
                known.add(turn.id)
        return found


_COLUMNS = [turn_rows.c[key] for key in ("id", "parent", "created", "body", "conversation", CHECKSUM)]
_BODY = select(turn_rows.c.body).where(turn_rows.c.id == bindparam("name"))
_TURN = select(*_COLUMNS).where(turn_rows.c.id == bindparam("name"))
_STEPS = select(*_COLUMNS, literal(0).label("back")).where(turn_rows.c.id == bindparam("name")).cte(recursive=True)
_STEPS = _STEPS.union_all(select(*_COLUMNS, _STEPS.c.back + 1).where(turn_rows.c.id == _STEPS.c.parent))
_PATH = select(*(_STEPS.c[each.key] for each in _COLUMNS)).order_by(_STEPS.c.back.desc())

_BELOW = select(turn_rows.c.id).where(turn_rows.c.id == bindparam("name")).cte(recursive=True)
_BELOW = _BELOW.union_all(select(turn_rows.c.id).where(turn_rows.c.parent == _BELOW.c.id))
_DIALOGUE = select(*_COLUMNS).where(turn_rows.c.id.in_(select(_BELOW.c.id))).order_by(turn_rows.c.serial)
