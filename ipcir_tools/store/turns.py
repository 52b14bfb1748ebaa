"""The turns in a catalog: stored once, found by id, followed to their root."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, literal, select
from sqlalchemy.exc import IntegrityError

from ipcir_tools.errors import CatalogError, InvalidRequestError, NotFoundError
from ipcir_tools.store.database import MIN_PREFIX, Database, beginning_with, insertion
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
            try:
                stored = connection.execute(insertion(connection.dialect.name, turn_rows), row).rowcount == 1
            except IntegrityError as error:  # the one thing that a turn refers to is its parent
                raise NotFoundError(f"There is no turn {turn.parent} to continue from.") from error
            if not stored and _body(connection, turn.id) != body:
                raise CatalogError(
                    f"Turn {turn.id} exists already and turns are never changed: give the new one its own id."
                )

    def turn(self, id: str) -> Turn:
        """The turn with this id, or with the only id that begins so (4 characters at least).

        Raises NotFoundError, or InvalidRequestError where several begin so.
        """
        with self._glance() as connection:
            body = _body(connection, id)
        return Turn.model_validate_json(self._only_beginning(id) if body is None else body)

    def _only_beginning(self, id: str) -> str:
        """The body of the only turn whose id begins so."""
        begins = beginning_with(turn_rows.c.id, id)
        with self._read() as connection:
            found = connection.execute(select(turn_rows.c.id, turn_rows.c.body).where(begins).limit(2))
            rows = found.all() if len(id) >= MIN_PREFIX else []
        if len(rows) == 1:
            return str(rows[0].body)
        if rows:
            raise InvalidRequestError(
                f"Several turns begin with {id}, {rows[0].id} and {rows[1].id} among them: give more of the id."
            )
        raise NotFoundError(
            f"There is no turn {id!r}: name one that a search printed, by its id or its first {MIN_PREFIX}+ characters."
        )

    def turn_ids(self, prefix: str, limit: int) -> list[str]:
        """Ids of up to ``limit`` turns that begin so, sorted; fewer than ``MIN_PREFIX`` characters must be all."""
        begins = beginning_with(turn_rows.c.id, prefix) if len(prefix) >= MIN_PREFIX else turn_rows.c.id == prefix
        with self._glance() as connection:
            return list(connection.scalars(select(turn_rows.c.id).where(begins).order_by(turn_rows.c.id).limit(limit)))

    def turns(self, limit: int = 20, conversation: str | None = None) -> list[Turn]:
        """The last turns, newest first; of one conversation, or of all."""
        newest = select(turn_rows.c.body).order_by(turn_rows.c.created.desc(), turn_rows.c.serial.desc()).limit(limit)
        if conversation is not None:
            newest = newest.where(turn_rows.c.conversation == conversation)
        with self._read() as connection:
            return [Turn.model_validate_json(body) for body in connection.scalars(newest)]

    def path(self, id: str) -> list[Turn]:
        """The turns from the root to this one, by one statement for a whole id. Raises as ``turn`` does."""
        with self._glance() as connection:
            bodies = list(connection.scalars(_PATH, {"name": id}))
        if not bodies:
            whole = self.turn(id)
            return [whole] if whole.parent is None else [*self.path(whole.parent), whole]
        return [Turn.model_validate_json(body) for body in bodies]


_BODY = select(turn_rows.c.body).where(turn_rows.c.id == bindparam("name"))
_STEPS = (
    select(turn_rows.c.parent, turn_rows.c.body, literal(0).label("back"))
    .where(turn_rows.c.id == bindparam("name"))
    .cte(recursive=True)
)
_STEPS = _STEPS.union_all(
    select(turn_rows.c.parent, turn_rows.c.body, _STEPS.c.back + 1).where(turn_rows.c.id == _STEPS.c.parent)
)
_PATH = select(_STEPS.c.body).order_by(_STEPS.c.back.desc())


def _body(connection: Connection, id: str) -> str | None:
    return connection.scalar(_BODY, {"name": id})
