"""The turns in a catalog: stored once, found by id, followed to their root."""

from __future__ import annotations

from sqlalchemy import Connection, select

from ipcir_tools.errors import CatalogError, InvalidRequestError, NotFoundError
from ipcir_tools.store.database import MIN_PREFIX, Database, put
from ipcir_tools.store.schema import turns as turn_rows
from ipcir_tools.types import Turn


class StoredTurns(Database):
    """The turns in a catalog; immutable, each naming its parent."""

    def put_turn(self, turn: Turn, conversation: str | None = None) -> None:
        """Store a turn, as one of a ``conversation`` where there is one.

        Raises CatalogError if another one has its id, NotFoundError if its parent is missing.
        """
        body = turn.model_dump_json()
        row = {"id": turn.id, "parent": turn.parent, "created": turn.created, "body": body}
        row["conversation"] = conversation
        with self._write() as connection:
            if turn.parent is not None and _body(connection, turn.parent) is None:
                raise NotFoundError(f"There is no turn {turn.parent} to continue from.")
            put(connection, turn_rows, [row])
            if _body(connection, turn.id) != body:
                raise CatalogError(
                    f"Turn {turn.id} exists already and turns are never changed: give the new one its own id."
                )

    def turn(self, id: str) -> Turn:
        """The turn with this id, or with the only id that begins so (4 characters at least).

        Raises NotFoundError, or InvalidRequestError where several begin so.
        """
        begins = turn_rows.c.id.istartswith(id, autoescape=True) if len(id) >= MIN_PREFIX else turn_rows.c.id == id
        with self._read() as connection:
            rows = connection.execute(select(turn_rows.c.id, turn_rows.c.body).where(begins).limit(3)).all()
            body = _body(connection, id) or (rows[0].body if len(rows) == 1 else None)
        if body is not None:
            return Turn.model_validate_json(body)
        if rows:
            raise InvalidRequestError(
                f"Several turns begin with {id}, {rows[0].id} and {rows[1].id} among them: give more of the id."
            )
        raise NotFoundError(
            f"There is no turn {id!r}: name one that a search printed, by its id or its first {MIN_PREFIX}+ characters."
        )

    def turns(self, limit: int = 20, conversation: str | None = None) -> list[Turn]:
        """The last turns, newest first; of one conversation, or of all."""
        newest = select(turn_rows.c.body).order_by(turn_rows.c.created.desc(), turn_rows.c.serial.desc()).limit(limit)
        if conversation is not None:
            newest = newest.where(turn_rows.c.conversation == conversation)
        with self._read() as connection:
            return [Turn.model_validate_json(body) for body in connection.scalars(newest)]

    def path(self, id: str) -> list[Turn]:
        """The turns from the root to this one. Raises as ``turn`` does."""
        walk = [self.turn(id)]
        while (parent := walk[-1].parent) is not None:
            walk.append(self.turn(parent))
        return walk[::-1]


def _body(connection: Connection, id: str) -> str | None:
    return connection.scalar(select(turn_rows.c.body).where(turn_rows.c.id == id))
